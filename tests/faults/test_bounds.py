"""Bounded: readers of any speed and number cost little, and never slow the answer down."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from grantha.engine.tuning import Tuning
from grantha.events import RecordId
from grantha.providers.scripted.provider import BATCH
from grantha.storage.base import Append
from tests.engine.rig import ME, Rig
from tests.faults.log_follower import LogFollower
from tests.faults.resources import resident
from tests.scripts import counted
from tests.server import Server

pytestmark = pytest.mark.faults


def slow_socket(server: Server, generation: str) -> socket.socket:
    """A client with the smallest receive buffer there is, that has asked and reads nothing."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    one.connect(("127.0.0.1", server.port))
    path = f"/api/generations/{generation}/events?after=0-0"
    one.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n".encode()
    )
    return one


async def test_readers_that_read_nothing_cost_little_and_slow_nobody(server: Server) -> None:
    count = 30_000
    # The first reader makes the server load what all of them need.
    await LogFollower(server, server.ask("scripted/count-20")["id"]).follow()
    conversation = server.ask(f"scripted/count-{count}-at-6000")["id"]
    before = resident(server)
    idle = [slow_socket(server, conversation) for _ in range(100)]
    follower = LogFollower(server, conversation)
    try:
        await follower.follow()
        assert (follower.text, follower.end.ending) == (counted(count), "done")
        most = (resident(server) - before) / len(idle)
        assert most < 200_000, f"{most:.0f} bytes a reader that reads nothing"
    finally:
        for one in idle:
            one.close()


async def test_a_reader_of_a_few_bytes_gets_everything_beside_fast_ones(server: Server) -> None:
    count = 3000
    conversation = server.ask(f"scripted/count-{count}-at-1500")["id"]
    with slow_socket(server, conversation) as slow:
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        got = await loop.sock_recv(slow, 1)
        fast = [LogFollower(server, conversation) for _ in range(3)]
        following = asyncio.gather(*(follower.follow() for follower in fast))
        while not following.done():  # a byte at a time for as long as the others read
            got += await loop.sock_recv(slow, 1)
            await asyncio.sleep(0)
        await following
        while not got.endswith(b"\r\n0\r\n\r\n"):  # the last chunk
            got += await loop.sock_recv(slow, 65536)
    assert {follower.text for follower in fast} == {counted(count)}
    assert text_of(got) == counted(count)


def text_of(raw: bytes) -> str:
    """The text of an event stream as it came over the wire, chunked."""
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"chunked" in head.lower()
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + rest[:length], rest[length + 2 :]
        if length == 0:
            break
    found = ""
    for line in whole.decode().split("\n"):
        if line.startswith("data: "):
            frame = json.loads(line[6:])
            if frame["kind"] == "text-delta":
                found += frame["text"]
    return found


async def test_fifty_readers_join_a_long_answer_at_any_place(server: Server) -> None:
    count = 100_000
    conversation = server.ask(f"scripted/count-{count}-at-12000")["id"]
    choice = random.Random(5)
    joined = [asyncio.create_task(join(server, conversation, choice.random())) for _ in range(50)]
    async with asyncio.timeout(240):
        texts = await asyncio.gather(*joined)
    whole = counted(count)
    assert all(text == whole for text in texts)


async def join(server: Server, conversation: str, share: float) -> str:
    """Joins somewhere in the middle, as a page does: snapshot first, then the tail."""
    await asyncio.sleep(share * 6)  # readers come at any time
    text = ""
    async with aiohttp.ClientSession(read_bufsize=2**22) as http:
        url = f"{server.url}/api/generations/{conversation}/events"
        async with http.get(url, headers={"Accept": "text/event-stream"}) as reply:
            held = b""
            async for chunk in reply.content.iter_any():
                *lines, held = (held + chunk).split(b"\n")
                for line in lines:
                    if line.startswith(b"data: "):
                        text = with_frame(text, json.loads(line[6:]))
    return text


def with_frame(text: str, frame: dict[str, Any]) -> str:
    if frame["kind"] == "snapshot":
        return str(frame["text"])
    return text + frame["text"] if frame["kind"] == "text-delta" else text


class CountingStore:
    """A store that counts what it is asked and how many bytes of records pass through it."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.reads = self.read_records = self.writes = self.written = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, batch: list[Append]) -> set[str]:
        self.writes += 1
        self.written += sum(len(item.records) for item in batch)
        found: set[str] = await self._store.append(batch)
        return found

    async def records(self, subject: str, generation: str, after: RecordId, limit: int) -> Any:
        self.reads += 1
        found = await self._store.records(subject, generation, after, limit)
        self.read_records += len(found)
        return found


async def cost_of(folder: Path, count: int) -> tuple[int, int, int, int]:
    """Queries, records read and written, and bytes sent, for an answer with two readers."""
    made: list[CountingStore] = []

    def counting(store: Any) -> Any:
        made.append(CountingStore(store))
        return made[-1]

    tuning = Tuning(window=1e-6, window_behind=1e-6, flush_bytes=1, titles=False)
    rig = await Rig(folder, tuning, wrap=counting).open()
    try:
        row = await rig.ask(f"scripted/count-{count}")
        live = await rig.frames(row.id)
        late = await rig.frames(row.id)
        size = sum(len(f.event.text) for f in (*live, *late) if f.event.kind == "text-delta")
        (store,) = made
        return store.reads + store.writes, store.read_records, store.written, size
    finally:
        await rig.aclose()


async def test_what_an_answer_costs_grows_with_its_length_and_no_faster(tmp_path: Path) -> None:
    """Counted in queries, records and bytes, at n, 2n and 4n; never in time."""
    for count in (2000, 4000, 8000):
        *rows, sent = await cost_of(tmp_path / str(count), count)
        # How many of the provider's batches share a write depends on the machine; none needs two.
        assert max(rows) <= count // BATCH + 20, f"queries, read, written: {rows}"
        assert sent == 2 * len(counted(count))


async def test_the_tail_in_memory_does_not_grow_with_the_answer(tmp_path: Path) -> None:
    rig = await Rig(
        tmp_path, Tuning(window=1e-6, flush_bytes=1, tail_bytes=8192, titles=False)
    ).open()
    try:
        row = await rig.ask("scripted/count-30000")
        log = rig.supervisor._running[row.id].log
        await rig.frames(row.id)
        assert log._tail_bytes <= 8192 + 2048
        assert len(log._tail) <= 30
        assert await rig.store.records(ME, row.id, RecordId(1, 0), 1) != []
    finally:
        await rig.aclose()
