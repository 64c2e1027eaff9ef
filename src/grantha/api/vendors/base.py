"""What the vendors' doors share: starting a generation, and answering from its log in their form.

Each door reads its body with a function of `wire.views` and answers with a view from there. An error
before the first byte has the vendor's own shape and status; later ones are events of the stream.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse
from typing_extensions import override

from grantha.api.bodies import decode_json
from grantha.api.doors import idempotency, pieces, subject_of
from grantha.api.streams import HEARTBEAT, EventStream
from grantha.chat import Message
from grantha.engine.ids import new_id
from grantha.engine.reader import Reader
from grantha.engine.supervisor import Send
from grantha.engine.titles import title_from
from grantha.errors import BadRequest, GranthaError, error_from_json
from grantha.events import START, Fold, Frame, GenerationEnd, Notice, Open
from grantha.storage.base import GenerationRow, NewConversation
from grantha.wire.sse import HEADERS
from grantha.wire.views.base import Asked, Shown, VendorStream, error_of, status_for_clients

ErrorBody = Callable[[GranthaError], dict[str, Any]]
_PATIENCE = 10.0  # seconds for which a stream's status waits for the first word
_LOOK_AGAIN = 3600.0  # seconds


def route_class(error_body: ErrorBody) -> type[APIRoute]:
    """A route class whose errors have a vendor's shape."""

    class VendorRoute(APIRoute):
        """Turns our errors into the vendor's."""

        @override
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def shaped(request: Request) -> Response:
                try:
                    return await handler(request)
                except GranthaError as error:
                    return error_reply(error, error_body)

            return shaped

    return VendorRoute


def error_reply(error: GranthaError, error_body: ErrorBody) -> Response:
    """An error before the first byte."""
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(round(error.retry_after))
    return JSONResponse(error_body(error), status_for_clients(error), headers)


async def body_of(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises `BadRequest`."""
    body = decode_json(await request.body())
    if not isinstance(body, dict):
        raise BadRequest("The body isn't a JSON object.")
    return body


async def begin(
    request: Request,
    asked: Asked,
    body: Mapping[str, Any],
    *,
    conversation: str | None = None,
    parent: str | None = None,
    messages: Sequence[Message] | None = None,
    new_id_of_conversation: str | None = None,
) -> GenerationRow:
    """Starts the generation that a request asks for; in a conversation of its own, unless one is
    named."""
    door, subject = pieces(request), subject_of(request)
    key, fingerprint = idempotency(request, body)
    own = new_id_of_conversation or new_id("c")
    question = next((m.text for m in reversed(asked.messages) if m.role == "user"), "")
    rows, _ = await door.supervisor.start(
        Send(
            subject=subject,
            models=(door.registry.model_id(asked.model),),
            options=asked.options,
            conversation=conversation or own,
            parent=parent,
            messages=tuple(asked.messages if messages is None else messages),
            new_conversation=None
            if conversation
            else NewConversation(own, title_from(question), "api"),
            key=key,
            fingerprint=fingerprint,
        )
    )
    return rows[0]


def shown(row: GenerationRow) -> Shown:
    """What a reply says of a generation."""
    return Shown(row.id, row.model, row.created_at // 1000)


def location(row: GenerationRow) -> dict[str, str]:
    """The header that names the generation on every door."""
    return {"Location": f"/api/generations/{row.id}/events"}


async def stream(
    request: Request,
    row: GenerationRow,
    view: VendorStream,
    error_body: ErrorBody,
    *,
    headers: Mapping[str, str] | None = None,
    media: Mapping[str, str] = HEADERS,
    beat: bytes = HEARTBEAT,
) -> Response:
    """The log as a vendor's stream. A failure before the first word is a status, as theirs is."""
    door = pieces(request)
    reader = door.supervisor.reader(subject_of(request), row.id, START)
    frames = await _first_words(reader)
    failure = _failure_without_words(frames)
    if failure is not None:
        return error_reply(failure, error_body)
    return EventStream(
        reader,
        view,
        first=view.frames(frames),
        heartbeat=door.settings.heartbeat,
        headers={**location(row), **(headers or {})},
        media=media,
        beat=beat,
    )


async def whole(request: Request, row: GenerationRow) -> Fold:
    """The fold of the whole log, once it has ended. Raises the error that it failed with."""
    reader = pieces(request).supervisor.reader(subject_of(request), row.id, START)
    folded = Fold()
    while folded.end is None:
        for frame in await reader.read(_LOOK_AGAIN):
            folded.apply(frame.event)
    error = error_of(folded.end)
    if error is not None:
        raise error_from_json(error)
    return folded


async def cards(request: Request) -> list[tuple[str, str, int]]:
    """Models that can be used, as (id, provider, made): the time is that of this call's day."""
    found = await pieces(request).registry.models()
    today = int(time.time()) // 86400 * 86400
    return [(c.id, c.provider, today) for c in found if c.readiness.state in {"ready", "loading"}]


def json_body(title: str) -> dict[str, Any]:
    """What OpenAPI says of a body whose form is the vendor's."""
    schema = {"type": "object", "additionalProperties": True, "title": title}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


async def _first_words(reader: Reader) -> list[Frame]:
    frames: list[Frame] = []
    while not any(_tells(frame) for frame in frames):
        found = await reader.read(_PATIENCE)
        if not found:
            break
        frames.extend(found)
    return frames


def _tells(frame: Frame) -> bool:
    return not isinstance(frame.event, Open | Notice)


def _failure_without_words(frames: Sequence[Frame]) -> GranthaError | None:
    telling = [frame.event for frame in frames if _tells(frame)]
    if len(telling) == 1 and isinstance(telling[0], GenerationEnd):
        error = error_of(telling[0])
        return error_from_json(error) if error is not None else None
    return None
