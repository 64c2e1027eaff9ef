"""One reply of a local model: the HTTP upstream, and the slot that it is computed in.

Closing it ends the computation, and checks that it has ended: llama.cpp notices a closed connection at
its next token or batch of the prompt.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from grantha.errors import ProviderError
from grantha.events import UpstreamEvent
from grantha.providers.http import HttpUpstream
from grantha.providers.local.worker_process import Worker

CONFIRMATION = 0.2  # seconds that closing waits to see the slot idle


class SlotLease:
    """The right to one slot of one child. Released once, by its holder."""

    def __init__(self, worker: Worker, slot: int, left: Callable[[], None]) -> None:
        self.worker = worker
        self.slot = slot
        self._left: Callable[[], None] | None = left

    def release(self, *, idle: bool) -> None:
        """Gives the slot back now (`idle`) or when the computation has ended. Idempotent."""
        left, self._left = self._left, None
        if left is not None:
            self.worker.release(self.slot, idle=idle)
            left()


class LocalUpstream:
    """See `grantha.providers.base.Upstream`."""

    resume_token: str | None = None

    def __init__(self, inner: HttpUpstream, lease: SlotLease) -> None:
        self._inner = inner
        self._lease = lease
        self._ended = False
        self._confirmed: bool | None = None

    async def __aiter__(self) -> AsyncIterator[Sequence[UpstreamEvent]]:
        try:
            async for events in self._inner:
                yield events
        except ProviderError as error:
            if self._confirmed is not None:
                raise  # closed by ourselves: nothing to explain
            raise await self._lease.worker.explain_error(error) from error
        self._ended = True

    async def aclose(self) -> bool:
        """Ends the computation. True when it was seen to have ended, in this or an earlier call."""
        if self._confirmed is not None:
            return self._confirmed
        self._confirmed = False
        try:
            await self._inner.aclose()
            lease = self._lease
            self._confirmed = self._ended or await lease.worker.idle(lease.slot, CONFIRMATION)
        finally:
            self._lease.release(idle=self._confirmed)
        return self._confirmed
