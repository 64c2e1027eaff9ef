"""Reads the header of a GGUF file, with the model's metadata, without llama.cpp.

Follows the GGUF specification, versions 2 and 3 (ggml, docs/gguf.md). Reads the key-value pairs and the
tensor table, never a tensor. Every count and length comes from the file and is therefore checked against
its size before it is used: a damaged file gives `InvalidModelFile` with a reason, never anything else.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"GGUF"
VERSIONS = (2, 3)
FIRST_LOOK = 8 << 20  # bytes; enough for most headers, whose bulk is the vocabulary
MAX_TEXT = 1 << 20  # bytes of one value that we keep; the longest chat templates have some 20 kB

# Value types of the specification: 0 u8, 1 i8, 2 u16, 3 i16, 4 u32, 5 i32, 6 f32, 7 bool, 8 string,
# 9 array, 10 u64, 11 i64, 12 f64.
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_FORMATS = {kind: struct.Struct("<" + code) for kind, code in _SCALARS.items()}
_STRING, _ARRAY = 8, 9
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_MAX_DIMENSIONS = 4
_POOLING = frozenset({1, 2, 3})  # mean, first token, last token; llama.h, llama_pooling_type
_MAX_DEPTH = 4

Scalar = int | float | bool | str


class InvalidModelFile(ValueError):
    """The file can't be used as a model; the message says why, without its path."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """The metadata we need. `context_length` is the one that the model was trained with."""

    architecture: str
    name: str | None
    context_length: int | None
    chat_template: str | None
    size: int  # bytes of the file
    pooling: int | None = (
        None  # how one vector is made of a text's tokens, as llama.cpp numbers the ways
    )

    @property
    def embeds(self) -> bool:
        """Whether the model makes embeddings, and no answers: it names a way other than to rank texts."""
        return self.pooling in _POOLING

    @property
    def tools(self) -> bool:
        """Whether the chat template has a place for tools."""
        return self.chat_template is not None and "tools" in self.chat_template

    @property
    def reasoning(self) -> bool:
        """Whether the chat template has a place for reasoning."""
        return self.chat_template is not None and "<think>" in self.chat_template


def read_header(path: Path, first_look: int = FIRST_LOOK) -> GgufHeader:
    """The description of the model in `path`. Raises `InvalidModelFile`; blocks for some milliseconds.

    `first_look` bytes are read first, and more only where the description is longer.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise InvalidModelFile("the file is empty")
            # Read, not mapped: a mapped file that is truncated would crash the whole process.
            seen = file.read(first_look)
            while True:
                try:
                    return _read(seen, size)
                except _MoreNeeded:
                    seen += file.read(3 * len(seen)) or _end()
    except FileNotFoundError as error:
        raise InvalidModelFile("the file doesn't exist") from error
    except OSError as error:
        raise InvalidModelFile(
            f"the file can't be read: {error.strerror or 'unknown error'}"
        ) from error


class _MoreNeeded(Exception):
    """The header is longer than the part of the file that was read."""


def _end() -> bytes:
    raise InvalidModelFile("it is incomplete: the file ends in its description")


def _read(seen: bytes, size: int) -> GgufHeader:
    if seen[:4] != MAGIC:
        raise InvalidModelFile("it isn't a GGUF file")
    cursor = _Cursor(seen, size)
    version = cursor.unpack(_U32)
    if version not in VERSIONS:
        raise InvalidModelFile(f"GGUF version {version} isn't supported")
    tensors, pairs = cursor.unpack(_U64), cursor.unpack(_U64)
    values: dict[str, Scalar] = {}
    for _ in range(pairs):
        key, value = cursor.text(), cursor.value(cursor.unpack(_U32))
        if value is not None:
            values[key] = value
    _check_tensors(cursor, tensors, values.get("general.alignment", 32))
    return _header(values, size)


def _header(values: dict[str, Scalar], size: int) -> GgufHeader:
    architecture = values.get("general.architecture")
    if not isinstance(architecture, str):
        raise InvalidModelFile("it names no architecture")
    if values.get("general.type", "model") != "model" or architecture == "clip":
        raise InvalidModelFile("it holds only a part of a language model")
    name, template = values.get("general.name"), values.get("tokenizer.chat_template")
    length = values.get(f"{architecture}.context_length")
    pooling = values.get(f"{architecture}.pooling_type")
    return GgufHeader(
        architecture,
        name.strip() or None if isinstance(name, str) else None,
        length if isinstance(length, int) and length > 0 else None,
        template if isinstance(template, str) else None,
        size,
        pooling if isinstance(pooling, int) else None,
    )


def _check_tensors(cursor: _Cursor, count: int, alignment: Scalar) -> None:
    """An interrupted download has a whole header and too few tensors behind it."""
    last = 0
    for _ in range(count):
        cursor.skip(cursor.unpack(_U64))
        dimensions = cursor.unpack(_U32)
        if dimensions > _MAX_DIMENSIONS:
            raise InvalidModelFile("its list of tensors is damaged")
        cursor.skip(8 * dimensions + 4)
        last = max(last, cursor.unpack(_U64))
    if not isinstance(alignment, int) or alignment <= 0:
        raise InvalidModelFile("its alignment is damaged")
    start = -(-cursor.at // alignment) * alignment
    if count and start + last >= cursor.size:
        raise InvalidModelFile("it is incomplete: the file ends before the model does")


class _Cursor:
    """Reads forward, never past the end. `seen` is the beginning of a file of `size` bytes."""

    def __init__(self, seen: bytes, size: int) -> None:
        self._seen = seen
        self.size = size
        self.at = len(MAGIC)

    def skip(self, length: int) -> int:
        """Moves by `length` bytes; returns the previous position."""
        start = self.at
        if length > len(self._seen) - start:
            if length > self.size - start:
                _end()
            raise _MoreNeeded
        self.at = start + length
        return start

    def unpack(self, form: struct.Struct) -> int:
        value = form.unpack_from(self._seen, self.skip(form.size))[0]
        return int(value)

    def text(self) -> str:
        length = self.unpack(_U64)
        start = self.skip(length)
        return self._seen[start : start + min(length, MAX_TEXT)].decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Scalar | None:
        """A scalar or a text; None for an array, which is passed over."""
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            self._array(depth)
            return None
        form = _FORMATS.get(kind)
        if form is None:
            raise InvalidModelFile("its description is damaged")
        value: Scalar = form.unpack_from(self._seen, self.skip(form.size))[0]
        return value

    def _array(self, depth: int) -> None:
        kind, count = self.unpack(_U32), self.unpack(_U64)
        if depth > _MAX_DEPTH:
            raise InvalidModelFile("its description is damaged")
        if kind in _FORMATS:
            self.skip(_FORMATS[kind].size * count)
        elif kind == _STRING:
            self._texts(count)
        elif kind == _ARRAY:
            for _ in range(count):
                self._array(depth + 1)
        else:
            raise InvalidModelFile("its description is damaged")

    def _texts(self, count: int) -> None:
        # A vocabulary has up to 260,000 texts: this loop is most of the cost of a header.
        seen, end, at, length_at = self._seen, len(self._seen) - 8, self.at, _U64.unpack_from
        for _ in range(count):
            if at > end:
                break
            at += 8 + length_at(seen, at)[0]
        else:
            end = len(seen)
        if at > end:
            # The next length, or the last text, is beyond the bytes that were read.
            self.skip(at + 8 - self.at)
        self.at = at
