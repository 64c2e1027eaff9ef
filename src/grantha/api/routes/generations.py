"""Native routes of generations: start, snapshot, attach, change, stop, continue."""

from __future__ import annotations

import json
import time
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from grantha.api.answers import location
from grantha.api.http import problems
from grantha.api.http.bodies import StrictRoute
from grantha.api.http.streams import (
    EventStream,
    NativeView,
    hello_frame,
    ndjson,
    snapshot_block,
    snapshot_frame,
    stream_preamble,
)
from grantha.api.openapi.description import (
    ACCEPT_STREAM,
    IDEMPOTENCY,
    NATIVE_FRAMES,
    event_stream,
    failures,
    named,
    response_doc,
)
from grantha.api.routes import serializers
from grantha.api.schemas.requests import ChangeBody, ContinueBody, GenerationBody
from grantha.api.schemas.responses import (
    ChangeReply,
    FramesReply,
    GenerationReply,
    RunningAnswersReply,
    StartedReply,
    StopReply,
)
from grantha.api.state import AppState, app_state, idempotency, subject_of
from grantha.chat import Options
from grantha.engine.generation_request import ContinuationRequest, GenerationRequest
from grantha.errors import BadRequest, Trimmed, Unsupported
from grantha.events import START, Frame, RecordId, frame_json, merge
from grantha.storage.base import GenerationRow

router = APIRouter(
    prefix="/api", route_class=StrictRoute, tags=["generations"], responses=failures("409")
)
_MAX_WAIT = 60.0  # seconds of a long-poll
_MAX_RUNNING = 200  # running answers in one reply
_MAX_CATCH_UP = 2000  # records of one JSON catch-up


_EVENTS_DOC = event_stream(*NATIVE_FRAMES)
_STARTED_DOC = {
    **response_doc(201, StartedReply, "Started.", text_event_stream=_EVENTS_DOC),
    **response_doc(
        200, StartedReply, "Started earlier with the same key.", text_event_stream=_EVENTS_DOC
    ),
}
_ACCEPT_DOC = {
    "name": "Accept",
    "in": "header",
    "required": False,
    "schema": {
        "type": "string",
        "enum": ["text/event-stream", "application/x-ndjson", "application/json"],
    },
    "description": "A stream (the default), a long-poll, or a catch-up.",
}
_SEND_DOC = {"parameters": [IDEMPOTENCY, ACCEPT_STREAM]}


@router.post(
    "/conversations/{conversation}/generations",
    status_code=201,
    responses=_STARTED_DOC,
    openapi_extra=_SEND_DOC,
)
async def start(conversation: str, body: GenerationBody, request: Request) -> Response:
    """Appends the user's message, or names an existing one, and starts to answer it.

    With `Accept: text/event-stream` the same reply tails the log.
    """
    state, subject = app_state(request), subject_of(request)
    key, fingerprint = idempotency(request, body)
    if body.models and len(body.models) > 1 and _wants_stream(request):
        raise BadRequest("One reply can't stream several answers.")
    row = await state.store.conversation(subject, conversation)
    message = body.message()
    parent = body.parent
    if "parent" not in body.model_fields_set:
        parent = row.leaf if message is not None else await _question_of(state, subject, row.leaf)
    wanted = body.models or [body.model or row.model or state.registry.default_model()]
    own = body.options.changes() if body.options else {}
    generation_request = GenerationRequest(
        subject=subject,
        models=tuple(dict.fromkeys(state.registry.model_id(model) for model in wanted)),
        options=Options.from_json(dict(row.options)).changed(own),
        conversation=conversation,
        parent=parent,
        messages=(message,) if message is not None else (),
        key=key,
        fingerprint=fingerprint,
    )
    rows, created = await state.supervisor.start(generation_request)
    return await _started(request, rows, created)


@router.get(
    "/generations", responses=response_doc(200, RunningAnswersReply, "Those that are running.")
)
async def running(request: Request) -> Response:
    """The answers that are running, of all conversations, oldest first; at most 200."""
    state, subject = app_state(request), subject_of(request)
    found = await state.store.running(subject, _MAX_RUNNING)
    return RunningAnswersReply(items=[serializers.running_answer(one) for one in found]).response()


