"""Shared by the compatible APIs: starts generations, and replies from their logs in the vendor's format.

Each reads its body with a function of `wire.compat` and answers with a view from there. An error
before the first byte has the vendor's own format and status (`api.error_formats`); later ones are events.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import JSONResponse

from grantha.api.answers import (
    NO_REPLY,
    abandon_after,
    fold_while_connected,
    location,
    run_while_connected,
)
from grantha.api.compat.documents import with_readable_documents
from grantha.api.http.bodies import read_body
from grantha.api.http.problems import error_response
from grantha.api.http.streams import HEARTBEAT, EventStream
from grantha.api.openapi.description import IDEMPOTENCY, LOCATION, event_stream, named
from grantha.api.state import app_state, idempotency, subject_of
from grantha.chat import Call, JsonObject, Message, instructed
from grantha.engine.generation_request import GenerationRequest
from grantha.engine.ids import new_id
from grantha.engine.reader import Reader
from grantha.engine.titles import title_from
from grantha.engine.tool_pairs import with_tool_results
from grantha.errors import (
    BadRequest,
    NotFound,
    UnknownModel,
    Unsupported,
    error_from_json,
)
from grantha.events import Frame, GenerationEnd, Notice, Open
from grantha.providers.base import CountsTokens
from grantha.storage.base import EPHEMERAL, GenerationRow, NewConversation
from grantha.wire.compat.view import (
    AnswerFold,
    CompatStream,
    ParsedRequest,
    ResponseMeta,
    end_error,
)
from grantha.wire.sse import HEADERS

DONE = "[DONE]"  # how two vendors end a stream, in place of JSON
# The providers whose own API paths with such a beginning imitate, the most direct first.
_NATIVE: dict[str, tuple[str, ...]] = {
    "/v1/chat/completions": ("openai", "azure", "local"),
    "/v1/responses": ("openai-responses", "openai", "azure", "local"),
    "/v1/messages": ("anthropic", "vertex", "bedrock", "local"),
    "/v1/completions": ("openai", "azure", "local"),
    "/v1/embeddings": ("openai", "azure", "local"),
    "/v1/models/": ("google", "vertex", "local"),
    "/v1beta/": ("google", "vertex", "local"),
    "/ollama/": ("local", "ollama"),
}
_READ_TIMEOUT = 10.0  # seconds for which a stream's status waits for the first word


async def body_of(request: Request) -> dict[str, Any]:
    """The body as a JSON object, whatever its content type says. Raises `BadRequest`."""
    try:
        raw = await request.body()
    except ClientDisconnect as error:
        raise BadRequest("The body ended early.") from error  # no client is left to read it
    body = await read_body(raw, app_state(request).settings.max_json_depth)
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


async def start_generation(
    request: HTTPConnection,
    parsed: ParsedRequest,
    body: BaseModel | JsonObject | None,
    *,
    conversation: str | None = None,
    parent: str | None = None,
    messages: Sequence[Message] | None = None,
    new_id_of_conversation: str | None = None,
    detached: bool = False,
) -> GenerationRow:
    """Starts the generation that a request asks for; in a conversation of its own, unless one is
    named. A `detached` or background answer is written to its end, even if its client leaves.
    The `body` is what an `Idempotency-Key` stands for; without one, as on a socket, there is no key.
    """
    state, subject = app_state(request), subject_of(request)
    key, fingerprint = (None, "") if body is None else idempotency(request, body)
    own = new_id_of_conversation or new_id("c")
    question = next((m.text for m in reversed(parsed.messages) if m.role == "user"), "")
    model = await model_of(request, parsed.model)
    sent = parsed.messages if messages is None else messages
    rows, _ = await state.supervisor.start(
        GenerationRequest(
            subject=subject,
            models=(model,),
            options=parsed.options,
            conversation=conversation or own,
            parent=parent,
            messages=await with_readable_documents(request, model, sent),
            new_conversation=None
            if conversation
            else NewConversation(own, title_from(question), "api" if parsed.store else EPHEMERAL),
            key=key,
            fingerprint=fingerprint,
            abandon_after=None
            if detached or parsed.background
            else abandon_after(state.settings, stored=parsed.store),
        )
    )
    return rows[0]


def native_providers(path: str) -> Sequence[str]:
    """The providers whose own API the path of a request imitates."""
    return next((found for start, found in _NATIVE.items() if path.startswith(start)), ())


async def model_of(request: HTTPConnection, named: str | None) -> str:
    """The model that a client names: as `provider/model`, or bare.

    Many of these clients can't write a slash, or have their models' names built in. Of several models of a
    name, the one of the first of the path's `native_providers` is meant: it is their API that was called.
    """
    registry = app_state(request).registry
    try:
        return registry.model_id(named)
    except UnknownModel:
        bare = (named or "").removesuffix(":latest")
        found = [
            card for card, _, _ in await usable_models(request) if card.partition("/")[2] == bare
        ]
        if len(found) == 1:
            return found[0]
        for provider in native_providers(request.url.path):
            if (model := f"{provider}/{bare}") in found:
                return model
        raise


def response_meta(row: GenerationRow) -> ResponseMeta:
    """The facts about a generation that every reply holds."""
    return ResponseMeta(row.id, row.model, row.created_at // 1000, row.options.tools)


async def stream(
    request: Request,
    row: GenerationRow,
    view: CompatStream,
    *,
    headers: Mapping[str, str] | None = None,
    media: Mapping[str, str] = HEADERS,
    beat: bytes = HEARTBEAT,
    failure_status: bool = True,
) -> Response:
    """The log as a client's stream. A failure before the first word is a status, as vendors' are,
    unless `failure_status` is off: then it is an event as well."""
    state = app_state(request)
    reader = await state.supervisor.reader_from_start(subject_of(request), row)
    attachment = state.supervisor.attach(row.id)
    try:
        frames = await _frames_until_content(reader) if failure_status else []
        failure = _failure_before_content(frames)
        if failure is not None:
            return _failure_response(request, row, failure)
        first = view.frames(frames)
    except BaseException:
        attachment.close()
        raise
    return EventStream(
        reader,
        view,
        first=first,
        attachment=attachment,
        heartbeat=state.settings.heartbeat,
        headers={**location(row), **(headers or {})},
        media=media,
        beat=beat,
    )


async def reply(
    request: Request, row: GenerationRow, form: Callable[[ResponseMeta, AnswerFold], JsonObject]
) -> Response:
    """The whole answer as one JSON reply, once it has ended; its failure as an error."""
    found = await read_whole(request, row)
    if found is None:
        return NO_REPLY
    folded, end = found
    if end_error(end) is not None:
        return _failure_response(request, row, end)
    return JSONResponse(form(response_meta(row), folded), headers=location(row))


async def read_whole(
    request: Request, row: GenerationRow
) -> tuple[AnswerFold, GenerationEnd] | None:
    """The whole answer and its end, once it has ended; None if the client leaves before."""
    state = app_state(request)
    reader = await state.supervisor.reader_from_start(subject_of(request), row)
    with state.supervisor.attach(row.id):
        return await fold_while_connected(request, reader, AnswerFold())


async def count_tokens(
    request: Request, parsed: ParsedRequest, form: Callable[[int], JsonObject]
) -> Response:
    """The tokens of a prompt. Raises `Unsupported` where the provider can't count: it is never a guess."""
    model = await model_of(request, parsed.model)
    provider, name = app_state(request).registry.resolve(model)
    if not isinstance(provider, CountsTokens):
        raise Unsupported(
            f"{model} can't count tokens without answering.",
            advice="Send the request, and read the usage of the answer.",
        )
    messages = await with_readable_documents(request, model, parsed.messages)
    call = Call(name, with_tool_results(instructed(messages, parsed.options)), parsed.options)
    count = await run_while_connected(request.receive, provider.count_tokens(call))
    return NO_REPLY if count is None else JSONResponse(form(count))


