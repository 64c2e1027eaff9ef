"""An import is stored whole or not at all, whatever happens in the middle, and holds nobody up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.faults.log_follower import LogFollower
from tests.faults.resources import fill, mounted_disk, peak
from tests.scripts import counted
from tests.server import HttpReply, MakeServer, Server, until

pytestmark = pytest.mark.faults
WORDS = "a river that winds through the plains and never ends "


def export(conversations: int, messages: int = 10, size: int = 1000) -> dict[str, Any]:
    """An export of Grantha; `size` is in characters a message."""
    text = (WORDS * (size // len(WORDS) + 1))[:size]
    tree = [
        {
            "id": str(n),
            "parent": str(n - 1) if n else None,
            "role": "assistant" if n % 2 else "user",
            "parts": [{"type": "text", "text": text}],
        }
        for n in range(messages)
    ]
    return {
        "format": "grantha",
        "version": 1,
        "conversations": [{"title": f"No. {n}", "messages": tree} for n in range(conversations)],
    }


def titles(server: Server) -> list[str]:
    """Titles of everything that is listed or found."""
    found = []
    for query in ("", "&q=river"):
        page = server.call("GET", f"/api/conversations?origin=all&limit=200{query}").expect(200)
        found += [item["title"] for item in page["items"]]
    return found


def written(server: Server) -> int:
    """Bytes of the database and what isn't merged into it yet."""
    files = (server.database, server.database.with_name("grantha.db-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


@pytest.fixture
def in_background() -> Iterator[Callable[[Server, Any], Future[HttpReply]]]:
    """Sends an import without waiting for its reply."""
    with ThreadPoolExecutor(1) as threads:
        yield lambda server, document: threads.submit(server.call, "POST", "/api/import", document)


def test_a_kill_in_the_middle_leaves_nothing(
    server: Server, in_background: Callable[[Server, Any], Future[HttpReply]]
) -> None:
    before = written(server)
    reply = in_background(server, export(2000))
    until(lambda: written(server) > before + 2_000_000, "the import to be written")
    server.kill()
    assert isinstance(reply.exception(), OSError)  # it wasn't finished
    server.start()
    assert titles(server) == []
    done = server.call("POST", "/api/import", export(20)).expect(201)
    assert done["imported"] == 20
    assert len(titles(server)) == 40


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 48 MB; needs root."""
    with mounted_disk(tmp_path / "disk", "48m") as folder:
        yield folder


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(
    server_factory: MakeServer,
    disk: Path,
    in_background: Callable[[Server, Any], Future[HttpReply]],
) -> None:
    server = server_factory()
    server.data_dir = disk / "data"
    server.start()
    before = written(server)
    reply = in_background(server, export(700))
    until(lambda: written(server) > before + 1_000_000, "the import to be written")
    fill(disk / "ballast")
    refused = reply.result()
    assert (refused.status, refused.json()["code"]) == (507, "storage_full")
    (disk / "ballast").unlink()
    until(lambda: server.call("GET", "/readyz").status == 200, "room to be noticed")
    assert titles(server) == []
    assert server.call("POST", "/api/import", export(20)).expect(201)["imported"] == 20
    assert len(titles(server)) == 40


def test_an_import_for_which_there_is_no_room_is_refused_before_it_takes_any(
    server_factory: MakeServer, disk: Path
) -> None:
    server = server_factory()
    server.data_dir = disk / "data"
    server.start()
    before = written(server)
    refused = server.call("POST", "/api/import", export(1800))
    assert (refused.status, refused.json()["code"]) == (507, "storage_full")
    assert written(server) < before + 500_000
    assert titles(server) == []
    assert server.ended(server.ask("scripted/count-5")["id"])["status"] == "done"


async def test_an_import_of_60_mb_takes_little_memory_and_answers_go_on(server: Server) -> None:
    before = peak(server)
    document = export(600, messages=100)
    assert len(json.dumps(document)) > 60_000_000
    follower = LogFollower(server, server.ask("scripted/count-100000-at-200")["id"])
    following = asyncio.create_task(follower.follow())
    importing = asyncio.create_task(asyncio.to_thread(server.call, "POST", "/api/import", document))
    await asyncio.to_thread(until, lambda: written(server) > 2_000_000, "the import to be written")
    shown = follower.folded.text_length
    while not importing.done() and follower.folded.text_length == shown:
        await asyncio.wait({importing}, timeout=0.01)
    assert not importing.done()  # text came while it was being imported
    reply = await importing
    assert reply.expect(201)["imported"] == 600
    assert peak(server) - before < 250_000_000
    server.call("POST", f"/api/generations/{follower.generation}/stop").expect(200)
    await following
    assert counted(100000).startswith(follower.text)


def test_a_second_import_waits_for_its_turn(
    server: Server, in_background: Callable[[Server, Any], Future[HttpReply]]
) -> None:
    before = written(server)
    first = in_background(server, export(1000))
    until(lambda: written(server) > before + 500_000, "the import to be written")
    second = server.call("POST", "/api/import", export(1))
    assert (second.status, second.json()["code"]) == (503, "busy")
    assert first.result().expect(201)["imported"] == 1000
    assert server.call("POST", "/api/import", export(1)).expect(201)["imported"] == 1
