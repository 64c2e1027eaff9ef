"""Faults of the machine: a full disk, a failing one, a locked database, too few open files.

The server stays up, `/readyz` tells, what was stored stays readable, and answers that waited go on.
"""

from __future__ import annotations

import asyncio
import fcntl
import resource
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from tests.faults.log_follower import LogFollower
from tests.faults.resources import fill, mounted_disk
from tests.scripts import counted
from tests.server import MakeServer, Server, until

pytestmark = pytest.mark.faults


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 3 MB; needs root."""
    with mounted_disk(tmp_path / "disk", "3m") as folder:
        yield folder


def storage(server: Server) -> dict[str, object]:
    """What `/readyz` says of the store."""
    found: dict[str, object] = server.call("GET", "/readyz").json()["storage"]
    return found


async def test_a_full_disk_makes_answers_wait_and_room_lets_them_go_on(
    server_factory: MakeServer, small_disk: Path
) -> None:
    server = server_factory()
    server.data_dir = small_disk
    server.start()
    old = server.ended(server.ask("scripted/count-200")["id"])
    running = LogFollower(server, server.ask("scripted/count-3000-at-1000")["id"])
    following = asyncio.create_task(running.follow())
    ballast = small_disk / "ballast"
    fill(ballast)
    await asyncio.to_thread(until, lambda: not storage(server)["ok"], "/readyz to tell")
    assert "full" in str(storage(server)["error"])
    assert server.call("GET", "/healthz").status == 200
    assert server.generation(old["id"])["text"] == counted(200)
    conversation = old["conversation"]
    refused = server.call(
        "POST",
        f"/api/conversations/{conversation}/generations",
        {"text": "x" * 200_000, "model": "scripted/hello"},
    )
    assert (refused.status, refused.json()["code"]) == (507, "storage_full")
    shown = len(running.text)
    assert counted(3000).startswith(running.text)
    assert server.generation(running.generation)["text"][:shown] == running.text[:shown]
    ballast.unlink()
    await following
    assert (running.text, running.end.ending) == (counted(3000), "done")
    await asyncio.to_thread(until, lambda: storage(server)["ok"], "/readyz to report the room")


async def test_stop_works_while_the_disk_is_full(
    server_factory: MakeServer, small_disk: Path
) -> None:
    server = server_factory()
    server.data_dir = small_disk
    server.start()
    conversation = server.ask("scripted/count-100000-at-500")["id"]
    until(lambda: len(server.generation(conversation)["text"]) > 100, "some text")
    ballast = small_disk / "ballast"
    fill(ballast)
    until(lambda: not storage(server)["ok"], "/readyz to tell")
    receipt = server.call("POST", f"/api/generations/{conversation}/stop").expect(200)
    assert (receipt["stopped"], receipt["confirmed"]) == (True, True)
    ballast.unlink()
    assert server.ended(conversation)["status"] == "stopped"


def test_readiness_is_found_out_by_a_write_of_its_own(
    server_factory: MakeServer, small_disk: Path
) -> None:
    server = server_factory()
    server.data_dir = small_disk
    server.start()
    ballast = small_disk / "ballast"
    fill(ballast)
    until(lambda: server.call("GET", "/readyz").status == 503, "/readyz to report the full disk")
    ballast.unlink()
    until(lambda: server.call("GET", "/readyz").status == 200, "/readyz to report the room")


def test_a_disk_that_takes_no_more_writes_leaves_the_server_up(
    server_factory: MakeServer,
) -> None:
    """A file size limit makes every write beyond it an I/O error."""
    server = server_factory()
    limit = 700_000
    server.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    old = server.ended(server.ask("scripted/count-50")["id"])
    body = {"text": "x" * 60_000, "model": "scripted/count-5", "parent": None}
    path = f"/api/conversations/{old['conversation']}/generations"
    replies = (server.call("POST", path, body) for _ in range(40))
    refused = next(reply for reply in replies if reply.status >= 500)
    assert refused.status in {503, 507}
    assert refused.json()["code"] in {"storage_failed", "storage_full"}
    assert not storage(server)["ok"]
    assert server.generation(old["id"])["text"] == counted(50)
    server.restart()
    assert server.generation(old["id"])["text"] == counted(50)
    assert server.ended(server.ask("scripted/count-5")["id"])["status"] == "done"


@contextmanager
def database_locked(server: Server) -> Iterator[None]:
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def write_lock_held(server: Server) -> Iterator[None]:
    with (server.data_dir / "write.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("locked", [database_locked, write_lock_held])
async def test_a_database_locked_by_another_process_delays_and_loses_nothing(
    server: Server, locked: Callable[[Server], AbstractContextManager[None]]
) -> None:
    follower = LogFollower(server, server.ask("scripted/count-2500-at-500")["id"])
    following = asyncio.create_task(follower.follow())
    with locked(server):
        await asyncio.to_thread(until, lambda: not storage(server)["ok"], "/readyz to tell")
        assert "locked" in str(storage(server)["error"])
        assert server.call("GET", "/api/conversations").status == 200
    await following
    assert (follower.text, follower.end.ending, follower.seams) == (counted(2500), "done", [])
    await asyncio.to_thread(until, lambda: storage(server)["ok"], "/readyz to report it is free")


async def test_too_few_open_files_refuse_the_newest_and_harm_nobody_else(
    server_factory: MakeServer,
) -> None:
    server = server_factory()
    server.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80)))
    follower = LogFollower(server, server.ask("scripted/count-1500-at-500")["id"])
    following = asyncio.create_task(follower.follow())
    await asyncio.to_thread(until, lambda: follower.text, "the first text")
    crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(150)]
    await asyncio.to_thread(until, lambda: len(follower.text) > 3000, "text beside the crowd")
    for one in crowd:
        one.close()
    await following
    assert (follower.text, follower.end.ending) == (counted(1500), "done")
    assert server.ended(server.ask("scripted/count-5")["id"])["status"] == "done"


def test_a_damaged_database_is_reported_at_the_start(server_factory: MakeServer) -> None:
    server = server_factory()
    server.data_dir.mkdir()
    server.database.write_bytes(b"SQLite format 3\0" + b"\x5a" * 8192)
    server.start(ready=False)
    until(lambda: not server.alive, "the server to end", hint=server.output)
    assert "damaged" in server.output()
    assert "Traceback" not in server.output()
    assert server.process is not None
    assert server.process.returncode != 0


def test_an_unwritable_folder_is_reported_at_the_start_in_one_line(
    server_factory: MakeServer,
) -> None:
    server = server_factory()
    server.data_dir.write_bytes(b"a file where a folder should be")
    server.start(ready=False)
    until(lambda: not server.alive, "the server to end", hint=server.output)
    assert "GRANTHA_DATA_DIR" in server.output()
    assert len(server.output().splitlines()) == 1
