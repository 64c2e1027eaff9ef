"""`/v1/responses`, for OpenAI's clients. A background response is a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from grantha.api.answers import location
from grantha.api.compat import base
from grantha.api.http.streams import EventStream
from grantha.api.state import app_state, subject_of
from grantha.chat import JsonObject, Message
from grantha.engine.replay import read_log
from grantha.engine.snapshot import stored_frames
from grantha.errors import NotFound, Trimmed
from grantha.events import START, merge
from grantha.storage.base import EPHEMERAL, GenerationRow
from grantha.wire.compat import openai_responses_input, openai_responses_view
from grantha.wire.compat.openai_responses_view import ResponseStream, response_json
from grantha.wire.compat.view import AnswerFold, ParsedRequest, member, required_string

if TYPE_CHECKING:
    from grantha.wire.compat.openai_responses_replies import (
        ResponseDeleted,
        ResponseItems,
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
    row = await _begin(request, parsed, body)
    echo = openai_responses_view.echoed_members(row.options, body)
    if parsed.stream:
        return await base.stream(request, row, ResponseStream(base.response_meta(row), echo))
    if parsed.background:
        return _response(row, await _whole(request, row), echo)
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
    row = await _generation(request, response)
    if stream:
        return await _tail(request, row, starting_after)
    return _response(row, await _whole(request, row))


@router.post("/{response}/cancel", openapi_extra=base.operation_doc(None, "ResponseReply"))
async def cancel_response(response: str, request: Request) -> Response:
    """Stops it."""
    row = await _generation(request, response)
    row, _ = await app_state(request).supervisor.stop(subject_of(request), row.id)
    return _response(row, await _whole(request, row))


@router.delete("/{response}", openapi_extra=base.operation_doc(None, "ResponseDeleted"))
async def delete_response(response: str, request: Request) -> Response:
    """Deletes it, with its conversation."""
    state, subject = app_state(request), subject_of(request)
    row = await _generation(request, response)
    await state.store.delete_conversation(subject, row.conversation)
    await state.supervisor.stop_all_of(subject, row.conversation)
    receipt: ResponseDeleted = {"id": response, "object": "response", "deleted": True}
    return JSONResponse(receipt)


@router.get("/{response}/input_items", openapi_extra=base.operation_doc(None, "ResponseItems"))
async def input_items(
    response: str,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[str, Query(description="The id of the last item seen.")] = "",
) -> Response:
    """Its input: the whole conversation before it, newest first."""
    state, subject = app_state(request), subject_of(request)
    row = await _generation(request, response)
    path = await state.store.path(subject, row.message)
    found = [
        item
        for message in path[:-1]
        for item in openai_responses_input.input_items(
            message.id, Message(message.role, message.parts)
        )
    ]
    if order == "desc":
        found.reverse()
    ids = [item["id"] for item in found]
    if after:
        if after not in ids:
            raise NotFound(f"There is no item {after[:80]!r}.")
        found = found[ids.index(after) + 1 :]
    page = found[:limit]
    items: ResponseItems = {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(found) > limit,
    }
    return JSONResponse(items)


@router.post("/input_tokens", openapi_extra=base.operation_doc("ResponseRequest", "ResponseTokens"))
async def input_tokens(request: Request) -> Response:
    """Counts an input's tokens, where the provider can."""
    body = await _with_items(request, await base.body_of(request))
    parsed = openai_responses_input.parse_request(body)

    def form(count: int) -> ResponseTokens:
        return {"object": "response.input_tokens", "input_tokens": count}

    return await base.count_tokens(request, parsed, form)


# ---- helpers below -------------------------------------------------------------------------------


async def _begin(request: Request, parsed: ParsedRequest, body: JsonObject) -> GenerationRow:
    previous = member(body, "previous_response_id", str)
    if not previous:
        return await base.start_generation(request, parsed, body)
    before = await _generation(request, previous)
    if parsed.store:
        return await base.start_generation(
            request, parsed, body, conversation=before.conversation, parent=before.message
        )
    # A stored conversation mustn't grow by an unstored one: the history is copied.
    state, subject = app_state(request), subject_of(request)
    path = await state.store.path(subject, before.message)
    past = [Message(row.role, row.parts) for row in path]
    return await base.start_generation(request, parsed, body, messages=[*past, *parsed.messages])


async def _with_items(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """The body with the items themselves where its input only refers to them."""
    items = body.get("input")
    if not isinstance(items, list):
        return body
    return {**body, "input": [await _item(request, item) for item in items]}


async def _item(request: Request, item: Any) -> Any:
    if not isinstance(item, dict) or item.get("type") != "item_reference":
        return item
    name = required_string(item, "id")
    try:
        row = await _generation(request, openai_responses_view.generation_of_item(name))
        whole = await _whole(request, row)
    except NotFound:
        found = None
    else:
        found = openai_responses_view.output_item(base.response_meta(row), whole, name)
    if found is None:
        raise NotFound(f"There is no item {name[:80]!r}.")
    return found


async def _generation(request: Request, response: str) -> GenerationRow:
    state, subject = app_state(request), subject_of(request)
    generation = openai_responses_view.generation_of(response)
    unknown = NotFound(f"There is no response {response[:80]!r}.")
    try:
        row = await state.store.generation(subject, generation)
        conversation = await state.store.conversation(subject, row.conversation)
    except NotFound as error:
        raise unknown from error
    if conversation.origin == EPHEMERAL:
        raise unknown
    return row


def _response(row: GenerationRow, whole: AnswerFold, echo: JsonObject | None = None) -> Response:
    echoed = openai_responses_view.echoed_members(row.options) if echo is None else echo
    body = response_json(base.response_meta(row), whole, None, echoed)
    return JSONResponse(body, headers=location(row))


async def _whole(request: Request, row: GenerationRow) -> AnswerFold:
    """The answer so far; from its message, once its records have been trimmed."""
    folded = AnswerFold()
    for frame in await stored_frames(app_state(request).store, subject_of(request), row):
        folded.apply(frame.event)
    return folded


async def _tail(request: Request, row: GenerationRow, after: int) -> Response:
    if row.trimmed:
        raise Trimmed(
            "The events of this response have been deleted.", advice="Retrieve it without 'stream'."
        )
    state, subject = app_state(request), subject_of(request)
    view = ResponseStream(
        base.response_meta(row), openai_responses_view.echoed_members(row.options), after
    )
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
