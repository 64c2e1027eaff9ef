"""Log, flusher and reader: numbered, durable before shown, once and in order, bounded."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantha.engine.flusher import Flusher
from grantha.engine.load import Load
from grantha.engine.log import Log
from grantha.engine.reader import Reader
from grantha.errors import StorageFull
from grantha.events import (
    START,
    Frame,
    GenerationEnd,
    Notice,
    PartStart,
    Record,
    RecordId,
    TextDelta,
)
from grantha.fold import fold
from grantha.storage.base import Append
from tests.engine.rig import DEADLINE, Rig, until
from tests.scripts import counted

END = GenerationEnd("done", "stop", None, None, {}, 0, "")


def a_log(
    changed: Callable[[Log, bool], None] = lambda log, urgent: None, tail: int = 10**6
) -> Log:
    return Log("g", RecordId(1, 0), now_ms=lambda: 5, changed=changed, tail_bytes=tail)


def flush(log: Log, at: float = 0.0) -> tuple[Record, ...]:
    records = log.take()
    log.publish(at)
    return records


# ---- the log -------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", [[9_000, 5, 7_000], [0, 0, 0], [1, 10**15, 2]])
def test_a_clock_that_jumps_changes_neither_order_nor_text(clock: list[int]) -> None:
    times = iter(clock)
    log = Log(
        "g",
        RecordId(1, 0),
        now_ms=lambda: next(times),
        changed=lambda log, urgent: None,
        tail_bytes=10**6,
    )
    taken: list[Record] = []
    for word in ("one ", "two ", "three"):
        log.add(TextDelta(0, word))
        taken.extend(flush(log))
    assert [str(r.id) for r in taken] == ["1-1", "1-2", "1-3"]
    assert [r.at for r in taken] == clock
    assert log.records_after(RecordId(1, 0)) == taken
    assert log.records_after(RecordId(1, 2)) == taken[2:]
    assert log.digest() == hashlib.sha256(b"one two three").hexdigest()


def test_text_that_waits_becomes_one_record_and_ids_are_dense() -> None:
    log = a_log()
    log.add(PartStart(0, "text"))
    for word in ("a", "b", "c"):
        log.add(TextDelta(0, word))
    first = flush(log)
    log.add(TextDelta(0, "d"))
    second = flush(log)
    assert [str(r.id) for r in first + second] == ["1-1", "1-2", "1-3"]
    assert first[1].event == TextDelta(0, "abc", 3)
    assert (log.text_length, log.deltas) == (4, 4)
    assert log.digest() == hashlib.sha256(b"abcd").hexdigest()


def test_nothing_is_shown_before_it_is_durable() -> None:
    log = a_log()
    log.add(TextDelta(0, "a"))
    assert log.records_after(RecordId(1, 0)) == []
    log.take()
    assert log.records_after(RecordId(1, 0)) == []
    log.publish(0.0)
    assert [r.event for r in log.records_after(RecordId(1, 0)) or ()] == [TextDelta(0, "a")]


def test_what_could_not_be_written_is_offered_again_under_the_same_ids() -> None:
    log = a_log()
    log.add(TextDelta(0, "a"))
    first = log.take()
    log.add(TextDelta(0, "b"))
    assert log.take() is first
    log.publish(0.0)
    assert [r.id.seq for r in log.take()] == [2]


def test_nothing_follows_an_end_and_nothing_enters_a_fenced_log() -> None:
    log = a_log()
    log.add(END)
    log.add(TextDelta(0, "late"))
    assert [r.event for r in flush(log)] == [END]
    assert log.end == END
    fenced = a_log()
    fenced.add(TextDelta(0, "x"))
    fenced.fence()
    fenced.add(TextDelta(0, "y"))
    assert (fenced.take(), fenced.has_unflushed) == ((), False)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.integers(400, 3000))
def test_the_tail_gives_every_later_record_or_says_that_it_has_not_got_them(
    batches: list[int], limit: int
) -> None:
    log = a_log(tail=limit)
    everything: list[Record] = []
    for size in batches:
        for number in range(size):
            log.add(Notice("n", str(number)))
        everything += flush(log)
    for cursor in range(len(everything) + 1):
        found = log.records_after(RecordId(1, cursor))
        assert found is None or found == everything[cursor:]
    assert log.records_after(RecordId(1, len(everything) - 1)) == everything[-1:]
    assert log._tail_bytes <= limit or len(log._tail) == 1


def test_a_cursor_of_an_earlier_owner_is_answered_from_the_store() -> None:
    log = Log("g", RecordId(3, 1), now_ms=lambda: 5, changed=lambda *_: None, tail_bytes=9999)
    log.add(TextDelta(0, "x"))
    flush(log)
    assert log.records_after(RecordId(2, 40)) is None
    assert [str(r.id) for r in log.records_after(RecordId(3, 1)) or ()] == ["3-2"]
    assert log.records_after(RecordId(3, 2)) == []


# ---- the flusher -----------------------------------------------------------------------------------


class FakeStore:
    """Remembers every call; fails as often as the test wants."""

    def __init__(self) -> None:
        self.calls: list[list[Append]] = []
        self.failures = 0
        self.fenced: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, batch: Sequence[Append]) -> set[str]:
        self.calls.append(list(batch))
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise StorageFull("The server's disk is full.")
        return self.fenced


@pytest.fixture
async def flushing() -> Any:
    """Makes a store, a flusher over it and logs; `window` decides how long text may wait.

    `share` holds the share of a core that the loop is said to take.
    """
    made: list[Flusher] = []

    def make(
        window: float = 3600.0,
        flush_bytes: int = 100,
        share: Sequence[float] = (0.0,),
        first_retry: float = 0.1,
    ) -> tuple[FakeStore, Flusher]:
        store = FakeStore()
        flusher = Flusher(
            store.append,
            window=window,
            window_behind=max(window, 0.2),
            flush_bytes=flush_bytes,
            first_retry=first_retry,
            load=lambda: share[0],
        )
        flusher.start()
        made.append(flusher)
        return store, flusher

    yield make
    for flusher in made:
        await flusher.aclose()


def named(flusher: Flusher, name: str) -> Log:
    return Log(name, RecordId(1, 0), now_ms=lambda: 0, changed=flusher.changed, tail_bytes=10**6)


Flushing = Callable[..., tuple[FakeStore, Flusher]]


async def test_the_first_text_goes_at_once_and_what_follows_waits_for_the_window(
    flushing: Flushing,
) -> None:
    store, flusher = flushing()
    log = named(flusher, "a")
    log.add(TextDelta(0, "first"))
    await until(lambda: log.published == (1, 1), "the first flush")
    log.add(TextDelta(0, "second"))
    for _ in range(50):
        await asyncio.sleep(0)
    assert (len(store.calls), log.has_unflushed) == (1, True)
    assert flusher._due[log] > asyncio.get_running_loop().time() + 3000


async def test_enough_bytes_or_a_boundary_do_not_wait(flushing: Flushing) -> None:
    _, flusher = flushing()
    log = named(flusher, "a")
    log.add(TextDelta(0, "first"))
    await until(lambda: log.published.seq == 1, "the first flush")
    log.add(TextDelta(0, "x" * 100))
    await until(lambda: log.published.seq == 2, "the flush of many bytes")
    log.add(TextDelta(0, "y"))
    log.add(PartStart(1, "text"))
    await until(lambda: log.published.seq == 4, "the flush at the boundary")


async def test_the_window_ends(flushing: Flushing) -> None:
    _, flusher = flushing(window=0.01)
    log = named(flusher, "a")
    log.add(TextDelta(0, "x"))
    await until(lambda: log.published.seq == 1, "the first flush")
    log.add(TextDelta(0, "y"))
    await until(lambda: log.published.seq == 2, "the end of the window")


async def test_all_logs_that_are_due_share_one_call(flushing: Flushing) -> None:
    store, flusher = flushing()
    logs = [named(flusher, str(n)) for n in range(20)]
    for log in logs:
        log.add(TextDelta(0, "x"))
    await until(lambda: all(log.published.seq == 1 for log in logs), "the flush")
    assert [len(call) for call in store.calls] == [20]


async def test_while_the_store_fails_the_same_records_are_offered_and_nothing_is_lost(
    flushing: Flushing,
) -> None:
    store, flusher = flushing(window=0.001, first_retry=0.001)
    store.failures = 4
    log = named(flusher, "a")
    log.add(TextDelta(0, "one "))
    await until(lambda: flusher.failing is not None, "the failure to show")
    log.add(TextDelta(0, "two"))
    await until(lambda: not log.has_unflushed, "the records to be written")
    assert flusher.failing is None
    tried = [call[0].records for call in store.calls[:5]]
    assert all(records == tried[0] for records in tried)
    shown = log.records_after(RecordId(1, 0)) or []
    assert "".join(r.event.text for r in shown if isinstance(r.event, TextDelta)) == "one two"


async def test_a_flood_does_not_make_a_failing_store_be_called_more_often(
    flushing: Flushing,
) -> None:
    store, flusher = flushing(window=0.001, first_retry=3600.0)
    store.failures = 10**9
    log = named(flusher, "a")
    log.add(PartStart(0, "text"))
    await until(lambda: flusher.failing is not None, "the failure")
    for _ in range(200):
        log.add(TextDelta(0, "x" * 1000))
        await asyncio.sleep(0)
    assert len(store.calls) == 1


async def test_a_fenced_log_is_closed_and_the_others_go_on(flushing: Flushing) -> None:
    store, flusher = flushing()
    store.fenced = {"lost"}
    lost, kept = named(flusher, "lost"), named(flusher, "kept")
    for log in (lost, kept):
        log.add(TextDelta(0, "x"))
    await until(lambda: kept.published.seq == 1 and lost.fenced, "the flush")
    assert lost.records_after(RecordId(1, 0)) == []
    await lost.flushed()


async def test_slow_commits_make_the_window_grow_and_quick_ones_let_it_shrink(
    flushing: Flushing,
) -> None:
    _, flusher = flushing(window=0.01)
    for _ in range(20):
        flusher._adapt(1.0)
    assert flusher.window == pytest.approx(0.2)
    for _ in range(40):
        flusher._adapt(0.0)
    assert flusher.window == pytest.approx(0.01)


async def test_a_busy_loop_makes_the_window_grow_before_it_is_behind(flushing: Flushing) -> None:
    share = [0.0]
    _, flusher = flushing(window=0.04, share=share)
    windows = []
    for share[0] in (0.3, 0.5, 0.65, 0.8, 1.0):
        flusher._adapt(0.0)
        windows.append(flusher.window)
    assert windows == pytest.approx([0.04, 0.04, 0.12, 0.2, 0.2])
    share[0] = 0.2
    for _ in range(40):
        flusher._adapt(0.0)
    assert flusher.window == pytest.approx(0.04)


def test_the_load_is_the_share_of_a_core_that_was_taken() -> None:
    spent, now = [0.0], [0.0]
    load = Load(lambda: spent[0], lambda: now[0])
    assert load.share() == 0.0
    for _ in range(40):
        now[0] += 0.2
        spent[0] += 0.15
        load.share()
    assert load.share() == pytest.approx(0.75, abs=0.01)
    now[0] += 0.01  # too soon for another look
    spent[0] += 0.01
    assert load.share() == pytest.approx(0.75, abs=0.01)
    for _ in range(40):
        now[0] += 0.2
        load.share()
    assert load.share() < 0.01


async def test_closing_writes_what_waits(flushing: Flushing) -> None:
    store, flusher = flushing()
    log = named(flusher, "a")
    log.add(TextDelta(0, "x"))
    await until(lambda: log.published.seq == 1, "the first flush")
    log.add(TextDelta(0, "y"))
    await flusher.aclose()
    assert (log.published.seq, len(store.calls)) == (2, 2)


# ---- the reader ------------------------------------------------------------------------------------


async def test_a_reader_that_comes_late_or_waits_gets_the_same(rig: Rig) -> None:
    row = await rig.ask("scripted/count-500")
    live, late = await rig.frames(row.id), await rig.frames(row.id)
    assert [r for f in live for r in [f.records]] != []
    for frames in (live, late):
        assert sum(frame.records for frame in frames) == frames[-1].id.seq + 1
        assert fold(f.event for f in frames).text() == counted(500)


async def test_a_reader_whose_client_went_away_returns_at_once(rig: Rig) -> None:
    row = await rig.ask(rig.script("gated", {"text": "never"}, gate="gate"))
    reader = rig.supervisor.reader("local", row.id, START)
    while await reader.read(0.05):
        pass
    waiting = asyncio.create_task(reader.read(DEADLINE))
    await asyncio.sleep(0)
    reader.close()
    assert await asyncio.wait_for(waiting, DEADLINE / 2) == []


async def test_a_reader_that_fell_behind_a_trimmed_log_is_sent_away_instead_of_waiting(
    rig: Rig,
) -> None:
    row = await rig.ask("scripted/count-200")
    log = rig.supervisor._running[row.id].log
    reader = Reader(rig.store, "local", row.id, START, lambda _: log)
    await rig.ended(row)
    log._tail.clear()
    assert await rig.store.trim(2**60) == 1
    assert await reader.read(DEADLINE) == []
    assert reader.ended


async def test_a_reader_that_comes_after_the_handover_does_not_wait_for_the_next_owner(
    rig: Rig,
) -> None:
    row = await rig.ask(rig.script("gated", {"text": "never"}, gate="gate"))
    await rig.supervisor.aclose(0.0)
    reader = rig.supervisor.reader("local", row.id, START)
    async with asyncio.timeout(DEADLINE):
        frames = [frame async for frame in reader]
    assert frames
    assert not any(isinstance(frame.event, GenerationEnd) for frame in frames)


async def test_readers_of_other_subjects_get_nothing(rig: Rig) -> None:
    row = await rig.ask("scripted/count-3")
    await rig.ended(row)
    await until(lambda: not rig.supervisor.running, "the run to be gone")
    assert await rig.store.records("stranger", row.id, START, 10) == []


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=20))
def test_what_is_pushed_and_what_is_read_is_everything_once_and_in_order(
    steps: list[tuple[int, bool]],
) -> None:
    """A client that is now free and now isn't, by turns that nobody planned."""

    async def run() -> None:
        log = a_log()
        reader = Reader(cast("Any", None), "local", "g", RecordId(1, 0), lambda _: log)
        got: list[Frame] = []
        pushed: list[Frame] = []
        free = True

        def push(frames: list[Frame]) -> bool:
            if free:
                got.extend(frames)
                pushed.extend(frames)
            return free

        async def read_all() -> None:
            while not reader.ended:
                got.extend(await reader.read(DEADLINE, push))

        reading = asyncio.create_task(read_all())
        text = ""
        for count, free in steps:  # noqa: B007  `push` looks at it
            await asyncio.sleep(0)
            for _ in range(count):
                log.add(TextDelta(0, f"w{len(text)} "))
                text += f"w{len(text)} "
            flush(log)
        await asyncio.sleep(0)
        log.add(END)
        flush(log)
        await asyncio.wait_for(reading, DEADLINE)
        assert "".join(f.event.text for f in got if isinstance(f.event, TextDelta)) == text
        assert sum(f.records for f in got) == got[-1].id.seq
        assert got[-1].event == END
        assert END not in [f.event for f in pushed]
        assert not log._listeners

    asyncio.run(run())


async def test_no_reader_runs_inside_the_commit() -> None:
    log = a_log()
    published: list[RecordId] = []

    def fail() -> None:
        raise RuntimeError("a reader's own error")

    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(context["exception"])
    )
    log.subscribe(fail)
    log.subscribe(lambda: published.append(log.published))
    log.add(TextDelta(0, "x"))
    flush(log)
    assert (published, failures) == ([], [])
    await asyncio.sleep(0)
    assert published == [RecordId(1, 1)]
    assert [str(error) for error in failures] == ["a reader's own error"]


async def test_silence_is_counted_from_the_last_push(monkeypatch: pytest.MonkeyPatch) -> None:
    log = a_log()
    reader = Reader(cast("Any", None), "local", "g", RecordId(1, 0), lambda _: log)
    pushed: list[Frame] = []

    def push(frames: list[Frame]) -> bool:
        pushed.extend(frames)
        return True

    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)

    async def turns() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    reading = asyncio.create_task(reader.read(20.0, push))
    await turns()
    for count in (1, 2):
        now += 15.0
        log.add(TextDelta(0, "x"))
        flush(log)
        await turns()
        assert len(pushed) == count
    now += 19.0
    await turns()
    assert not reading.done()
    now += 1.0
    assert await reading == []
