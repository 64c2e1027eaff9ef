"""`kill -9`, freezing and orderly stops: answers finish, and nothing that was shown is lost."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from grantha.engine.replay import whole_log
from grantha.events import RecordId
from grantha.fold import fold
from grantha.storage.sql import SqlStore
from tests.faults.page import TRANSPORTS, Page
from tests.server import MakeServer, Server, until

pytestmark = pytest.mark.faults


def counted(upto: int) -> str:
    return "".join(f"w{n} " for n in range(upto))


async def followed(pages: list[Page], deadline: float = 60.0) -> None:
    async with asyncio.timeout(deadline):
        await asyncio.gather(*(page.follow(TRANSPORTS, cuts=5) for page in pages))


async def test_ten_kills_during_ten_answers_lose_nothing(server: Server) -> None:
    talks = [server.ask("scripted/count-4000-at-400")["id"] for _ in range(10)]
    pages = [Page(server, talk) for talk in talks for _ in range(2)]
    following = asyncio.create_task(followed(pages, 180))
    choice = random.Random(7)
    for _ in range(10):
        if following.done():
            break
        await asyncio.sleep(choice.uniform(0.0, 0.4))  # the moment of the kill is left to chance
        await asyncio.to_thread(server.restart)
    await following
    assert {page.text for page in pages} == {counted(4000)}
    assert {page.end.ending for page in pages} == {"done"}
    assert all({seam.reason for seam in page.seams} <= {"restart"} for page in pages)
    assert any(page.seams for page in pages)
    for talk, page in zip(talks, pages[::2], strict=True):
        stored = server.generation(talk)
        assert stored["end"]["sha256"] == page.end.sha256
        assert stored["text"] == page.text


async def test_without_a_prefix_the_answer_is_interrupted_and_keeps_its_text(
    server: Server,
) -> None:
    step = {"repeat": "w{n} ", "count": 500}
    model = server.script(
        "plain", {"steps": [step], "rate": 100, "capabilities": {"prefix": False}}
    )
    talk = server.ask(model)["id"]
    page = Page(server, talk)
    following = asyncio.create_task(page.follow())
    await shown(page, 40)
    server.restart()
    await following
    stored = server.generation(talk)
    assert (stored["status"], stored["text"]) == ("interrupted", page.text)
    assert counted(500).startswith(page.text)
    assert len(page.text) >= 40
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
    talk = server.ask(model)["id"]
    page = Page(server, talk)
    following = asyncio.create_task(page.follow())
    await shown(page, len(counted(5)))
    server.allow("gate", 0)
    for _ in range(4):
        before = page.last.epoch
        await asyncio.to_thread(server.restart)
        await reached(page, before + 1)
    await following
    assert (page.end.ending, page.text) == ("interrupted", counted(5))
    assert [seam.reason for seam in page.seams] == ["restart"] * 3


async def test_a_frozen_server_goes_on_where_it_stood(server: Server) -> None:
    page = Page(server, server.ask("scripted/count-1500-at-1000")["id"])
    following = asyncio.create_task(page.follow())
    for size in (500, 2000, 4000):
        await shown(page, size)
        server.freeze()
        await asyncio.sleep(0.3)  # frozen that long
        server.thaw()
    await following
    assert (page.text, page.end.ending, page.seams) == (counted(1500), "done", [])


async def test_a_second_server_can_not_take_over_the_answers_of_a_frozen_one(
    server: Server, server_factory: MakeServer
) -> None:
    page = Page(server, server.ask("scripted/count-800-at-800")["id"])
    following = asyncio.create_task(page.follow())
    await shown(page, 100)
    server.freeze()
    second = server_factory()
    second.data_dir = server.data_dir
    second.start(ready=False)
    until(lambda: not second.alive, "the second server to refuse", hint=second.words)
    server.thaw()
    await following
    assert "Another Grantha serves from the folder" in second.words()
    assert (page.text, page.seams) == (counted(800), [])


async def test_an_orderly_stop_lets_answers_end_that_are_nearly_there(server: Server) -> None:
    server.env["GRANTHA_DRAIN"] = "10"
    server.terminate()
    server.start()
    talk = server.ask("scripted/count-300-at-200")["id"]
    until(lambda: len(server.generation(talk)["text"]) > 300, "some text")
    server.terminate()
    server.start()
    stored = server.generation(talk)
    assert (stored["status"], stored["text"], stored["seams"]) == ("done", counted(300), [])


async def test_an_orderly_stop_hands_over_what_takes_too_long(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_DRAIN": "0.2"}).start()
    page = Page(server, server.ask("scripted/count-1500-at-400")["id"])
    following = asyncio.create_task(page.follow())
    await shown(page, 300)
    await asyncio.to_thread(server.terminate)
    assert server.process is not None
    assert server.process.returncode in {0, -signal.SIGTERM}, server.words()
    assert "Traceback" not in server.words()  # open streams were let go, not cut
    await asyncio.to_thread(server.start)
    await following
    assert (page.text, page.end.ending) == (counted(1500), "done")
    assert [seam.reason for seam in page.seams] == ["restart"]


async def test_a_log_cut_at_any_place_opens_dense_and_goes_on(
    server: Server, server_factory: MakeServer, tmp_path: Path
) -> None:
    """As after a loss of power: the database as it was synced, the WAL torn at some byte."""
    talks = [server.ask("scripted/count-4000-at-2000")["id"] for _ in range(3)]
    until(lambda: all(len(server.generation(t)["text"]) > 900 for t in talks), "some text")
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
    torn_copy(server, after.data_dir, wal[: round(len(wal) * 0.9)])
    after.start()
    pages = [Page(after, talk) for talk in talks]
    await followed(pages)
    assert {page.text for page in pages} == {counted(4000)}
    assert {(page.end.ending, page.last.epoch) for page in pages} == {("done", 2)}


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
            records = await whole_log(store, "local", orphan.row.id)
            assert [r.id for r in records] == [RecordId(1, n) for n in range(len(records))]
            assert records[-1].id == orphan.row.last_id
            text = fold(r.event for r in records).text()
            assert counted(4000).startswith(text)
            length += len(text)
    finally:
        await store.aclose()
    with closing(sqlite3.connect(folder / "grantha.db")) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return length


async def shown(page: Page, least: int) -> None:
    """Waits until a page shows so much text."""
    async with asyncio.timeout(30):
        while page.folded.text_length < least:  # noqa: ASYNC110  it grows as it is read
            await asyncio.sleep(0.005)


async def reached(page: Page, epoch: int) -> None:
    """Waits until a page has read from an epoch, or the end."""
    async with asyncio.timeout(30):
        # The opening, the seam, and that the reply was accepted.
        while page.last < (epoch, 2) and page.folded.end is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
