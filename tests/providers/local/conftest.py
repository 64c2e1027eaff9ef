"""Small GGUF files, written by the specification: heads alone, and a model that really runs."""

import random
import struct
from array import array
from collections.abc import Callable, Mapping, Sequence
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
        case Float32():
            return struct.pack("<If", 6, value)
        case float():
            return struct.pack("<Id", 12, value)
        case [str(), *_]:
            items = b"".join(_text(str(item)) for item in value)
            return struct.pack("<IIQ", 9, 8, len(value)) + items
        case [int(), *_]:
            return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
        case list():
            return struct.pack(f"<IIQ{len(value)}f", 9, 6, len(value), *value)
        case _:
            raise TypeError(type(value))


class Float32(float):
    """A number that is written with 32 bits, as llama.cpp wants most of its own."""


Tensor = tuple[Sequence[int], bytes]  # its dimensions, and its numbers as multiples of 32 bytes


def gguf(
    pairs: Mapping[str, object], tensors: Mapping[str, Tensor] | None = None, version: int = 3
) -> bytes:
    """A whole file: pairs, and tensors of float32; without any given, two small ones."""
    if tensors is None:
        tensors = {f"tensor.{number}": ((8,), b"\1" * 32) for number in range(2)}
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    head += b"".join(_text(key) + _value(value) for key, value in pairs.items())
    at = 0
    for name, (shape, content) in tensors.items():
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, at)
        at += len(content)
    contents = b"".join(content for _, content in tensors.values())
    return head + b"\0" * (-len(head) % 32) + contents


def embedding_model() -> bytes:
    """A BERT of one layer with random weights, always the same ones, that knows three words."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁red", "▁green", "▁blue", "▁", "a"]
    width, inner, length = 32, 64, 32
    chance = random.Random(5)

    def weights(*shape: int) -> Tensor:
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        return shape, array("f", [chance.gauss(0, 0.5) for _ in range(count)]).tobytes()

    tensors = {
        "token_embd.weight": weights(width, len(tokens)),
        "token_types.weight": weights(width, 2),
        "position_embd.weight": weights(width, length),
    }
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        tensors[f"blk.0.{name}.weight"] = weights(width, width)
        tensors[f"blk.0.{name}.bias"] = weights(width)
    tensors["blk.0.ffn_up.weight"] = weights(width, inner)
    tensors["blk.0.ffn_up.bias"] = weights(inner)
    tensors["blk.0.ffn_down.weight"] = weights(inner, width)
    tensors["blk.0.ffn_down.bias"] = weights(width)
    for name in ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"):
        tensors[f"{name}.weight"] = weights(width)
        tensors[f"{name}.bias"] = weights(width)
    return gguf(
        {
            "general.architecture": "bert",
            "general.name": "Three Words",
            "bert.block_count": 1,
            "bert.context_length": length,
            "bert.embedding_length": width,
            "bert.feed_forward_length": inner,
            "bert.attention.head_count": 2,
            "bert.attention.layer_norm_epsilon": Float32(1e-12),
            "bert.attention.causal": False,
            "bert.pooling_type": 1,
            "tokenizer.ggml.model": "bert",
            "tokenizer.ggml.pre": "jina-v2-en",
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": [3, 2, 3, 3, 3, 1, 1, 1, 1, 1],
            "tokenizer.ggml.token_type_count": 2,
            "tokenizer.ggml.bos_token_id": 2,
            "tokenizer.ggml.cls_token_id": 2,
            "tokenizer.ggml.eos_token_id": 3,
            "tokenizer.ggml.seperator_token_id": 3,
            "tokenizer.ggml.unknown_token_id": 1,
            "tokenizer.ggml.padding_token_id": 0,
            "tokenizer.ggml.mask_token_id": 4,
        },
        tensors,
    )


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
