"""A small model that makes embeddings, run for real."""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from grantha.chat import Call, text_message
from grantha.config import Settings
from grantha.embedding import EmbeddingCall
from grantha.errors import ContextOverflow, Unsupported
from grantha.providers.local import builtin, create
from grantha.providers.local.gguf import read_header
from grantha.providers.local.provider import EMBEDDING_BATCH, LocalProvider
from tests.providers.local.conftest import Write, embedding_model

pytestmark = pytest.mark.local_model

MODEL = "three-words"


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[LocalProvider]:
    """A provider that has only the model of three words."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / f"{MODEL}.gguf").write_bytes(embedding_model())
    made = create(
        Settings.model_validate(
            {
                "data_dir": tmp_path / "data",
                "local_models": [folder],
                "variables": dict(os.environ),
            }
        )
    )
    yield made
    await made.aclose()


async def vectors(provider: LocalProvider, *texts: str) -> tuple[Sequence[float], ...]:
    return (await provider.embed(EmbeddingCall(MODEL, texts))).vectors


def near(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors of length 1."""
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_each_text_has_its_own_vector_of_length_1(provider: LocalProvider) -> None:
    found = await provider.embed(EmbeddingCall(MODEL, ("red", "green", "red")))
    red, green, again = found.vectors
    assert {len(vector) for vector in found.vectors} == {32}
    assert math.isclose(math.hypot(*red), 1, rel_tol=1e-3)
    assert near(red, again) > 0.9999
    assert near(red, green) < 0.995
    assert found.input_tokens == 9  # each word stands between the beginning and the end


async def test_a_model_is_listed_while_it_is_loaded(provider: LocalProvider) -> None:
    assert provider.loaded_models() == []
    await vectors(provider, "red")
    (loaded,) = provider.loaded_models()
    assert (loaded.id, loaded.context_length) == (f"local/{MODEL}", 32)
    assert loaded.size == len(embedding_model())
    assert 0 < loaded.idle <= Settings().local_idle


async def test_many_texts_keep_their_order_and_share_the_model(provider: LocalProvider) -> None:
    words = ["red", "green", "blue"] * EMBEDDING_BATCH
    red, green, blue = await vectors(provider, "red", "green", "blue")
    first, second = await asyncio.gather(vectors(provider, *words), vectors(provider, *words[1:]))
    for found, expected in ((first, (red, green, blue)), (second, (green, blue, red))):
        for place, vector in enumerate(found):
            assert near(vector, expected[place % 3]) > 0.9999, place


async def test_a_text_beyond_the_context_is_refused_and_the_model_goes_on(
    provider: LocalProvider,
) -> None:
    with pytest.raises(ContextOverflow):
        await vectors(provider, "red " * 500)
    assert await vectors(provider, "red " * 20)


async def test_what_the_model_cannot_do_is_said(provider: LocalProvider) -> None:
    with pytest.raises(Unsupported, match="texts, not tokens"):
        await provider.embed(EmbeddingCall(MODEL, ((5, 6),)))
    with pytest.raises(Unsupported, match="don't shorten"):
        await provider.embed(EmbeddingCall(MODEL, ("red",), dimensions=8))
    await provider.models()  # reads the file's description
    with pytest.raises(Unsupported, match="makes embeddings, no answers"):
        await provider.open(Call(MODEL, (text_message("user", "Hi"),)))


async def test_a_model_that_answers_makes_no_embeddings_and_is_the_default(
    provider: LocalProvider, write_gguf: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtin, "PACKAGE", "no-such-package-as-this")
    write_gguf("files/wise.gguf")
    await provider.models()
    assert provider.canonical_name("default") == "wise"
    with pytest.raises(Unsupported, match="wise makes no embeddings"):
        await provider.embed(EmbeddingCall("wise", ("red",)))


@pytest.mark.parametrize(
    ("pooling", "embeds"), [(0, False), (1, True), (2, True), (3, True), (4, False)]
)
def test_the_header_tells_what_a_model_is_for(
    write_gguf: Write, pooling: int, embeds: bool
) -> None:
    assert read_header(write_gguf(llama__pooling_type=pooling)).embeds is embeds
    assert not read_header(write_gguf()).embeds
