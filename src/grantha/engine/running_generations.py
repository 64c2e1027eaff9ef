"""The generations that this process is writing, by id."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from typing_extensions import override

from grantha.chat import Options
from grantha.engine.abandonment import ReaderCount
from grantha.engine.log import Log
from grantha.engine.runner import Runner
from grantha.storage.base import GenerationRow

_CANCEL_TIMEOUT = 2.0  # seconds for cancelled generations to hand over


@dataclass(slots=True)
class RunningGeneration:
    """A generation, the subject it belongs to, and what writes it."""

    row: GenerationRow
    subject: str
    log: Log
    runner: Runner
    readers: ReaderCount
    task: asyncio.Task[None] | None = None


class RunningGenerations(Mapping[str, RunningGeneration]):
    """The registry. A generation is in it from its start until its task ends."""

    def __init__(self) -> None:
        self._by_id: dict[str, RunningGeneration] = {}

    @override
    def __getitem__(self, generation: str) -> RunningGeneration:
        return self._by_id[generation]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    @override
    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, running: RunningGeneration) -> None:
        """Registers a generation under its id."""
        self._by_id[running.row.id] = running

    def remove(self, generation: str) -> None:
        """Forgets a generation; unknown ids are ignored."""
        self._by_id.pop(generation, None)

    def of_conversation(self, subject: str, conversation: str) -> list[str]:
        """Ids of the generations of one conversation."""
        return [
            running.row.id
            for running in self._by_id.values()
            if running.subject == subject and running.row.conversation == conversation
        ]

    def log(self, generation: str) -> Log | None:
        """The log of a generation, or None if it isn't running here."""
        running = self._by_id.get(generation)
        return running.log if running else None

    def options(self, generation: str) -> tuple[str, Options] | None:
        """Model and options in force now, or None if it isn't running here."""
        running = self._by_id.get(generation)
        return (running.runner.model, running.runner.options) if running else None

    async def drain(self, timeout: float) -> int:
        """Waits up to `timeout` seconds for the tasks, cancels the rest, and returns their number."""
        tasks = {running.task for running in self._by_id.values() if running.task is not None}
        if not tasks:
            return 0
        _, left = await asyncio.wait(tasks, timeout=timeout)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CANCEL_TIMEOUT)
        return len(left)
