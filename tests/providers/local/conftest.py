"""Small GGUF heads, written by the specification, for tests that need no model to run."""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Write = Callable[..., Path]


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: object) -> bytes:
    match value:
        case str():
            return struct.pack("<I", 8) + _text(value)
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<Id", 12, value)
        case [str(), *_]:
            items = b"".join(_text(str(item)) for item in value)
            return struct.pack("<IIQ", 9, 8, len(value)) + items
        case list():
            return struct.pack(f"<IIQ{len(value)}f", 9, 6, len(value), *value)
        case _:
            raise TypeError(type(value))


def gguf(pairs: Mapping[str, object], tensors: int = 2, version: int = 3) -> bytes:
    """A whole file: pairs, and tensors of 32 bytes each."""
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, len(pairs))
    head += b"".join(_text(key) + _value(value) for key, value in pairs.items())
    for number in range(tensors):
        head += _text(f"tensor.{number}") + struct.pack("<IQIQ", 1, 8, 0, 32 * number)
    return head + b"\0" * (-len(head) % 32) + b"\1" * 32 * tensors


PAIRS: dict[str, object] = {
    "general.architecture": "llama",
    "general.name": "Little One",
    "general.quantized": True,
    "llama.context_length": 4096,
    "llama.rope.freq_base": 10000.0,
    "tokenizer.ggml.tokens": ["<s>", "a", "b" * 300],
    "tokenizer.ggml.scores": [0.0, -1.0, -2.0],
    "tokenizer.chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
}


@pytest.fixture
def write_gguf(tmp_path: Path) -> Write:
    """Writes a file with the usual pairs, changed by name; returns its path."""

    def write(name: str = "little.gguf", **changes: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gguf({**PAIRS, **{k.replace("__", "."): v for k, v in changes.items()}}))
        return path

    return write
