"""`WS /ws/chat`: each message is a body of the simple chat endpoint, each reply its lines.

One task listens, one answers, in order; `{"type": "stop"}` stops the answer that is being written, or the
next. A client that disconnects only stops reading: every body that it sent is stored and answered.

Two older kinds of client are served as they expect: bodies in a `chat_stream_start` or `chat_message` get
`chat_stream` messages, and a body with a `repo_url` gets bare text, after which the socket is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from grantha.api.compat.simple_chat import start_generation
from grantha.api.compat.simple_chat_view import (
    LineFormat,
    SessionFormat,
    SimpleChatView,
    SocketFormat,
    TextFormat,
    error_line,
)
from grantha.api.http.bodies import decode_json, read_body
from grantha.api.http.problems import first_validation_error
from grantha.api.http.sockets import receive_all
from grantha.api.schemas.requests import SimpleChatBody, SimpleChatStop
from grantha.api.state import app_state, subject_of
from grantha.engine.reader import Reader
from grantha.errors import Busy, GranthaError
from grantha.storage.base import GenerationRow
from grantha.wire.compat.view import compact_json

router = APIRouter()
_MAX_QUEUED = 16  # bodies that may wait for the answer before theirs
_MAX_CONTROL = 300  # characters; a longer message is a body, and is read once


@router.websocket("/ws/chat")
async def chat(socket: WebSocket) -> None:
    """Lines with `content`, `done`, `model`, `provider`, and the record's `id`."""
    await socket.accept()
    await ChatSocket(socket).run()


class ChatSocket:
    """One connection."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._state = app_state(socket)
        self._subject = subject_of(socket)
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()  # None: the client has gone
        self._reader: Reader | None = None
        self._answering = False  # from a body's turn to its last line
        self._stopping = False  # the answer in turn, or the next, is to be stopped
        self._session: str | None = None  # of the body in turn, if it named one
        self._stopped_session: str | None = None  # one that the client stopped before its turn
        self._gone = False

    async def run(self) -> None:
        """Serves the socket until the client disconnects."""
        answering = asyncio.create_task(self._answer_all())
        try:
            await receive_all(self._socket, self._take)
        finally:
            self._gone = True
            self._waiting.put_nowait(None)
            if self._reader is not None:
                self._reader.close()
            await answering  # it may hold a body whose close arrived together with it

    async def _take(self, text: str) -> None:
        control = _control_of(text)
        if control.get("type") == "ping":
            await self._socket.send_text(compact_json({**control, "type": "pong"}))
        elif control.get("type") == "chat_stream_stop":
            await self._stop_session(_session_of(control))
        elif self._is_busy() and _is_stop(control):
            await self._stop_answer()
        elif self._waiting.qsize() < _MAX_QUEUED:
            self._waiting.put_nowait(text)
        else:
            await self._socket.send_text(
                error_line(Busy("Too many messages are waiting on this socket."))
            )

    def _is_busy(self) -> bool:
        return self._answering or not self._waiting.empty()

    async def _stop_session(self, session: str) -> None:
        if self._session == session:
            await self._stop_answer()
        elif self._is_busy():
            self._stopped_session = session  # its body may still be waiting

    async def _stop_answer(self) -> None:
        self._stopping = True
        if self._reader is not None:  # else the answer is stopped once it has begun
            await self._stop(self._reader.generation)

    async def _answer_all(self) -> None:
        while (text := await self._waiting.get()) is not None:
            self._answering = True
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # sent to a closed socket
                await self._answer(text)
            self._answering = self._stopping = False
            if self._session == self._stopped_session or self._waiting.empty():
                self._stopped_session = None
            self._session = None

    async def _answer(self, text: str) -> None:
        body: SimpleChatBody | None = None
        form: SocketFormat = LineFormat()
        failure: GranthaError | None = None
        try:
            most = self._state.settings.max_json_depth
            found = await read_body(text.encode("utf-8", "replace"), most)
            form, found = _format_of(found)
            if isinstance(form, SessionFormat):
                self._session = form.session
                self._stopping = self._stopping or form.session == self._stopped_session
            body = SimpleChatBody.model_validate(found)
            row = await start_generation(self._socket, body, repeatable=False)
            if not self._gone:
                await self._tail(row, form)
        except ValidationError as error:
            failure = first_validation_error(error)
        except GranthaError as error:
            failure = error
        if failure is not None:
            await self._send_all(form.failed(error_line(failure, body)))
        if form.closes:
            await self._socket.close()

    async def _tail(self, row: GenerationRow, form: SocketFormat) -> None:
        view = SimpleChatView(row)
        reader = self._reader = await self._state.supervisor.reader_from_start(self._subject, row)
        try:
            with self._state.supervisor.attach(row.id):
                if self._stopping:
                    await self._stop(row.id)
                async for frame in reader:
                    await self._send_all(form.messages(frame, view))
        finally:
            self._reader = None

    async def _send_all(self, messages: list[str]) -> None:
        for message in messages:
            await self._socket.send_text(message)

    async def _stop(self, generation: str) -> None:
        with contextlib.suppress(GranthaError):  # the answer's last line reports it
            await self._state.supervisor.stop(self._subject, generation)


# ---- helpers below -------------------------------------------------------------------------------


def _format_of(message: Any) -> tuple[SocketFormat, Any]:
    """How a message is to be answered, and the body in it."""
    if not isinstance(message, dict):
        return LineFormat(), message
    data = message.get("data")
    if isinstance(data, dict):
        match message.get("type"):
            case "chat_stream_start":
                return SessionFormat(_session_of(message)), data
            case "chat_message":
                question = {"role": "user", "content": data.get("content")}
                return SessionFormat(_session_of(message)), {**data, "messages": [question]}
            case "chat_completion":
                return LineFormat(), data
            case _:
                pass  # a body whose own `type` is of no concern here
    if isinstance(message.get("repo_url"), str):
        return TextFormat(), message
    return LineFormat(), message


def _session_of(message: dict[str, Any]) -> str:
    data = message.get("data")
    found = data.get("session_id") if isinstance(data, dict) else None
    return found if isinstance(found, str) else "default"


def _control_of(text: str) -> dict[str, Any]:
    """A short message as an object; empty if it can't be one that controls the socket."""
    if len(text) > _MAX_CONTROL:
        return {}
    try:
        found = decode_json(text.encode("utf-8", "replace"))
    except GranthaError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_stop(control: dict[str, Any]) -> bool:
    try:
        SimpleChatStop.model_validate(control)
    except ValidationError:
        return False
    return True
