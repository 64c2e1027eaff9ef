"""Ctrl-C while an answer is shown: the first stops it at the server, the second exits.

An answer outlives its readers, so only exiting would let it continue, and be billed.
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


class InterruptHandler:
    """Entered by the task it may cancel. `count` counts interrupts; `on_first` is called at the first."""

    def __init__(self, on_first: Callable[[], None]) -> None:
        self._on_first = on_first
        self.count = 0
        self._generation: Generation | None = None
        self._task: asyncio.Task[object] | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._interrupted)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        if self._stopping is not None and self.count < 2:
            await self._stopping

    def watch(self, generation: Generation) -> None:
        """Sets the answer to stop; an interrupt that came earlier stops it now."""
        self._generation = generation
        if self.count:
            self.stop()

    def stop(self) -> None:
        """Stops the answer, without waiting for it."""
        if self._stopping is None and self._generation is not None:
            self._stopping = asyncio.create_task(self._stop(self._generation))

    def _interrupted(self) -> None:
        self.count += 1
        if self.count > 1 and self._task is not None:
            self._task.cancel()
        else:
            self._on_first()
            self.stop()

    async def _stop(self, generation: Generation) -> None:
        # An unreachable server is reported by the reader already.
        with contextlib.suppress(GranthaError):
            await generation.stop()
