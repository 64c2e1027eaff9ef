"""`/v1/chat/completions` and `/v1/models`, for OpenAI's clients."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from grantha.api.compat import base
from grantha.api.error_formats import speaks_anthropic
from grantha.errors import NotFound
from grantha.wire.compat import anthropic_view, openai_chat_view

router = APIRouter(prefix="/v1", tags=["OpenAI"])


@router.post(
    "/chat/completions",
    openapi_extra=base.described(
        "ChatRequest", "ChatReply", events=["ChatChunk", "OpenAiError"], last=base.DONE
    ),
)
async def chat_completions(request: Request) -> Response:
    """OpenAI Chat Completions, streaming and not."""
    body = await base.body_of(request)
    parsed = openai_chat_view.parse_request(body)
    row = await base.begin(request, parsed, body)
    if parsed.stream:
        view = openai_chat_view.ChatStream(base.shown(row), parsed.include_usage)
        return await base.stream(request, row, view)
    return await base.reply(request, row, openai_chat_view.response_body)


@router.get("/models", openapi_extra=base.described(None, "OpenAiModels", "AnthropicModels"))
async def models(request: Request) -> Response:
    """The models that can be used; in Anthropic's form for Anthropic's clients."""
    cards = await base.cards(request)
    listing = (
        anthropic_view.model_list
        if speaks_anthropic(request.headers)
        else openai_chat_view.model_list
    )
    return JSONResponse(listing(cards))


@router.get(
    "/models/{model:path}", openapi_extra=base.described(None, "OpenAiModel", "AnthropicModel")
)
async def model(model: str, request: Request) -> Response:
    """One model."""
    listing = (
        anthropic_view.model_list
        if speaks_anthropic(request.headers)
        else openai_chat_view.model_list
    )
    found = [card for card in await base.cards(request) if card[0] == model]
    if not found:
        raise NotFound(f"There is no model {model[:80]!r}.")
    return JSONResponse(listing(found)["data"][0])
