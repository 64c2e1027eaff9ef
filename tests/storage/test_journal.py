"""The journal: records of running answers are found wherever they are, and survive who wrote them."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grantha.chat import Options, TextPart
from grantha.engine.ids import new_id
from grantha.events import START, GenerationEnd, Open, PartStart, Record, RecordId, TextDelta
from grantha.storage.base import (
    FILE_NAME,
    Append,
    GenerationRow,
    GenerationStart,
    NewConversation,
    NewGeneration,
    NewMessage,
)
from grantha.storage.journal import MAX_AGE, MAX_PENDING
from grantha.storage.sql import SqlStore, copy_database

ME = "me"
END = GenerationEnd("done", "stop", None, None, {}, 0, "0" * 64)


async def opened(folder: Path, instance_id: str = "instance-1") -> SqlStore:
    store = SqlStore(folder, instance_id, "OFF")
    await store.open()
    return store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    store = await opened(tmp_path)
    yield store
    await store.aclose()


async def begun(store: SqlStore) -> GenerationRow:
    conversation, question = new_id("c"), new_id("m")
    records = (Record(RecordId(1, 0), 1, Open(None, "p/m")),)
    answer = NewGeneration(new_id("g"), new_id("m"), question, "p/m", Options(), records)
    send = GenerationStart(
        conversation,
        (answer,),
        (NewMessage(question, None, "user", (TextPart("Why?"),)),),
        NewConversation(conversation, "", "page"),
    )
    rows, _ = await store.start(ME, send)
    return rows[0]


class RunningLog:
    """One log that is written, and what must be read of it."""

    def __init__(self, row: GenerationRow) -> None:
        self.row = row
        self.records = [Record(RecordId(1, 0), 1, Open(None, "p/m"))]

    def more(self, count: int, *, ends: bool = False) -> Append:
        first = len(self.records)
        new = [
            Record(
                RecordId(1, n),
                n,
                PartStart(0, "text") if n == 1 else TextDelta(0, f'w{n} "\\é\n '),
            )
            for n in range(first, first + count)
        ]
        if ends:
            new.append(Record(RecordId(1, first + count), 9, END))
        self.records += new
        return Append(self.row.id, tuple(new))

    async def check(self, store: SqlStore, after: int = -1) -> None:
        cursor = START if after < 0 else RecordId(1, after)
        wanted = self.records[after + 1 :] if after >= 0 else self.records
        assert await store.records(ME, self.row.id, cursor, 10**6) == wanted
        assert await store.records(ME, self.row.id, cursor, 3) == wanted[:3]
        assert (await store.generation(ME, self.row.id)).last_id == self.records[-1].id


def rows_left(folder: Path) -> int:
    with closing(sqlite3.connect(folder / FILE_NAME)) as database:
        return int(database.execute("SELECT count(*) FROM journal").fetchone()[0])


def moved(folder: Path, generation: str) -> int:
    with closing(sqlite3.connect(folder / FILE_NAME)) as database:
        found = database.execute("SELECT count(*) FROM records WHERE generation = ?", (generation,))
        return int(found.fetchone()[0])


async def test_records_move_together_and_nothing_is_left_once_all_have_ended(
    store: SqlStore, tmp_path: Path
) -> None:
    one, other = RunningLog(await begun(store)), RunningLog(await begun(store))
    for _ in range(MAX_PENDING - 1):
        assert await store.append([one.more(1), other.more(1)]) == set()
    assert (moved(tmp_path, one.row.id), rows_left(tmp_path)) == (1, MAX_PENDING - 1)
    await store.append([one.more(1)])
    assert moved(tmp_path, one.row.id) == MAX_PENDING + 1
    assert moved(tmp_path, other.row.id) == 1
    await one.check(store)
    await other.check(store)
    await store.append([one.more(1), other.more(0, ends=True)])
    await store.append([one.more(2, ends=True)])
    assert rows_left(tmp_path) == 0
    for writing in (one, other):
        assert moved(tmp_path, writing.row.id) == len(writing.records)
        message = await store.message(ME, writing.row.message)
        assert message.status == "done"
        assert [part.text for part in message.parts if isinstance(part, TextPart)] == [
            "".join(r.event.text for r in writing.records if isinstance(r.event, TextDelta))
        ]


async def test_a_log_that_falls_silent_does_not_keep_the_others_records_here(
    store: SqlStore, tmp_path: Path
) -> None:
    silent, busy = RunningLog(await begun(store)), RunningLog(await begun(store))
    await store.append([silent.more(3)])
    for _ in range(2 * MAX_AGE):
        await store.append([busy.more(1)])
    assert rows_left(tmp_path) < 1.5 * MAX_AGE
    assert moved(tmp_path, silent.row.id) == 4
    await silent.check(store)
    await busy.check(store, after=2 * MAX_AGE - 150)
    assert await store.append([silent.more(1)]) == set()
    await silent.check(store)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 2), st.integers(1, 9)),
            min_size=1,
            max_size=3,
            unique_by=lambda step: step[0],
        ),
        max_size=30,
    ),
    st.integers(0, 60),
)
def test_the_next_process_finds_every_record_that_was_committed(
    ticks: list[list[tuple[int, int]]], cursor: int
) -> None:
    async def run(folder: Path) -> None:
        store = await opened(folder / "first")
        logs = [RunningLog(await begun(store)) for _ in range(3)]
        for tick in ticks:
            assert await store.append([logs[n].more(count) for n, count in tick]) == set()
        for log in logs:
            await log.check(store)
            await log.check(store, after=min(cursor, len(log.records) - 1))
        (folder / "second").mkdir()
        copy_database(folder / "first" / FILE_NAME, folder / "second" / FILE_NAME)
        await store.aclose()
        after = await opened(folder / "second", "after")
        for log in logs:  # before anything was written
            await log.check(after)
            await log.check(after, after=min(cursor, len(log.records) - 1))
        found = {orphan.row.id: orphan.row for orphan in await after.orphans("after")}
        assert found.keys() == {log.row.id for log in logs}
        for log in logs:
            await log.check(after)
            epoch = Record(RecordId(2, 0), 1, Open(str(log.records[-1].id), "p/m"))
            assert await after.claim(found[log.row.id], "after", [epoch])
        assert rows_left(folder / "second") == 0
        await after.aclose()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


@pytest.mark.parametrize(
    "damage",
    [
        *("[", "[[7]]", "7", "null", '[["g", 1, {}, 1, "text-delta", {}]]', b"\xff"),
        '[["g", 1e999, 1, 1, "text-delta", {}]]',
    ],
)
async def test_what_follows_a_damaged_row_is_dropped_and_its_logs_are_named(
    store: SqlStore, tmp_path: Path, damage: str | bytes
) -> None:
    harmed, whole = RunningLog(await begun(store)), RunningLog(await begun(store))
    await store.append([harmed.more(2), whole.more(1)])
    kept = list(harmed.records)
    await store.append([harmed.more(2)])
    await store.append([harmed.more(1), whole.more(3)])
    (tmp_path / "copy").mkdir()
    copy_database(tmp_path / FILE_NAME, tmp_path / "copy" / FILE_NAME)
    with closing(sqlite3.connect(tmp_path / "copy" / FILE_NAME)) as database:
        database.execute(
            "UPDATE journal SET body = ? WHERE tick = (SELECT min(tick) + 1 FROM journal)",
            (damage,),
        )
        database.commit()
    after = await opened(tmp_path / "copy", "after")
    harmed.records = kept
    for named in (True, False):  # once, when the others are moved
        await harmed.check(after)
        await whole.check(after)
        found = {orphan.row.id: orphan.damaged for orphan in await after.orphans("after")}
        assert found == {harmed.row.id: named, whole.row.id: False}
    await after.aclose()


async def test_a_frozen_owner_is_fenced_while_its_other_logs_go_on(
    store: SqlStore, tmp_path: Path
) -> None:
    lost, kept = RunningLog(await begun(store)), RunningLog(await begun(store))
    await store.append([lost.more(2), kept.more(2)])
    other = await opened(tmp_path, "other")
    (orphan,) = [o for o in await other.orphans("other") if o.row.id == lost.row.id]
    assert orphan.row.last_id == (1, 2)
    assert await other.claim(orphan.row, "other", [Record(RecordId(2, 0), 1, Open("1-2", "p/m"))])
    late = Append(lost.row.id, (Record(RecordId(1, 3), 1, TextDelta(0, "late")),))
    assert await store.append([late, kept.more(1)]) == {lost.row.id}
    await kept.check(store)
    for seen in (store, other):
        records = await seen.records(ME, lost.row.id, START, 99)
        assert [r.id for r in records] == [(1, 0), (1, 1), (1, 2), (2, 0)]
    assert await store.append([kept.more(MAX_PENDING, ends=True)]) == set()
    await kept.check(other)
    await other.aclose()


async def test_what_is_held_is_shown_to_its_owner_alone(store: SqlStore) -> None:
    mine = RunningLog(await begun(store))
    await store.append([mine.more(3)])
    assert await store.records("stranger", mine.row.id, START, 99) == []
    assert await store.records("stranger", mine.row.id, RecordId(1, 2), 99) == []
    assert len(await store.records(ME, mine.row.id, RecordId(1, 2), 99)) == 1


async def test_a_conversation_that_is_gone_for_good_takes_its_log_along(store: SqlStore) -> None:
    gone, stays = RunningLog(await begun(store)), RunningLog(await begun(store))
    await store.append([gone.more(3), stays.more(3)])
    await store.delete_conversation(ME, gone.row.conversation)
    assert await store.purge(2**60) == 1
    await store.append([gone.more(1), stays.more(1)])
    assert await store.append([gone.more(1, ends=True), stays.more(1)]) == {gone.row.id}
    assert await store.append([stays.more(1, ends=True)]) == set()
    await stays.check(store)
