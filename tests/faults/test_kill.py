"""`kill -9`, freezing and orderly stops: answers finish, and nothing that was shown is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sqlite3
from functools import partial
from pathlib import Path

import httpx
import pytest

from grantha.engine.replay import read_log
from grantha.events import RecordId, event_from
from grantha.fold import Fold, fold
from grantha.storage.sql import SqlStore
from tests.faults.log_follower import TRANSPORTS, LogFollower
from tests.faults.slow_disk import SlowDisk, Stage
from tests.scripts import counted
from tests.server import DEADLINE, MakeServer, Server, until

pytestmark = pytest.mark.faults


async def followed(followers: list[LogFollower], deadline: float = DEADLINE) -> None:
    async with asyncio.timeout(deadline):
        await asyncio.gather(*(follower.follow(TRANSPORTS, cuts=5) for follower in followers))


async def test_ten_kills_during_ten_answers_lose_nothing(server: Server) -> None:
    conversations = [server.ask("scripted/count-4000-at-400")["id"] for _ in range(10)]
    followers = [
        LogFollower(server, conversation) for conversation in conversations for _ in range(2)
    ]
    following = asyncio.create_task(followed(followers, 280))
    choice = random.Random(7)
    for number in range(10):
        if following.done():
            break
        if number % 2:  # an answer that gets no word between several kills is given up
            await all_grown(followers)
        await asyncio.sleep(choice.uniform(0.0, 0.4))  # the moment of the kill is left to chance
        await asyncio.to_thread(server.restart)
    await following
    assert {follower.text for follower in followers} == {counted(4000)}
    assert {follower.end.ending for follower in followers} == {"done"}
    assert all({seam.reason for seam in follower.seams} <= {"restart"} for follower in followers)
    assert any(follower.seams for follower in followers)
    for conversation, follower in zip(conversations, followers[::2], strict=True):
        stored = server.generation(conversation)
        assert stored["end"]["sha256"] == follower.end.sha256
        assert stored["text"] == follower.text


KILLS: list[tuple[Stage, bool]] = [  # at which stage of a commit; whether of the first one after a start
    ("before", False), ("after", False), ("before", True), ("after", False), ("before", False),
    ("after", True), ("before", False), ("after", False), ("before", True), ("after", False),
]  # fmt: skip


async def test_ten_kills_on_a_slow_disk_show_nobody_fewer_words_than_before(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    disk = SlowDisk(tmp_path / "disk", seconds=0.1)
    server = server_factory(disk.env).start()
    model = server.gated_count("slow", 1000)
    server.allow("slow.gate", 0)
    generations = [str(server.ask(model)["id"]) for _ in range(2)]
    followers = [LogFollower(server, generation) for generation in generations for _ in range(2)]
    visitors = [Visitor(server, generation, followers) for generation in generations]
    async with asyncio.TaskGroup() as clients:  # the first that sees too little ends the test
        clients.create_task(followed(followers, 300))
        for visitor in visitors:
            clients.create_task(visitor.visit())
        for number, (stage, at_start) in enumerate(KILLS):
            disk.hold(None)
            if not at_start:
                words = 60 * number + 40
                server.allow("slow.gate", words)
                await asyncio.gather(*(shown(f, len(counted(words))) for f in followers))
                disk.hold(stage)
                server.allow("slow.gate", words + 20)
            else:  # the same clients come back, and the server can't write down what it recovers
                await asyncio.to_thread(server.kill)
                disk.hold(stage)
                await asyncio.to_thread(server.start, ready=False)
            here = partial(disk.is_at, server.pid, stage)
            await asyncio.to_thread(until, here, f"a commit to be held {stage} it is made")
            await asyncio.gather(*(visitor.answered_by(server.pid) for visitor in visitors))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start, ready=False)
        disk.hold(None)
        disk.recover()
        server.allow("slow.gate")
    assert {follower.text for follower in followers} == {counted(1000)}
    assert {follower.end.ending for follower in followers} == {"done"}


class Visitor:
    """Opens an answer again and again, as somebody who reloads the page, until it has ended.

    Whatever anybody has been shown of it must be there, in the answer as in its log.
    """

    def __init__(self, server: Server, generation: str, followers: list[LogFollower]) -> None:
        self._server = server
        self._path = f"/api/generations/{generation}"
        self._followers = [f for f in followers if f.generation == generation]
        self._answered: int | None = None  # the process that did last

    async def visit(self) -> None:
        async with httpx.AsyncClient(base_url=self._server.url, timeout=DEADLINE) as client:
            status = "running"
            while status == "running":
                with contextlib.suppress(httpx.TransportError):
                    status = await self._visit(client)
                await asyncio.sleep(0.01)

    async def answered_by(self, pid: int) -> None:
        """Waits until this process has answered."""
        async with asyncio.timeout(DEADLINE):
            while self._answered != pid:  # noqa: ASYNC110  it is set by `visit`
                await asyncio.sleep(0.01)

    async def _visit(self, client: httpx.AsyncClient) -> str:
        most, pid = max((follower.text for follower in self._followers), key=len), self._server.pid
        reply = await client.get(self._path)
        log = await client.get(f"{self._path}/events", headers={"Accept": "application/json"})
        assert (reply.status_code, log.status_code) == (200, 200), (reply.text, log.text)
        folded = Fold()
        for frame in log.json()["frames"]:
            event = event_from(frame["kind"], json.dumps(frame))
            assert event is not None
            folded.apply(event)
        for text in (reply.json()["text"], folded.text()):
            assert text.startswith(most), f"{len(text)} characters after {len(most)}"
        if pid == self._server.pid:
            self._answered = pid
        return str(reply.json()["status"])


async def test_without_a_prefix_the_answer_is_interrupted_and_keeps_its_text(
    server: Server,
) -> None:
    step = {"repeat": "w{n} ", "count": 500}
    model = server.script(
        "plain", {"steps": [step], "rate": 100, "capabilities": {"prefix": False}}
    )
    conversation = server.ask(model)["id"]
    follower = LogFollower(server, conversation)
    following = asyncio.create_task(follower.follow())
    await shown(follower, 40)
    server.restart()
    await following
    stored = server.generation(conversation)
    assert (stored["status"], stored["text"]) == ("interrupted", follower.text)
    assert counted(500).startswith(follower.text)
    assert len(follower.text) >= 40
    assert stored["error"]["code"] == "interrupted"


async def test_an_answer_that_kills_its_server_before_every_word_is_given_up_in_the_end(
    server: Server,
) -> None:
    model = server.script(
        "gated",
        {
            "steps": [{"repeat": "w{n} ", "count": 50}],
            "gate": "gate",
            "capabilities": {"prefix": True},
        },
    )
    server.allow("gate", 5)
    conversation = server.ask(model)["id"]
    follower = LogFollower(server, conversation)
    following = asyncio.create_task(follower.follow())
    await shown(follower, len(counted(5)))
    server.allow("gate", 0)
    for _ in range(4):
        before = follower.last.epoch
        await asyncio.to_thread(server.restart)
        await reached(follower, before + 1)
    await following
    assert (follower.end.ending, follower.text) == ("interrupted", counted(5))
    assert [seam.reason for seam in follower.seams] == ["restart"] * 3


async def test_a_frozen_server_goes_on_where_it_stood(server: Server) -> None:
    follower = LogFollower(server, server.ask("scripted/count-1500-at-1000")["id"])
    following = asyncio.create_task(follower.follow())
    for size in (500, 2000, 4000):
        await shown(follower, size)
        server.freeze()
        await asyncio.sleep(0.3)  # frozen that long
        server.thaw()
    await following
    assert (follower.text, follower.end.ending, follower.seams) == (counted(1500), "done", [])


async def test_a_second_server_can_not_take_over_the_answers_of_a_frozen_one(
    server: Server, server_factory: MakeServer
) -> None:
    follower = LogFollower(server, server.ask("scripted/count-800-at-800")["id"])
    following = asyncio.create_task(follower.follow())
    await shown(follower, 100)
    server.freeze()
    second = server_factory()
    second.data_dir = server.data_dir
    second.start(ready=False)
    until(lambda: not second.alive, "the second server to refuse", hint=second.output)
    server.thaw()
    await following
    assert "Another Grantha serves from the folder" in second.output()
    assert (follower.text, follower.seams) == (counted(800), [])


async def test_an_orderly_stop_lets_answers_end_that_are_nearly_there(server: Server) -> None:
    server.env["GRANTHA_DRAIN"] = "60"
    server.terminate()
    server.start()
    conversation = server.ask("scripted/count-300-at-200")["id"]
    until(lambda: len(server.generation(conversation)["text"]) > 300, "some text")
    server.terminate()
    server.start()
    stored = server.generation(conversation)
    assert (stored["status"], stored["text"], stored["seams"]) == ("done", counted(300), [])


async def test_an_orderly_stop_hands_over_what_takes_too_long(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_DRAIN": "0.2"}).start()
    follower = LogFollower(server, server.ask(server.gated_count("slow", 1500))["id"])
    following = asyncio.create_task(follower.follow())
    server.allow("slow.gate", 100)
    await shown(follower, 300)
    await asyncio.to_thread(server.terminate)
    assert server.process is not None
    assert server.process.returncode in {0, -signal.SIGTERM}, server.output()
    assert "Traceback" not in server.output()  # open streams were let go, not cut
    server.allow("slow.gate")
    await asyncio.to_thread(server.start)
    await following
    assert (follower.text, follower.end.ending) == (counted(1500), "done")
    assert [seam.reason for seam in follower.seams] == ["restart"]


async def test_a_log_cut_at_any_place_opens_dense_and_goes_on(
    server: Server, server_factory: MakeServer, tmp_path: Path
) -> None:
    """As after a loss of power: the database as it was synced, the WAL torn at some byte."""
    # Quick, so that the WAL holds many commits, and gated, so that no answer ends before the kill.
    script = {
        "rate": 2000,
        "gate": "gate",
        "capabilities": {"prefix": True},
        "steps": [{"repeat": "w{n} ", "count": 4000}],
    }
    model = server.script("torn", script)
    server.allow("gate", 2000)
    conversations = [server.ask(model)["id"] for _ in range(3)]
    until(lambda: all(len(server.generation(t)["text"]) > 900 for t in conversations), "some text")
    server.kill()
    wal = server.database.with_name("grantha.db-wal").read_bytes()
    choice = random.Random(11)
    sizes = [0, len(wal), len(wal) - 1, *(choice.randrange(len(wal)) for _ in range(27))]
    lengths = set()
    for number, size in enumerate(sizes):
        torn = tmp_path / f"torn-{number}"
        torn_copy(server, torn, wal[:size])
        lengths.add(await text_length_of_dense_logs(torn))
    assert len(lengths) > 3
    after = server_factory()
    after.script("torn", script)
    after.allow("gate")
    torn_copy(server, after.data_dir, wal[: round(len(wal) * 0.9)])
    after.start()
    followers = [LogFollower(after, conversation) for conversation in conversations]
    await followed(followers)
    assert {follower.text for follower in followers} == {counted(4000)}
    assert {(follower.end.ending, follower.last.epoch) for follower in followers} == {("done", 2)}


def torn_copy(server: Server, folder: Path, wal: bytes) -> None:
    """The server's database with another WAL."""
    folder.mkdir()
    (folder / "grantha.db").write_bytes(server.database.read_bytes())
    (folder / "grantha.db-wal").write_bytes(wal)


