"""Readers, owners and crashes in any order: no record is lost, doubled or reordered, ever.

A model-based test: hypothesis chooses steps (let the provider write, read a little, crash and start
again, freeze an owner while another takes over, change, fail the store, stop) and shrinks what breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from grantha.errors import Conflict
from grantha.events import START, Open
from grantha.fold import Fold
from grantha.storage.base import GenerationRow
from tests.engine.rig import DEADLINE, ME, Rig
from tests.scripts import counted

COUNT = 120


class Cursor:
    """One reader: what it has, judged as it comes."""

    def __init__(self) -> None:
        self.last = START
        self.folded = Fold()

    def take(self, frames: list[Any]) -> None:
        for frame in frames:
            if isinstance(frame.event, Open):
                assert frame.id == (self.last.epoch + 1, 0)
                assert frame.event.previous == (None if self.last == START else str(self.last))
            else:
                assert frame.id == (self.last.epoch, self.last.seq + frame.records)
            self.last = frame.id
            self.folded.apply(frame.event)


class EngineMachine(RuleBasedStateMachine):
    """One answer, four readers, owners that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.readers = [Cursor() for _ in range(4)]
        self.retired: list[Rig] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Runs one step on the machine's own loop, within a deadline."""
        return self.loop.run_until_complete(asyncio.wait_for(work, DEADLINE))

    @initialize()
    def begin(self) -> None:
        self.rig = self.run(Rig(self.folder).open())
        self.model = self.rig.script(
            "gated",
            {"repeat": "w{n} ", "count": COUNT},
            gate="gate",
            capabilities={"prefix": True},
        )
        self.row: GenerationRow = self.run(self.rig.ask(self.model))

    @rule(fragments=st.integers(1, 20))
    def write(self, fragments: int) -> None:
        """The provider may write some more, and is given time to."""
        self.rig.allow("gate", fragments)
        self.run(asyncio.sleep(0.01))

    @rule(who=st.integers(0, 3), rounds=st.integers(1, 3))
    def read(self, who: int, rounds: int) -> None:
        """A reader attaches with what it has and goes away after a few frames."""
        cursor = self.readers[who]

        async def some() -> None:
            reader = self.rig.supervisor.reader(ME, self.row.id, cursor.last)
            for _ in range(rounds):
                cursor.take(await reader.read(0.005))

        self.run(some())

    @rule()
    def crash(self) -> None:
        """The owner is killed; the next one takes up what it left."""
        self.run(self.rig.crash())
        self.rig = self.run(self.rig.start_again())

    @rule()
    def stop_in_order(self) -> None:
        """The owner hands over; the next one goes on."""
        self.run(self.rig.aclose())
        self.rig = self.run(self.rig.start_again())

    @rule()
    def freeze(self) -> None:
        """Another takes over while the owner is frozen; when it wakes, it is fenced."""
        if len(self.retired) < 2:
            self.retired.append(self.rig)
            self.rig = self.run(self.rig.start_again())

    @rule(temperature=st.sampled_from([0.1, 0.5, 0.9]))
    def change(self, temperature: float) -> None:
        """Somebody moves a slider."""
        with contextlib.suppress(Conflict):  # it has ended
            self.run(self._change(temperature))

    async def _change(self, temperature: float) -> None:
        self.rig.supervisor.change(ME, self.row.id, {"temperature": temperature}, None)
        await asyncio.sleep(0)

    @rule()
    def stop(self) -> None:
        """Somebody stops it."""
        row, _receipt = self.run(self.rig.supervisor.stop(ME, self.row.id))
        assert row.status != "running"

    @invariant()
    def readers_hold_a_beginning_of_the_answer(self) -> None:
        whole = counted(COUNT)
        for cursor in self.readers:
            assert whole.startswith(cursor.folded.text())

    def teardown(self) -> None:
        """In the end everybody reads everything, and all have the same."""
        try:
            if hasattr(self, "rig"):
                self.rig.allow("gate")
                self.run(self._finish())
        finally:
            self.loop.run_until_complete(self._close())
            self.loop.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _finish(self) -> None:
        for cursor in self.readers:
            cursor.take(await self.rig.frames(self.row.id, cursor.last))
        stored = await self.rig.store.message(ME, self.row.message)
        text = "".join(part.text for part in stored.parts if part.type == "text")
        for cursor in self.readers:
            end = cursor.folded.end
            assert end is not None
            assert cursor.folded.text() == text
            assert end.text_length == len(text)
            assert end.sha256 == hashlib.sha256(text.encode()).hexdigest()
            assert end.ending in {"done", "stopped", "interrupted"}
            if end.ending == "done":
                assert text == counted(COUNT)

    async def _close(self) -> None:
        for rig in (*self.retired, *([self.rig] if hasattr(self, "rig") else [])):
            await rig.aclose()


TestEngine = EngineMachine.TestCase
TestEngine.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
