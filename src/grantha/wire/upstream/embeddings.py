"""Requests for embeddings in each vendor's form, and their replies. Pure.

Sources: "Embeddings" in the API references of OpenAI, Mistral and Google; the requests of Google's client
for Vertex AI; Ollama's API documentation, "Generate embeddings".

A reply must hold one vector for each input. Vectors come as numbers or, from hosts that are asked for it,
as base64 of little-endian float32, which is a third of the size.
"""

from __future__ import annotations

import base64
import binascii
import sys
from array import array
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from grantha.embedding import EmbeddingCall, Embeddings
from grantha.wire.lenient_json import InvalidJson, dumps

T = TypeVar("T")


class _VectorRow(msgspec.Struct):
    embedding: list[float] | str
    index: int | None = None


class _OpenAiReply(msgspec.Struct):
    data: list[_VectorRow]
    usage: Any = None


class _Values(msgspec.Struct):
    values: list[float]
    statistics: Any = None


class _GeminiReply(msgspec.Struct):
    embeddings: list[_Values] = []
    embedding: _Values | None = None
    usage: Any = msgspec.field(default=None, name="usageMetadata")


class _Prediction(msgspec.Struct):
    embeddings: _Values


class _VertexReply(msgspec.Struct):
    predictions: list[_Prediction]


class _OllamaReply(msgspec.Struct):
    embeddings: list[list[float]]
    prompt_eval_count: Any = None


# ---- OpenAI, and the hosts that follow it --------------------------------------------------------


def openai_body(
    call: EmbeddingCall, *, dimensions: str = "dimensions", packed: bool = False
) -> bytes:
    """A request. `dimensions` is the host's name for their number; `packed` asks for base64."""
    body: dict[str, Any] = {"model": call.model, "input": call.inputs}
    if packed:
        body["encoding_format"] = "base64"
    if call.dimensions is not None:
        body[dimensions] = call.dimensions
    return dumps(body)


def parse_openai(raw: bytes, count: int) -> Embeddings:
    """A reply with `count` vectors. Raises `InvalidJson`."""
    reply = _decode(raw, _OpenAiReply)
    rows = reply.data
    places = [row.index for row in rows]
    if sorted(place or 0 for place in places) == list(range(len(rows))):
        rows = sorted(rows, key=lambda row: row.index or 0)
    elif len(set(places)) > 1:
        raise InvalidJson("its vectors have numbers that aren't those of the inputs")
    return _embeddings(
        [_unpack(row.embedding) for row in rows], count, _count(reply.usage, "prompt_tokens")
    )


# ---- Google --------------------------------------------------------------------------------------


def gemini_body(call: EmbeddingCall, model_path: str) -> bytes:
    """A request to `batchEmbedContents` of AI Studio, which wants the model in every part of it."""
    size = {} if call.dimensions is None else {"outputDimensionality": call.dimensions}
    rows = [{"model": model_path, "content": _content(text), **size} for text in call.texts]
    return dumps({"requests": rows})


def vertex_body(call: EmbeddingCall, *, batch: bool) -> bytes:
    """A request to `batchEmbedContents` of Vertex AI or, for one text, to `embedContent`."""
    size: dict[str, Any] = {}
    if call.dimensions is not None:
        size["embedContentConfig"] = {"outputDimensionality": call.dimensions}
    rows = [{"content": _content(text), **size} for text in call.texts]
    return dumps({"requests": rows} if batch else rows[0])


def parse_gemini(raw: bytes, count: int) -> Embeddings:
    """A reply with `count` vectors. Raises `InvalidJson`."""
    reply = _decode(raw, _GeminiReply)
    rows = [reply.embedding] if reply.embedding is not None else reply.embeddings
    return _embeddings([row.values for row in rows], count, _count(reply.usage, "promptTokenCount"))


def vertex_predict_body(call: EmbeddingCall) -> bytes:
    """A request to `predict`, for Vertex AI's older models."""
    body: dict[str, Any] = {"instances": [{"content": text} for text in call.texts]}
    if call.dimensions is not None:
        body["parameters"] = {"outputDimensionality": call.dimensions}
    return dumps(body)


def parse_vertex_predict(raw: bytes, count: int) -> Embeddings:
    """A reply with `count` vectors. Raises `InvalidJson`."""
    rows = [row.embeddings for row in _decode(raw, _VertexReply).predictions]
    counts = [_count(row.statistics, "token_count") for row in rows]
    known = [tokens for tokens in counts if tokens is not None]
    total = sum(known) if len(known) == len(counts) else None
    return _embeddings([row.values for row in rows], count, total)


# ---- Ollama --------------------------------------------------------------------------------------


def ollama_body(call: EmbeddingCall) -> bytes:
    """A request to `/api/embed`."""
    body: dict[str, Any] = {"model": call.model, "input": call.inputs}
    if call.dimensions is not None:
        body["dimensions"] = call.dimensions
    if call.truncate is not None:
        body["truncate"] = call.truncate
    return dumps(body)


def parse_ollama(raw: bytes, count: int) -> Embeddings:
    """A reply with `count` vectors. Raises `InvalidJson`."""
    reply = _decode(raw, _OllamaReply)
    tokens = _count({"count": reply.prompt_eval_count}, "count")
    return _embeddings(reply.embeddings, count, tokens)


# ---- helpers below -------------------------------------------------------------------------------


def _decode(raw: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (ValueError, RecursionError) as error:
        raise InvalidJson("its embeddings have another shape") from error


def _embeddings(vectors: Sequence[Sequence[float]], count: int, tokens: int | None) -> Embeddings:
    if len(vectors) != count or not all(vectors):
        raise InvalidJson(f"it has {len(vectors)} vectors for {count} inputs, or empty ones")
    return Embeddings(tuple(vectors), tokens)


def _unpack(vector: list[float] | str) -> Sequence[float]:
    if isinstance(vector, list):
        return vector
    unpacked = array("f")
    try:
        unpacked.frombytes(base64.b64decode(vector, validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidJson("a vector isn't base64 of float32 numbers") from error
    if sys.byteorder == "big":
        unpacked.byteswap()
    return unpacked


def _content(text: str) -> dict[str, Any]:
    return {"parts": [{"text": text}]}


def _count(usage: Any, name: str) -> int | None:
    """A count among side fields, whose shape must never fail a reply."""
    found = usage.get(name) if isinstance(usage, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None
