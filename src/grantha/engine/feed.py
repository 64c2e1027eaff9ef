"""Changes for every open tab: which conversation, message or generation changed.

A ring of the latest changes and a cursor for each listener; a listener that is too far behind gets one
change "everything". Nothing here is durable: the store is the source of truth.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Literal

MAX_REMEMBERED = 1024  # of all listeners together

ChangeKind = Literal[
    "conversation", "conversation-deleted", "message", "generation", "models", "everything"
]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that belongs to a subject changed; the listener reads its state from the store."""

    change: ChangeKind
    subject: str
    conversation: str | None = None
    generation: str | None = None


class Feed:
    """One for the process."""

    def __init__(self) -> None:
        self._ring: deque[Change] = deque(maxlen=MAX_REMEMBERED)
        self._count = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def publish(self, change: Change) -> None:
        """Adds a change and wakes the listeners."""
        self._ring.append(change)
        self._count += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def listen(self, subject: str) -> Listener:
        """A listener from now on."""
        return Listener(self, subject, self._count)

    def after(self, cursor: int) -> tuple[int, list[Change] | None]:
        """The new cursor and the changes after the old one; None if some have left the ring."""
        missed = self._count - cursor
        if missed > len(self._ring):
            return self._count, None
        return self._count, list(self._ring)[len(self._ring) - missed :]

    async def wait(self, cursor: int) -> None:
        """Returns once there is something after a cursor."""
        if self._count > cursor:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)


class Listener:
    """Changes of one subject, in order, equal ones merged."""

    def __init__(self, feed: Feed, subject: str, cursor: int) -> None:
        self._feed = feed
        self._subject = subject
        self._cursor = cursor

    async def changes(self) -> list[Change]:
        """Waits for the next ones."""
        while True:
            await self._feed.wait(self._cursor)
            self._cursor, found = self._feed.after(self._cursor)
            if found is None:
                return [Change("everything", self._subject)]
            mine = [change for change in found if change.subject == self._subject]
            if mine:
                return list(dict.fromkeys(mine))
