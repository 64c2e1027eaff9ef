"""Native routes of files: a conversation out, whole files of conversations in.

`grantha.import_export` owns the formats; this converts its conversations into rows and back.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from grantha.api.http.bodies import MAX_IMPORTED_VALUES, StrictRoute, decode_json
from grantha.api.openapi.description import response_doc
from grantha.api.schemas.responses import ImportReply
from grantha.api.state import app_state, subject_of
from grantha.engine.feed import Change
from grantha.engine.ids import new_id
from grantha.engine.titles import title_from
from grantha.errors import BadRequest
from grantha.import_export import grantha_format
from grantha.import_export.file_reading import EXPORTS_ADVICE, parse_export
from grantha.import_export.markdown import to_markdown
from grantha.import_export.portable_conversation import PortableConversation, PortableMessage
from grantha.storage.base import ConversationRow, MessageRow, NewConversation

_ZIP = b"PK\x03\x04"

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
    portable = to_portable(row, await state.store.messages(subject, conversation))
    if format == "markdown":
        return _file(to_markdown(portable), "text/markdown; charset=utf-8", portable.title, "md")
    body = json.dumps(grantha_format.to_json([portable]), ensure_ascii=False)
    return _file(body, "application/json", portable.title, "json")


@router.post(
    "/import",
    status_code=201,
    responses=response_doc(201, ImportReply, "What was imported."),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"title": "An export"}}},
        }
    },
)
async def import_file(request: Request) -> Response:
    """Conversations of a file that Grantha, ChatGPT or Claude exported; all of them or none."""
    state, subject = app_state(request), subject_of(request)
    now = time.time_ns() // 1_000_000
    body = await request.body()
    max_depth = state.settings.max_json_depth
    conversations = await asyncio.to_thread(_read, body, max_depth, now)
    ids = []
    for conversation in conversations:
        new, messages = from_portable(conversation)
        row = await state.store.import_conversation(subject, new, messages, conversation.created_at)
        changes: dict[str, Any] = {"pinned": True} if conversation.pinned else {}
        if conversation.leaf is not None:
            tip = [m.id for m in conversation.messages].index(conversation.leaf)
            changes["leaf"] = messages[tip].id
        if changes:
            await state.store.update_conversation(subject, row.id, changes)
        ids.append(row.id)
        state.feed.publish(Change("conversation", subject, row.id))
    return ImportReply(imported=len(ids), conversations=ids).response(201)


def to_portable(row: ConversationRow, messages: list[MessageRow]) -> PortableConversation:
    """A stored conversation as a portable one."""
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


def from_portable(conversation: PortableConversation) -> tuple[NewConversation, list[MessageRow]]:
    """What to store of a conversation, under new ids."""
    new = NewConversation(
        id=new_id("c"),
        title=" ".join(conversation.title.split())[:300] or _title(conversation),
        origin="page",
        title_by="user",
        system_prompt=conversation.system_prompt,
        options=conversation.options,
        model=conversation.model,
    )
    ids = {message.id: new_id("m") for message in conversation.messages}
    rows = [
        MessageRow(
            id=ids[message.id],
            conversation=new.id,
            parent=ids[message.parent] if message.parent is not None else None,
            role=message.role,
            parts=message.parts,
            created_at=message.created_at,
            model=message.model,
            status=message.ending,
            end=message.end,
            seams=message.seams,
            citations=message.citations,
        )
        for message in conversation.messages
    ]
    return new, rows


# ---- helpers below -------------------------------------------------------------------------------


def _read(body: bytes, max_depth: int, now: int) -> list[PortableConversation]:
    if body.startswith(_ZIP):
        raise BadRequest(
            "The file is a ZIP archive.",
            advice="Unpack it, and import the conversations.json in it.",
        )
    if not body.strip():
        raise BadRequest("The file is empty.")
    try:
        document = decode_json(body, max_depth, MAX_IMPORTED_VALUES, text_checked=False)
    except BadRequest as error:
        raise BadRequest(
            error.message.replace("The body", "The file", 1), advice=EXPORTS_ADVICE
        ) from error
    return parse_export(document, now)


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


def _title(conversation: PortableConversation) -> str:
    first = next((m for m in conversation.messages if m.role == "user"), None)
    words = "".join(part.text for part in first.parts if part.type == "text") if first else ""
    return title_from(words)


def _file(body: str, media: str, title: str, suffix: str) -> Response:
    name = "".join(c if c.isalnum() or c in " -_" else " " for c in title)
    name = " ".join(name.split())[:80] or "conversation"
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}.{suffix}"
    return Response(
        # An exported text may hold anything; as a file it is saved and never shown by a browser.
        body.encode(),
        media_type=media,
        headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
    )
