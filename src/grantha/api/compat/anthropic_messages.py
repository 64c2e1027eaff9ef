"""`/v1/messages`, for Anthropic's clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from grantha.api.compat import base
from grantha.wire.compat import anthropic_view

if TYPE_CHECKING:
    from grantha.wire.compat.anthropic_replies import CountReply

router = APIRouter(prefix="/v1", tags=["Anthropic"])


@router.post(
    "/messages",
    openapi_extra=base.operation_doc("MessagesRequest", "MessagesReply", events=["MessagesEvent"]),
)
async def messages(request: Request) -> Response:
    """Anthropic Messages, streaming and not."""
    body = await base.body_of(request)
    parsed = anthropic_view.parse_request(body)
    row = await base.start_generation(request, parsed, body)
    if parsed.stream:
        return await base.stream(
            request, row, anthropic_view.MessagesStream(base.response_meta(row))
        )
    return await base.reply(request, row, anthropic_view.response_body)


@router.post(
    "/messages/count_tokens", openapi_extra=base.operation_doc("CountRequest", "CountReply")
)
async def count_tokens(request: Request) -> Response:
    """Counts a prompt's tokens, where the provider can: local models, Anthropic and Google."""
    parsed = anthropic_view.parse_request({**await base.body_of(request), "max_tokens": 1})

    def form(count: int) -> CountReply:
        return {"input_tokens": count}

    return await base.count_tokens(request, parsed, form)
