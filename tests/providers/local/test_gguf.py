"""The header of a GGUF file is read by the specification; damage is reported and never crashes."""

import random
from pathlib import Path

import pytest

from grantha.providers.local.gguf import InvalidModelFile, read_header
from tests.providers.local.conftest import PAIRS, Write, gguf


def test_a_header_tells_name_length_and_template(write_gguf: Write) -> None:
    header = read_header(write_gguf())
    assert (header.architecture, header.name) == ("llama", "Little One")
    assert header.context_length == 4096
    assert header.chat_template == PAIRS["tokenizer.chat_template"]
    assert (header.tools, header.reasoning) == (False, False)


def test_a_template_with_tools_and_reasoning_is_recognised(write_gguf: Write) -> None:
    template = "{% if tools %}{{ tools }}{% endif %}<think>"
    header = read_header(write_gguf(tokenizer__chat_template=template))
    assert (header.tools, header.reasoning) == (True, True)


@pytest.mark.parametrize("look", [4, 5, 24, 100, 333])
def test_a_head_longer_than_the_first_look_is_read_whole(write_gguf: Write, look: int) -> None:
    path = write_gguf()
    expected = read_header(path)
    assert read_header(path, look) == expected


def test_a_file_cut_anywhere_is_called_incomplete(tmp_path: Path) -> None:
    whole = gguf(PAIRS)
    path = tmp_path / "cut.gguf"
    for length in range(4, len(whole) - 32):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidModelFile, match="incomplete"):
            read_header(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"PK\3\4" + b"\0" * 60, "isn't a GGUF"),
        (gguf(PAIRS, version=1), "version 1 isn't supported"),
        (gguf({**PAIRS, "general.architecture": "clip"}), "only a part of a language model"),
        (gguf({**PAIRS, "general.type": "adapter"}), "only a part of a language model"),
        (gguf({"general.name": "x"}), "no architecture"),
        (gguf({**PAIRS, "general.alignment": 0}), "alignment"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "odd.gguf"
    path.write_bytes(content)
    with pytest.raises(InvalidModelFile, match=reason) as caught:
        read_header(path)
    assert str(tmp_path) not in str(caught.value)


def test_a_missing_file_and_a_folder_are_reported(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelFile, match="doesn't exist"):
        read_header(tmp_path / "none.gguf")
    with pytest.raises(InvalidModelFile, match="can't be read"):
        read_header(tmp_path)


def test_damaged_bytes_give_a_reason_or_a_header_and_nothing_else(tmp_path: Path) -> None:
    whole = gguf(PAIRS)
    chance = random.Random(7)
    path = tmp_path / "damaged.gguf"
    broken = 0
    for _ in range(2000):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            content[chance.randrange(4, len(content))] = chance.randrange(256)
        path.write_bytes(content)
        try:
            read_header(path)
        except InvalidModelFile:
            broken += 1
    assert 200 < broken < 2000
