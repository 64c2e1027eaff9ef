"""`/ollama/api/…`, for Ollama's clients: set their host to `http://…/ollama`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from grantha import __version__
from grantha.api.vendors import base
from grantha.wire.views import ollama

router = APIRouter(prefix="/ollama", tags=["Ollama"])
_MEDIA = {
    "content-type": ollama.MEDIA_TYPE,
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


@router.post("/api/chat", openapi_extra=base.json_body("Ollama chat"))
async def chat(request: Request) -> Response:
    """Ollama's chat, streaming (its default) and not."""
    body = await base.body_of(request)
    asked = ollama.asked(body)
    row = await base.begin(request, asked, body)
    if asked.stream:
        view = ollama.ChatLines(base.shown(row))
        # NDJSON has no comments: a silent provider is a silent stream here, as it is at Ollama.
        return await base.stream(request, row, view, media=_MEDIA, beat=b"")
    return await base.reply(request, row, ollama.reply)


@router.get("/api/tags")
async def tags(request: Request) -> Response:
    """The models that can be used."""
    return JSONResponse(ollama.tags(await base.cards(request)))


@router.get("/api/version")
async def version() -> Response:
    """Our version, for clients that ask before they speak."""
    return JSONResponse({"version": __version__})
