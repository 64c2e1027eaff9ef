"""The simple chat endpoint: `POST /chat/completions/stream` and its non-streaming form.

Each line is JSON with `content`, `done`, `model`, `provider`; the last has `done: true`. A well-formed
request gets its errors inside the stream; a malformed one gets a 4xx. The answers are generations like
any other: the `Location` header and the `id` lines let a client reattach.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.requests import HTTPConnection
from starlette.responses import Response, StreamingResponse

from grantha.api.answers import NO_REPLY, location
from grantha.api.compat import base
from grantha.api.compat.simple_chat_view import SimpleChatView, error_line
from grantha.api.http import problems
from grantha.api.http.bodies import StrictRoute
from grantha.api.openapi.description import (
    IDEMPOTENCY,
    event_stream,
    response_doc,
    upstream_failures,
)
from grantha.api.schemas.requests import SimpleChatBody
from grantha.api.schemas.responses import SimpleChatReply
from grantha.api.state import app_state
from grantha.chat import split_model_id
from grantha.errors import BadRequest, GranthaError, error_from_json
from grantha.storage.base import GenerationRow
from grantha.wire.compat.view import ParsedRequest, end_error
from grantha.wire.sse import HEADERS

router = APIRouter(route_class=StrictRoute, tags=["simple chat"], responses=upstream_failures())
_LINES_DOC = event_stream("SimpleChatLine")


@router.post(
    "/chat/completions/stream",
    response_class=Response,
    responses={200: {"description": "Lines.", "content": {"text/event-stream": _LINES_DOC}}},
    openapi_extra={"parameters": [IDEMPOTENCY]},
)
async def stream(body: SimpleChatBody, request: Request) -> Response:
    """Server-Sent Events; the data of each is one line."""
    try:
        row = await start_generation(request, body)
    except GranthaError as error:
        if isinstance(error, BadRequest):
            raise
        line = error_line(error, body)
        return StreamingResponse(iter([f"data: {line}\n\n".encode()]), headers=HEADERS)
    return await base.stream(request, row, SimpleChatView(row), failure_status=False)


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
    row = await start_generation(request, body)
    found = await base.read_whole(request, row)
    if found is None:
        return NO_REPLY
    folded, end = found
    if error := end_error(end):
        failure = error_from_json(error)
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
    connection: HTTPConnection, body: SimpleChatBody, *, repeatable: bool = True
) -> GenerationRow:
    """Starts the answer to a body, in a new conversation; `repeatable` by its `Idempotency-Key`."""
    messages = body.values()
    model = body.model
    if body.provider is not None:
        model = app_state(connection).registry.model_id(body.model, body.provider)
    parsed = ParsedRequest(messages, body.options(), model, stream=bool(body.stream))
    return await base.start_generation(connection, parsed, body if repeatable else None)
