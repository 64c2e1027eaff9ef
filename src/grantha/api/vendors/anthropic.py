"""`/v1/messages`, for Anthropic's clients."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from grantha.api.vendors import base
from grantha.wire.views import anthropic

router = APIRouter(prefix="/v1", tags=["Anthropic"])


@router.post("/messages", openapi_extra=base.json_body("Message"))
async def messages(request: Request) -> Response:
    """Anthropic Messages, streaming and not."""
    body = await base.body_of(request)
    asked = anthropic.asked(body)
    row = await base.begin(request, asked, body)
    if asked.stream:
        return await base.stream(request, row, anthropic.MessagesStream(base.shown(row)))
    return await base.reply(request, row, anthropic.reply)
