"""The database is deleted, replaced or cut short while the server runs: noticed, and said everywhere."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from grantha.errors import StorageLost
from grantha.storage.base import LOCAL_SUBJECT, NewConversation
from grantha.storage.sql import SqlStore
from tests.api.streams import attached
from tests.server import DEADLINE, MakeServer

pytestmark = pytest.mark.faults
_OTHER = b"what has taken its place"


def _delete(path: Path) -> None:
    path.unlink()


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(_OTHER)
    other.replace(path)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _cut_short(path: Path) -> None:
    os.truncate(path, 8192)


def _delete_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


LOSSES = [
    pytest.param(_delete, "was deleted", id="deleted"),
    pytest.param(_replace, "was replaced", id="replaced"),
    pytest.param(_empty, "was emptied", id="emptied"),
    pytest.param(_cut_short, "was cut short", id="cut short"),
    pytest.param(_delete_log, "log .* was deleted", id="log deleted"),
]


@pytest.mark.parametrize(("lose", "words"), LOSSES)
async def test_a_lost_database_ends_streams_with_its_error_and_shows_in_health_and_log(
    server_factory: MakeServer, lose: Callable[[Path], None], words: str
) -> None:
    server = server_factory().start()
    silent = server.ask("scripted/silent")
    writing = server.ask("scripted/count-100000-at-100")
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=DEADLINE, verify=False) as client,
        attached(client, silent["id"], after="1-0") as first,
        attached(client, writing["id"], after="1-0") as second,
    ):
        while (block := await second.next()) and not (block.data and "text" in block.data):
            pass
        await asyncio.to_thread(lose, server.database)
        ends = [(await stream.frames())[-1] for stream in (first, second)]
    assert re.search(words, ends[0]["error"]["message"])
    for end in ends:
        assert (end["kind"], end["ending"]) == ("generation-end", "failed")
        assert end["error"]["code"] == "storage_lost"
        assert "grantha restore" in end["error"]["advice"]
    ready = server.call("GET", "/readyz")
    assert ready.status == 503
    assert ready.json()["storage"]["error"] == ends[0]["error"]["message"]
    for method, path, body in (
        ("POST", "/api/conversations", {}),
        ("GET", f"/api/generations/{writing['id']}", None),
    ):
        refused = server.call(method, path, body)
        assert (refused.status, refused.json()["code"]) == (503, "storage_lost")
    assert server.call("GET", "/healthz").status == 200
    lines = [line for line in server.output().splitlines() if "CRITICAL" in line]
    assert len(lines) == 1
    assert ends[0]["error"]["message"] in lines[0]
    assert "Traceback" not in server.output(), server.output()
    server.terminate()
    if lose is _replace:
        assert server.database.read_bytes() == _OTHER


# ---- the store ----------------------------------------------------------------------------------


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    made = SqlStore(tmp_path, "i_test", "OFF")
    await made.open()
    await made.aclose()  # so that the file has what was in its log
    await made.open()
    yield made
    await made.aclose()


@pytest.mark.parametrize(("lose", "words"), LOSSES)
async def test_a_loss_is_noticed_without_any_call(
    store: SqlStore, tmp_path: Path, lose: Callable[[Path], None], words: str
) -> None:
    await asyncio.to_thread(lose, tmp_path / "grantha.db")
    async with asyncio.timeout(DEADLINE):
        lost = await store.until_lost()
    with pytest.raises(StorageLost, match=words):
        raise lost
    with pytest.raises(StorageLost, match=words):
        await store.create_conversation(LOCAL_SUBJECT, NewConversation("c", "", "page"))
    with pytest.raises(StorageLost, match=words):
        await store.logins()
    assert store.health().error == lost.message
    assert (await store.check()).ok is False


async def test_a_database_that_gives_room_back_is_not_lost(store: SqlStore, tmp_path: Path) -> None:
    path = tmp_path / "grantha.db"
    for n in range(200):
        title = f"{n} " + "x" * 20_000
        await store.create_conversation(LOCAL_SUBJECT, NewConversation(f"c{n}", title, "page"))
    for n in range(200):
        await store.delete_conversation(LOCAL_SUBJECT, f"c{n}")
    await asyncio.to_thread(_checkpoint, path)
    before = path.stat().st_size
    while await store.purge(2**62):
        pass
    while await store.shrink():
        pass
    await asyncio.to_thread(_checkpoint, path)
    assert path.stat().st_size < before
    assert (await store.check()).ok
    await store.create_conversation(LOCAL_SUBJECT, NewConversation("c", "", "page"))


def _checkpoint(path: Path) -> None:
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    database.close()
