"""Native routes of conversations: list, search, create, read, change, delete, restore, images."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from grantha.api.http.bodies import StrictRoute
from grantha.api.http.page import IMAGE_CSP
from grantha.api.openapi.description import response_doc
from grantha.api.routes import serializers
from grantha.api.schemas.requests import ConversationBody
from grantha.api.schemas.responses import ConversationList, ConversationReply
from grantha.api.state import app_state, subject_of
from grantha.chat import FilePart, ImagePart
from grantha.engine.feed import Change
from grantha.engine.ids import new_id
from grantha.errors import BadRequest, NotFound, TooLarge
from grantha.storage.base import NewConversation
from grantha.wire import images

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["conversations"])
_BINARY = "application/octet-stream"
_MEDIA: dict[str, Any] = {name: {} for name in sorted((*images.MEDIA_TYPES, _BINARY))}
_WHOLE = response_doc(200, ConversationReply, "The conversation with its tree.")


@router.get("/conversations", responses=response_doc(200, ConversationList, "One page."))
async def listing(
    request: Request,
    q: Annotated[str, Query(max_length=500, description="Words to search for.")] = "",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    origin: Annotated[str, Query(pattern="^(page|api|all)$")] = "page",
) -> Response:
    """Pinned conversations first, then the most recently changed; with `q`, those that match."""
    state, subject = app_state(request), subject_of(request)
    found = await state.store.conversations(
        subject,
        query=q,
        cursor=cursor,
        limit=limit,
        origin=None if origin == "all" else origin,
    )
    items = [serializers.conversation_list_item(row) for row in found.rows]
    return ConversationList(items=items, next_cursor=found.next_cursor).response()


@router.post(
    "/conversations",
    status_code=201,
    responses=response_doc(201, ConversationReply, "The new conversation."),
)
async def create(body: ConversationBody, request: Request) -> Response:
    """A new, empty conversation."""
    state, subject = app_state(request), subject_of(request)
    changes = body.changes()
    new = NewConversation(
        id=new_id("c"),
        title=changes.get("title", ""),
        title_by=changes.get("title_by", "none"),
        origin="page",
        system_prompt=changes.get("system_prompt", ""),
        options=changes.get("options", {}),
        model=changes.get("model"),
    )
    row = await state.store.create_conversation(subject, new)
    state.feed.publish(Change("conversation", subject, row.id))
    location = {"Location": f"/api/conversations/{row.id}"}
    return await serializers.conversation(row, [], 201, location)


@router.get("/conversations/{conversation}", responses=_WHOLE)
async def read(conversation: str, request: Request) -> Response:
    """The conversation with its whole tree of messages."""
    state, subject = app_state(request), subject_of(request)
    row = await state.store.conversation(subject, conversation)
    messages = await state.store.messages(subject, conversation)
    return await serializers.conversation(row, messages)


@router.patch("/conversations/{conversation}", responses=_WHOLE)
async def change(conversation: str, body: ConversationBody, request: Request) -> Response:
    """Renames, pins, sets prompt, options or model, or switches to another branch."""
    state, subject = app_state(request), subject_of(request)
    changes = body.changes()
    if not changes:
        raise BadRequest(
            "The body names nothing to change.", advice="Name title or pinned, for example."
        )
    row = await state.store.update_conversation(subject, conversation, changes)
    messages = await state.store.messages(subject, conversation)
    state.feed.publish(Change("conversation", subject, conversation))
    return await serializers.conversation(row, messages)


@router.delete("/conversations/{conversation}", status_code=204)
async def delete(conversation: str, request: Request) -> Response:
    """Stops its running answers and hides it; for an hour it can be restored."""
    state, subject = app_state(request), subject_of(request)
    await state.store.delete_conversation(subject, conversation)
    await state.supervisor.stop_all_of(subject, conversation)
    state.feed.publish(Change("conversation-deleted", subject, conversation))
    return Response(status_code=204)


@router.post("/conversations/{conversation}/restore", responses=_WHOLE)
async def restore(conversation: str, request: Request) -> Response:
    """Undoes a deletion."""
    state, subject = app_state(request), subject_of(request)
    row = await state.store.restore_conversation(subject, conversation)
    messages = await state.store.messages(subject, conversation)
    state.feed.publish(Change("conversation", subject, conversation))
    return await serializers.conversation(row, messages)


@router.get(
    "/messages/{message}/parts/{number}",
    response_class=Response,
    responses={200: {"description": "The bytes.", "content": _MEDIA}},
)
async def part_bytes(message: str, number: int, request: Request) -> Response:
    """The bytes of an image or of a document; a document is always a download."""
    state, subject = app_state(request), subject_of(request)
    row = await state.store.message(subject, message)
    part = row.parts[number] if 0 <= number < len(row.parts) else None
    headers = {
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Security-Policy": IMAGE_CSP,
    }
    media_type = _BINARY
    try:
        match part:
            case ImagePart(url=None):
                # What was stored unchecked could name any type, and a browser would believe it.
                part = images.check(part, images.MAX_SIZE)
                media_type = part.media_type
                content = base64.b64decode(part.data)
            case FilePart(data=str(data)):
                headers["Content-Disposition"] = "attachment"
                content = base64.b64decode(data, validate=True)
            case _:
                raise NotFound(f"Message {message!r} has no image or document at {number}.")
    except (BadRequest, TooLarge, ValueError) as error:
        raise NotFound(f"The part at {number} of message {message!r} is damaged.") from error
    return Response(content, headers=headers, media_type=media_type)
