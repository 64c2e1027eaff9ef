"""The SQL store: one writing thread, a pool of readers, SQLite in WAL mode.

Owns both; the statements are in `start_queries`, `log_queries`, `conversation_queries`,
`search_queries`, `import_queries`, `login_queries` and `analytics_queries`.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from typing_extensions import override

from grantha.errors import GranthaError, StorageFailed, StorageFull, StorageLost
from grantha.events import Record, RecordId
from grantha.storage import (
    analytics_queries,
    full_text,
    import_queries,
    log_queries,
    login_queries,
    rows,
    search_queries,
    start_queries,
)
from grantha.storage import conversation_queries as conversations
from grantha.storage.base import (
    FILE_NAME,
    AnalyticsSummary,
    Append,
    ConversationPage,
    ConversationRow,
    Durability,
    GenerationRow,
    GenerationStart,
    ImportedConversation,
    LoginRow,
    MessageRow,
    NewConversation,
    NewMessage,
    Orphan,
    RunningAnswer,
    SearchFilters,
    SearchPage,
    Store,
    StoreHealth,
)
from grantha.storage.connect import (
    WRITE_LOCK,
    migrate,
    prepare_folder,
    shrink,
    writing_engine,
)
from grantha.storage.file_watch import FileWatch
from grantha.storage.journal import Journal
from grantha.storage.readers import ReaderPool
from grantha.storage.writer import Writer, storage_error

T = TypeVar("T")
_MB = 1024 * 1024
_DAY_MS = 24 * 3600 * 1000
_EPHEMERAL_MS = 30 * 1000  # in which a reader can come back to an ephemeral answer


class SqlStore(Store):
    """`folder` holds the database; `instance_id` names this process as the owner of what it starts."""

    def __init__(
        self,
        folder: Path,
        instance_id: str,
        synchronous: Durability = "FULL",
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME
        self._instance_id = instance_id
        self._synchronous = synchronous
        self._now = now_ms
        self._journal = Journal(instance_id)
        self._writer: Writer | None = None
        self._writing: Engine | None = None
        self._readers: ReaderPool | None = None

    @override
    async def open(self) -> None:
        prepare_folder(self._folder)
        self._writing = writing_engine(self._path, self._synchronous)
        await asyncio.to_thread(migrate, self._writing)
        self._readers = ReaderPool(self._path)
        # Before anything is read: a client that comes back right after a crash has seen these records.
        await self._read(lambda connection: self._journal.load(rows.raw_connection(connection)))
        self._writer = Writer(self._writing, self._folder / WRITE_LOCK, FileWatch(self._path))
        self._writer.start()

    @override
    async def aclose(self) -> None:
        if self._writer is not None:
            await self._writer.aclose()
        if self._readers is not None:
            await self._readers.aclose()
        if self._writing is not None:
            self._writing.dispose()

    @override
    def health(self) -> StoreHealth:
        return self._health(self._writer.last_error if self._writer else _not_open())

    @override
    async def check(self) -> StoreHealth:
        return self._health(await self._writer.check() if self._writer else _not_open())

    @override
    async def until_lost(self) -> StorageLost:
        if self._writer is None:
            raise _not_open()
        return await self._writer.until_lost()

    # ---- logs

    @override
    async def start(self, subject: str, start: GenerationStart) -> tuple[list[GenerationRow], bool]:
        now = self._now()
        return await self._write(
            lambda connection: start_queries.start(
                rows.raw_connection(connection), subject, self._instance_id, now, start
            )
        )

    @override
    async def generations_by_key(
        self, subject: str, key: str, fingerprint: str
    ) -> list[GenerationRow]:
        return await self._read(
            lambda connection: start_queries.generations_by_key(
                rows.raw_connection(connection), subject, key, fingerprint
            )
        )

    @override
    async def append(self, batch: Sequence[Append]) -> set[str]:
        journal = self._journal
        staged = await self._write(
            lambda connection: log_queries.append(rows.raw_connection(connection), journal, batch),
            journal.committed,
        )
        return staged.fenced

    @override
    async def claim(self, row: GenerationRow, instance_id: str, records: Sequence[Record]) -> bool:
        def claim(connection: Connection) -> bool:
            self._journal.empty(rows.raw_connection(connection))
            return log_queries.claim(connection, row, instance_id, records)

        return await self._write(claim, self._journal.emptied)

    @override
    async def orphans(self, instance_id: str) -> list[Orphan]:
        def orphans(connection: Connection) -> list[Orphan]:
            damaged = self._journal.empty(rows.raw_connection(connection))
            return log_queries.orphans(connection, instance_id, damaged)

        return await self._write(orphans, self._journal.emptied)

    @override
    async def generation(
        self, subject: str, generation: str, *, include_deleted: bool = False
    ) -> GenerationRow:
        pending = self._journal.pending(generation)
        row = await self._read(
            lambda connection: log_queries.generation(
                connection, subject, generation, include_deleted=include_deleted
            )
        )
        return self._journal.with_last_id(row, pending)

    @override
    async def running(self, subject: str, limit: int) -> list[RunningAnswer]:
        return await self._read(lambda connection: log_queries.running(connection, subject, limit))

    @override
    async def records(
        self, subject: str, generation: str, after: RecordId, limit: int
    ) -> list[Record]:
        pending = self._journal.pending(generation)
        return await self._read(
            lambda connection: log_queries.read_records(
                connection, subject, generation, after, limit, pending
            )
        )

    @override
    async def trim(self, before: int) -> int:
        return await self._write(lambda connection: log_queries.trim(connection, before))

    @override
    async def ended_generations(self, subject: str, since: int) -> list[GenerationRow]:
        return await self._read(
            lambda connection: log_queries.ended_since(connection, subject, since), slow=True
        )

    @override
    async def analytics(self, subject: str, since: int) -> AnalyticsSummary:
        return await self._read(
            lambda connection: analytics_queries.summary(connection, subject, since), slow=True
        )

    @override
    async def roll_up(self, limit: int = 1000) -> int:
        return await self._write(
            lambda connection: analytics_queries.roll_up(rows.raw_connection(connection), limit)
        )

    # ---- conversations

    @override
    async def create_conversation(self, subject: str, new: NewConversation) -> ConversationRow:
        now = self._now()

        def create(connection: Connection) -> ConversationRow:
            conversations.insert_conversation(connection, subject, new, now)
            return conversations.conversation(connection, subject, new.id)

        return await self._write(create)

    @override
    async def conversation(self, subject: str, conversation: str) -> ConversationRow:
        return await self._read(
            lambda connection: conversations.conversation(connection, subject, conversation)
        )

    @override
    async def conversations(
        self, subject: str, *, query: str, cursor: str | None, limit: int, origin: str | None
    ) -> ConversationPage:
        if query.strip():
            return await self._search(
                lambda c: conversations.search(c, subject, query, limit, origin)
            )
        return await self._read(
            lambda c: conversations.list_page(c, subject, cursor, limit, origin)
        )

    @override
    async def search(
        self, subject: str, query: str, filters: SearchFilters, *, cursor: str | None, limit: int
    ) -> SearchPage:
        return await self._search(
            lambda connection: search_queries.search(
                connection, subject, query, filters, cursor=cursor, limit=limit
            )
        )

    @override
    async def update_conversation(
        self, subject: str, conversation: str, changes: dict[str, Any]
    ) -> ConversationRow:
        return await self._write(
            lambda connection: conversations.update_conversation(
                connection, subject, conversation, changes
            )
        )

    @override
    async def append_messages(
        self, subject: str, conversation: str, messages: Sequence[NewMessage], leaf: str | None
    ) -> ConversationRow:
        now = self._now()
        return await self._write(
            lambda connection: conversations.append_messages(
                connection, subject, conversation, messages, leaf, now
            )
        )

    @override
    async def delete_conversation(self, subject: str, conversation: str) -> None:
        now = self._now()
        await self._write(
            lambda connection: conversations.soft_delete(connection, subject, conversation, now)
        )

    @override
    async def restore_conversation(self, subject: str, conversation: str) -> ConversationRow:
        return await self._write(
            lambda connection: conversations.restore(connection, subject, conversation)
        )

    @override
    async def purge(self, before: int) -> int:
        now = self._now()
        return await self._write(
            lambda connection: conversations.purge(
                connection, before, now - _EPHEMERAL_MS, now - _DAY_MS
            )
        )

    @override
    async def shrink(self) -> int:
        return await self._write(shrink)

    @override
    async def messages(self, subject: str, conversation: str) -> list[MessageRow]:
        return await self._read(
            lambda connection: conversations.messages_of(connection, subject, conversation)
        )

    @override
    async def message(self, subject: str, message: str) -> MessageRow:
        return await self._read(
            lambda connection: conversations.message(connection, subject, message)
        )

    @override
    async def path(self, subject: str, message: str) -> list[MessageRow]:
        return await self._read(lambda connection: conversations.path(connection, subject, message))

    @override
    async def check_room(self, size: int) -> None:
        free = (await asyncio.to_thread(shutil.disk_usage, self._folder)).free
        if free < size:
            raise StorageFull(
                f"The server's disk has {free // _MB} MB left, and this needs {size // _MB} MB.",
                advice="Make room in the data folder.",
            )

    @override
    async def stage_import(
        self,
        subject: str,
        conversations: Sequence[ImportedConversation],
        messages: Sequence[MessageRow],
    ) -> None:
        now = self._now()
        await self._write(
            lambda connection: import_queries.stage(
                connection, subject, conversations, messages, now
            )
        )

    @override
    async def finish_import(self, subject: str, conversations: Sequence[str]) -> None:
        await self._write(
            lambda connection: import_queries.finish(connection, subject, conversations)
        )

    @override
    async def discard_import(self, subject: str, conversations: Sequence[str]) -> None:
        await self._write(
            lambda connection: import_queries.discard(connection, subject, conversations)
        )

    # ---- logins

    @override
    async def logins(self) -> list[LoginRow]:
        return await self._read(login_queries.all_logins)

    @override
    async def change_logins(self, added: Sequence[LoginRow], removed: Sequence[str]) -> None:
        await self._write(
            lambda connection: login_queries.change_logins(connection, added, removed)
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

    async def _search(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._read(work, slow=True)
        except StorageFailed as error:
            if not full_text.is_damaged(error.__cause__):
                raise
        await self._write(lambda connection: full_text.rebuild(rows.raw_connection(connection)))
        return await self._read(work, slow=True)

    async def _read(self, work: Callable[[Connection], T], *, slow: bool = False) -> T:
        if self._readers is None:
            raise _not_open()
        # A new connection would open whatever has taken the file's place.
        if self._writer is not None and self._writer.lost is not None:
            raise self._writer.lost
        return await self._readers.run(work, slow=slow)


def _not_open() -> StorageFailed:
    return StorageFailed("The store isn't open.")


def copy_database(source: Path, target: Path) -> None:
    """SQLite's online backup, page by page; the source may be written meanwhile.

    Raises `StorageFailed` when the source is missing or the target exists.
    """
    if not source.exists():
        raise StorageFailed(f"There is no database at {str(source)!r}.")
    if target.exists():
        raise StorageFailed(
            f"{str(target)!r} exists already.", advice="Name a file that doesn't exist yet."
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
        raise storage_error(error) from error
