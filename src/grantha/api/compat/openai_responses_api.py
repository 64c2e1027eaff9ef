"""`/v1/responses`, for OpenAI's clients. A background response is a log."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from grantha.api.answers import location
from grantha.api.compat import base, openai_items
from grantha.api.compat.openai_items import response_row
from grantha.api.http.streams import EventStream
from grantha.api.state import app_state, subject_of
from grantha.chat import JsonObject, Message
from grantha.engine.replay import read_log
from grantha.errors import BadRequest, Trimmed
from grantha.events import START, merge
from grantha.storage.base import ConversationRow, GenerationRow
from grantha.wire.compat import openai_compaction, openai_responses_input, openai_responses_view
from grantha.wire.compat.openai_responses_view import ResponseStream, response_json
from grantha.wire.compat.view import ParsedRequest, member, required_string

if TYPE_CHECKING:
    from grantha.wire.compat.openai_responses_replies import (
        ResponseDeleted,
        ResponseTokens,
    )

router = APIRouter(prefix="/v1/responses", tags=["OpenAI"])


@router.post(
    "",
    openapi_extra=base.operation_doc("ResponseRequest", "ResponseReply", events=["ResponseEvent"]),
)
async def create_response(request: Request) -> Response:
    """OpenAI Responses: in the foreground, in the background, streaming or not."""
    body = await _with_items(request, await base.body_of(request))
    parsed = openai_responses_input.parse_request(body)
    row, echo = await _begin(request, parsed, body)
    if parsed.stream:
        return await base.stream(request, row, ResponseStream(base.response_meta(row), echo))
    if parsed.background:
        return await _reply(request, row, echo)
    return await base.reply(
        request, row, lambda shown, whole: response_json(shown, whole, None, echo)
    )


@router.get(
    "/{response}",
    openapi_extra=base.operation_doc(None, "ResponseReply", events=["ResponseEvent"]),
)
async def retrieve_response(
    response: str,
    request: Request,
    stream: Annotated[bool, Query(description="Tail its events.")] = False,
    starting_after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
) -> Response:
    """The current response, or its events after a sequence number."""
    row, conversation = await response_row(request, response)
    if stream:
        return await _tail(request, row, conversation, starting_after)
    return await _reply(request, row, _stored_echo(row, conversation))


@router.post("/{response}/cancel", openapi_extra=base.operation_doc(None, "ResponseReply"))
async def cancel_response(response: str, request: Request) -> Response:
    """Stops it."""
    row, conversation = await response_row(request, response)
    row, _ = await app_state(request).supervisor.stop(subject_of(request), row.id)
    return await _reply(request, row, _stored_echo(row, conversation))


@router.delete("/{response}", openapi_extra=base.operation_doc(None, "ResponseDeleted"))
async def delete_response(response: str, request: Request) -> Response:
    """Deletes it, with its conversation."""
    state, subject = app_state(request), subject_of(request)
    row, _ = await response_row(request, response)
    await state.store.delete_conversation(subject, row.conversation)
    await state.supervisor.stop_all_of(subject, row.conversation)
    receipt: ResponseDeleted = {"id": response, "object": "response", "deleted": True}
    return JSONResponse(receipt)


@router.get("/{response}/input_items", openapi_extra=base.operation_doc(None, "ResponseItems"))
async def input_items(
    response: str,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: openai_items.Order = "desc",
    after: Annotated[str, Query(description="The id of the last item seen.")] = "",
) -> Response:
    """Its input: the whole conversation before it, newest first."""
    state, subject = app_state(request), subject_of(request)
    row, _ = await response_row(request, response)
    path = await state.store.path(subject, row.message)
    return openai_items.items_page(openai_items.items_of(path[:-1]), limit, order, after)


@router.post("/input_tokens", openapi_extra=base.operation_doc("ResponseRequest", "ResponseTokens"))
async def input_tokens(request: Request) -> Response:
    """Counts an input's tokens with those of what it continues, where the provider can."""
    body = await _with_items(request, await base.body_of(request))
    parsed = openai_responses_input.parse_request(body)
    if (earlier := await _earlier(request, body)) is not None:
        past = await _history(request, earlier[1])
        parsed = replace(parsed, messages=(*past, *parsed.messages))

    def form(count: int) -> ResponseTokens:
        return {"object": "response.input_tokens", "input_tokens": count}

    return await base.count_tokens(request, parsed, form)


