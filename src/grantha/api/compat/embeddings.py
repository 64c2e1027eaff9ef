"""`/v1/embeddings`, for OpenAI's clients, and what Ollama's embeddings share with it.

Embeddings are no answers: nothing is stored and nothing is retried, so that the client sees each error of
its provider. A client that leaves ends the request to the provider.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import Response

from grantha.api.answers import NO_REPLY, run_while_connected
from grantha.api.compat import base
from grantha.api.state import app_state
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.errors import Unsupported
from grantha.providers.base import Embeds
from grantha.wire.compat import openai_embeddings_view

router = APIRouter(prefix="/v1", tags=["OpenAI"])
_log = logging.getLogger(__name__)


@router.post("/embeddings", openapi_extra=base.operation_doc("EmbeddingRequest", "EmbeddingReply"))
async def embeddings(request: Request) -> Response:
    """One vector for each input, from a model that makes embeddings. Nothing is stored."""
    body = await base.body_of(request)
    call, packed = openai_embeddings_view.parse_request(body)
    return await embed(
        request,
        call,
        lambda model, found: openai_embeddings_view.encode_response(model, found, packed=packed),
    )


async def embed(
    request: Request, call: EmbeddingCall, encode: Callable[[str, Embeddings], bytes]
) -> Response:
    """The reply that `encode` makes of the model's id and the vectors. Raises `Unsupported`."""
    model = await base.model_of(request, call.model)
    provider, name = app_state(request).registry.resolve(model)
    if not isinstance(provider, Embeds):
        raise Unsupported(
            f"{model.partition('/')[0]} has no embeddings",
            advice="Choose a model of another provider, such as openai/text-embedding-3-small.",
        )
    found = await run_while_connected(request.receive, provider.embed(replace(call, model=name)))
    if found is None:
        return NO_REPLY
    _log.info(
        "embedded %d inputs by %s, %s tokens",
        len(call.inputs),
        model,
        found.input_tokens or "unknown",
    )
    # In a thread: the numbers of thousands of vectors take a while to write.
    reply = await asyncio.to_thread(encode, model, found)
    return Response(reply, media_type="application/json")
