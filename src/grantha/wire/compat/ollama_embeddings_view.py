"""Ollama's embeddings as a view: `/api/embed`, and the older `/api/embeddings` with one prompt.

Source: Ollama's API documentation, "Generate embeddings" and "Generate embedding". Without an input both
only load the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grantha.chat import JsonObject
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.wire.compat import view
from grantha.wire.compat.openai_embeddings_view import text_inputs
from grantha.wire.lenient_json import dumps

if TYPE_CHECKING:  # types only: the server loads them with the API's description
    from grantha.wire.compat.embedding_replies import OllamaEmbeddingReply, OllamaEmbedReply


def parse_request(body: JsonObject) -> EmbeddingCall:
    """A request's body; no inputs only load the model. Raises `BadRequest`."""
    return EmbeddingCall(
        view.required_string(body, "model"),
        text_inputs(view.member(body, "input", (str, list), []) or [], "input"),
        view.positive_integer(body, "dimensions"),
        view.member(body, "truncate", bool),
    )


def parse_prompt(body: JsonObject) -> EmbeddingCall:
    """The body of the older call. Raises `BadRequest`."""
    prompt = view.member(body, "prompt", str, "")
    return EmbeddingCall(view.required_string(body, "model"), (prompt,) if prompt else ())


def response_body(model: str, found: Embeddings, duration: int) -> OllamaEmbedReply:
    """The reply; `duration` in nanoseconds."""
    reply: OllamaEmbedReply = {
        "model": model,
        "embeddings": [list(vector) for vector in found.vectors],
        "total_duration": duration,
    }
    if found.input_tokens is not None:
        reply["prompt_eval_count"] = found.input_tokens
    return reply


def encode_response(model: str, found: Embeddings, duration: int) -> bytes:
    """The same as JSON. Vector by vector: between two of them other threads get their turn."""
    vectors = b",".join([dumps(list(vector)) for vector in found.vectors])
    reply = dumps(response_body(model, Embeddings((), found.input_tokens), duration))
    return reply.replace(b'"embeddings":[]', b'"embeddings":[' + vectors + b"]", 1)


def encode_vector(found: Embeddings) -> bytes:
    """The reply to the older call as JSON."""
    vector: OllamaEmbeddingReply = {"embedding": [x for row in found.vectors for x in row]}
    return dumps(vector)