@router.post("/compact", openapi_extra=base.operation_doc("CompactionRequest", "CompactionReply"))
async def compact_response(request: Request) -> Response:
    """A shorter form of a long input, with which the next request begins. Nothing of it is stored."""
    body = await _with_items(request, await base.body_of(request))
    earlier = await _earlier(request, body)
    past = await _history(request, earlier[1]) if earlier else []
    parsed = openai_compaction.parse_request(body, past)
    row = await base.start_generation(request, parsed, body)
    return await base.reply(
        request, row, partial(openai_compaction.response_body, messages=parsed.messages[:-1])
    )


# ---- helpers below -------------------------------------------------------------------------------


async def _begin(
    request: Request, parsed: ParsedRequest, body: JsonObject
) -> tuple[GenerationRow, JsonObject]:
    """Starts a response, after another one or in a conversation; with what it repeats of the request."""
    earlier = await _earlier(request, body)
    if earlier is None:
        row = await base.start_generation(request, parsed, body)
        return row, openai_responses_view.echoed_members(row.options, body)
    conversation, parent, named = earlier
    if parsed.store:
        row = await base.start_generation(
            request, parsed, body, conversation=conversation, parent=parent
        )
    else:
        # A stored conversation mustn't grow by an unstored one: the history is copied.
        past = await _history(request, parent)
        row = await base.start_generation(request, parsed, body, messages=[*past, *parsed.messages])
    echo = openai_responses_view.echoed_members(row.options, body)
    return row, {**echo, **(_conversation_member(conversation) if named else {})}


async def _earlier(request: Request, body: JsonObject) -> tuple[str, str | None, bool] | None:
    """The conversation and the message that a response follows, and whether the conversation was named."""
    previous = member(body, "previous_response_id", str)
    named = member(body, "conversation", (str, dict))
    if isinstance(named, dict):
        named = required_string(named, "id")
    if previous and named:
        raise BadRequest("'conversation' and 'previous_response_id' can't be used together.")
    if named:
        conversation = await openai_items.conversation_row(request, named)
        return conversation.id, conversation.leaf, True
    if previous:
        before, _ = await response_row(request, previous)
        return before.conversation, before.message, False
    return None


async def _history(request: Request, message: str | None) -> list[Message]:
    """All messages up to one, which is the last."""
    if message is None:
        return []
    path = await app_state(request).store.path(subject_of(request), message)
    return [Message(row.role, row.parts) for row in path]


def _conversation_member(conversation: str) -> JsonObject:
    return {"conversation": {"id": openai_responses_view.conversation_id(conversation)}}


async def _with_items(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "input": await openai_items.resolved_items(request, body.get("input"))}


async def _reply(request: Request, row: GenerationRow, echo: JsonObject) -> Response:
    whole = await openai_items.answer_so_far(request, row)
    return JSONResponse(
        response_json(base.response_meta(row), whole, None, echo), headers=location(row)
    )


def _stored_echo(row: GenerationRow, conversation: ConversationRow) -> JsonObject:
    """What a response repeats of its request when it is read later."""
    echo = openai_responses_view.echoed_members(row.options)
    made_by_client = conversation.metadata is not None
    return {**echo, **(_conversation_member(conversation.id) if made_by_client else {})}


async def _tail(
    request: Request, row: GenerationRow, conversation: ConversationRow, after: int
) -> Response:
    if row.trimmed:
        raise Trimmed(
            "The events of this response have been deleted.", advice="Retrieve it without 'stream'."
        )
    state, subject = app_state(request), subject_of(request)
    view = ResponseStream(base.response_meta(row), _stored_echo(row, conversation), after)
    cursor, first = START, b""
    if after >= 0:
        # What was seen is read again, as the last events repeat the text, and by itself: merged with
        # what follows it would be sent once more.
        wanted, _ = openai_responses_view.record_of_sequence_number(after)
        seen = [r for r in await read_log(state.store, subject, row.id) if r.id <= wanted]
        first = view.frames(merge(seen))
        cursor = seen[-1].id if seen else START
    return EventStream(
        state.supervisor.reader(subject, row.id, cursor),
        view,
        first=first,
        heartbeat=state.settings.heartbeat,
        headers=location(row),
    )
