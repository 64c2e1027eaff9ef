"""A client that never gives up, as the page is one: it attaches with its last id until the end.

It judges what it gets: no id missing, none twice, none out of order, across epochs and transports, and
in the end the length and hash that the end record names.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator
from typing import Any, Literal

import aiohttp

from grantha.events import START, GenerationEnd, Open, RecordId, Seam, event_from
from grantha.fold import Fold
from tests.server import Server

Transport = Literal["sse", "ndjson", "json", "ws"]
TRANSPORTS: tuple[Transport, ...] = ("sse", "ndjson", "json", "ws")
_AGAIN = 0.02  # seconds before a client that was refused or cut asks again
_PATIENCE = aiohttp.ClientTimeout(total=None, connect=5, sock_read=30)


class LogFollower:
    """One reader of one generation. `cuts` counts how often it went away by itself."""

    def __init__(
        self, server: Server, generation: str, choice: random.Random | None = None
    ) -> None:
        self.server = server
        self.generation = generation
        self.last = START
        self.folded = Fold()
        self.cuts = 0
        self.lost = 0
        self._choice = choice or random.Random(generation)

    @property
    def text(self) -> str:
        """All text so far."""
        return self.folded.text()

    @property
    def end(self) -> GenerationEnd:
        """The end record; the text was compared with it."""
        assert self.folded.end is not None
        return self.folded.end

    @property
    def seams(self) -> list[Seam]:
        """In order."""
        return self.folded.seams

    async def follow(self, transports: tuple[Transport, ...] = ("sse",), cuts: int = 0) -> None:
        """Reads to the end over any of the transports, going away by itself `cuts` times before."""
        async with aiohttp.ClientSession(timeout=_PATIENCE) as http:
            while self.folded.end is None:
                transport = self._choice.choice(transports)
                most = self._choice.randint(1, 4) if self.cuts < cuts else None
                try:
                    await self._attach(http, transport, most)
                except (aiohttp.ClientError, OSError, TimeoutError):
                    self.lost += 1
                    await asyncio.sleep(_AGAIN)
        self._judge()

    async def _attach(
        self, http: aiohttp.ClientSession, transport: Transport, most: int | None
    ) -> None:
        frames = getattr(self, f"_{transport}")(http)
        taken = 0
        async for frame in frames:
            self._take(frame)
            taken += 1
            if self.folded.end is not None:
                return
            if most is not None and taken >= most:
                self.cuts += 1
                await frames.aclose()
                return

    async def _sse(self, http: aiohttp.ClientSession) -> AsyncIterator[dict[str, Any]]:
        async with http.get(self._url(), headers={"Accept": "text/event-stream"}) as reply:
            _expect(reply)
            async for line in _lines(reply):
                if line.startswith(b"data: "):
                    frame = json.loads(line[6:])
                    if frame["kind"] != "hello":
                        yield frame

    async def _ndjson(self, http: aiohttp.ClientSession) -> AsyncIterator[dict[str, Any]]:
        url = f"{self._url()}&wait=5"
        async with http.get(url, headers={"Accept": "application/x-ndjson"}) as reply:
            _expect(reply)
            async for line in _lines(reply):
                if line:
                    yield json.loads(line)

    async def _json(self, http: aiohttp.ClientSession) -> AsyncIterator[dict[str, Any]]:
        async with http.get(self._url(), headers={"Accept": "application/json"}) as reply:
            _expect(reply)
            for frame in json.loads(await reply.read())["frames"]:
                yield frame
        await asyncio.sleep(_AGAIN)  # a catch-up doesn't wait by itself

    async def _ws(self, http: aiohttp.ClientSession) -> AsyncIterator[dict[str, Any]]:
        async with http.ws_connect(f"{self.server.ws_url}/api/live") as socket:
            word = {"type": "subscribe", "generation": self.generation, "after": str(self.last)}
            await socket.send_json(word)
            async for message in socket:
                body = json.loads(message.data)
                assert body["type"] not in {"gone", "error"}, body
                if body["type"] == "frame" and body["generation"] == self.generation:
                    yield body["frame"]

    def _url(self) -> str:
        return f"{self.server.url}/api/generations/{self.generation}/events?after={self.last}"

    def _take(self, frame: dict[str, Any]) -> None:
        found = RecordId.parse(frame["id"])
        event = event_from(frame["kind"], json.dumps(frame))
        assert event is not None, frame
        if isinstance(event, Open):
            before = None if self.last == START else str(self.last)
            assert event.previous == before, f"{found} follows {self.last}: {event}"
            assert found == (self.last.epoch + 1, 0)
        else:
            wanted = (self.last.epoch, self.last.seq + frame.get("records", 1))
            assert found == wanted, f"{found} follows {self.last}"
        self.last = found
        self.folded.apply(event)

    def _judge(self) -> None:
        text = self.folded.text()
        assert len(text) == self.end.text_length
        assert hashlib.sha256(text.encode()).hexdigest() == self.end.sha256


async def _lines(reply: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Whole lines; one that a cut left unfinished is dropped, as a parser of events does."""
    held = b""
    async for chunk in reply.content.iter_any():
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            yield line


def _expect(reply: aiohttp.ClientResponse) -> None:
    assert reply.status != 204, "204, and yet this reader hasn't seen the end"
    assert reply.status not in {404, 410}, f"{reply.status}: the log is gone"
    if reply.status != 200:
        raise aiohttp.ClientError(f"status {reply.status}")
