"""How busy the event loop is: the share of the time in which its thread was on a core.

Delays show that a loop is behind only when it is too late: until then they are near zero. The share of a
core that it takes shows it coming.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_SPAN = 0.1  # minimum seconds between two measurements
_NEW = 0.3  # weight of the newest measurement


class Load:
    """Measures the calling thread. Both clocks in seconds."""

    def __init__(
        self,
        on_core: Callable[[], float] = time.thread_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_core = on_core
        self._clock = clock
        self._spent: float | None = None  # CPU time at the last measurement
        self._at = 0.0
        self._share = 0.0

    def share(self) -> float:
        """Between 0 and 1, over the last few tenths of a second."""
        now = self._clock()
        if self._spent is None:
            self._spent, self._at = self._on_core(), now
        elif now - self._at >= _SPAN:
            spent = self._on_core()
            newest = min((spent - self._spent) / (now - self._at), 1.0)
            self._share += _NEW * (newest - self._share)
            self._spent, self._at = spent, now
        return self._share
