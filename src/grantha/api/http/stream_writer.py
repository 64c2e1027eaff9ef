"""Writes the bytes of a stream: plain, compressed or padded. Each frame is sent immediately."""

from __future__ import annotations

import contextlib

from starlette.types import Message, Scope, Send
from typing_extensions import override

from grantha.api.http.compression import Compressor
from grantha.api.http.request_timeouts import FLOW
from grantha.api.http.security import DIRECT

RawHeaders = list[tuple[bytes, bytes]]


class StreamWriter:
    """Sends frames as they are. Awaiting `send` is the back-pressure.

    `send` goes through every layer of the framework; what the server put into the `scope`, where it
    did, goes straight to the socket.
    """

    def __init__(self, send: Send, scope: Scope) -> None:
        self._start = send
        self._send: Send = scope.get(DIRECT) or send
        self._flow = scope.get(FLOW) if DIRECT in scope else None

    @property
    def free(self) -> bool:
        """Whether `offer` may be called: the socket can take bytes without waiting."""
        return self._flow is not None and not self._flow.write_paused

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Status and headers, before anything else."""
        await self._start({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, body: bytes) -> None:
        """One frame or several."""
        await self._send(_more(self._encoded(body)))

    def offer(self, body: bytes) -> None:
        """The same without waiting, while the channel is `free`: nothing in it suspends then."""
        sending = self._send(_more(self._encoded(body)))
        with contextlib.suppress(StopIteration):
            sending.__await__().send(None)

    async def end(self, body: bytes) -> None:
        """The last bytes, which may be none."""
        last = self._encoded(body) if body else b""
        await self._send(
            {"type": "http.response.body", "body": last + self._close(), "more_body": False}
        )

    def _encoded(self, body: bytes) -> bytes:
        return body

    def _close(self) -> bytes:
        return b""


class CompressedWriter(StreamWriter):
    """Every frame compressed and flushed, so that the client can decode it when it comes."""

    def __init__(self, send: Send, scope: Scope, compressor: Compressor) -> None:
        super().__init__(send, scope)
        self._compressor = compressor

    @override
    def _encoded(self, body: bytes) -> bytes:
        return self._compressor.frame(body)

    @override
    def _close(self) -> bytes:
        return self._compressor.finish()


class PaddedWriter(StreamWriter):
    """Pads every send to a multiple of `size` bytes, so that lengths reveal less about the text.

    Filled with a comment where the format has comments (its `beat` is one), else with the blanks
    that JSON allows between lines. Compression would undo this, and is off.
    """

    def __init__(self, send: Send, scope: Scope, size: int, beat: bytes) -> None:
        super().__init__(send, scope)
        self._size = size
        self._comments = beat.startswith(b":")

    @override
    def _encoded(self, body: bytes) -> bytes:
        missing = -len(body) % self._size
        if not missing:
            return body
        if not self._comments:
            return body + b" " * (missing - 1) + b"\n"
        while missing < len(_COMMENT):  # a size smaller than a comment
            missing += self._size
        return body + _COMMENT[:-2] + b"." * (missing - len(_COMMENT)) + b"\n\n"


_COMMENT = b": \n\n"


def _more(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}
