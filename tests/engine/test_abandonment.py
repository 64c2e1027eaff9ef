"""Answers that nobody reads: which are stopped, when, and that all others are written to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from grantha.chat import Options, text_message
from grantha.engine.abandonment import ReaderCount
from grantha.engine.generation_request import GenerationRequest
from grantha.engine.ids import new_id
from grantha.events import Notice
from grantha.storage.base import GenerationRow, NewConversation
from tests.engine.conftest import MakeRig
from tests.engine.rig import EAGER, ME, Rig


class FakeTimers:
    """The timers of readers that are being counted; they run, and never fire."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._made: list[tuple[float, asyncio.TimerHandle]] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", self._call_later)

    def fired(self) -> None:
        """What a count would call."""

    @property
    def delays(self) -> list[float]:
        """Of the timers that run, in seconds."""
        return [delay for delay, handle in self._made if not handle.cancelled()]

    def _call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(delay, callback, (), asyncio.get_running_loop())
        self._made.append((delay, handle))
        return handle


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> FakeTimers:
    return FakeTimers(monkeypatch)


@pytest.mark.parametrize("after", [0.0, 1.0, 10.0])
async def test_a_first_reader_is_waited_for_for_at_least_its_time(
    timers: FakeTimers, after: float
) -> None:
    ReaderCount(after, timers.fired, first_reader=5.0)
    assert timers.delays == [max(after, 5.0)]


async def test_the_timer_runs_only_while_nobody_reads(timers: FakeTimers) -> None:
    readers = ReaderCount(3.0, timers.fired, first_reader=5.0)
    first = readers.attach()
    second = readers.attach()
    assert timers.delays == []
    first.close()
    first.close()  # twice is harmless
    assert timers.delays == []
    second.close()
    assert timers.delays == [3.0]
    with readers.attach():
        assert timers.delays == []
    assert timers.delays == [3.0]
    readers.close()
    assert timers.delays == []


async def test_what_is_written_to_its_end_starts_no_timer(timers: FakeTimers) -> None:
    readers = ReaderCount(None, timers.fired, first_reader=5.0)
    readers.attach().close()
    assert timers.delays == []


async def test_a_generation_that_has_ended_starts_no_timer(timers: FakeTimers) -> None:
    readers = ReaderCount(0.0, timers.fired, first_reader=5.0)
    reading = readers.attach()
    readers.close()
    reading.close()
    assert timers.delays == []


async def test_the_answer_is_stopped_when_its_last_reader_has_left(rig: Rig) -> None:
    model = rig.script("long", {"text": "abcdef", "split": "chars"}, gate="gate")
    rig.allow("gate", 3)
    row = await _requested(rig, model, 0.0)
    with rig.supervisor.attach(row.id):
        assert await rig.text_of(row, 3) == "abc"
    answer = await rig.ended(row)
    assert (answer.ending, answer.text) == ("stopped", "abc")
    assert [n.code for n in answer.events(Notice) if n.code == "abandoned"] == ["abandoned"]


async def test_a_stop_that_was_requested_says_nothing_of_readers(rig: Rig) -> None:
    model = rig.script("long", {"text": "abcdef", "split": "chars"}, gate="gate")
    row = await _requested(rig, model, 10.0)
    await rig.supervisor.stop(ME, row.id)
    answer = await rig.ended(row)
    assert "abandoned" not in [n.code for n in answer.events(Notice)]


async def test_others_are_written_to_their_end_without_readers(rig: Rig) -> None:
    model = rig.script("long", {"text": "abcdef", "split": "chars"}, gate="gate")
    rig.allow("gate", 3)
    row = await _requested(rig, model, None)
    with rig.supervisor.attach(row.id):
        await rig.text_of(row, 3)
    rig.allow("gate")
    answer = await rig.ended(row)
    assert (answer.ending, answer.text) == ("done", "abcdef")


async def test_the_pause_is_known_after_a_restart(make_rig: MakeRig) -> None:
    rig = await make_rig(tuning=replace(EAGER, first_reader=0.01))
    model = rig.script("long", {"text": "abcdef", "split": "chars"}, gate="gate")
    row = await _requested(rig, model, 0.01, read=True)
    await rig.crash()
    after = await rig.start_again()
    try:
        assert (await after.stored(row)).abandon_after == 0.01
        answer = await after.ended(row)
    finally:
        await after.aclose()
    assert answer.ending == "stopped"
    assert "abandoned" in [n.code for n in answer.events(Notice)]


async def _requested(
    rig: Rig, model: str, abandon_after: float | None, *, read: bool = False
) -> GenerationRow:
    """An answer to a request of this pause; with `read`, somebody reads it until the process ends."""
    rig.conversation = new_id("c")
    rows, _ = await rig.supervisor.start(
        GenerationRequest(
            subject=ME,
            models=(model,),
            options=Options(),
            conversation=rig.conversation,
            messages=(text_message("user", "Go"),),
            new_conversation=NewConversation(rig.conversation, "", "api"),
            abandon_after=abandon_after,
        )
    )
    if read:
        rig.supervisor.attach(rows[0].id)
    return rows[0]
