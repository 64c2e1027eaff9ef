"""Native route of documents: a file in, its text out. Nothing is stored.

`grantha.documents` reads them, in a child process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from grantha.api.answers import NO_REPLY, run_while_connected
from grantha.api.http.bodies import StrictRoute
from grantha.api.openapi.description import response_doc
from grantha.api.schemas.responses import DocumentTextReply
from grantha.api.state import app_state

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["conversations"])
_MAX_NAME = 300  # characters, as of a file part


@router.post(
    "/documents/text",
    responses=response_doc(200, DocumentTextReply, "The text, ready to be sent as a part.")
    | {422: {"description": "It isn't a document that this server can read."}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def document_text(
    request: Request, name: Annotated[str, Query(min_length=1, max_length=_MAX_NAME)]
) -> Response:
    """The text of a PDF, Word, Excel, OpenDocument spreadsheet or PowerPoint file; its content decides."""
    uploaded = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        async for chunk in request.stream():
            yield chunk
        uploaded.set()

    converting = app_state(request).documents.convert(name, body())
    found = await run_while_connected(request.receive, converting, body_read=uploaded)
    if found is None:
        return NO_REPLY
    return DocumentTextReply(
        type="file",
        name=name,
        media_type=found.media_type,
        text=found.text,
        pages=found.pages,
        truncated=found.truncated,
    ).response()
