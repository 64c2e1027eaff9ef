"""A reader: a cursor over one log, on any transport.

Each read returns everything after the cursor, merged, so a slow client gets few large frames and nothing
is queued for it. Recent records come from the running log's tail, older ones from the store. A read that
waits may pass new frames to `push` in the loop's next turn after their publication, which spares waking
its task for each frame.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable

from grantha.engine.log import Log
from grantha.errors import StorageLost
from grantha.events import Frame, GenerationEnd, Record, RecordId, merge
from grantha.storage.base import Store

Push = Callable[[list[Frame]], bool]  # takes frames, or says no; never waits, never raises
_PAGE = 512  # records from the store at a time
_WAIT = 3600.0  # seconds of one read in a loop; any long time does
_POLL = 0.25  # seconds, while a generation runs that no owner has taken up yet


class Reader:
    """Reads one generation from `cursor` on.

    `find_log` gives the log while it runs here; `is_closing` says whether none will begin here any more.
    """

    def __init__(
        self,
        store: Store,
        subject: str,
        generation: str,
        cursor: RecordId,
        find_log: Callable[[str], Log | None],
        *,
        is_closing: Callable[[], bool] = lambda: False,
    ) -> None:
        self.cursor = cursor
        self.generation = generation
        self.ended = False  # nothing follows here: the end record was read, or the owner has left
        self.closed = False
        self._waiter: asyncio.Future[None] | None = None
        self._timeout = 0.0  # of the read that waits, in seconds
        self._deadline = 0.0
        self._push: Push | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._store = store
        self._subject = subject
        self._find_log = find_log
        self._is_closing = is_closing
        self._log: Log | None = None
        self._replayed: list[Frame] | None = None

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """Every frame up to the end of the log, or until the reader is closed."""
        while not (self.ended or self.closed):
            for frame in await self.read(_WAIT):
                yield frame

    def replay(self, frames: list[Frame]) -> None:
        """Gives these frames and nothing else: the log's own records have been trimmed."""
        self._replayed = frames

    async def read(self, timeout: float, push: Push | None = None) -> list[Frame]:
        """The next frames, or nothing after `timeout` seconds or once `ended` is set.

        Frames that come while it waits are offered to `push`; those that it takes are read, and the
        time starts again. The end record is never offered.
        """
        if self._replayed is not None:
            frames, self._replayed, self.ended = self._replayed, [], True
            return frames
        loop = asyncio.get_running_loop()
        self._timeout, self._push = timeout, push
        self._deadline = loop.time() + timeout
        while True:
            try:
                records = await self._available()
            except StorageLost:
                # Closing without an end makes the client come back, and get this error as its reply.
                self.ended = True
                return []
            if records:
                return self._advance(records)
            if self.ended or self.closed or self._deadline <= loop.time():
                return []
            await self._wait(self._deadline - loop.time())

    def close(self) -> None:
        """The client went away: a `read` that waits returns at once."""
        self.closed = True
        self._disarm()
        if self._waiter is not None:
            _resolve(self._waiter)

    async def _available(self) -> list[Record]:
        log = self._find_log(self.generation) if self._log is None else self._log
        if log is not None and not log.fenced:
            self._log = log
            records = log.records_after(self.cursor)
            if records is not None:
                self.ended = not records and (log.end is not None or log.handed_over)
                return records
        records = await self._stored()
        # An ended log whose records are gone was trimmed: closing without an end makes the client come
        # back with its id and get a 410.
        if not records and (log is None or log.fenced or log.end is not None):
            # A stream that is open while its conversation is deleted gets the end record all the same.
            row = await self._store.generation(self._subject, self.generation, include_deleted=True)
            if row.status != "running":
                # What was written between the two queries is still to be read.
                records = await self._stored()
                self.ended = not records
            elif self._is_closing():
                self.ended = True  # the next owner is another process
        return records

    async def _stored(self) -> list[Record]:
        return await self._store.records(self._subject, self.generation, self.cursor, _PAGE)

    def _advance(self, records: list[Record]) -> list[Frame]:
        self.cursor = records[-1].id
        if isinstance(records[-1].event, GenerationEnd):
            self.ended = True
            self._disarm()
        return merge(records)

    async def _wait(self, timeout: float) -> None:
        log = self._log
        if log is None or log.fenced:
            await asyncio.sleep(min(_POLL, timeout))
            return
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._deadline, _check_deadline, weakref.ref(self))
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        log.subscribe(self._published)
        try:
            await waiter
        finally:
            log.unsubscribe(self._published)
            self._waiter = None

    def _published(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done() and not self._pushed(waiter):
            waiter.set_result(None)

    def _pushed(self, waiter: asyncio.Future[None]) -> bool:
        log, push = self._log, self._push
        if push is None or log is None or log.fenced or log.handed_over or log.end is not None:
            return False
        records = log.records_after(self.cursor)
        if not records or not push(merge(records)):
            return False
        self.cursor = records[-1].id
        self._deadline = waiter.get_loop().time() + self._timeout
        return True

    def check_deadline(self) -> None:
        """The timer: ends a wait whose time is over, else looks again then.

        One timer serves many waits, since most end long before their time.
        """
        self._timer = None
        if self._waiter is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._deadline:
            _resolve(self._waiter)
        else:
            self._timer = loop.call_at(self._deadline, _check_deadline, weakref.ref(self))

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _check_deadline(reader: weakref.ref[Reader]) -> None:
    # Weakly, so that a timer doesn't keep an unused reader and its log's tail in memory.
    found = reader()
    if found is not None:
        found.check_deadline()


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
