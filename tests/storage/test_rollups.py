"""Rollups against a count over the rows: after any sequence of changes, damaged, and after an upgrade."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grantha.storage import analytics_queries
from grantha.storage.base import FILE_NAME, AnalyticsGroup, AnalyticsSummary, Append
from grantha.storage.rollups import PERCENTILE_ERROR, Rollup, percentile
from grantha.storage.sql import SqlStore
from tests.contracts.test_store import DAY, ME, OTHER, Clock
from tests.contracts.test_store_analytics import HOUR, NOON, ended, ending, started
from tests.storage.test_migrations import built_at

# ---- a count over the rows -----------------------------------------------------------------------


def recounted(database: Path, subject: str, since: int) -> AnalyticsSummary:
    """The summary by definition: every row is read, and every value is sorted."""
    with closing(sqlite3.connect(database)) as reading:
        rows = reading.execute(
            'SELECT model, ended_at, status, "end" FROM generations '
            "WHERE subject = ? AND ended_at >= ?",
            (subject, since),
        ).fetchall()
    models = sorted({row[0] for row in rows})
    by_model = [_group(model, [row for row in rows if row[0] == model]) for model in models]
    days = sorted({_day(row[1]) for row in rows})
    return AnalyticsSummary(
        _group("", rows),
        tuple(sorted(by_model, key=lambda group: -group.generations)),
        tuple(_group(day, [row for row in rows if _day(row[1]) == day]) for day in days),
    )


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()


def _group(key: str, rows: list[Any]) -> AnalyticsGroup:
    ends = [json.loads(row[3]) for row in rows]
    usage = [end.get("usage") or {} for end in ends]
    timings = [end.get("timings") or {} for end in ends]
    tokens = [one["output_tokens"] for one in usage if one.get("output_tokens") is not None]
    costs = [Fraction(str(u["cost_usd"])) for u in usage if u.get("cost_usd") is not None]
    first = sorted(one["first_text_ms"] for one in timings if "first_text_ms" in one)
    rates = sorted(one["tok_s"] for one in timings if "tok_s" in one)
    statuses = [row[2] for row in rows]
    return AnalyticsGroup(
        key,
        len(rows),
        statuses.count("failed") + statuses.count("interrupted"),
        statuses.count("stopped"),
        sum(tokens) if tokens else None,
        float(sum(costs)) if costs else None,
        _rank(first, 50),
        _rank(first, 95),
        _rank(rates, 50),
    )


def _rank(ordered: list[float], share: int) -> float | None:
    return ordered[math.ceil(len(ordered) * share / 100) - 1] if ordered else None


def agree(found: AnalyticsSummary, expected: AnalyticsSummary) -> None:
    """Counts and sums are equal, percentiles are within the stated error."""
    for mine, its in (
        ((found.totals,), (expected.totals,)),
        (found.by_model, expected.by_model),
        (found.by_day, expected.by_day),
    ):
        assert [_exact(group) for group in mine] == [_exact(group) for group in its]
        for group, other in zip(mine, its, strict=True):
            for name in ("first_text_p50_ms", "first_text_p95_ms", "tok_s_p50"):
                value, true = getattr(group, name), getattr(other, name)
                assert (value is None) == (true is None)
                if value is not None:
                    assert abs(value - true) <= PERCENTILE_ERROR * true, (name, value, true)


def _exact(group: AnalyticsGroup) -> tuple[object, ...]:
    return (
        group.key,
        group.generations,
        group.errors,
        group.stopped,
        group.output_tokens,
        group.cost_usd,
    )


def stored(database: Path) -> list[Any]:
    with closing(sqlite3.connect(database)) as reading:
        return reading.execute("SELECT * FROM rollups ORDER BY 1, 2, 3, 4").fetchall()


def recounted_from_rows(database: Path) -> list[Any]:
    """What the table would be if all rows were a backlog."""
    with closing(sqlite3.connect(database, isolation_level=None)) as writing:
        writing.execute("BEGIN")
        _forget_rollups(writing)
        while analytics_queries.roll_up(writing, 1000):
            pass
        found = writing.execute("SELECT * FROM rollups ORDER BY 1, 2, 3, 4").fetchall()
        writing.execute("ROLLBACK")
        return found


# ---- any sequence of changes ---------------------------------------------------------------------

TENTHS = st.integers(0, 5_000_000).map(lambda tenths: tenths / 10)
ANSWER = st.fixed_dictionaries(
    {
        "at": st.integers(NOON - 2 * DAY, NOON + 2 * DAY),
        "model": st.sampled_from(["a/x", "b/y"]),
        "status": st.sampled_from(["done", "stopped", "failed", "interrupted"]),
        "tokens": st.none() | st.integers(0, 100_000),
        "cost": st.none() | st.integers(0, 10**9).map(lambda units: units / 10**8),
        "first_text_ms": st.none() | TENTHS,
        "tok_s": st.none() | TENTHS,
    }
)
STEP = st.tuples(st.just("answer"), ANSWER) | st.tuples(
    st.sampled_from(["delete", "purge", "backlog", "roll up"]), st.integers(0, 30)
)


async def _play(folder: Path, steps: list[tuple[str, Any]], since: int) -> None:
    clock = Clock()
    store = SqlStore(folder, "instance-1", "OFF", clock)
    await store.open()
    database = folder / FILE_NAME
    conversations: list[str] = []
    try:
        for what, value in steps:
            match what:
                case "answer":
                    conversations.append((await ended(store, **value)).conversation)
                case "delete" if conversations:
                    wanted = conversations.pop(value % len(conversations))
                    await store.delete_conversation(ME, wanted)
                case "purge":
                    await store.purge(clock.now + 1)
                case "backlog":
                    with closing(sqlite3.connect(database)) as writing, writing:
                        _forget_rollups(writing)
                case _:
                    await store.roll_up()
        for begin in (0, since):
            agree(await store.analytics(ME, begin), recounted(database, ME, begin))
        while await store.roll_up():
            pass
        for begin in (0, since):
            agree(await store.analytics(ME, begin), recounted(database, ME, begin))
    finally:
        await store.aclose()
    assert stored(database) == recounted_from_rows(database)


def _forget_rollups(writing: sqlite3.Connection) -> None:
    """Leaves a backlog, as an upgrade does."""
    writing.execute("DELETE FROM rollups")
    writing.execute("DELETE FROM rollup_backlog")
    writing.execute(
        "INSERT INTO rollup_backlog SELECT newest + 1 FROM "
        "(SELECT max(ended_at) AS newest FROM generations) WHERE newest IS NOT NULL"
    )


@settings(max_examples=40)
@given(steps=st.lists(STEP, max_size=12), since=st.integers(NOON - 2 * DAY, NOON + 2 * DAY))
def test_after_any_changes_the_summary_is_a_count_over_the_rows(
    steps: list[tuple[str, Any]], since: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_play(Path(folder), steps, since))


# ---- percentiles ---------------------------------------------------------------------------------


@given(values=st.lists(st.integers(0, 10**9).map(lambda tenths: tenths / 10), min_size=1))
def test_a_percentile_is_within_the_stated_error_of_the_nearest_rank(values: list[float]) -> None:
    rollup = Rollup.total(
        Rollup.of_answer("done", {"timings": {"first_text_ms": value}}) for value in values
    )
    for share in (1, 50, 95, 100):
        found = percentile(rollup.first_text_ms, share)
        true = _rank(sorted(values), share)
        assert found is not None
        assert true is not None
        assert abs(found - true) <= PERCENTILE_ERROR * true


@given(values=st.lists(TENTHS, max_size=30), others=st.lists(TENTHS, max_size=30))
def test_what_was_merged_can_be_taken_away_again(values: list[float], others: list[float]) -> None:
    mine, its = (
        Rollup.total(
            [Rollup(), *(Rollup.of_answer("done", {"timings": {"tok_s": v}}) for v in some)]
        )
        for some in (values, others)
    )
    both = Rollup.total((mine, its))
    assert Rollup.from_row(both.to_row()) == both
    assert both.without(its) == mine
    assert mine.without(Rollup.total((mine, Rollup.of_answer("done", {})))) is None


def test_values_that_are_not_there_cannot_be_taken_away() -> None:
    slow, fast = (Rollup.of_answer("done", {"timings": {"tok_s": rate}}) for rate in (5.0, 500.0))
    assert Rollup.total((fast, fast)).without(slow) is None
    assert Rollup.total((slow, slow)).without(fast) is None


# ---- damage --------------------------------------------------------------------------------------


async def _opened(folder: Path) -> SqlStore:
    store = SqlStore(folder, "instance-1", "OFF", Clock())
    await store.open()
    return store


@pytest.mark.parametrize("damage", ["'7'", "'{\"a\":'", "'[7]'"])
async def test_a_damaged_end_is_taken_away_with_all_that_it_reported(
    tmp_path: Path, damage: str
) -> None:
    store = await _opened(tmp_path)
    gone = await ended(store, NOON, tokens=5, cost=0.5, first_text_ms=10, tok_s=20)
    await ended(store, NOON + 1, tokens=7, cost=0.25, first_text_ms=30, tok_s=40)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as writing, writing:
        writing.execute(f'UPDATE generations SET "end" = {damage} WHERE id = ?', (gone.id,))
    await store.delete_conversation(ME, gone.conversation)
    await store.purge(2**60)
    agree(await store.analytics(ME, 0), recounted(tmp_path / FILE_NAME, ME, 0))
    assert (await store.analytics(ME, 0)).totals.output_tokens == 7
    await store.aclose()


@pytest.mark.parametrize(
    "damage",
    [
        "first_text_ms = 'text'",
        "first_text_ms = x'ffff01000000'",
        "tokens = 'many'",
        "generations = 'x'",
        "tok_s = zeroblob(9999)",
    ],
)
async def test_a_damaged_rollup_loses_only_itself_until_it_is_recounted(
    tmp_path: Path, damage: str
) -> None:
    store = await _opened(tmp_path)
    await ended(store, NOON, tokens=5, first_text_ms=10, tok_s=20)
    await ended(store, NOON + DAY, tokens=7)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as writing, writing:
        writing.execute(f"UPDATE rollups SET {damage} WHERE start < ?", (NOON + DAY // 2,))
    assert (await store.analytics(ME, 0)).totals.output_tokens == 7
    await ended(store, NOON + 2, tokens=1)
    agree(await store.analytics(ME, 0), recounted(tmp_path / FILE_NAME, ME, 0))
    await store.aclose()
    assert stored(tmp_path / FILE_NAME) == recounted_from_rows(tmp_path / FILE_NAME)


# ---- the upgrade ---------------------------------------------------------------------------------


async def test_answers_from_before_the_rollups_count_at_once_and_after(tmp_path: Path) -> None:
    database = tmp_path / FILE_NAME
    built_at(database, "0005")
    with closing(sqlite3.connect(database)) as writing, writing:
        for n, at in enumerate(
            [None, -5, 0, 5, NOON, NOON, NOON + 1, NOON + HOUR, NOON + DAY, 9**17]
        ):
            end = json.dumps({"usage": {"output_tokens": 2**n}, "timings": {"tok_s": n + 0.5}})
            writing.execute(
                "INSERT INTO generations (id, subject, conversation, message, model, options, status,"
                ' owner, epoch, seq, recoveries, created_at, ended_at, "end", trimmed)'
                " VALUES (?, ?, 'c_1', 'm_2', ?, '{}', ?, 'b', 1, 5, 0, 0, ?, ?, 1)",
                (
                    f"g{n}",
                    OTHER if n == 5 else ME,
                    f"a/{n % 3}",
                    "done" if at is not None else "running",
                    at,
                    end if at is not None else None,
                ),
            )
    store = await _opened(tmp_path)
    now = await started(store)
    await store.append([_end(now.id, NOON + DAY + 1)])
    earlier = await ended(store, NOON, tokens=10_000)  # the clock was set back
    expected = 2**2 + 2**3 + 2**4 + 2**6 + 2**7 + 2**8 + 10_000
    steps = 0
    while True:
        totals = (await store.analytics(ME, 0)).totals
        assert (totals.generations, totals.output_tokens) == (8, expected)
        assert (await store.analytics(ME, NOON + 1)).totals.generations == 4
        assert (await store.analytics(OTHER, 0)).totals.output_tokens == 2**5
        if not await store.roll_up(limit=2):
            break
        steps += 1
    assert steps >= 3
    await store.delete_conversation(ME, earlier.conversation)
    await store.purge(2**60)
    assert (await store.analytics(ME, 0)).totals.output_tokens == expected - 10_000
    await store.aclose()


async def test_what_is_purged_from_the_backlog_never_counts(tmp_path: Path) -> None:
    store = await _opened(tmp_path)
    gone = await ended(store, NOON, tokens=5)
    await ended(store, NOON, tokens=7)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as writing, writing:
        _forget_rollups(writing)
    await ended(store, NOON + 1, tokens=5)  # as many as the one that is purged
    await store.delete_conversation(ME, gone.conversation)
    await store.purge(2**60)
    for _ in range(2):
        assert (await store.analytics(ME, 0)).totals.output_tokens == 12
        await store.roll_up()
    await store.aclose()


async def test_a_rollup_that_is_recounted_leaves_out_the_backlog(tmp_path: Path) -> None:
    store = await _opened(tmp_path)
    await ended(store, NOON, tokens=1)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as writing, writing:
        _forget_rollups(writing)
    gone = await ended(store, NOON + 1, tokens=5)
    await ended(store, NOON + 2, tokens=7)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as writing, writing:
        writing.execute("UPDATE generations SET \"end\" = '7' WHERE id = ?", (gone.id,))
    await store.delete_conversation(ME, gone.conversation)
    await store.purge(2**60)
    assert (await store.analytics(ME, 0)).totals.output_tokens == 8
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as writing, writing:
        writing.execute("UPDATE rollups SET tokens = 'many'")
    await store.roll_up()
    assert (await store.analytics(ME, 0)).totals.output_tokens == 8
    await store.aclose()


def _end(generation: str, at: int) -> Append:
    return Append(generation, (ending(at),))
