"""`/v1/chat/completions` and `/v1/models`, for OpenAI's clients."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from grantha.api.compat import base
from grantha.api.error_formats import is_anthropic_client
from grantha.chat import JsonObject
from grantha.errors import NotFound
from grantha.wire.compat import anthropic_view, openai_chat_view, openai_responses_input
from grantha.wire.compat.view import ParsedRequest

router = APIRouter(prefix="/v1", tags=["OpenAI"])
models_router = APIRouter(prefix="/v1", tags=["OpenAI"])  # Anthropic's clients list models here too


@router.post(
    "/chat/completions",
    openapi_extra=base.operation_doc(
        "ChatRequest", "ChatReply", events=["ChatChunk", "OpenAiError"], last=base.DONE
    ),
)
async def chat_completions(request: Request) -> Response:
    """OpenAI Chat Completions, streaming and not."""
    body = await base.body_of(request)
    parsed = _parse(body)
    row = await base.start_generation(request, parsed, body)
    if parsed.stream:
        view = openai_chat_view.ChatStream(base.response_meta(row), parsed.include_usage)
        return await base.stream(request, row, view)
    return await base.reply(request, row, openai_chat_view.response_body)


def _parse(body: JsonObject) -> ParsedRequest:
    """A request's body, which some clients write as that of the Responses API."""
    if "input" in body and "messages" not in body:
        return replace(openai_responses_input.parse_request(body), include_usage=True)
    return openai_chat_view.parse_request(body)


@models_router.get(
    "/models", openapi_extra=base.operation_doc(None, "OpenAiModels", "AnthropicModels")
)
async def models(request: Request) -> Response:
    """The models that can be used; in Anthropic's form for Anthropic's clients."""
    usable_models = await base.usable_models(request)
    listing = (
        anthropic_view.model_list
        if is_anthropic_client(request.headers)
        else openai_chat_view.model_list
    )
    return JSONResponse(listing(usable_models))


@models_router.get(
    "/models/{model:path}", openapi_extra=base.operation_doc(None, "OpenAiModel", "AnthropicModel")
)
async def model(model: str, request: Request) -> Response:
    """One model."""
    listing = (
        anthropic_view.model_list
        if is_anthropic_client(request.headers)
        else openai_chat_view.model_list
    )
    found = [card for card in await base.usable_models(request) if card[0] == model]
    if not found:
        raise NotFound(f"There is no model {model[:80]!r}.")
    return JSONResponse(listing(found)["data"][0])
