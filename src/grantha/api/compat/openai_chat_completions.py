"""`/v1/chat/completions`, `/v1/completions` and `/v1/models`, for OpenAI's clients."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from grantha.api.compat import base
from grantha.api.error_formats import is_anthropic_client, is_google_client
from grantha.chat import JsonObject
from grantha.wire.compat import (
    anthropic_view,
    gemini_view,
    openai_chat_view,
    openai_completions_view,
    openai_responses_input,
)
from grantha.wire.compat.view import ParsedRequest, reject_members

router = APIRouter(prefix="/v1", tags=["OpenAI"])
# Of a body of the Responses API: only that API continues a conversation.
_NOT_HERE = dict.fromkeys(
    ("conversation", "previous_response_id"), "send it to /v1/responses, or send all messages"
)
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


@router.post(
    "/completions",
    openapi_extra=base.operation_doc(
        "CompletionRequest",
        "CompletionReply",
        events=["CompletionReply", "OpenAiError"],
        last=base.DONE,
    ),
)
async def completions(request: Request) -> Response:
    """OpenAI's older Completions: one prompt, answered as the one message of a chat."""
    body = await base.body_of(request)
    parsed, before = openai_completions_view.parse_request(body)
    row = await base.start_generation(request, parsed, body)
    if parsed.stream:
        view = openai_completions_view.CompletionStream(
            base.response_meta(row), parsed.include_usage, before
        )
        return await base.stream(request, row, view)
    return await base.reply(
        request, row, partial(openai_completions_view.response_body, before=before)
    )


def _parse(body: JsonObject) -> ParsedRequest:
    """A request's body, which some clients write as that of the Responses API."""
    if "input" in body and "messages" not in body:
        reject_members(body, _NOT_HERE)
        return replace(openai_responses_input.parse_request(body), include_usage=True)
    return openai_chat_view.parse_request(body)


@models_router.get(
    "/models",
    openapi_extra=base.operation_doc(None, "OpenAiModels", "AnthropicModels", "GeminiModels"),
)
async def models(request: Request) -> Response:
    """The models that can be used; in Anthropic's or Google's form for their clients."""
    usable_models = await base.usable_models(request)
    if is_anthropic_client(request.headers):
        return JSONResponse(anthropic_view.model_list(usable_models))
    if is_google_client(request.headers):
        return JSONResponse(gemini_view.model_list(usable_models))
    return JSONResponse(openai_chat_view.model_list(usable_models))


@models_router.get(
    "/models/{model:path}",
    openapi_extra=base.operation_doc(None, "OpenAiModel", "AnthropicModel", "GeminiModel"),
)
async def model(model: str, request: Request) -> Response:
    """One model."""
    found = [await base.usable_model(request, model)]
    if is_anthropic_client(request.headers):
        return JSONResponse(anthropic_view.model_list(found)["data"][0])
    if is_google_client(request.headers):
        return JSONResponse(gemini_view.model_list(found)["models"][0])
    return JSONResponse(openai_chat_view.model_list(found)["data"][0])
