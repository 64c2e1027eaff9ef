"""Native routes of files: a conversation out, whole files of conversations in.

`grantha.import_export` owns the formats, `conversation_import` stores what a file holds.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from grantha.api.conversation_import import import_conversations
from grantha.api.http.bodies import StrictRoute
from grantha.api.openapi.description import response_doc
from grantha.api.schemas.responses import ImportReply, LeftOut
from grantha.api.state import app_state, subject_of
from grantha.engine.feed import MAX_REMEMBERED, Change
from grantha.errors import Busy
from grantha.import_export import grantha_format
from grantha.import_export.markdown import to_markdown
from grantha.import_export.portable_conversation import (
    LEFT_OUT,
    PortableConversation,
    PortableMessage,
)
from grantha.storage.base import ConversationRow, MessageRow

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["conversations"])


@router.get(
    "/conversations/{conversation}/export",
    responses={200: {"description": "The file.", "content": {"text/markdown": {}}}},
)
async def export(
    conversation: str,
    request: Request,
    format: Annotated[Literal["json", "markdown"], Query()] = "json",  # noqa: A002  as clients say it
) -> Response:
    """The conversation as a file: all of it as JSON, or the branch that is shown as Markdown."""
    state, subject = app_state(request), subject_of(request)
    row = await state.store.conversation(subject, conversation)
    messages = await state.store.messages(subject, conversation)
    return await asyncio.to_thread(_export, row, messages, format)


@router.post(
    "/import",
    status_code=201,
    responses=response_doc(201, ImportReply, "What was imported."),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"title": "An export"}},
                "application/zip": {"schema": {"title": "An archive of exports"}},
            },
        }
    },
)
async def import_file(request: Request) -> Response:
    """Conversations of a file that Grantha, ChatGPT, Claude, Open WebUI or LibreChat exported, or of a ZIP
    archive with such files; all of them or none."""
    state, subject = app_state(request), subject_of(request)
    if state.importing.locked():
        raise Busy("Another import is running.", advice="Try again when it is done.")
    async with state.importing:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
        settings = state.settings
        imported = await import_conversations(
            state.store,
            subject,
            body,
            max_size=settings.max_import,
            max_depth=settings.max_json_depth,
        )
    for conversation in imported.ids[-MAX_REMEMBERED:]:
        state.feed.publish(Change("conversation", subject, conversation))
    return ImportReply(
        imported=len(imported.ids),
        conversations=imported.ids,
        left_out=LeftOut.model_validate({kind: imported.left_out[kind] for kind in LEFT_OUT}),
    ).response(201)


# ---- helpers below -------------------------------------------------------------------------------


def _export(
    row: ConversationRow, messages: list[MessageRow], form: Literal["json", "markdown"]
) -> Response:
    portable = _portable(row, messages)
    if form == "json":
        return _file(grantha_format.encode(portable), "application/json", portable.title, "json")
    text = to_markdown(portable).encode()
    return _file(text, "text/markdown; charset=utf-8", portable.title, "md")


def _portable(row: ConversationRow, messages: list[MessageRow]) -> PortableConversation:
    return PortableConversation(
        title=row.title,
        created_at=row.created_at,
        messages=tuple(_portable_message(message) for message in messages),
        leaf=row.leaf,
        system_prompt=row.system_prompt,
        options=row.options,
        model=row.model,
        pinned=row.pinned,
    )


def _portable_message(row: MessageRow) -> PortableMessage:
    answer = row.role == "assistant"
    return PortableMessage(
        id=row.id,
        parent=row.parent,
        role=row.role,
        parts=row.parts,
        created_at=row.created_at,
        model=row.model,
        ending=("interrupted" if row.status == "running" else row.status) if answer else None,
        end=row.end,
        seams=row.seams,
        citations=row.citations,
    )


def _file(body: bytes, media: str, title: str, suffix: str) -> Response:
    name = "".join(c if c.isalnum() or c in " -_" else " " for c in title)
    name = " ".join(name.split())[:80] or "conversation"
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}.{suffix}"
    return Response(
        # An exported text may hold anything; as a file it is saved and never shown by a browser.
        body,
        media_type=media,
        headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
    )
