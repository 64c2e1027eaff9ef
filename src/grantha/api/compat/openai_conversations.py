"""`/v1/conversations`, for OpenAI's clients: our conversations, whose shown branch is their list of items.

Messages are never changed. An item is deleted by a new branch without it, so that what it held remains
in the tree, and the items that follow it get new ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from grantha.api.compat import base, openai_items
from grantha.api.compat.documents import with_readable_documents
from grantha.api.compat.openai_items import conversation_row
from grantha.api.state import app_state, subject_of
from grantha.chat import JsonObject, Message
from grantha.engine.feed import Change
from grantha.engine.ids import new_id
from grantha.errors import BadRequest, NotFound
from grantha.storage.base import ConversationRow, MessageRow, NewConversation, NewMessage
from grantha.wire.compat import openai_responses_input, openai_responses_view
from grantha.wire.compat.openai_responses_input import parse_metadata
from grantha.wire.compat.view import member

if TYPE_CHECKING:
    from grantha.wire.compat.openai_responses_replies import (
        ConversationDeleted,
        OpenAiConversation,
        ResponseItem,
    )

router = APIRouter(prefix="/v1/conversations", tags=["OpenAI"])
_MAX_ITEMS = 20  # that OpenAI takes in one request


@router.post("", openapi_extra=base.operation_doc("ConversationRequest", "OpenAiConversation"))
async def create_conversation(request: Request) -> Response:
    """A new conversation, with items or without."""
    body = await base.body_of(request)
    metadata = parse_metadata(body) or {}
    messages = await _new_messages(request, body)
    new = NewConversation(new_id("c"), "", "api", metadata=metadata)
    row = await app_state(request).store.create_conversation(subject_of(request), new)
    if messages:
        row = await _append(request, row, None, messages)
    return _reply(row)


@router.get("/{conversation}", openapi_extra=base.operation_doc(None, "OpenAiConversation"))
async def retrieve_conversation(conversation: str, request: Request) -> Response:
    """A conversation without its items."""
    return _reply(await conversation_row(request, conversation))


@router.post(
    "/{conversation}",
    openapi_extra=base.operation_doc("ConversationUpdateRequest", "OpenAiConversation"),
)
async def update_conversation(conversation: str, request: Request) -> Response:
    """Replaces its metadata."""
    row = await conversation_row(request, conversation)
    metadata = parse_metadata(await base.body_of(request))
    if metadata is None:
        raise BadRequest("'metadata' is missing.")
    state, subject = app_state(request), subject_of(request)
    return _reply(await state.store.update_conversation(subject, row.id, {"metadata": metadata}))


@router.delete("/{conversation}", openapi_extra=base.operation_doc(None, "ConversationDeleted"))
async def delete_conversation(conversation: str, request: Request) -> Response:
    """Deletes it, with its items and responses, and stops what is being written."""
    state, subject = app_state(request), subject_of(request)
    row = await conversation_row(request, conversation)
    await state.store.delete_conversation(subject, row.id)
    await state.supervisor.stop_all_of(subject, row.id)
    state.feed.publish(Change("conversation-deleted", subject, row.id))
    receipt: ConversationDeleted = {
        "id": openai_responses_view.conversation_id(row.id),
        "object": "conversation.deleted",
        "deleted": True,
    }
    return JSONResponse(receipt)


@router.get("/{conversation}/items", openapi_extra=base.operation_doc(None, "ResponseItems"))
async def list_items(
    conversation: str,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: openai_items.Order = "desc",
    after: Annotated[str, Query(description="The id of the last item seen.")] = "",
) -> Response:
    """Its items, newest first."""
    path = await _path(request, await conversation_row(request, conversation))
    return openai_items.items_page(openai_items.items_of(path), limit, order, after)


@router.post(
    "/{conversation}/items",
    openapi_extra=base.operation_doc("ConversationItemsRequest", "ResponseItems"),
)
async def create_items(conversation: str, request: Request) -> Response:
    """Adds items behind those that it has."""
    row = await conversation_row(request, conversation)
    messages = await _new_messages(request, await base.body_of(request))
    if not messages:
        raise BadRequest("'items' holds nothing to add.")
    row = await _append(request, row, row.leaf, messages)
    added = (await _path(request, row))[-len(messages) :]
    return openai_items.items_page(openai_items.items_of(added), _MAX_ITEMS, "asc", "")


@router.get("/{conversation}/items/{item}", openapi_extra=base.operation_doc(None, "ResponseItem"))
async def retrieve_item(conversation: str, item: str, request: Request) -> Response:
    """One item."""
    path = await _path(request, await conversation_row(request, conversation))
    _, found = _find(path, item)
    return JSONResponse(found)


@router.delete(
    "/{conversation}/items/{item}", openapi_extra=base.operation_doc(None, "OpenAiConversation")
)
async def delete_item(conversation: str, item: str, request: Request) -> Response:
    """Removes an item."""
    row = await conversation_row(request, conversation)
    path = await _path(request, row)
    place, _ = _find(path, item)
    kept = openai_responses_input.without_item(path[place].id, _message(path[place]), item)
    following = [_message(message) for message in path[place + 1 :]]
    parent = path[place - 1].id if place else None
    messages = [message for message in (kept, *following) if message.parts]
    return _reply(await _append(request, row, parent, messages))


# ---- helpers below -------------------------------------------------------------------------------


def _reply(row: ConversationRow) -> Response:
    reply: OpenAiConversation = {
        "id": openai_responses_view.conversation_id(row.id),
        "object": "conversation",
        "created_at": row.created_at // 1000,
        "metadata": dict(row.metadata or {}),
    }
    return JSONResponse(reply)


async def _new_messages(request: Request, body: JsonObject) -> Sequence[Message]:
    items = member(body, "items", list, [])
    if len(items) > _MAX_ITEMS:
        raise BadRequest(f"'items' has more than {_MAX_ITEMS} items.", advice="Send several times.")
    messages = openai_responses_input.parse_items(await openai_items.resolved_items(request, items))
    return await with_readable_documents(request, None, messages)


async def _append(
    request: Request, row: ConversationRow, parent: str | None, messages: Sequence[Message]
) -> ConversationRow:
    """Adds messages below a message, whose branch is shown from now on."""
    state, subject = app_state(request), subject_of(request)
    chain: list[NewMessage] = []
    for message in messages:
        chain.append(NewMessage(new_id("m"), parent, message.role, message.parts))
        parent = chain[-1].id
    row = await state.store.append_messages(subject, row.id, chain, parent)
    state.feed.publish(Change("conversation", subject, row.id))
    return row


async def _path(request: Request, row: ConversationRow) -> list[MessageRow]:
    if row.leaf is None:
        return []
    return await app_state(request).store.path(subject_of(request), row.leaf)


def _find(path: Sequence[MessageRow], item: str) -> tuple[int, ResponseItem]:
    for place, row in enumerate(path):
        for found in openai_items.items_of([row]):
            if found["id"] == item:
                return place, found
    raise NotFound(f"There is no item {item[:80]!r}.")


def _message(row: MessageRow) -> Message:
    return Message(row.role, row.parts)
