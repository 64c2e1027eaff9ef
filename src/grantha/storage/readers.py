"""Reads in threads, in two lanes, so that quick reads never wait for slow ones.

Each lane has threads of its own: however many searches and summaries run, a thread that none of them can
take is left for the reads that every page and every stream makes.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from grantha.storage.connect import reading_engine
from grantha.storage.writer import storage_error

T = TypeVar("T")
_THREADS = 2  # of each lane


class ReaderPool:
    """Owns the reading connections, one for each thread, and closes them."""

    def __init__(self, path: Path) -> None:
        self._engine = reading_engine(path, 2 * _THREADS)
        self._quick = ThreadPoolExecutor(_THREADS, thread_name_prefix="grantha-reader")
        self._slow = ThreadPoolExecutor(_THREADS, thread_name_prefix="grantha-slow-reader")

    async def run(self, work: Callable[[Connection], T], *, slow: bool = False) -> T:
        """Runs `work(connection)`. `slow` is for what reads more rows than it returns.

        Raises `StorageFailed` for what SQLite raises.
        """
        lane = self._slow if slow else self._quick
        return await asyncio.get_running_loop().run_in_executor(lane, self._read, work)

    async def aclose(self) -> None:
        """Waits for the reads that run, then closes the connections."""
        for lane in (self._quick, self._slow):
            await asyncio.to_thread(lane.shutdown)
        self._engine.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection:
                return work(connection)
        except (DBAPIError, sqlite3.Error) as error:
            raise storage_error(error) from error
