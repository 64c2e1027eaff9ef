"""The SQL store: one writing thread, a few reading connections, SQLite in WAL mode.

Owns connections and threads; what the statements say is in `log_queries` and
`conversation_queries`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from typing_extensions import override

from grantha.errors import GranthaError, StorageFailed
from grantha.events import Record, RecordId
from grantha.storage import conversation_queries as talk
from grantha.storage import log_queries as logs
from grantha.storage import rows, start_queries
from grantha.storage.analytics_queries import numbers
from grantha.storage.base import (
    Append,
    ConversationRow,
    GenerationRow,
    Listing,
    MessageRow,
    NewConversation,
    Numbers,
    Orphan,
    Start,
    Store,
    StoreHealth,
)
from grantha.storage.connect import (
    WRITE_LOCK,
    migrate,
    prepare_folder,
    reading_engine,
    writing_engine,
)
from grantha.storage.journal import Journal
from grantha.storage.writer import Writer, translated

T = TypeVar("T")
FILE_NAME = "grantha.db"
_READERS = 2
_DAY_MS = 24 * 3600 * 1000
_MINUTE_MS = 60 * 1000  # for which a reader may come back to an answer that isn't kept


class SqlStore(Store):
    """`folder` holds the database; `instance_id` names this process as the owner of what it starts."""

    def __init__(
        self,
        folder: Path,
        instance_id: str,
        synchronous: str = "FULL",
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME
        self._instance_id = instance_id
        self._synchronous = synchronous
        self._now = now_ms
        self._journal = Journal(instance_id)
        self._writer: Writer | None = None
        self._reading: Engine | None = None
        self._writing: Engine | None = None
        self._threads: ThreadPoolExecutor | None = None

    @override
    async def open(self) -> None:
        prepare_folder(self._folder)
        self._writing = writing_engine(self._path, self._synchronous)
        await asyncio.to_thread(migrate, self._writing)
        self._reading = reading_engine(self._path, _READERS)
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="grantha-reader")
        self._writer = Writer(self._writing, self._folder / WRITE_LOCK)
        self._writer.start()

    @override
    async def aclose(self) -> None:
        if self._writer is not None:
            await self._writer.aclose()
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown)
        for engine in (self._reading, self._writing):
            if engine is not None:
                engine.dispose()

    @override
    def health(self) -> StoreHealth:
        return self._health(self._writer.last_error if self._writer else _not_open())

    @override
    async def check(self) -> StoreHealth:
        return self._health(await self._writer.trouble() if self._writer else _not_open())

    # ---- logs

    @override
    async def start(self, subject: str, start: Start) -> tuple[list[GenerationRow], bool]:
        now = self._now()
        return await self._write(
            lambda connection: start_queries.start(
                rows.driver_of(connection), subject, self._instance_id, now, start
            )
        )

    @override
    async def earlier(self, subject: str, key: str, fingerprint: str) -> list[GenerationRow]:
        return await self._read(
            lambda connection: start_queries.earlier(
                rows.driver_of(connection), subject, key, fingerprint
            )
        )

    @override
    async def append(self, batch: Sequence[Append]) -> set[str]:
        journal = self._journal
        staged = await self._write(
            lambda connection: logs.append(rows.driver_of(connection), journal, batch),
            journal.committed,
        )
        return staged.fenced

    @override
    async def claim(self, row: GenerationRow, instance_id: str, records: Sequence[Record]) -> bool:
        def claim(connection: Connection) -> bool:
            self._journal.absorb(rows.driver_of(connection))
            return logs.claim(connection, row, instance_id, records)

        return await self._write(claim, self._journal.absorbed)

    @override
    async def orphans(self, instance_id: str) -> list[Orphan]:
        def orphans(connection: Connection) -> list[Orphan]:
            self._journal.absorb(rows.driver_of(connection))
            return logs.orphans(connection, instance_id)

        return await self._write(orphans, self._journal.absorbed)

    @override
    async def generation(self, subject: str, generation: str) -> GenerationRow:
        held = self._journal.after(generation)
        row = await self._read(lambda connection: logs.generation(connection, subject, generation))
        return self._journal.current(row, held)

    @override
    async def records(
        self, subject: str, generation: str, after: RecordId, limit: int
    ) -> list[Record]:
        held = self._journal.after(generation)
        return await self._read(
            lambda connection: logs.read_records(
                connection, subject, generation, after, limit, held
            )
        )

    @override
    async def trim(self, before: int) -> int:
        return await self._write(lambda connection: logs.trim(connection, before))

    @override
    async def ended_generations(self, subject: str, since: int) -> list[GenerationRow]:
        return await self._read(lambda connection: logs.ended_since(connection, subject, since))

    @override
    async def numbers(self, subject: str, since: int) -> Numbers:
        return await self._read(lambda connection: numbers(connection, subject, since))

    # ---- conversations

    @override
    async def create_conversation(self, subject: str, new: NewConversation) -> ConversationRow:
        now = self._now()

        def create(connection: Connection) -> ConversationRow:
            talk.insert_conversation(connection, subject, new, now)
            return talk.conversation(connection, subject, new.id)

        return await self._write(create)

    @override
    async def conversation(self, subject: str, conversation: str) -> ConversationRow:
        return await self._read(
            lambda connection: talk.conversation(connection, subject, conversation)
        )

    @override
    async def conversations(
        self, subject: str, *, query: str, cursor: str | None, limit: int, origin: str | None
    ) -> Listing:
        if query.strip():
            return await self._read(lambda c: talk.search(c, subject, query, limit, origin))
        return await self._read(lambda c: talk.listing(c, subject, cursor, limit, origin))

    @override
    async def update_conversation(
        self, subject: str, conversation: str, changes: dict[str, Any]
    ) -> ConversationRow:
        return await self._write(
            lambda connection: talk.change(connection, subject, conversation, changes)
        )

    @override
    async def delete_conversation(self, subject: str, conversation: str) -> None:
        now = self._now()
        await self._write(lambda connection: talk.hide(connection, subject, conversation, now))

    @override
    async def restore_conversation(self, subject: str, conversation: str) -> ConversationRow:
        return await self._write(lambda connection: talk.unhide(connection, subject, conversation))

    @override
    async def purge(self, before: int) -> int:
        now = self._now()
        return await self._write(
            lambda connection: talk.purge(connection, before, now - _MINUTE_MS, now - _DAY_MS)
        )

    @override
    async def messages(self, subject: str, conversation: str) -> list[MessageRow]:
        return await self._read(lambda connection: talk.tree(connection, subject, conversation))

    @override
    async def message(self, subject: str, message: str) -> MessageRow:
        return await self._read(lambda connection: talk.message(connection, subject, message))

    @override
    async def path(self, subject: str, message: str) -> list[MessageRow]:
        return await self._read(lambda connection: talk.path(connection, subject, message))

    @override
    async def import_conversation(
        self, subject: str, new: NewConversation, messages: Sequence[MessageRow], created_at: int
    ) -> ConversationRow:
        return await self._write(
            lambda connection: talk.import_whole(connection, subject, new, messages, created_at)
        )

    @override
    async def backup(self, target: str) -> None:
        await asyncio.to_thread(copy_database, self._path, Path(target))

    # ---- helpers below

    def _health(self, error: GranthaError | None) -> StoreHealth:
        return StoreHealth(
            ok=error is None,
            durability=self._synchronous,
            version=f"SQLite {sqlite3.sqlite_version}",
            error=error.message if error else None,
        )

    async def _write(
        self, work: Callable[[Connection], T], committed: Callable[[T], None] | None = None
    ) -> T:
        if self._writer is None:
            raise _not_open()
        return await self._writer.run(work, committed)

    async def _read(self, work: Callable[[Connection], T]) -> T:
        if self._threads is None or self._reading is None:
            raise _not_open()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _reading_work, self._reading, work)


def _not_open() -> StorageFailed:
    return StorageFailed("The store isn't open.")


def _reading_work(engine: Engine, work: Callable[[Connection], T]) -> T:
    try:
        with engine.connect() as connection:
            return work(connection)
    except (DBAPIError, sqlite3.Error) as error:
        raise translated(error) from error


def copy_database(source: Path, target: Path) -> None:
    """SQLite's online backup, page by page; the source may be written meanwhile.

    Raises `StorageFailed` when the source is missing or the target exists.
    """
    if not source.exists():
        raise StorageFailed(f"There is no database at {str(source)!r}.")
    if target.exists():
        raise StorageFailed(
            f"{str(target)!r} exists already.", advice="Name a file that isn't there yet."
        )
    try:
        reading = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        writing = sqlite3.connect(target)
        try:
            reading.backup(writing, pages=1024)
        finally:
            writing.close()
            reading.close()
    except sqlite3.Error as error:
        raise translated(error) from error
