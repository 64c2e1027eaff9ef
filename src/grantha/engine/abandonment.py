"""Ends generations that have no reader any more, where their request allows that.

Owns one timer for each such generation. It runs while there is no reader; before the first one comes it
runs for at least `first_reader` seconds, so that neither a start nor a restart is taken for a client
that left. Knows nothing of logs and upstreams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self


class ReaderCount:
    """The readers of one generation. Calls `abandoned` once none has been there for `after` seconds.

    A first reader is waited for at least `first_reader` seconds. With `after` None it only counts.
    `close` must be called when the generation has ended.
    """

    def __init__(
        self, after: float | None, abandoned: Callable[[], None], *, first_reader: float
    ) -> None:
        self._after = after
        self._abandoned = abandoned
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        if after is not None:
            self._wait(max(after, first_reader))

    def attach(self) -> Attachment:
        """Counts a reader until its attachment is closed."""
        self._count += 1
        self._cancel()
        return Attachment(self._detach)

    def close(self) -> None:
        """Stops waiting for readers."""
        self._after = None
        self._cancel()

    def _detach(self) -> None:
        self._count -= 1
        if self._count == 0 and self._after is not None:
            self._wait(self._after)

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._abandoned)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Attachment:
    """One reader's presence. Closing it twice is harmless; `with` closes it."""

    def __init__(self, detach: Callable[[], None] | None = None) -> None:
        self._detach = detach

    def close(self) -> None:
        """The reader has left."""
        detach, self._detach = self._detach, None
        if detach is not None:
            detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()