async def text_length_of_dense_logs(folder: Path) -> int:
    """Opens a torn database; checks it and every log in it. How much text is left in all."""
    store = SqlStore(folder, "b_judge", "OFF")
    await store.open()
    try:
        length = 0
        for orphan in await store.orphans("b_judge"):
            records = await read_log(store, "local", orphan.row.id)
            assert [r.id for r in records] == [RecordId(1, n) for n in range(len(records))]
            assert records[-1].id == orphan.row.last_id
            text = fold(r.event for r in records).text()
            assert counted(4000).startswith(text)
            length += len(text)
    finally:
        await store.aclose()
    with contextlib.closing(sqlite3.connect(folder / "grantha.db")) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return length


async def all_grown(followers: list[LogFollower]) -> None:
    """Waits until every follower has got text since the call, or its end."""
    before = [follower.folded.text_length for follower in followers]
    async with asyncio.timeout(DEADLINE):
        while any(  # noqa: ASYNC110  it grows as it is read
            follower.folded.text_length == length and follower.folded.end is None
            for follower, length in zip(followers, before, strict=True)
        ):
            await asyncio.sleep(0.005)


async def shown(follower: LogFollower, least: int) -> None:
    """Waits until a follower shows so much text."""
    async with asyncio.timeout(DEADLINE):
        while follower.folded.text_length < least:  # noqa: ASYNC110  it grows as it is read
            await asyncio.sleep(0.005)


async def reached(follower: LogFollower, epoch: int) -> None:
    """Waits until a follower has read from an epoch, or the end."""
    async with asyncio.timeout(DEADLINE):
        # The opening, the seam, and that the reply was accepted.
        while follower.last < (epoch, 2) and follower.folded.end is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
