"""OpenAI's Embeddings API as a view: its requests and replies.

Source: OpenAI's API reference, "Embeddings". Vectors are lists of numbers or, as OpenAI's own clients ask
for them, base64.
"""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from grantha.chat import JsonObject
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.errors import BadRequest
from grantha.wire.compat import view
from grantha.wire.lenient_json import dumps

if TYPE_CHECKING:  # types only: the server loads them with the API's description
    from grantha.wire.compat.embedding_replies import Embedding, EmbeddingReply

MAX_INPUTS = 2048  # of one request, as with OpenAI


def parse_request(body: JsonObject) -> tuple[EmbeddingCall, bool]:
    """A request's body, and whether its vectors are wanted as base64. Raises `BadRequest`."""
    encoding = view.member(body, "encoding_format", str, "float")
    if encoding not in {"float", "base64"}:
        raise BadRequest("'encoding_format' must be float or base64.")
    call = EmbeddingCall(
        view.required_string(body, "model"),
        _inputs(view.member(body, "input", (str, list))),
        view.positive_integer(body, "dimensions"),
    )
    return call, encoding == "base64"


def response_body(model: str, found: Embeddings, *, packed: bool) -> EmbeddingReply:
    """The reply."""
    rows: list[Embedding] = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(vector) if packed else list(vector),
        }
        for index, vector in enumerate(found.vectors)
    ]
    tokens = found.input_tokens or 0
    return {
        "object": "list",
        "data": rows,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def encode_response(model: str, found: Embeddings, *, packed: bool) -> bytes:
    """The same as JSON. Vector by vector: between two of them other threads get their turn."""
    reply = response_body(model, found, packed=packed)
    rows = b",".join([dumps(row) for row in reply["data"]])
    return dumps({**reply, "data": []}).replace(b'"data":[]', b'"data":[' + rows + b"]", 1)


def text_inputs(found: Any, name: str) -> tuple[str, ...]:
    """One text or a list of them. Raises `BadRequest`."""
    listed = [found] if isinstance(found, str) else found
    if not all(isinstance(item, str) for item in listed):
        raise BadRequest(f"'{name}' must be text or a list of texts.")
    if len(listed) > MAX_INPUTS:
        raise BadRequest(
            f"'{name}' has more than {MAX_INPUTS} items.", advice="Send fewer of them."
        )
    return tuple(listed)


# ---- helpers below -------------------------------------------------------------------------------


def _inputs(found: Any) -> tuple[str, ...] | tuple[tuple[int, ...], ...]:
    if not found or found == [""]:
        raise BadRequest("'input' is missing or empty.")
    if not isinstance(found, list) or isinstance(found[0], str):
        return text_inputs(found, "input")
    listed = found if isinstance(found[0], list) else [found]
    if len(listed) > MAX_INPUTS:
        raise BadRequest(f"'input' has more than {MAX_INPUTS} items.", advice="Send fewer of them.")
    return tuple(_tokens(item) for item in listed)


def _tokens(found: Any) -> tuple[int, ...]:
    numbers = found if isinstance(found, list) else []
    if not numbers or not all(type(number) is int and 0 <= number < 2**31 for number in numbers):
        raise BadRequest("'input' must be text, a list of texts, or lists of token numbers.")
    return tuple(numbers)


def _packed(vector: Sequence[float]) -> str:
    packed = array("f", vector)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()
