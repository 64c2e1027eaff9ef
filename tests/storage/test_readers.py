"""Quick reads pass slow ones, however many of those wait."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection

from grantha.errors import StorageFailed
from grantha.storage.base import LOCAL_SUBJECT, NewConversation
from grantha.storage.readers import ReaderPool
from grantha.storage.sql import SqlStore

ME = LOCAL_SUBJECT


class _Blocked(SqlStore):
    """A store whose slow reads wait until `go_on` is set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "i_test", "OFF")
        self.go_on = threading.Event()

    async def block_slow_reads(self) -> list[asyncio.Task[int]]:
        """Twenty reads that hold the slow lane."""
        assert self._readers is not None

        def wait(_connection: Connection) -> int:
            self.go_on.wait()
            return 1

        return [asyncio.create_task(self._readers.run(wait, slow=True)) for _ in range(20)]


async def test_quick_reads_pass_slow_ones(tmp_path: Path) -> None:
    store = _Blocked(tmp_path)
    await store.open()
    try:
        await store.create_conversation(ME, NewConversation("c", "Title", "page"))
        blocked = await store.block_slow_reads()
        slow = [
            asyncio.create_task(store.analytics(ME, 0)),
            asyncio.create_task(store.ended_generations(ME, 0)),
            asyncio.create_task(
                store.conversations(ME, query="word", cursor=None, limit=5, origin=None)
            ),
        ]
        # Each of these would wait for ever behind the slow ones.
        for _ in range(20):
            assert (await store.conversation(ME, "c")).title == "Title"
            page = await store.conversations(ME, query="", cursor=None, limit=5, origin=None)
            assert [row.id for row in page.rows] == ["c"]
            assert await store.messages(ME, "c") == []
        assert not any(task.done() for task in [*blocked, *slow])
        store.go_on.set()
        assert await asyncio.gather(*blocked) == [1] * 20
        await asyncio.gather(*slow)
    finally:
        store.go_on.set()
        await store.aclose()


async def test_what_sqlite_raises_is_an_error_of_ours(tmp_path: Path) -> None:
    readers = ReaderPool(tmp_path / "empty.db")
    for slow in (False, True):
        with pytest.raises(StorageFailed, match="no such table"):
            await readers.run(lambda c: c.exec_driver_sql("SELECT * FROM missing"), slow=slow)
    await readers.aclose()
