"""How many clients read, over which transport, and how many may: one counter for the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from grantha.errors import Busy

TransportName = Literal["sse", "ndjson", "websocket", "json"]


class ReaderLimits:
    """`most` is how many may read at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.active: Counter[str] = Counter()
        self.attached: Counter[tuple[str, bool]] = Counter()  # transport, with a cursor of its own

    @contextmanager
    def reading(self, transport: TransportName, *, resumed: bool) -> Iterator[None]:
        """Counts a reader as long as the block runs. Raises `Busy` when there are too many."""
        if self.active.total() >= self._most:
            raise Busy(f"This server lets {self._most} clients read at a time, and that many do.")
        self.active[transport] += 1
        self.attached[transport, resumed] += 1
        try:
            yield
        finally:
            self.active[transport] -= 1
