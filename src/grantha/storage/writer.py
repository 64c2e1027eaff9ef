"""The one thread that writes: runs queued jobs in one transaction, commits, and reports.

While a commit waits for the disk, further jobs queue up and share the next commit (group commit). A job
that fails is rolled back alone, to its savepoint; if the database itself fails, all jobs of the batch
fail with one `StorageFull` or `StorageFailed` and nothing of the batch was written. Every transaction
runs under an exclusive `flock`, because SQLite before 3.51.3 can damage a WAL database when two
processes commit and checkpoint at the same instant (https://sqlite.org/wal.html#walresetbug). Before
each transaction, and every second without one, the files are checked: once they are lost, nothing is
written any more.
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

from grantha.errors import GranthaError, Internal, StorageFailed, StorageFull, StorageLost
from grantha.storage import full_text
from grantha.storage.file_watch import FileWatch
from grantha.storage.rows import raw_connection

T = TypeVar("T")
_log = logging.getLogger(__name__)

_LOCK_TIMEOUT = 5.0  # seconds to wait for another process before a write fails
_LOCK_POLL = 0.001  # seconds between two tries
_MAX_BATCH = 512  # jobs of one transaction, which the next one waits for
_WATCH_INTERVAL = 1.0  # seconds between two looks at the files while nothing is written
_CHECK_MAX_AGE = 1.0  # seconds for which the last write counts as a check
_CHECK_TIMEOUT = 2.0  # seconds after which a pending write counts as a failure


@dataclass(slots=True)
class _Job:
    run: Callable[[Connection], Any]
    done: asyncio.Future[Any]
    committed: Callable[[Any], None] | None = None
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Owns the only writing connection of this process."""

    def __init__(self, engine: Engine, lock_file: Path, watch: FileWatch) -> None:
        self._engine = engine
        self._watch = watch
        self.lost: StorageLost | None = None  # set once, for good
        self._lost_event = asyncio.Event()
        self._lock_path = lock_file
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.last_error: GranthaError | None = None
        self._last_attempt = float("-inf")  # by the monotonic clock
        self._probe_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the thread; called on the event loop on which `run` is awaited."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run_jobs, name="grantha-writer", daemon=True)
        self._thread.start()

    async def run(
        self, work: Callable[[Connection], T], committed: Callable[[T], None] | None = None
    ) -> T:
        """Runs `work(connection)` inside a transaction; returns once it is durable.

        Then `committed` is called with the result, in the writer's thread, before the next job.
        """
        if self._loop is None:
            raise StorageFailed("The store isn't open.")
        done: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Job(work, done, committed))
        # A cancelled caller must not cancel a write that others may already build on.
        return await asyncio.shield(done)

    async def until_lost(self) -> StorageLost:
        """Returns the error once the files are lost."""
        await self._lost_event.wait()
        return self.lost or StorageLost("The database was lost.")

    async def check(self) -> GranthaError | None:
        """Why writes fail now, or None. Makes a small write if the last one is a second old."""
        if time.monotonic() - self._last_attempt > _CHECK_MAX_AGE:
            if self._probe_task is None or self._probe_task.done():
                self._probe_task = asyncio.create_task(self._probe())
            done, _ = await asyncio.wait({self._probe_task}, timeout=_CHECK_TIMEOUT)
            if not done and self.last_error is None:
                return StorageFailed(
                    f"A write has been pending for {_CHECK_TIMEOUT:g} s: the disk is slow, or another "
                    "process has locked the database."
                )
        return self.last_error

    async def _probe(self) -> None:
        with contextlib.suppress(GranthaError):  # kept as the last error
            # The value is never read: setting it writes one page, in a commit like any other.
            await self.run(
                lambda connection: raw_connection(connection).execute("PRAGMA user_version=1")
            )

    async def aclose(self) -> None:
        """Finishes the queued jobs, then ends the thread."""
        if self._thread is not None:
            self._loop = None  # a later job would wait for ever
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    # ---- in the thread ----------------------------------------------------------------------

    def _run_jobs(self) -> None:
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

    def _next_batch(self) -> tuple[list[_Job], bool]:
        try:
            first = self._queue.get(timeout=_WATCH_INTERVAL)
        except queue.Empty:
            with contextlib.suppress(StorageLost, OSError):  # kept, or met by the next write
                self._check_files()
            return [], False
        if first is None:
            return [], True
        batch = [first]
        while len(batch) < _MAX_BATCH:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _commit_batch(
        self, connection: Connection | None, lock: IO[str], batch: list[_Job]
    ) -> Connection | None:
        try:
            _acquire(lock)
            self._check_files()
            connection = connection or self._engine.connect()
            raw = raw_connection(connection)
            raw.execute("BEGIN IMMEDIATE")
            for job in batch:
                _run_job(connection, raw, job)
            raw.execute("COMMIT")
            self.last_error = None
            for job in batch:
                if job.committed is not None and job.error is None:
                    job.committed(job.result)
            return connection
        except StorageLost as error:
            for job in batch:
                job.error = error
            return connection
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            self.last_error = storage_error(error)
            for job in batch:
                job.error = self.last_error
            # A connection that met a full disk or an I/O error may hold half a transaction.
            if connection is not None:
                connection.invalidate()
                connection.close()
            return None
        finally:
            self._last_attempt = time.monotonic()
            fcntl.flock(lock, fcntl.LOCK_UN)

    def _check_files(self) -> None:
        if self.lost is None:
            try:
                self._watch.check()
            except StorageLost as error:
                _log.critical("%s %s", error.message, error.advice)
                self.lost = self.last_error = error
                # The loop may be closed already; then nobody waits.
                if (loop := self._loop) is not None:
                    with contextlib.suppress(RuntimeError):
                        loop.call_soon_threadsafe(self._lost_event.set)
        if self.lost is not None:
            raise self.lost

    def _report(self, batch: list[_Job]) -> None:
        # The loop may be closed already; then nothing awaits these jobs.
        with contextlib.suppress(RuntimeError):
            batch[0].done.get_loop().call_soon_threadsafe(_resolve, batch)


