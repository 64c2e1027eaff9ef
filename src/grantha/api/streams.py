"""Attaching over HTTP: a log as a stream of bytes, and the response that sends it.

The token path: raw ASGI, no task per event, one `receive` task per connection to notice that the
client went away. A view turns frames into bytes; awaiting `send` is the back-pressure, here and never
in the run. A stream that ends without its end record means "come back with your last id".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from grantha.api.problems import refusal
from grantha.engine.reader import Reader
from grantha.errors import Busy
from grantha.events import Frame, RecordId, frame_json
from grantha.wire.sse import HEADERS

PROTOCOL = 1
HEARTBEAT = b": hb\n\n"


class View(Protocol):
    """A wire format computed from a log. Stateful: one for each stream."""

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The bytes of frames; may be empty."""
        ...


class NativeView:
    """Our own format: `id` and `data` lines."""

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """One block a frame."""
        return b"".join([sse_frame(frame) for frame in frames])


def sse_frame(frame: Frame) -> bytes:
    """A frame as one SSE block."""
    return f"id: {frame.id}\ndata: {frame_json(frame)}\n\n".encode()


def hello_of(generation: str, after: RecordId, status: str, heartbeat: float) -> dict[str, Any]:
    """What every native transport says first."""
    return {
        "kind": "hello",
        "protocol": PROTOCOL,
        "heartbeat": heartbeat,
        "epoch": after.epoch,
        "status": status,
        "generation": generation,
    }


def opening(generation: str, after: RecordId, status: str, heartbeat: float) -> bytes:
    """The first block of every native stream: an id to come back with, a pause, and a hello."""
    retry = 500 + random.randrange(1000)  # noqa: S311  jitter, so that a crowd spreads out
    hello = json.dumps(hello_of(generation, after, status, heartbeat))
    return f"id: {after}\nretry: {retry}\n\ndata: {hello}\n\n".encode()


def snapshot_block(snapshot: Mapping[str, Any]) -> bytes:
    """The snapshot as one SSE block; its id is where the tail goes on."""
    last_id = snapshot["last_id"]
    body = {**snapshot, "kind": "snapshot", "generation": snapshot["id"], "id": last_id}
    return f"id: {last_id}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n".encode()


class EventStream(Response):
    """Sends `first`, then the log behind the reader's cursor, until the end or the client's."""

    def __init__(
        self,
        reader: Reader,
        view: View,
        *,
        first: bytes = b"",
        last: bytes = b"",
        status: int = 200,
        heartbeat: float,
        headers: Mapping[str, str] | None = None,
        media: Mapping[str, str] = HEADERS,
        beat: bytes = HEARTBEAT,
        resumed: bool = False,
    ) -> None:
        self.status_code = status
        self.background = None
        self.body = b""
        self.init_headers({**media, **(headers or {})})
        del self.headers["content-length"]
        self._reader = reader
        self._view = view
        self._first = first
        self._last = last
        self._heartbeat = heartbeat
        self._beat = beat
        self._resumed = resumed

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        readers = scope["app"].state.pieces.readers
        try:
            with readers.reading("sse", resumed=self._resumed):
                await self._reply(receive, send)
        except Busy as error:
            reply = refusal(scope, error)
            # The answer is being written all the same: this is where it can be read later.
            if location := self.headers.get("location"):
                reply.headers["location"] = location
            await reply(scope, receive, send)

    async def _reply(self, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        gone = asyncio.create_task(self._watch(receive))
        try:
            await self._send_all(send)
        except OSError:
            pass  # the client went away in the middle of a write: nothing is owed to it
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    async def _send_all(self, send: Send) -> None:
        if self._first:
            await _send(send, self._first)
        reader, view = self._reader, self._view
        while not reader.closed:
            frames = await reader.read(self._heartbeat)
            if frames:
                if body := view.frames(frames):
                    await _send(send, body)
            elif not reader.ended and not reader.closed:
                await _send(send, self._beat)
            if reader.ended:
                break
        await send({"type": "http.response.body", "body": self._last, "more_body": False})

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._reader.close()


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def ndjson(frames: Iterable[Frame]) -> bytes:
    """Frames, one a line."""
    return "".join([frame_json(frame) + "\n" for frame in frames]).encode()
