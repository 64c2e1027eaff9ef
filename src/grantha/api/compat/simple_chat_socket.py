"""`WS /ws/chat`: each message is a body of the simple chat endpoint, each reply its lines.

One task listens, one answers, in order; `{"type": "stop"}` stops the answer that is being written, or the
next. A client that disconnects only stops reading: every body that it sent is stored and answered.
"""

from __future__ import annotations

import asyncio
import contextlib

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from grantha.api.compat.simple_chat import SimpleChatView, error_line, start_generation
from grantha.api.http.bodies import decode_json, read_body
from grantha.api.http.problems import first_validation_error
from grantha.api.http.sockets import receive_all
from grantha.api.schemas.requests import SimpleChatBody, SimpleChatStop
from grantha.api.state import app_state, subject_of
from grantha.engine.reader import Reader
from grantha.errors import Busy, GranthaError
from grantha.events import START
from grantha.storage.base import GenerationRow

router = APIRouter()
_MAX_QUEUED = 16  # bodies that may wait for the answer before theirs
_MAX_STOP = 100  # characters; a longer message is a body, and is read once


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
        if (self._answering or not self._waiting.empty()) and _is_stop(text):
            self._stopping = True
            if self._reader is not None:  # else the answer is stopped once it has begun
                await self._stop(self._reader.generation)
            return
        if self._waiting.qsize() < _MAX_QUEUED:
            self._waiting.put_nowait(text)
        else:
            await self._socket.send_text(
                error_line(Busy("Too many messages are waiting on this socket."))
            )

    async def _answer_all(self) -> None:
        while (text := await self._waiting.get()) is not None:
            self._answering = True
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # sent to a closed socket
                await self._answer(text)
            self._answering = self._stopping = False

    async def _answer(self, text: str) -> None:
        body: SimpleChatBody | None = None
        try:
            most = self._state.settings.max_json_depth
            body = SimpleChatBody.model_validate(
                await read_body(text.encode("utf-8", "replace"), most)
            )
            row = await start_generation(self._state, self._subject, body, None, "")
            if not self._gone:
                await self._tail(row)
        except ValidationError as error:
            await self._socket.send_text(error_line(first_validation_error(error)))
        except GranthaError as error:
            await self._socket.send_text(error_line(error, body))

    async def _tail(self, row: GenerationRow) -> None:
        view = SimpleChatView(row)
        reader = self._reader = self._state.supervisor.reader(self._subject, row.id, START)
        try:
            with self._state.supervisor.attach(row.id):
                if self._stopping:
                    await self._stop(row.id)
                async for frame in reader:
                    if line := view.line(frame):
                        await self._socket.send_text(f'{line[:-1]},"id":"{frame.id}"}}')
        finally:
            self._reader = None

    async def _stop(self, generation: str) -> None:
        with contextlib.suppress(GranthaError):  # the answer's last line reports it
            await self._state.supervisor.stop(self._subject, generation)


def _is_stop(text: str) -> bool:
    if len(text) > _MAX_STOP:
        return False
    try:
        SimpleChatStop.model_validate(decode_json(text.encode("utf-8", "replace")))
    except (GranthaError, ValidationError):
        return False
    return True
