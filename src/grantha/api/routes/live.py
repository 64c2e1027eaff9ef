"""`WS /api/live`: many generations and all conversation changes on one socket.

One task reads the client's messages, one sends changes, and one per subscribed generation reads its
log. A send waits for the socket, so a slow client gets fewer, larger frames. Ids are the same as on
every other transport.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import get_args

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from grantha.api.http.bodies import decode_json
from grantha.api.http.problems import first_validation_error
from grantha.api.http.sockets import receive_all
from grantha.api.http.streams import PROTOCOL, snapshot_frame
from grantha.api.routes import serializers
from grantha.api.schemas.live_messages import (
    LiveChange,
    LiveClientMessage,
    LiveError,
    LiveGone,
    LiveHeartbeat,
    LiveHello,
    LiveMessage,
    LivePing,
    LivePong,
    LiveStop,
    LiveStopped,
    LiveSubscribe,
    LiveSubscribed,
    LiveUnsubscribe,
)
from grantha.api.state import AppState, app_state, subject_of
from grantha.engine.feed import Change
from grantha.errors import BadRequest, GranthaError, NotFound, Trimmed
from grantha.events import RecordId, frame_json
from grantha.storage.base import GenerationRow

router = APIRouter()
_MAX_SUBSCRIPTIONS = 256
_MAX_MESSAGE = 16 * 1024


@router.websocket("/api/live")
async def live(socket: WebSocket) -> None:
    """See `docs/protocol.md`."""
    await socket.accept()
    await LiveConnection(socket, app_state(socket), subject_of(socket)).run()


class LiveConnection:
    """One connection. Ends when the client goes away; generations don't notice."""

    def __init__(self, socket: WebSocket, state: AppState, subject: str) -> None:
        self._socket = socket
        self._state = state
        self._subject = subject
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lock = asyncio.Lock()  # one message at a time: uvicorn doesn't order concurrent sends
        # One at a time: a client that reads nothing would make every subscription hold a whole answer.
        self._snapshot_lock = asyncio.Lock()

    async def run(self) -> None:
        """Serves the socket until it closes."""
        await self._send(
            LiveHello(
                type="hello",
                protocol=PROTOCOL,
                heartbeat=self._state.settings.heartbeat,
                instance_id=self._state.instance_id,
            )
        )
        changes = asyncio.create_task(self._send_changes())
        beat = asyncio.create_task(self._send_heartbeats())
        try:
            await receive_all(self._socket, self._take)
        finally:
            tasks = [changes, beat, *self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._socket.application_state is WebSocketState.CONNECTED:
                await asyncio.wait({asyncio.ensure_future(self._close())}, timeout=1.0)

    async def _take(self, text: str) -> None:
        try:
            match _parse(text):
                case LiveSubscribe(generation=generation, after=after):
                    self._subscribe(generation, after)
                case LiveUnsubscribe(generation=generation):
                    self._unsubscribe(generation)
                case LiveStop(generation=generation):
                    row, receipt = await self._state.supervisor.stop(self._subject, generation)
                    stopped = serializers.stop_reply(row, receipt)
                    await self._send(LiveStopped(type="stopped", **stopped.model_dump()))
                case LivePing():
                    await self._send(LivePong(type="pong"))
        except GranthaError as error:
            await self._send(LiveError(type="error", error=error.to_json()))

    def _subscribe(self, generation: str, after: str | None) -> None:
        if len(self._tasks) >= _MAX_SUBSCRIPTIONS and generation not in self._tasks:
            raise BadRequest(f"One socket reads at most {_MAX_SUBSCRIPTIONS} generations.")
        try:
            cursor = RecordId.parse(after) if after is not None else None
        except ValueError as error:
            raise BadRequest(f"{after!r:.60} isn't a record id.") from error
        self._unsubscribe(generation)
        task = asyncio.create_task(self._follow(generation, cursor))
        self._tasks[generation] = task
        task.add_done_callback(lambda done: self._forget(generation, done))

    def _unsubscribe(self, generation: str) -> None:
        task = self._tasks.pop(generation, None)
        if task is not None:
            task.cancel()

    def _forget(self, generation: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(generation) is done:
            del self._tasks[generation]

    async def _follow(self, generation: str, cursor: RecordId | None) -> None:
        state, subject, resumed = self._state, self._subject, cursor is not None
        try:
            row = await state.store.generation(subject, generation)
            if cursor is not None and _is_lost(row, cursor):
                raise Trimmed("There is nothing after this id.")
            if cursor is None:
                async with self._snapshot_lock:
                    shown = await serializers.generation(state.supervisor, subject, row)
                    cursor = RecordId.parse(shown.last_id)
                    snapshot = snapshot_frame(shown).json_bytes().decode()
                    await self._send_frame(generation, snapshot)
            await self._send(
                LiveSubscribed(type="subscribed", generation=generation, status=row.status)
            )
            with (
                state.supervisor.attach(generation),
                state.readers.reading("websocket", resumed=resumed),
            ):
                await self._tail(generation, cursor)
        except (NotFound, Trimmed) as error:
            await self._send(LiveGone(type="gone", generation=generation, code=error.code))
        except GranthaError as error:
            await self._send(LiveError(type="error", generation=generation, error=error.to_json()))

    async def _tail(self, generation: str, cursor: RecordId) -> None:
        reader = self._state.supervisor.reader(self._subject, generation, cursor)
        async for frame in reader:
            await self._send_frame(generation, frame_json(frame))

    async def _send_changes(self) -> None:
        listener = self._state.feed.listen(self._subject)
        while True:
            for change in await listener.changes():
                await self._send(await self._change_message(change))

    async def _change_message(self, change: Change) -> LiveChange:
        message = LiveChange(type="change", change=change.change)  # what isn't set isn't sent
        if change.generation is not None:
            message.generation = change.generation
        if change.conversation is not None:
            message.conversation = change.conversation
            try:
                row = await self._state.store.conversation(self._subject, change.conversation)
                message.row = serializers.conversation_list_item(row)
            except GranthaError:
                pass  # deleted meanwhile: its own change follows
        return message

    async def _send_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(self._state.settings.heartbeat)
            await self._send(LiveHeartbeat(type="heartbeat"))

    async def _send_frame(self, generation: str, frame: str) -> None:
        await self._send_text(
            f'{{"type":"frame","generation":{json.dumps(generation)},"frame":{frame}}}'
        )

    async def _send(self, message: LiveMessage) -> None:
        await self._send_text(message.json_bytes().decode())

    async def _send_text(self, text: str) -> None:
        if size := self._state.settings.pad_frames:
            text += " " * (-len(text.encode()) % size)
        async with self._lock:
            await self._socket.send_text(text)

    async def _close(self) -> None:
        # The client may have disconnected already.
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._socket.close(1000)


def _is_lost(row: GenerationRow, cursor: RecordId) -> bool:
    """Whether what follows a cursor is trimmed, or the cursor was never given out."""
    return (row.trimmed and cursor < row.last_id) or cursor > row.last_id


_CLIENT_MODELS: dict[str, type[LiveClientMessage]] = {
    get_args(model.model_fields["type"].annotation)[0]: model
    for model in get_args(LiveClientMessage)
}


def _parse(text: str) -> LiveClientMessage:
    if len(text) > _MAX_MESSAGE:
        raise BadRequest("The message is too long.")
    value = decode_json(text.encode("utf-8", "replace"))
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise BadRequest("A message is an object with a 'type'.")
    model = _CLIENT_MODELS.get(kind)
    if model is None:
        raise BadRequest(f"There is no message of type {kind[:40]!r}.")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise first_validation_error(error) from error
