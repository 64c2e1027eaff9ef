"""`/ai-sdk/chat`, for the AI SDK's chat transport, with its resume endpoint.

A chat of theirs is one conversation of ours, found by an id derived from theirs. Their transport sends
the whole chat each time: messages that the conversation already has aren't stored again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from grantha.api.answers import location
from grantha.api.compat import base
from grantha.api.http.streams import EventStream
from grantha.api.openapi.description import response_doc
from grantha.api.routes import serializers
from grantha.api.schemas.responses import StopReply
from grantha.api.state import app_state, subject_of
from grantha.chat import Message
from grantha.errors import NotFound
from grantha.events import START
from grantha.storage.base import MessageRow
from grantha.wire.compat import ai_sdk_view
from grantha.wire.compat.ai_sdk_view import UiStream

router = APIRouter(prefix="/ai-sdk", tags=["AI SDK"])


@router.post(
    "/chat",
    response_class=Response,
    openapi_extra=base.operation_doc("UiRequest", events=["UiChunk"], last=base.DONE),
)
async def chat(request: Request) -> Response:
    """The transport's send and regenerate."""
    body = await base.body_of(request)
    own = _conversation_of(ai_sdk_view.chat_id(body))
    parsed = ai_sdk_view.parse_request(body)
    state, subject = app_state(request), subject_of(request)
    try:
        known = await state.store.conversation(subject, own)
    except NotFound:
        row = await base.start_generation(
            request, parsed, body, new_id_of_conversation=own, detached=True
        )
    else:
        path = await state.store.path(subject, known.leaf) if known.leaf else []
        parent, messages = _new_part(path, parsed.messages)
        row = await base.start_generation(
            request,
            parsed,
            body,
            conversation=own,
            parent=parent,
            messages=messages,
            detached=True,
        )
    view = UiStream(base.response_meta(row), ai_sdk_view.message_to_extend(body))
    return await base.stream(request, row, view, headers=ai_sdk_view.HEADERS)


@router.get(
    "/chat/{chat:path}/stream",
    response_class=Response,
    responses={204: {"description": "Nothing is running."}},
    openapi_extra=base.operation_doc(None, events=["UiChunk"], last=base.DONE),
)
async def resume(chat: str, request: Request) -> Response:
    """The running answer of a chat from its beginning; 204 when nothing runs."""
    state, subject = app_state(request), subject_of(request)
    try:
        known = await state.store.conversation(subject, _conversation_of(chat))
    except NotFound:
        return Response(status_code=204)
    if known.status != "running" or known.generation is None:
        return Response(status_code=204)
    row = await state.store.generation(subject, known.generation)
    return EventStream(
        state.supervisor.reader(subject, row.id, START),
        UiStream(base.response_meta(row)),
        heartbeat=state.settings.heartbeat,
        headers={**location(row), **ai_sdk_view.HEADERS},
    )


@router.post(
    "/chat/{chat:path}/stop", responses=response_doc(200, StopReply, "The receipt of the stop.")
)
async def stop(chat: str, request: Request) -> Response:
    """Stops the running answer: the transport's own `stop` only leaves the stream."""
    state, subject = app_state(request), subject_of(request)
    known = await state.store.conversation(subject, _conversation_of(chat))
    if known.generation is None:
        raise NotFound(f"Nothing was sent in the chat {chat[:80]!r}.")
    row, receipt = await state.supervisor.stop(subject, known.generation)
    return serializers.stop_reply(row, receipt).response()


def _conversation_of(chat: str) -> str:
    return "c_ui" + hashlib.sha256(chat.encode()).hexdigest()[:22]


def _new_part(
    path: Sequence[MessageRow], messages: Sequence[Message]
) -> tuple[str | None, tuple[Message, ...]]:
    """Where the new messages hang, and which of those sent are new."""
    shared = 0
    for row, message in zip(path, messages, strict=False):
        if row.role != message.role or _text(row) != message.text:
            break
        shared += 1
    parent = path[shared - 1].id if shared else None
    return parent, tuple(messages[shared:])


def _text(row: MessageRow) -> str:
    return Message(row.role, row.parts).text
