"""What responses and conversations of OpenAI's API share: looking them up, and their items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from fastapi import Request
from starlette.responses import JSONResponse, Response

from grantha.api.compat import base
from grantha.api.state import app_state, subject_of
from grantha.chat import Message
from grantha.engine.snapshot import stored_frames
from grantha.errors import NotFound
from grantha.storage.base import EPHEMERAL, ConversationRow, GenerationRow, MessageRow
from grantha.wire.compat import openai_responses_input, openai_responses_view
from grantha.wire.compat.view import AnswerFold, required_string

if TYPE_CHECKING:
    from grantha.wire.compat.openai_responses_replies import ResponseItem, ResponseItems

Order: TypeAlias = Literal["asc", "desc"]


async def conversation_row(request: Request, conversation: str) -> ConversationRow:
    """A conversation by the id that clients know. Raises `NotFound`, also for an ephemeral one."""
    unknown = NotFound(f"There is no conversation {conversation[:80]!r}.")
    state, subject = app_state(request), subject_of(request)
    try:
        row = await state.store.conversation(
            subject, openai_responses_view.own_conversation_id(conversation)
        )
    except NotFound as error:
        raise unknown from error
    if row.origin == EPHEMERAL:
        raise unknown
    return row


async def response_row(request: Request, response: str) -> tuple[GenerationRow, ConversationRow]:
    """A response by its id, and its conversation. Raises `NotFound`, also for one that isn't kept."""
    state, subject = app_state(request), subject_of(request)
    unknown = NotFound(f"There is no response {response[:80]!r}.")
    try:
        row = await state.store.generation(subject, openai_responses_view.generation_of(response))
        conversation = await state.store.conversation(subject, row.conversation)
    except NotFound as error:
        raise unknown from error
    if conversation.origin == EPHEMERAL:
        raise unknown
    return row, conversation


async def answer_so_far(request: Request, row: GenerationRow) -> AnswerFold:
    """The answer so far; from its message, once its records have been trimmed."""
    folded = AnswerFold()
    for frame in await stored_frames(app_state(request).store, subject_of(request), row):
        folded.apply(frame.event)
    return folded


async def resolved_items(request: Request, items: Any) -> Any:
    """Input with the items themselves where it only refers to them. Raises `NotFound`."""
    if not isinstance(items, list):
        return items
    return [await _item(request, item) for item in items]


def items_of(path: Sequence[MessageRow]) -> list[ResponseItem]:
    """The items of messages, in order."""
    return [
        item
        for row in path
        for item in openai_responses_input.input_items(row.id, Message(row.role, row.parts))
    ]


def items_page(found: Sequence[ResponseItem], limit: int, order: Order, after: str) -> Response:
    """One page of items, which are given in order. Raises `NotFound` for an unknown `after`."""
    if order == "desc":
        found = list(reversed(found))
    if after:
        ids = [item["id"] for item in found]
        if after not in ids:
            raise NotFound(f"There is no item {after[:80]!r}.")
        found = found[ids.index(after) + 1 :]
    page = list(found[:limit])
    items: ResponseItems = {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(found) > limit,
    }
    return JSONResponse(items)


# ---- helpers below -------------------------------------------------------------------------------


async def _item(request: Request, item: Any) -> Any:
    if not isinstance(item, dict) or item.get("type") != "item_reference":
        return item
    name = required_string(item, "id")
    try:
        row, _ = await response_row(request, openai_responses_view.generation_of_item(name))
    except NotFound:
        found = None
    else:
        answer = await answer_so_far(request, row)
        found = openai_responses_view.output_item(base.response_meta(row), answer, name)
    if found is None:
        raise NotFound(f"There is no item {name[:80]!r}.")
    return found
