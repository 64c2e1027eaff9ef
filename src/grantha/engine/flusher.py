"""Decides when logs are written: one task for all of them, one store call a tick (group commit).

Text is written at once if nothing of its log was flushed within the window; otherwise it waits for the
end of the window, for `flush_bytes`, or for any event that isn't a delta. The window grows with the time
that a tick takes and with the share of a core that the loop uses, so that load makes frames larger
instead of readers fewer. Ticks of different logs that follow each other are spaced a little, so
that more logs share a commit; a single log never waits for it. While the store fails nothing is lost:
the same records are written again under the same ids, after a pause that nothing cuts short.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from grantha.engine.log import Log
from grantha.errors import GranthaError
from grantha.storage.base import Append

_log = logging.getLogger(__name__)
_SLACK = 0.002  # seconds: logs due this soon share the tick
_TICK_SPACING = 0.008  # seconds between the starts of ticks, where nothing else spaces them
_BURST = 3 * _TICK_SPACING  # a few ticks may follow each other at once
_TICKS_PER_WINDOW = 4  # a tick may take a quarter of the window before the window grows
_BUSY, _FULL = 0.5, 0.8  # shares of a core between which the window grows from least to most
_MAX_RETRY = 2.0  # seconds between tries while the store fails


@dataclass(frozen=True, slots=True)
class FlushState:
    """`window` is how long text may wait now, in seconds, and `lag` how long the last write took.

    `failing` is the error of the last write, None once one has succeeded.
    """

    window: float
    lag: float
    failing: GranthaError | None


class Flusher:
    """Owns the order of `take`, `append`, `publish`. Times in seconds of the loop's clock.

    `load` returns the share of a core that the loop uses, from 0 to 1.
    """

    def __init__(
        self,
        append: Callable[[Sequence[Append]], Awaitable[set[str]]],
        *,
        window: float,
        window_behind: float,
        flush_bytes: int,
        first_retry: float,
        load: Callable[[], float],
    ) -> None:
        self._append = append
        self._load = load
        self._min_window = window
        self._max_window = window_behind
        self._flush_bytes = flush_bytes
        self._first_retry = first_retry
        self.window = window
        self.lag = 0.0  # seconds from numbering records to their publication, at the last write
        self.failing: GranthaError | None = None
        self._due: dict[Log, float] = {}
        self._pace = 0.0  # loop time by which the ticks so far would be over, spaced evenly
        self._last_alone: Log | None = None  # the one log of the last tick
        self._not_before = (
            0.0  # loop time; in the future while ticks are spaced, or while the store fails
        )
        self._wake = asyncio.Event()
        self._asleep_until = 0.0  # loop time up to which the task waits; 0 while it doesn't
        self._unstored = False
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the task."""
        self._task = asyncio.create_task(self._run(), name="flusher")

    @property
    def state(self) -> FlushState:
        """How writing goes now."""
        return FlushState(self.window, self.lag, self.failing)

    def give_up_storing(self) -> None:
        """The store is lost for good: readers get what is left of each log, its end above all."""
        self._unstored = True
        self._not_before = 0.0
        self._wake.set()

    async def aclose(self, timeout: float = 2.0) -> None:
        """Flushes what is due, for at most `timeout` seconds, and ends the task."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            _, pending = await asyncio.wait({self._task}, timeout=timeout)
            for task in pending:
                task.cancel()

    def changed(self, log: Log, urgent: bool) -> None:
        """A log has something to flush; if `urgent`, now."""
        at_once = urgent or log.pending_bytes >= self._flush_bytes
        due = 0.0 if at_once else log.last_flush + self.window
        known = self._due.get(log)
        if known is None or due < known:
            self._due[log] = due
            # Else every delta would wake the task to look through all due logs for nothing.
            if max(due, self._not_before) < self._asleep_until:
                self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        retry = self._first_retry
        while not (self._closing and not self._due):
            ready = await self._ready()
            if not ready:
                continue
            started = loop.time()
            try:
                await self._tick(ready)
                retry = self._first_retry
                self._space_ticks(ready, started)
            except GranthaError as error:
                self._not_before = loop.time() + retry
                self._failed(error, ready)
                retry = min(2 * retry, _MAX_RETRY)
                if self._closing:
                    return
            self._adapt(loop.time() - started)

    def _space_ticks(self, flushed: list[Log], started: float) -> None:
        alone = flushed[0] if len(flushed) == 1 else None
        if alone is None or alone is not self._last_alone:
            self._pace = max(self._pace, started) + _TICK_SPACING
        self._last_alone = alone
        self._not_before = self._pace - _BURST

    async def _ready(self) -> list[Log]:
        """Logs that are due now, or none after waiting for a change."""
        now = asyncio.get_running_loop().time()
        if self._due and (self._closing or now + _SLACK >= self._not_before):
            limit = now + _SLACK
            ready = [log for log, due in self._due.items() if due <= limit or self._closing]
            if ready:
                for log in ready:
                    del self._due[log]
                return ready
        self._wake.clear()
        await self._pause()
        return []

    async def _pause(self) -> None:
        timer = None
        self._asleep_until = math.inf
        if self._due:
            self._asleep_until = max(min(self._due.values()), self._not_before)
            loop = asyncio.get_running_loop()
            timer = loop.call_at(self._asleep_until, self._wake.set)
        await self._wake.wait()
        self._asleep_until = 0.0
        if timer is not None:
            timer.cancel()

    async def _tick(self, ready: list[Log]) -> None:
        batch = [Append(log.generation, records) for log in ready if (records := log.take())]
        began = asyncio.get_running_loop().time()
        fenced = await self._append(batch) if batch and not self._unstored else set()
        now = asyncio.get_running_loop().time()
        self.lag = now - began if batch else self.lag
        self.failing = None
        for log in ready:
            if log.generation in fenced:
                log.fence()
                continue
            log.publish(now)
            if log.has_unflushed and log not in self._due:
                self.changed(log, False)

    def _failed(self, error: GranthaError, ready: list[Log]) -> None:
        if self.failing is None:
            _log.error("records can't be written: %s", error.message)
        self.failing = error
        for log in ready:
            self._due[log] = 0.0

    def _adapt(self, tick: float) -> None:
        for_tick = 0.7 * self.window + 0.3 * tick * _TICKS_PER_WINDOW
        strain = min(max((self._load() - _BUSY) / (_FULL - _BUSY), 0.0), 1.0)
        for_load = self._min_window + strain * (self._max_window - self._min_window)
        self.window = min(max(for_tick, for_load), self._max_window)