def _acquire(lock: IO[str]) -> None:
    """Waits for the lock as long as SQLite waits for its own. Raises `BlockingIOError`."""
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_LOCK_POLL)
        else:
            return


def storage_error(error: BaseException) -> GranthaError:
    """The error of our tree for a database error, without the statement or its values."""
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
            advice="Stop Grantha and restore the newest backup with `grantha restore`.",
        )
    if isinstance(origin, OSError):
        return StorageFailed(f"The data folder can't be used: {origin.strerror}.")
    return StorageFailed(f"The database can't be used: {origin}.")


def _run_job(connection: Connection, raw: sqlite3.Connection, job: _Job) -> None:
    raw.execute("SAVEPOINT job")
    try:
        _run_with_index(connection, raw, job)
    except Exception as error:
        if isinstance(error, DBAPIError | sqlite3.Error) and not _fails_alone(error):
            raise  # the database itself: it may have rolled back the whole transaction
        raw.execute("ROLLBACK TO job")
        job.error = error if isinstance(error, GranthaError) else _internal_error(error)
    raw.execute("RELEASE job")


def _run_with_index(connection: Connection, raw: sqlite3.Connection, job: _Job) -> None:
    """Runs a job and, if it met a damaged full-text index, rebuilds that and runs the job again."""
    try:
        job.result = job.run(connection)
    except (DBAPIError, sqlite3.Error) as error:
        if not full_text.is_damaged(error):
            raise
        raw.execute("ROLLBACK TO job")
        full_text.rebuild(raw)
        job.result = job.run(connection)


def _internal_error(error: Exception) -> GranthaError:
    """The statement and its values stay in the chained error, for the log."""
    internal = Internal("Grantha's store had an internal error.")
    internal.__cause__ = error
    _log.error("a job of the store failed with %s", type(error).__name__)
    return internal


def _fails_alone(error: DBAPIError | sqlite3.Error) -> bool:
    origin = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(origin, sqlite3.IntegrityError | sqlite3.ProgrammingError)


def _resolve(batch: list[_Job]) -> None:
    for job in batch:
        if job.done.done():
            continue
        if job.error is not None:
            job.done.set_exception(job.error)
            job.done.exception()  # else asyncio warns when the caller was cancelled
        else:
            job.done.set_result(job.result)
