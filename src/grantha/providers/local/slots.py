"""Who uses which slot of a child. A slot holds one conversation's computed prompt at a time.

A new call gets the free slot that remembers most of its conversation, else the one unused for longest.
When all are in use, calls wait in order of arrival. The queue is bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from grantha.chat import Message
from grantha.errors import Overloaded, ProviderError

MAX_WAITING = 256


class Slots:
    """`count` slots, numbered from 0 as llama.cpp numbers them."""

    def __init__(self, count: int) -> None:
        self._free = list(range(count))  # unused for longest first
        self._cached_conversation: list[Sequence[Message]] = [()] * count
        self._waiting: deque[asyncio.Future[int]] = deque()

    @property
    def free(self) -> int:
        """How many are free now."""
        return len(self._free)

    async def acquire(self, conversation: Sequence[Message]) -> int:
        """A slot's number, once one is free; the caller gives it back. Raises `Overloaded`."""
        if self._free:
            slot = max(
                self._free,
                key=lambda free: _shared_messages(self._cached_conversation[free], conversation),
            )
            self._free.remove(slot)
        else:
            slot = await self._wait()
        self._cached_conversation[slot] = conversation
        return slot

    def acquire_if_free(self, slot: int) -> bool:
        """Takes this slot if it is free, to treat its cache as empty."""
        if slot not in self._free:
            return False
        self._free.remove(slot)
        self._cached_conversation[slot] = ()
        return True

    def close(self, error: ProviderError) -> None:
        """Closes the queue: waiting calls get the error."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_exception(error)

    def release(self, slot: int) -> None:
        """The slot is idle again."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(slot)
                return
        self._free.append(slot)

    async def _wait(self) -> int:
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded(
                f"{MAX_WAITING} answers are waiting for this model already",
                advice="Try again in a while.",
                provider="local",
            )
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release(turn.result())
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise


def _shared_messages(remembered: Sequence[Message], conversation: Sequence[Message]) -> int:
    count = 0
    for known, message in zip(remembered, conversation, strict=False):
        if known != message:
            break
        count += 1
    return count
