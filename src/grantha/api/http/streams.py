"""Attaching over HTTP: a log as a stream of bytes, and the response that sends it.

The token path: raw ASGI, no task per event, one `receive` task per connection to notice that the
client went away. A view turns frames into bytes; awaiting `send` is the back-pressure, here and never
in the run. A stream that ends without its end record means "reconnect with your last id".
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from grantha.api.http.compression import negotiate
from grantha.api.http.problems import error_response
from grantha.api.http.stream_writer import CompressedWriter, PaddedWriter, StreamWriter
from grantha.api.schemas.responses import GenerationReply, Hello, SnapshotFrame
from grantha.api.state import app_state
from grantha.chat import Status
from grantha.config import Settings
from grantha.engine.abandonment import Attachment
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


def hello_frame(generation: str, after: RecordId, status: Status, heartbeat: float) -> Hello:
    """The first frame on every native transport."""
    return Hello(
        kind="hello",
        protocol=PROTOCOL,
        heartbeat=heartbeat,
        epoch=after.epoch,
        status=status,
        generation=generation,
    )


def stream_preamble(generation: str, after: RecordId, status: Status, heartbeat: float) -> bytes:
    """The first block of every native stream: an id to reconnect with, a retry delay, and a hello."""
    retry = 500 + random.randrange(1000)  # noqa: S311  jitter, so that a crowd spreads out
    hello = hello_frame(generation, after, status, heartbeat).json_bytes()
    return f"id: {after}\nretry: {retry}\n\n".encode() + b"data: " + hello + b"\n\n"


def snapshot_frame(snapshot: GenerationReply) -> SnapshotFrame:
    """A snapshot as a frame, on every native transport."""
    members = dict(snapshot) | {"id": snapshot.last_id}
    return SnapshotFrame(**members, kind="snapshot", generation=snapshot.id)


def snapshot_block(snapshot: GenerationReply) -> bytes:
    """The same as one SSE block."""
    body = snapshot_frame(snapshot).json_bytes()
    return f"id: {snapshot.last_id}\n".encode() + b"data: " + body + b"\n\n"


class EventStream(Response):
    """Sends `first`, then the log behind the reader's cursor, until the log ends or the client leaves.

    `attachment` is that of the reader, if it has one already; it is closed here.
    """

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
        attachment: Attachment | None = None,
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
        self._attachment = attachment
        self._error: Exception | None = None

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = app_state(HTTPConnection(scope))
        attachment = self._attachment or state.supervisor.attach(self._reader.generation)
        try:
            with attachment, state.readers.reading("sse", resumed=self._resumed):
                await self._reply(receive, self._writer(scope, send, state.settings))
        except Busy as error:
            reply = error_response(scope, error)
            # The generation runs all the same: this is where it can be read later.
            if location := self.headers.get("location"):
                reply.headers["location"] = location
            await reply(scope, receive, send)

    def _writer(self, scope: Scope, send: Send, settings: Settings) -> StreamWriter:
        if settings.pad_frames:
            return PaddedWriter(send, scope, settings.pad_frames, self._beat)
        accept = Headers(scope=scope).get("accept-encoding")
        if accept and settings.compression and (found := negotiate(accept)):
            name, make = found
            self.headers["content-encoding"] = name
            self.headers["vary"] = "accept-encoding"
            return CompressedWriter(send, scope, make())
        return StreamWriter(send, scope)

    async def _reply(self, receive: Receive, writer: StreamWriter) -> None:
        await writer.start(self.status_code, self.raw_headers)
        gone = asyncio.create_task(self._watch(receive))
        try:
            await self._send_all(writer)
        except OSError:
            pass  # the client disconnected during a write
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    async def _send_all(self, writer: StreamWriter) -> None:
        if self._first:
            await writer.send(self._first)
        reader, view = self._reader, self._view
        push = partial(self._push, writer)
        while not reader.closed:
            frames = await reader.read(self._heartbeat, push)
            if self._error is not None:
                raise self._error
            if frames:
                if body := view.frames(frames):
                    await writer.send(body)
            elif not reader.ended and not reader.closed:
                await writer.send(self._beat)
            if reader.ended:
                break
        await writer.end(self._last)

    def _push(self, writer: StreamWriter, frames: list[Frame]) -> bool:
        if not writer.free:
            return False
        try:
            if body := self._view.frames(frames):
                writer.offer(body)
        except Exception as error:  # noqa: BLE001  raised in this stream's task, which waits
            self._error = error
            return False
        return True

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._reader.close()


def ndjson(frames: Iterable[Frame]) -> bytes:
    """Frames as NDJSON, one per line."""
    return "".join([frame_json(frame) + "\n" for frame in frames]).encode()
