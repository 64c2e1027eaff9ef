"""`/v1/chat/completions`, `/v1/models` and `/v1/responses`, for OpenAI's clients."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from grantha.api.doors import pieces, subject_of
from grantha.api.streams import EventStream
from grantha.api.vendors import base
from grantha.engine.past import whole_log
from grantha.errors import NotFound
from grantha.events import START, Fold, fold, merge
from grantha.storage.base import GenerationRow
from grantha.wire.views import anthropic, openai_chat, openai_responses
from grantha.wire.views.openai_responses import ResponseStream

router = APIRouter(
    prefix="/v1", route_class=base.route_class(openai_chat.error_body), tags=["OpenAI"]
)


@router.post("/chat/completions", openapi_extra=base.json_body("Chat completion"))
async def chat_completions(request: Request) -> Response:
    """OpenAI Chat Completions, streaming and not."""
    body = await base.body_of(request)
    asked = openai_chat.asked(body)
    row = await base.begin(request, asked, body)
    if asked.stream:
        view = openai_chat.ChatStream(base.shown(row), asked.include_usage)
        return await base.stream(request, row, view, openai_chat.error_body)
    folded = await base.whole(request, row)
    return JSONResponse(openai_chat.reply(base.shown(row), folded), headers=base.location(row))


@router.get("/models")
async def models(request: Request) -> Response:
    """The models that can be used; in Anthropic's form for Anthropic's clients."""
    cards = await base.cards(request)
    if "anthropic-version" in request.headers:
        return JSONResponse(anthropic.models(cards))
    return JSONResponse(openai_chat.models(cards))


@router.get("/models/{model:path}")
async def model(model: str, request: Request) -> Response:
    """One model."""
    for card in openai_chat.models(await base.cards(request))["data"]:
        if card["id"] == model:
            return JSONResponse(card)
    raise NotFound(f"There is no model {model!r}.")


@router.post("/responses", openapi_extra=base.json_body("Response"))
async def create_response(request: Request) -> Response:
    """OpenAI Responses: in the foreground, in the background, streaming or not."""
    body = await base.body_of(request)
    asked = openai_responses.asked(body)
    previous = body.get("previous_response_id")
    if isinstance(previous, str):
        before = await _generation(request, previous)
        row = await base.begin(
            request, asked, body, conversation=before.conversation, parent=before.message
        )
    else:
        row = await base.begin(request, asked, body)
    echo = openai_responses.echo_of(body)
    if asked.stream:
        view = ResponseStream(base.shown(row), echo)
        return await base.stream(request, row, view, openai_chat.error_body)
    folded = Fold() if asked.background else await base.whole(request, row)
    shown = openai_responses.response_json(base.shown(row), folded, None, echo)
    return JSONResponse(shown, headers=base.location(row))


@router.get("/responses/{response}")
async def retrieve_response(
    response: str,
    request: Request,
    stream: Annotated[bool, Query(description="Tail its events.")] = False,
    starting_after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
) -> Response:
    """The response as it is now, or its events after a sequence number."""
    row = await _generation(request, response)
    if stream:
        return await _tail(request, row, starting_after)
    folded = await _folded(request, row)
    return JSONResponse(openai_responses.response_json(base.shown(row), folded, None, {}))


@router.post("/responses/{response}/cancel")
async def cancel_response(response: str, request: Request) -> Response:
    """Stops it."""
    row = await _generation(request, response)
    row, _ = await pieces(request).supervisor.stop(subject_of(request), row.id)
    folded = await _folded(request, row)
    return JSONResponse(openai_responses.response_json(base.shown(row), folded, None, {}))


@router.delete("/responses/{response}")
async def delete_response(response: str, request: Request) -> Response:
    """Deletes it, with the conversation it stands in."""
    door, subject = pieces(request), subject_of(request)
    row = await _generation(request, response)
    await door.store.delete_conversation(subject, row.conversation)
    await door.supervisor.stop_all_of(subject, row.conversation)
    return JSONResponse({"id": response, "object": "response", "deleted": True})


# ---- helpers below -------------------------------------------------------------------------------


async def _generation(request: Request, response: str) -> GenerationRow:
    door, subject = pieces(request), subject_of(request)
    generation = openai_responses.generation_of(response)
    try:
        row = await door.store.generation(subject, generation)
        await door.store.conversation(subject, row.conversation)
    except NotFound as error:
        raise NotFound(f"There is no response {response[:80]!r}.") from error
    return row


async def _folded(request: Request, row: GenerationRow) -> Fold:
    door, subject = pieces(request), subject_of(request)
    if row.trimmed:
        return await _fold_of_message(request, row)
    return fold(record.event for record in await whole_log(door.store, subject, row.id))


async def _fold_of_message(request: Request, row: GenerationRow) -> Fold:
    """A fold of an answer whose records are gone, from the message."""
    message = await pieces(request).store.message(subject_of(request), row.message)
    return Fold.of(message.parts, row.end)


async def _tail(request: Request, row: GenerationRow, after: int) -> Response:
    door, subject = pieces(request), subject_of(request)
    view = ResponseStream(base.shown(row), {})
    cursor, first = START, b""
    if after >= 0:
        wanted, _ = openai_responses.record_before(after)
        records = [r for r in await whole_log(door.store, subject, row.id) if r.id <= wanted]
        first = view.prime(merge(records), after)
        cursor = records[-1].id if records else START
    return EventStream(
        door.supervisor.reader(subject, row.id, cursor),
        view,
        first=first,
        heartbeat=door.settings.heartbeat,
        headers=base.location(row),
    )
