"""An HTTP host of one file, which breaks connections and answers wrongly as a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass
class Answer:
    """How one request is answered. Without changes: rightly, ranges included."""

    cut_after: int | None = (
        None  # bytes of the body that the client gets before the connection ends
    )
    status: int | None = None  # instead of the file
    ignore_range: bool = False
    wrong_range: bool = False  # another part than the requested one
    stall: bool = False  # the headers, then nothing until the client leaves


@dataclass
class FlakyHost:
    """`answers` are used up one request after another; then all requests are answered rightly.

    `watch` is the progress callback of a download whose connection is cut: aiohttp drops what lies in its
    buffer then, so that the cut waits for what was written to be read.
    """

    content: bytes
    etag: str | None = '"1"'
    answers: list[Answer] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    content_type: str = "application/octet-stream"
    port: int = 0
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: int = 0
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Of the file."""
        return f"http://127.0.0.1:{self.port}/folder/model.gguf"

    def watch(self, size: int, _total: int | None) -> None:
        """Takes note of how much the client has."""
        self._seen = size
        self._moved.set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which serves one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            self.requests.append({":path": head[0].split(" ")[1], **headers})
            answer = self.answers.pop(0) if self.answers else Answer()
            await self._answer(answer, headers, reader, writer)
        finally:
            writer.close()

    async def _answer(
        self,
        answer: Answer,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        size, start, status = len(self.content), 0, answer.status or 200
        changed = "if-range" in headers and headers["if-range"] != self.etag
        reply = ["Connection: close", f"Content-Type: {self.content_type}"]
        if answer.status is None and "range" in headers and not answer.ignore_range and not changed:
            start = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < size else 416
            shown = f"{start + answer.wrong_range}-{size - 1}" if status == 206 else "*"
            reply.append(f"Content-Range: bytes {shown}/{size}")
        body = self.content[start:] if status in {200, 206} else b""
        reply.append(f"Content-Length: {len(body)}")
        if self.etag is not None:
            reply.append(f"ETag: {self.etag}")
        line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
        writer.write("\r\n".join([line, *reply, "", ""]).encode())
        if answer.stall:
            self.stalled.set()
            await reader.read()
        elif answer.cut_after is None:
            writer.write(body)
            await writer.drain()
        else:
            writer.write(body[: answer.cut_after])
            while self._seen < start + answer.cut_after:
                self._moved.clear()
                await self._moved.wait()


@asynccontextmanager
async def serving(host: FlakyHost) -> AsyncIterator[FlakyHost]:
    """The host on a free port."""
    server = await asyncio.start_server(host.handle, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    async with server:
        yield host
