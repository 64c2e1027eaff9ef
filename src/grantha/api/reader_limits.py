"""Counts the clients that read, by transport, and enforces the limit of the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from grantha.errors import Busy

TransportName = Literal["sse", "ndjson", "websocket", "json"]


class ReaderLimits:
    """`most` is the number of concurrent readers allowed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.active: Counter[str] = Counter()
        self.attached: Counter[tuple[str, bool]] = (
            Counter()
        )  # transport, whether the client sent a cursor

    @contextmanager
    def reading(self, transport: TransportName, *, resumed: bool) -> Iterator[None]:
        """Counts a reader while the block runs. Raises `Busy` above the limit."""
        if self.active.total() >= self._most:
            raise Busy(f"This server's limit of {self._most} concurrent readers is reached.")
        self.active[transport] += 1
        self.attached[transport, resumed] += 1
        try:
            yield
        finally:
            self.active[transport] -= 1
