"""Native routes of files: a conversation out, whole files of conversations in.

What the formats look like is `grantha.import_export`'s; this turns its talks into rows and back.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from grantha.api.http.bodies import StrictRoute, decode_json
from grantha.api.openapi.description import response_doc
from grantha.api.schemas.responses import ImportReply
from grantha.api.state import app_state, subject_of
from grantha.engine.feed import Change
from grantha.engine.ids import new_id
from grantha.engine.titles import title_from
from grantha.import_export import grantha_format
from grantha.import_export.file_reading import talks_from
from grantha.import_export.markdown import to_markdown
from grantha.import_export.portable_conversation import Talk, TalkMessage
from grantha.storage.base import ConversationRow, MessageRow, NewConversation

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["conversations"])
IMPORT_PATH = "/api/import"


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
    talk = talk_of(row, await state.store.messages(subject, conversation))
    if format == "markdown":
        return _file(to_markdown(talk), "text/markdown; charset=utf-8", talk.title, "md")
    body = json.dumps(grantha_format.to_json([talk]), ensure_ascii=False)
    return _file(body, "application/json", talk.title, "json")


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
    talks = await asyncio.to_thread(_read, body, max_depth, now)
    ids = []
    for talk in talks:
        new, messages = rows_of(talk)
        row = await state.store.import_conversation(subject, new, messages, talk.created_at)
        changes: dict[str, Any] = {"pinned": True} if talk.pinned else {}
        if talk.leaf is not None:
            tip = [m.id for m in talk.messages].index(talk.leaf)
            changes["leaf"] = messages[tip].id
        if changes:
            await state.store.update_conversation(subject, row.id, changes)
        ids.append(row.id)
        state.feed.tell(Change("conversation", subject, row.id))
    return JSONResponse({"imported": len(ids), "conversations": ids}, 201)


def talk_of(row: ConversationRow, messages: list[MessageRow]) -> Talk:
    """A stored conversation as it travels."""
    return Talk(
        title=row.title,
        created_at=row.created_at,
        messages=tuple(_travelling(message) for message in messages),
        leaf=row.leaf,
        system_prompt=row.system_prompt,
        options=row.options,
        model=row.model,
        pinned=row.pinned,
    )


def rows_of(talk: Talk) -> tuple[NewConversation, list[MessageRow]]:
    """What to store of a talk, under new ids."""
    new = NewConversation(
        id=new_id("c"),
        title=" ".join(talk.title.split())[:300] or _title(talk),
        origin="page",
        title_by="user",
        system_prompt=talk.system_prompt,
        options=talk.options,
        model=talk.model,
    )
    ids = {message.id: new_id("m") for message in talk.messages}
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
        for message in talk.messages
    ]
    return new, rows


# ---- helpers below -------------------------------------------------------------------------------


def _read(body: bytes, max_depth: int, now: int) -> list[Talk]:
    return talks_from(decode_json(body, max_depth, text_checked=False), now)


def _travelling(row: MessageRow) -> TalkMessage:
    answer = row.role == "assistant"
    return TalkMessage(
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


def _title(talk: Talk) -> str:
    first = next((m for m in talk.messages if m.role == "user"), None)
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
