"""`/v1beta/models/…`, for Google's clients: their base URL is the server, their key the access token.

A model's id may hold slashes and colons; the method follows the last colon.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from grantha.api.compat import base, embeddings
from grantha.api.openapi.description import event_stream, named
from grantha.wire.compat import gemini_input, gemini_view

if TYPE_CHECKING:
    from grantha.wire.compat.gemini_replies import GeminiTokens

router = APIRouter(prefix="/v1beta", tags=["Google"])
models_router = APIRouter(prefix="/v1beta", tags=["Google"])
_JSON = {
    "content-type": "application/json",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
_STREAMED = base.operation_doc("GeminiRequest", "GeminiReply")
_STREAMED["responses"]["200"]["content"] = {
    "application/json": {"schema": named("GeminiArray")},
    "text/event-stream": event_stream("GeminiReply", "GeminiError"),
}


@models_router.get("/models", openapi_extra=base.operation_doc(None, "GeminiModels"))
async def models(request: Request) -> Response:
    """The models that can be used."""
    return JSONResponse(gemini_view.model_list(await base.usable_models(request)))


@models_router.get("/models/{model:path}", openapi_extra=base.operation_doc(None, "GeminiModel"))
async def model(model: str, request: Request) -> Response:
    """One model."""
    card = await base.usable_model(request, model)
    return JSONResponse(gemini_view.model_list([card])["models"][0])


@router.post(
    "/models/{model:path}:generateContent",
    openapi_extra=base.operation_doc("GeminiRequest", "GeminiReply"),
)
async def generate_content(model: str, request: Request) -> Response:
    """The whole answer."""
    body = await base.body_of(request)
    parsed, thoughts = gemini_input.parse_request(body, model, stream=False)
    row = await base.start_generation(request, parsed, body)
    return await base.reply(request, row, partial(gemini_view.response_body, thoughts=thoughts))


@router.post("/models/{model:path}:streamGenerateContent", openapi_extra=_STREAMED)
async def stream_generate_content(
    model: str,
    request: Request,
    alt: Annotated[str, Query(description="`sse` for events; else chunks of one array.")] = "json",
) -> Response:
    """The answer as it is written."""
    body = await base.body_of(request)
    parsed, thoughts = gemini_input.parse_request(body, model, stream=True)
    row = await base.start_generation(request, parsed, body)
    array = alt != "sse"
    view = gemini_view.GeminiStream(base.response_meta(row), thoughts=thoughts, array=array)
    # Google's clients take comments for data: while a provider is silent, so is the stream.
    if array:
        return await base.stream(request, row, view, media=_JSON, beat=b"")
    return await base.stream(request, row, view, beat=b"")


@router.post(
    "/models/{model:path}:countTokens",
    openapi_extra=base.operation_doc("GeminiCountRequest", "GeminiTokens"),
)
async def count_tokens(model: str, request: Request) -> Response:
    """Counts a prompt's tokens, where the provider can: local models, Google and Anthropic."""
    parsed = gemini_input.parse_count(await base.body_of(request), model)

    def form(count: int) -> GeminiTokens:
        return {"totalTokens": count}

    return await base.count_tokens(request, parsed, form)


@router.post(
    "/models/{model:path}:batchEmbedContents",
    openapi_extra=base.operation_doc("GeminiEmbeddingsRequest", "GeminiEmbeddings"),
)
async def batch_embed_contents(model: str, request: Request) -> Response:
    """One vector for each content. Nothing is stored."""
    call = gemini_input.parse_embeddings(await base.body_of(request), model)
    return await embeddings.embed(
        request, call, lambda _, found: gemini_view.encode_embeddings(found)
    )


@router.post(
    "/models/{model:path}:embedContent",
    openapi_extra=base.operation_doc("GeminiEmbeddingRequest", "GeminiEmbedding"),
)
async def embed_content(model: str, request: Request) -> Response:
    """The vector of one content. Nothing is stored."""
    call = gemini_input.parse_embedding(await base.body_of(request), model)
    return await embeddings.embed(
        request, call, lambda _, found: gemini_view.encode_embedding(found)
    )