@router.get(
    "/generations/{generation}", responses=response_doc(200, GenerationReply, "The current state.")
)
async def snapshot(generation: str, request: Request) -> Response:
    """The current state of an answer, with the id after which its tail continues."""
    state, subject = app_state(request), subject_of(request)
    row = await state.store.generation(subject, generation)
    return (await serializers.generation(state.supervisor, subject, row)).response()


@router.get(
    "/generations/{generation}/events",
    responses={
        **response_doc(
            200,
            FramesReply,
            "Frames after the cursor.",
            text_event_stream=_EVENTS_DOC,
            application_x_ndjson={"schema": named(*NATIVE_FRAMES)},
        ),
        204: {"description": "It has ended, and there is nothing newer."},
        410: {"description": "The records are gone; the body holds the snapshot."},
    },
    openapi_extra={"parameters": [_ACCEPT_DOC]},
)
async def events(
    generation: str,
    request: Request,
    *,
    after: Annotated[str | None, Query(description="Continue after this id.")] = None,
    wait: Annotated[float, Query(ge=0, le=_MAX_WAIT, description="Seconds of a long-poll.")] = 25,
    merged: Annotated[bool, Query(description="JSON only: false keeps every record apart.")] = True,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Attaches to a log: SSE, NDJSON long-poll or JSON catch-up, by `Accept`.

    Without a cursor a snapshot comes first, then the tail. 204: ended and nothing newer.
    410: the records are trimmed; the body holds the snapshot.
    """
    state, subject = app_state(request), subject_of(request)
    row = await state.store.generation(subject, generation)
    # A browser's EventSource reconnects to the same URL: the header is the newer of the two.
    cursor = _cursor(last_event_id or after)
    accept = request.headers.get("accept", "")
    if cursor is not None and row.status != "running" and cursor >= row.last_id:
        return Response(status_code=204)
    # An id later than every record was never sent: it belongs to another log.
    if cursor is not None and (row.trimmed or cursor > row.last_id):
        return await _trimmed(state, subject, row)
    if "application/x-ndjson" in accept:
        return await _long_poll(state, subject, row, cursor, wait)
    if "text/event-stream" in accept or "application/json" not in accept:
        return await _stream(state, subject, row, cursor)
    if row.trimmed:
        return await _trimmed(state, subject, row)
    return await _catch_up(state, subject, row, cursor, merged)


@router.patch(
    "/generations/{generation}",
    responses={
        **response_doc(200, ChangeReply, "It applies from the next token."),
        422: {"description": "The model can't do this; nothing was changed."},
    },
)
async def change(generation: str, body: ChangeBody, request: Request) -> Response:
    """Live controls: the change applies from the next token, with a seam."""
    state, subject = app_state(request), subject_of(request)
    await state.store.generation(subject, generation)
    changes = {name: value for name, value in body.changes().items() if name != "model"}
    model = state.registry.model_id(body.model) if body.model else None
    if not changes and model is None:
        raise BadRequest(
            "The body names nothing to change.", advice="Name temperature, for example."
        )
    try:
        mode, wanted, options = state.supervisor.change(subject, generation, changes, model)
    except Unsupported as error:
        return problems.problem(error, applied=False, reason=error.message)
    changed = ChangeReply(applied=True, mode=mode, model=wanted, options=options.to_json())
    return changed.response()


@router.post(
    "/generations/{generation}/stop", responses=response_doc(200, StopReply, "The receipt.")
)
async def stop(generation: str, request: Request) -> Response:
    """Closes the upstream, keeps the text; the reply is the receipt. Idempotent."""
    state, subject = app_state(request), subject_of(request)
    row, receipt = await state.supervisor.stop(subject, generation)
    return serializers.stop_reply(row, receipt).response()


@router.post(
    "/generations/{generation}/continue",
    status_code=201,
    responses={
        **_STARTED_DOC,
        422: {"description": "An answer that calls tools can't be continued."},
    },
    openapi_extra=_SEND_DOC,
)
async def continue_answer(generation: str, request: Request, body: ContinueBody) -> Response:
    """Continues an ended answer: a new generation on the same message, after a seam."""
    state, subject = app_state(request), subject_of(request)
    key, fingerprint = idempotency(request, body)
    row, created = await state.supervisor.continue_answer(
        ContinuationRequest(
            subject=subject,
            generation=generation,
            changes=body.options.changes() if body.options else {},
            model=state.registry.model_id(body.model) if body.model else None,
            key=key,
            fingerprint=fingerprint,
        )
    )
    return await _started(request, [row], created)


# ---- helpers below -------------------------------------------------------------------------------


async def _question_of(state: AppState, subject: str, leaf: str | None) -> str | None:
    """The user's message that a leaf is, or answers."""
    if leaf is None:
        return None
    found = await state.store.message(subject, leaf)
    return found.parent if found.role == "assistant" else found.id


async def _started(request: Request, rows: list[GenerationRow], created: bool) -> Response:
    state, subject = app_state(request), subject_of(request)
    headers = location(rows[0])
    status = 201 if created else 200
    if _wants_stream(request):
        row = rows[0]
        return EventStream(
            await state.supervisor.reader_from_start(subject, row),
            NativeView(),
            first=stream_preamble(row.id, START, row.status, state.settings.heartbeat),
            status=status,
            heartbeat=state.settings.heartbeat,
            headers=headers,
        )
    found = [await serializers.generation(state.supervisor, subject, row) for row in rows]
    body = found[0] if len(found) == 1 else StartedReply(**dict(found[0]), generations=found)
    return body.response(status, headers)


async def _stream(
    state: AppState, subject: str, row: GenerationRow, cursor: RecordId | None
) -> Response:
    heartbeat = state.settings.heartbeat
    if cursor is None:
        shown = await serializers.generation(state.supervisor, subject, row)
        at = RecordId.parse(shown.last_id)
        first = stream_preamble(row.id, at, shown.status, heartbeat) + snapshot_block(shown)
    else:
        at = cursor
        first = stream_preamble(row.id, at, row.status, heartbeat)
    reader = state.supervisor.reader(subject, row.id, at)
    resumed = cursor is not None
    return EventStream(reader, NativeView(), first=first, heartbeat=heartbeat, resumed=resumed)


async def _long_poll(
    state: AppState, subject: str, row: GenerationRow, cursor: RecordId | None, wait: float
) -> Response:
    first, at, resumed = b"", cursor, cursor is not None
    if at is None:
        shown = await serializers.generation(state.supervisor, subject, row)
        at = RecordId.parse(shown.last_id)
        hello = hello_frame(row.id, at, shown.status, state.settings.heartbeat)
        first = b"".join(line.json_bytes() + b"\n" for line in (hello, snapshot_frame(shown)))
        wait = 0.0
    reader = state.supervisor.reader(subject, row.id, at)
    with state.supervisor.attach(row.id), state.readers.reading("ndjson", resumed=resumed):
        frames = await reader.read(wait)
    return Response(
        first + ndjson(frames),
        media_type="application/x-ndjson",
        headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"},
    )


async def _catch_up(
    state: AppState, subject: str, row: GenerationRow, cursor: RecordId | None, merged: bool
) -> Response:
    records = await state.store.records(subject, row.id, cursor or START, _MAX_CATCH_UP)
    # A replay needs the time of every record; a merged frame has only its last one's.
    shown = merge(records) if merged else [Frame(r.id, r.at, r.event) for r in records]
    frames = [json.loads(frame_json(frame)) for frame in shown]
    now = await state.store.generation(subject, row.id)
    last = str(records[-1].id) if records else str(cursor or START)
    reply = FramesReply(frames=frames, last_id=last, status=now.status, at=time.time_ns() // 10**6)
    return reply.response()


async def _trimmed(state: AppState, subject: str, row: GenerationRow) -> Response:
    shown = await serializers.generation(state.supervisor, subject, row)
    error = Trimmed(
        f"Generation {row.id!r} no longer has records after this id."
        if row.trimmed
        else f"Generation {row.id!r} hasn't reached this id.",
        advice="Use the snapshot: it holds the whole answer.",
    )
    return problems.problem(error, snapshot=shown)


def _wants_stream(request: Request) -> bool:
    return "text/event-stream" in request.headers.get("accept", "")


def _cursor(text: str | None) -> RecordId | None:
    if text is None or text == "":
        return None
    try:
        return RecordId.parse(text)
    except ValueError as error:
        raise BadRequest(
            f"{text[:60]!r} isn't a record id.", advice="Use an id from the stream, such as 1-42."
        ) from error
