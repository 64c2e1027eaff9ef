"""The one thread that writes: takes queued work, runs it in one transaction, commits, reports.

While a commit waits for the disk, further work queues up and shares the next commit (group commit).
A piece of work that fails is rolled back alone, to its savepoint; if the database itself fails, all
work of the batch fails with one `StorageFull` or `StorageFailed` and nothing of it was written.
Every transaction runs under an exclusive `flock`, because SQLite before 3.51.3 can damage a WAL
database when two processes commit and checkpoint at the same instant (https://sqlite.org/wal.html#walresetbug).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from grantha.errors import GranthaError, Internal, StorageFailed, StorageFull
from grantha.storage.rows import driver_of

T = TypeVar("T")
_log = logging.getLogger(__name__)

_LOCK_PATIENCE = 5.0  # seconds that another process may keep the lock before our writes fail
_LOCK_PAUSE = 0.001  # seconds between two tries
_MOST_PER_BATCH = 512  # bounds how long one transaction keeps others waiting
_FRESH = 1.0  # seconds for which the last write tells how the next would go
_PATIENCE = 2.0  # seconds after which a store that takes no write isn't called well


@dataclass(slots=True)
class _Work:
    run: Callable[[Connection], Any]
    done: asyncio.Future[Any]
    committed: Callable[[Any], None] | None = None
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Owns the only writing connection of this process."""

    def __init__(self, engine: Engine, lock_file: Path) -> None:
        self._engine = engine
        self._lock_path = lock_file
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.last_error: GranthaError | None = None
        self._last_try = float("-inf")  # by the monotonic clock
        self._trial: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the thread; called on the event loop that will await the work."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="grantha-writer", daemon=True)
        self._thread.start()

    async def run(
        self, work: Callable[[Connection], T], committed: Callable[[T], None] | None = None
    ) -> T:
        """Runs `work(connection)` inside a transaction; returns once it is durable.

        `committed` gets the result then, in the thread, before any other work is run.
        """
        if self._loop is None:
            raise StorageFailed("The store isn't open.")
        done: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Work(work, done, committed))
        # A caller that goes away doesn't undo a write that others may already build on.
        return await asyncio.shield(done)

    async def trouble(self) -> GranthaError | None:
        """What keeps writes from being taken now, found by a small one if the last is a second old."""
        if time.monotonic() - self._last_try > _FRESH:
            if self._trial is None or self._trial.done():
                self._trial = asyncio.create_task(self._try())
            done, _ = await asyncio.wait({self._trial}, timeout=_PATIENCE)
            if not done and self.last_error is None:
                return StorageFailed(
                    f"The store has taken no write for {_PATIENCE:g} s: the disk is slow, or the "
                    "database is locked by another process."
                )
        return self.last_error

    async def _try(self) -> None:
        with contextlib.suppress(GranthaError):  # kept as the last error
            # Nobody reads the number: setting it writes one page, in a commit like any other.
            await self.run(lambda found: driver_of(found).execute("PRAGMA user_version=1"))

    async def aclose(self) -> None:
        """Finishes what is queued, then ends the thread."""
        if self._thread is not None:
            self._loop = None  # what comes from here on would wait for ever
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    # ---- in the thread ----------------------------------------------------------------------

    def _work(self) -> None:
        with self._lock_path.open("a") as lock:
            connection: Connection | None = None
            while True:
                batch, closing = self._next_batch()
                if batch:
                    connection = self._commit_batch(connection, lock, batch)
                    self._report(batch)
                if closing:
                    break
            if connection is not None:
                connection.close()

    def _next_batch(self) -> tuple[list[_Work], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        batch = [first]
        while len(batch) < _MOST_PER_BATCH:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                break
            if work is None:
                return batch, True
            batch.append(work)
        return batch, False

    def _commit_batch(
        self, connection: Connection | None, lock: IO[str], batch: list[_Work]
    ) -> Connection | None:
        try:
            _take(lock)
            connection = connection or self._engine.connect()
            driver = driver_of(connection)
            driver.execute("BEGIN IMMEDIATE")
            for work in batch:
                _run_one(connection, driver, work)
            driver.execute("COMMIT")
            self.last_error = None
            for work in batch:
                if work.committed is not None and work.error is None:
                    work.committed(work.result)
            return connection
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            self.last_error = translated(error)
            for work in batch:
                work.error = self.last_error
            # A connection that met a full disk or an I/O error may hold half a transaction.
            if connection is not None:
                connection.invalidate()
                connection.close()
            return None
        finally:
            self._last_try = time.monotonic()
            fcntl.flock(lock, fcntl.LOCK_UN)

    def _report(self, batch: list[_Work]) -> None:
        # A closed loop means that nobody waits any more.
        with contextlib.suppress(RuntimeError):
            batch[0].done.get_loop().call_soon_threadsafe(_resolve, batch)


def _take(lock: IO[str]) -> None:
    """Waits for the lock as long as SQLite waits for its own. Raises `BlockingIOError`."""
    deadline = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_LOCK_PAUSE)
        else:
            return


def translated(error: BaseException) -> GranthaError:
    """A driver's error in our tree, without the statement or its values."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageFull("The server's disk is full.")
    busy = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    if busy or isinstance(origin, BlockingIOError):
        return StorageFailed(
            "The database is locked by another process.",
            advice="Find the program that has grantha.db open, and end it.",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StorageFailed(
            "The database file is damaged.",
            advice="Stop Grantha and restore the newest backup (see docs/operations.md).",
        )
    if isinstance(origin, OSError):
        return StorageFailed(f"The data folder can't be used: {origin.strerror}.")
    return StorageFailed(f"The database can't be used: {origin}.")


def _run_one(connection: Connection, driver: sqlite3.Connection, work: _Work) -> None:
    driver.execute("SAVEPOINT work")
    try:
        work.result = work.run(connection)
    except Exception as error:
        if isinstance(error, DBAPIError | sqlite3.Error) and not _only_this_work(error):
            raise  # the database itself: it may have rolled back the whole transaction
        driver.execute("ROLLBACK TO work")
        work.error = error if isinstance(error, GranthaError) else _defect(error)
    driver.execute("RELEASE work")


def _defect(error: Exception) -> GranthaError:
    """An error of ours in our tree; the statement and its values stay in the chain, for the log."""
    defect = Internal("Grantha's store met an error of its own.")
    defect.__cause__ = error
    _log.error("a piece of work for the store failed by a defect: %s", type(error).__name__)
    return defect


def _only_this_work(error: DBAPIError | sqlite3.Error) -> bool:
    origin = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(origin, sqlite3.IntegrityError | sqlite3.ProgrammingError)


def _resolve(batch: list[_Work]) -> None:
    for work in batch:
        if work.done.done():
            continue
        if work.error is not None:
            work.done.set_exception(work.error)
            work.done.exception()  # a caller that was cancelled never looks at it
        else:
            work.done.set_result(work.result)
