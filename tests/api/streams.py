"""Reads event streams in tests, block by block, as a simple client would."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class SseEvent:
    """One event: its id line, the retry it sets, and its data decoded."""

    id: str | None
    retry: int | None
    data: Any  # decoded JSON


class SseReader:
    """SseReader of a reply that is being received."""

    def __init__(self, reply: httpx.Response) -> None:
        self.reply = reply
        self._rest = ""
        self._fragments = reply.aiter_text()

    async def next(self) -> SseEvent | None:
        """The next block that isn't a comment; None when the stream has ended."""
        while True:
            head, found, rest = self._rest.partition("\n\n")
            if found:
                self._rest = rest
                if not head.startswith(":"):
                    return _block(head)
                continue
            try:
                self._rest += await anext(self._fragments)
            except StopAsyncIteration:
                assert not self._rest, f"half a block: {self._rest!r}"
                return None

    async def rest(self) -> list[SseEvent]:
        """All blocks up to the end."""
        found = []
        while block := await self.next():
            found.append(block)
        return found

    async def frames(self) -> list[dict[str, Any]]:
        """The data of all blocks that have an id and data, up to the end."""
        return [block.data for block in await self.rest() if block.id and block.data]


@asynccontextmanager
async def attached(
    client: httpx.AsyncClient, generation: str, after: str | None = None, **headers: str
) -> AsyncIterator[SseReader]:
    """An open event stream of a generation."""
    params = {"after": after} if after is not None else {}
    path = f"/api/generations/{generation}/events"
    sent = {"Accept": "text/event-stream", "Accept-Encoding": "identity", **headers}
    async with client.stream("GET", path, params=params, headers=sent) as reply:
        assert reply.status_code == 200, await reply.aread()
        yield SseReader(reply)


def text_of(frames: list[dict[str, Any]]) -> str:
    """The text of a snapshot and of the deltas after it."""
    shown = "".join(f["text"] for f in frames if f["kind"] == "snapshot")
    return shown + "".join(f["text"] for f in frames if f["kind"] == "text-delta")


def assert_dense(frames: list[dict[str, Any]], after: str) -> None:
    """No record is missing: the ids grow by as many records as each frame holds."""
    epoch, seq = map(int, after.split("-"))
    for frame in frames:
        e, s = map(int, frame["id"].split("-"))
        if e != epoch:
            assert frame["kind"] == "open", frame
            assert s == 0, frame
        else:
            assert s == seq + frame.get("records", 1), (frame, seq)
        epoch, seq = e, s


def _block(text: str) -> SseEvent:
    cursor, retry, data = None, None, None
    for line in text.split("\n"):
        name, _, value = line.partition(": ")
        if name == "id":
            cursor = value
        elif name == "retry":
            retry = int(value)
        elif name == "data":
            data = json.loads(value)
        else:
            raise AssertionError(f"an unexpected line: {line!r}")
    return SseEvent(cursor, retry, data)
