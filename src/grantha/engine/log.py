"""The log of one running generation: takes events, numbers them, keeps a short tail, wakes readers.

Events that were added wait until the flusher takes them; only after the store has them are they
published. So nothing is ever shown that isn't durable. Text that waits is joined into one record.
The tail is bounded in bytes; what is older is read from the store. Knows no store and no clock but
the one it is given.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Sequence

from grantha.events import (
    Event,
    GenerationEnd,
    ReasoningDelta,
    Record,
    RecordId,
    TextDelta,
    ToolCallDelta,
    merge_deltas,
    replace_surrogates,
)

_RECORD_COST = 400  # bytes of a record besides its text, so that many small ones are bounded too


class Log:
    """One owner writes, any number of readers wait. All methods run on the event loop.

    `changed` is called when there is something to flush; its flag says that it can't wait. `opening`
    is all that the log holds already: its readers then needn't ask the store for it.
    """

    def __init__(
        self,
        generation: str,
        last: RecordId,
        *,
        now_ms: Callable[[], int],
        changed: Callable[[Log, bool], None],
        tail_bytes: int,
        opening: Sequence[Record] = (),
    ) -> None:
        self.generation = generation
        self.published = last  # the last id that readers may have
        self.text_length = 0
        self.deltas = 0
        self.end: GenerationEnd | None = None  # set once published
        self.fenced = False
        self.handed_over = False  # handed over: nothing more comes from this owner
        self.pending_bytes = 0
        self.last_flush = -1e9  # loop time of the last publication
        self.taken: tuple[Record, ...] = ()  # being written by the store right now
        self.sealed = False  # an end was added; nothing can follow it
        self._epoch = last.epoch
        self._next = last.seq + 1
        self._now_ms = now_ms
        self._changed = changed
        self._tail_limit = tail_bytes
        self._tail: deque[Record] = deque()
        self._tail_bytes = 0
        self._pending: list[Event] = []
        self._digest = hashlib.sha256()
        self._listeners: set[Callable[[], None]] = set()
        self._flush_waiters: list[asyncio.Future[None]] = []
        self._complete = bool(opening)  # the tail reaches back to the log's first record
        for record in opening:
            self._append_to_tail(record)

    # ---- the owner -------------------------------------------------------------------------

    def resume(self, event: Event) -> None:
        """Counts an event that is in the log already into length, deltas and hash."""
        if isinstance(event, TextDelta):
            self._count(event.text)
        if isinstance(event, TextDelta | ReasoningDelta):
            self.deltas += event.deltas

    def add(self, event: Event) -> None:
        """Takes an event. Deltas of one part join while they wait; everything else flushes soon."""
        if self.sealed or self.fenced:
            return
        event = replace_surrogates(event)
        if isinstance(event, TextDelta):
            self._count(event.text)
            self.deltas += event.deltas
            self.pending_bytes += len(event.text)
        elif isinstance(event, ReasoningDelta):
            self.deltas += event.deltas
            self.pending_bytes += len(event.text)
        elif isinstance(event, ToolCallDelta):
            self.pending_bytes += len(event.arguments)
        elif isinstance(event, GenerationEnd):
            self.sealed = True
        self._pending.append(event)
        self._changed(self, not isinstance(event, TextDelta | ReasoningDelta | ToolCallDelta))

    def digest(self) -> str:
        """SHA-256 of all text that was added so far, hex."""
        return self._digest.hexdigest()

    async def flushed(self) -> None:
        """Returns once all that was added is durable and published, or the log was fenced."""
        if self.fenced or not self.has_unflushed:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._flush_waiters.append(waiter)
        self._changed(self, True)
        await waiter

    # ---- the flusher -----------------------------------------------------------------------

    def take(self) -> tuple[Record, ...]:
        """Numbers what waits; the records stay with the log until `publish` or `take` again."""
        if self.taken:
            return self.taken  # the last attempt failed: the same records under the same ids
        at = self._now_ms()
        records = []
        for event in merge_deltas(self._pending):
            records.append(Record(RecordId(self._epoch, self._next), at, event))
            self._next += 1
        self._pending.clear()
        self.pending_bytes = 0
        self.taken = tuple(records)
        return self.taken

    def publish(self, loop_time: float) -> None:
        """The taken records are durable: lets readers have them."""
        records, self.taken = self.taken, ()
        if records:
            self.last_flush = loop_time
            self.published = records[-1].id
            for record in records:
                self._append_to_tail(record)
            last = records[-1].event
            if isinstance(last, GenerationEnd):
                self.end = last
        if not self._pending:
            self._release()
        self._wake()

    def fence(self) -> None:
        """Another owner has the generation: nothing more of ours will enter."""
        self.fenced = True
        self.taken = ()
        self._pending.clear()
        self._release()
        self._wake()

    def hand_over(self) -> None:
        """This owner stops in the middle: readers are let go, to come back to the next one."""
        self.handed_over = True
        self._wake()

    @property
    def has_unflushed(self) -> bool:
        """Whether something was added that isn't durable yet."""
        return bool(self._pending or self.taken)

    # ---- readers ---------------------------------------------------------------------------

    def records_after(self, cursor: RecordId) -> list[Record] | None:
        """Published records after a cursor; None if some of them have left the tail."""
        if cursor >= self.published:
            return []
        if not self._complete and (not self._tail or self._tail[0].id > _after(cursor)):
            return None
        missing = self.published.seq - cursor.seq
        if cursor.epoch != self._epoch or missing > len(self._tail):
            return [record for record in self._tail if record.id > cursor]
        start = len(self._tail) - missing
        return [self._tail[i] for i in range(start, len(self._tail))]

    def subscribe(self, published: Callable[[], None]) -> None:
        """Calls `published` after each publication, fence or handover, until `unsubscribe`.

        It runs in a turn of the loop of its own, so that nothing of a reader runs inside the commit.
        A call that is on its way when `unsubscribe` is called still comes.
        """
        self._listeners.add(published)

    def unsubscribe(self, published: Callable[[], None]) -> None:
        """Removes a listener."""
        self._listeners.discard(published)

    # ---- helpers below ---------------------------------------------------------------------

    def _count(self, text: str) -> None:
        self.text_length += len(text)
        self._digest.update(text.encode())

    def _append_to_tail(self, record: Record) -> None:
        self._tail.append(record)
        self._tail_bytes += _cost(record)
        while self._tail_bytes > self._tail_limit and len(self._tail) > 1:
            self._tail_bytes -= _cost(self._tail.popleft())
            self._complete = False

    def _wake(self) -> None:
        if self._listeners:
            loop = asyncio.get_running_loop()
            for published in self._listeners:
                loop.call_soon(published)

    def _release(self) -> None:
        for waiter in self._flush_waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._flush_waiters.clear()


def _after(cursor: RecordId) -> RecordId:
    return RecordId(cursor.epoch, cursor.seq + 1)


def _cost(record: Record) -> int:
    event = record.event
    return _RECORD_COST + (len(event.text) if isinstance(event, TextDelta | ReasoningDelta) else 0)