async def usable_model(request: Request, name: str) -> tuple[str, str, int]:
    """One of `usable_models`, by its id. Raises `NotFound`."""
    for card in await usable_models(request):
        if card[0] == name:
            return card
    raise NotFound(f"There is no model {name[:80]!r}.")


async def usable_models(request: HTTPConnection) -> list[tuple[str, str, int]]:
    """Models that can be used, as (id, provider, made): the time is that of this call's day."""
    found = await app_state(request).registry.models()
    today = int(time.time()) // 86400 * 86400
    return [(c.id, c.provider, today) for c in found if c.readiness.state in {"ready", "loading"}]


def operation_doc(
    body: str | None,
    *replies: str,
    events: Sequence[str] = (),
    last: str | None = None,
    lines: Sequence[str] = (),
) -> dict[str, Any]:
    """The OpenAPI description of an operation, with schemas of these names (`api.openapi.compat`).

    A call that has a body and `events` (SSE, each `data` JSON but the one that is `last`) or `lines`
    (NDJSON) starts an answer.
    """
    content = {}
    if replies:
        content["application/json"] = {"schema": named(*replies)}
    if events:
        content["text/event-stream"] = event_stream(*events, last=last)
    if lines:
        content["application/x-ndjson"] = {"schema": named(*lines)}
    reply: dict[str, Any] = {"content": content}
    found: dict[str, Any] = {"responses": {"200": reply}}
    if body:
        holder = {"application/json": {"schema": named(body)}}
        found["requestBody"] = {"required": True, "content": holder}
    if body and (events or lines):
        found["parameters"] = [IDEMPOTENCY]
        reply |= {"description": "The answer.", "headers": {"Location": LOCATION}}
    return found


# ---- helpers below -------------------------------------------------------------------------------


def _failure_response(request: Request, row: GenerationRow, end: GenerationEnd) -> Response:
    failed = error_response(request.scope, error_from_json(end_error(end) or {}))
    failed.headers.update(location(row))
    if end.timings.get("retries"):
        # Else the client repeats each of our own retries.
        failed.headers["x-should-retry"] = "false"
    return failed


async def _frames_until_content(reader: Reader) -> list[Frame]:
    frames: list[Frame] = []
    clock = asyncio.get_running_loop().time
    deadline = clock() + _READ_TIMEOUT
    while not any(_has_content(frame) for frame in frames):
        found = await reader.read(max(0.0, deadline - clock()))
        if not found:
            break
        frames.extend(found)
    return frames


def _has_content(frame: Frame) -> bool:
    return not isinstance(frame.event, Open | Notice)


def _failure_before_content(frames: Sequence[Frame]) -> GenerationEnd | None:
    telling = [frame.event for frame in frames if _has_content(frame)]
    if len(telling) == 1 and isinstance(telling[0], GenerationEnd):
        return telling[0] if end_error(telling[0]) is not None else None
    return None
