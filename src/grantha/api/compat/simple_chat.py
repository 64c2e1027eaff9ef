"""The simple chat endpoint: `POST /chat/completions/stream` and its non-streaming form.

Each line is JSON with `content`, `done`, `model`, `provider`; the last has `done: true`. A well-formed
request gets its errors inside the stream; a malformed one gets a 4xx. The answers are generations like
any other: the `Location` header and the `id` lines let a client reattach.
"""

from __future__ import annotations

from collections.abc import Sequence
from json.encoder import encode_basestring

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from grantha.api.answers import (
    NO_REPLY,
    abandon_after,
    fold_while_connected,
    location,
)
from grantha.api.http import problems
from grantha.api.http.bodies import StrictRoute
from grantha.api.http.streams import EventStream
from grantha.api.openapi.description import (
    IDEMPOTENCY,
    event_stream,
    response_doc,
    upstream_failures,
)
from grantha.api.schemas.requests import SimpleChatBody
from grantha.api.schemas.responses import SimpleChatLine, SimpleChatReply
from grantha.api.state import AppState, app_state, idempotency, subject_of
from grantha.chat import split_model_id
from grantha.engine.generation_request import GenerationRequest
from grantha.engine.ids import new_id
from grantha.engine.titles import title_from
from grantha.errors import BadRequest, GranthaError, error_from_json
from grantha.events import Frame, GenerationEnd, Seam, TextDelta
from grantha.fold import Fold
from grantha.storage.base import GenerationRow, NewConversation
from grantha.wire.sse import HEADERS

router = APIRouter(route_class=StrictRoute, tags=["simple chat"], responses=upstream_failures())
_LINES_DOC = event_stream("SimpleChatLine")


class SimpleChatView:
    """Frames as lines of the simple chat endpoint (`SimpleChatLine`).

    Lines of text are put together by hand: 0.1 µs each, 2.8 µs through the model.
    """

    def __init__(self, row: GenerationRow) -> None:
        self._generation = row.id
        self._use(row.model)

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """SSE blocks: an id and one line of data for each frame that has one."""
        blocks = [
            f"id: {frame.id}\ndata: {line}\n\n" for frame in frames if (line := self.line(frame))
        ]
        return "".join(blocks).encode()

    def line(self, frame: Frame) -> str | None:
        """The JSON of one frame; None for kinds that the endpoint leaves out."""
        event = frame.event
        if isinstance(event, TextDelta):
            return f'{{"content":{encode_basestring(event.text)},{self._rest}'
        if isinstance(event, Seam):
            self._use(event.model)
        if isinstance(event, GenerationEnd):
            return self._last(event).json_bytes().decode()
        return None

    def _use(self, model_id: str) -> None:
        self._provider, self._model = split_model_id(model_id)
        empty = SimpleChatLine(content="", done=False, model=self._model, provider=self._provider)
        self._rest = empty.json_bytes().decode().removeprefix('{"content":"",')

    def _last(self, end: GenerationEnd) -> SimpleChatLine:
        line = SimpleChatLine(
            content="",
            done=True,
            model=self._model,
            provider=self._provider,
            generation=self._generation,
            ending=end.ending,
            finish_reason=end.finish_reason,
            usage=end.usage.to_json() if end.usage else None,
        )
        if end.error is not None:
            line.error = end.error
        return line


@router.post(
    "/chat/completions/stream",
    response_class=Response,
    responses={200: {"description": "Lines.", "content": {"text/event-stream": _LINES_DOC}}},
    openapi_extra={"parameters": [IDEMPOTENCY]},
)
async def stream(body: SimpleChatBody, request: Request) -> Response:
    """Server-Sent Events; the data of each is one line."""
    state = app_state(request)
    try:
        row = await _start(request, body)
    except GranthaError as error:
        if isinstance(error, BadRequest):
            raise
        line = error_line(error, body)
        return StreamingResponse(iter([f"data: {line}\n\n".encode()]), headers=HEADERS)
    return EventStream(
        await state.supervisor.reader_from_start(subject_of(request), row),
        SimpleChatView(row),
        heartbeat=state.settings.heartbeat,
        headers=location(row),
    )


@router.post(
    "/chat/completions",
    responses=response_doc(200, SimpleChatReply, "The answer.", text_event_stream=_LINES_DOC),
    openapi_extra={"parameters": [IDEMPOTENCY]},
)
@router.post("/chat/completion", include_in_schema=False)
async def complete(body: SimpleChatBody, request: Request) -> Response:
    """The same answer as one JSON reply; with `stream: true`, the same as `/stream`."""
    if body.stream:
        return await stream(body, request)
    state, subject = app_state(request), subject_of(request)
    row = await _start(request, body)
    with state.supervisor.attach(row.id):
        reader = await state.supervisor.reader_from_start(subject, row)
        found = await fold_while_connected(request, reader, Fold())
    if found is None:
        return NO_REPLY
    folded, end = found
    if end.ending == "failed" and end.error is not None:
        failure = error_from_json(end.error)
        return problems.problem(failure, generation=row.id, content=folded.text())
    provider, model = split_model_id(folded.seams[-1].model if folded.seams else row.model)
    reply = SimpleChatReply(
        content=folded.text(),
        role="assistant",
        model=model,
        provider=provider,
        usage=end.usage.to_json() if end.usage else None,
        finish_reason=end.finish_reason,
        ending=end.ending,
        generation=row.id,
    )
    return reply.response(headers=location(row))


async def start_generation(
    state: AppState, subject: str, body: SimpleChatBody, key: str | None, fingerprint: str
) -> GenerationRow:
    """Starts the answer to a body, in a new conversation."""
    messages = body.values()
    model = state.registry.model_id(body.model, body.provider)
    conversation = new_id("c")
    generation_request = GenerationRequest(
        subject=subject,
        models=(model,),
        options=body.options(),
        conversation=conversation,
        messages=messages,
        new_conversation=NewConversation(conversation, title_from(messages[-1].text), "api"),
        key=key,
        fingerprint=fingerprint,
        abandon_after=abandon_after(state.settings),
    )
    rows, _ = await state.supervisor.start(generation_request)
    return rows[0]


def error_line(error: GranthaError, body: SimpleChatBody | None = None) -> str:
    """The only line of a reply that failed before it began."""
    line = SimpleChatLine(
        content="",
        done=True,
        model=body.model if body else None,
        provider=body.provider if body else None,
        error=error.to_json(),
    )
    return line.json_bytes().decode()


# ---- helpers below -------------------------------------------------------------------------------


async def _start(request: Request, body: SimpleChatBody) -> GenerationRow:
    key, fingerprint = idempotency(request, body)
    return await start_generation(app_state(request), subject_of(request), body, key, fingerprint)
