"""Ctrl-C while an answer is read: the first stops it at its server, the second leaves.

An answer outlives its readers, so leaving alone would let it go on, and be billed.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Self

from grantha.client import Generation
from grantha.errors import GranthaError


class Brake:
    """Entered by the task that it may cancel. `pulled` counts; `told` is called at the first."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self.pulled = 0
        self._generation: Generation | None = None
        self._task: asyncio.Task[object] | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._pull)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        if self._stopping is not None and self.pulled < 2:
            await self._stopping

    def hold(self, generation: Generation) -> None:
        """From now on there is something to stop; a pull that came before counts."""
        self._generation = generation
        if self.pulled:
            self.stop()

    def stop(self) -> None:
        """Stops the answer, without waiting for it."""
        if self._stopping is None and self._generation is not None:
            self._stopping = asyncio.create_task(self._stop(self._generation))

    def _pull(self) -> None:
        self.pulled += 1
        if self.pulled > 1 and self._task is not None:
            self._task.cancel()
        else:
            self._told()
            self.stop()

    async def _stop(self, generation: Generation) -> None:
        # A server that is away is told by the reader; its absence here says nothing new.
        with contextlib.suppress(GranthaError):
            await generation.stop()
