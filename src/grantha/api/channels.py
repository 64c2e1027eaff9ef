"""How the bytes of a stream leave: as they are, compressed, or padded. Each frame leaves at once."""

from __future__ import annotations

from starlette.types import Send
from typing_extensions import override

from grantha.api.compression import Compressor

RawHeaders = list[tuple[bytes, bytes]]


class Channel:
    """Sends frames as they are. Awaiting `send` is the back-pressure.

    `send` goes through every layer of the framework; `direct`, where there is one, to the socket.
    """

    def __init__(self, send: Send, direct: Send | None = None) -> None:
        self._start = send
        self._send = direct or send

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Status and headers, before anything else."""
        await self._start({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, body: bytes) -> None:
        """One frame or several."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes) -> None:
        """The last bytes, which may be none."""
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


class Compressed(Channel):
    """Every frame compressed and flushed, so that the client can decode it when it comes."""

    def __init__(self, send: Send, direct: Send | None, compressor: Compressor) -> None:
        super().__init__(send, direct)
        self._compressor = compressor

    @override
    async def send(self, body: bytes) -> None:
        await super().send(self._compressor.frame(body))

    @override
    async def end(self, body: bytes) -> None:
        last = self._compressor.frame(body) if body else b""
        await super().end(last + self._compressor.finish())


class Padded(Channel):
    """Every send filled up to a multiple of `size` bytes, so that lengths tell less of the text.

    Filled with a comment where the format has comments (its `beat` is one), else with the blanks
    that JSON allows between lines. Compression would undo this, and is off.
    """

    def __init__(self, send: Send, direct: Send | None, size: int, beat: bytes) -> None:
        super().__init__(send, direct)
        self._size = size
        self._comments = beat.startswith(b":")

    @override
    async def send(self, body: bytes) -> None:
        await super().send(self._filled(body))

    @override
    async def end(self, body: bytes) -> None:
        await super().end(self._filled(body) if body else b"")

    def _filled(self, body: bytes) -> bytes:
        missing = -len(body) % self._size
        if not missing:
            return body
        if not self._comments:
            return body + b" " * (missing - 1) + b"\n"
        while missing < len(_COMMENT):  # a size smaller than a comment
            missing += self._size
        return body + _COMMENT[:-2] + b"." * (missing - len(_COMMENT)) + b"\n\n"


_COMMENT = b": \n\n"
