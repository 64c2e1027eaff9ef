"""What every store must count: which answers the analytics cover, and how exact the numbers are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grantha.chat import Ending, Usage
from grantha.engine.ids import new_id
from grantha.events import GenerationEnd, Open, PartEnd, PartStart, Record, RecordId, TextDelta
from grantha.storage.base import (
    EPHEMERAL,
    AnalyticsGroup,
    Append,
    GenerationRow,
    ImportedConversation,
    NewConversation,
    Store,
)
from tests.contracts.test_store import (
    DAY,
    ME,
    OTHER,
    Clock,
    OpenStore,
    a_send,
    clock,
    new_conversation,
    open_store,
    store,
)

__all__ = ["clock", "open_store", "store"]

NOON = 1_700_049_600_000 - 1_700_049_600_000 % DAY + DAY // 2  # noon of a day in UTC
HOUR = 3600 * 1000
ERROR = 0.025  # of a percentile


def ending(
    at: int,
    status: Ending = "done",
    *,
    tokens: int | None = None,
    cost: float | None = None,
    first_text_ms: float | None = None,
    tok_s: float | None = None,
) -> Record:
    """An end record; `at` is when."""
    timings = {"first_text_ms": first_text_ms, "tok_s": tok_s}
    known: dict[str, Any] = {name: value for name, value in timings.items() if value is not None}
    usage = None if tokens is cost is None else Usage(output_tokens=tokens, cost_usd=cost)
    return Record(
        RecordId(1, 1), at, GenerationEnd(status, "stop", None, usage, known, 0, "0" * 64)
    )


async def started(
    store: Store, model: str = "a/x", conversation: str | None = None, subject: str = ME
) -> GenerationRow:
    send = a_send(conversation or await new_conversation(store, subject))
    send = replace(send, generations=(replace(send.generations[0], model=model),))
    rows, _ = await store.start(subject, send)
    return rows[0]


async def ended(store: Store, at: int, model: str = "a/x", **more: Any) -> GenerationRow:
    """An answer of its own conversation that ended at a time."""
    row = await started(store, model)
    assert await store.append([Append(row.id, (ending(at, **more),))]) == set()
    return row


async def counted(store: Store, since: int = 0, subject: str = ME) -> int:
    """Generations in the totals, which the groups must add up to."""
    found = await store.analytics(subject, since)
    for groups in (found.by_model, found.by_day):
        assert sum(group.generations for group in groups) == found.totals.generations
        assert all(group.generations > 0 for group in groups)
    return found.totals.generations


def about(value: float) -> Any:
    return pytest.approx(value, rel=ERROR)


# ---- what is computed ----------------------------------------------------------------------------

# day, model, ending, first_text_ms, tok_s, output_tokens, cost_usd; None where the end doesn't say
SAMPLE: list[tuple[int, str, Ending, Any, Any, Any, Any]] = [
    (0, "a/x", "done", 100, 50, 10, 0.5),
    (0, "a/x", "done", 300, 10, 30, 0.25),
    (0, "a/x", "failed", None, None, None, None),
    (0, "b/y", "stopped", 200, 20, None, None),
    (1, "a/x", "done", 200, 30, 20, 0.25),
    (1, "a/x", "interrupted", 400, None, None, None),
    (1, "b/y", "done", 1000, 40, 7, None),
]


async def fill(store: Store) -> None:
    for n, (day, model, status, first, rate, tokens, cost) in enumerate(SAMPLE):
        await ended(
            store,
            NOON + day * DAY + n,
            model,
            status=status,
            tokens=tokens,
            cost=cost,
            first_text_ms=first,
            tok_s=rate,
        )


async def test_the_summary_is_what_a_person_computes_from_the_sample(store: Store) -> None:
    await fill(store)
    found = await store.analytics(ME, 0)
    totals = found.totals
    assert (totals.generations, totals.errors, totals.stopped) == (7, 2, 1)
    assert (totals.output_tokens, totals.cost_usd) == (67, 1.0)
    # 100 200 200 300 400 1000: the third of six is the median, the sixth the 95th percentile.
    assert (totals.first_text_p50_ms, totals.first_text_p95_ms) == (about(200), about(1000))
    assert totals.tok_s_p50 == about(30)  # 10 20 30 40 50
    a, b = found.by_model
    assert (a.key, a.generations, a.errors, a.stopped) == ("a/x", 5, 2, 0)
    assert (a.output_tokens, a.cost_usd) == (60, 1.0)
    assert (a.first_text_p50_ms, a.first_text_p95_ms) == (about(200), about(400))  # 100 200 300 400
    assert a.tok_s_p50 == about(30)
    assert (b.key, b.generations, b.errors, b.stopped) == ("b/y", 2, 0, 1)
    assert (b.output_tokens, b.cost_usd) == (7, None)
    assert (b.first_text_p50_ms, b.first_text_p95_ms, b.tok_s_p50) == (
        about(200),
        about(1000),
        about(20),
    )
    first, second = found.by_day
    assert (first.key, first.generations, first.errors) == ("2023-11-15", 4, 1)
    assert (first.output_tokens, first.cost_usd) == (40, 0.75)
    assert (first.first_text_p50_ms, first.first_text_p95_ms) == (about(200), about(300))
    assert first.tok_s_p50 == about(20)
    assert (second.key, second.generations, second.errors) == ("2023-11-16", 3, 1)
    assert (second.output_tokens, second.cost_usd) == (27, 0.25)


async def test_only_what_ended_since_then_and_belongs_to_the_subject_counts(store: Store) -> None:
    await fill(store)
    later = await store.analytics(ME, NOON + DAY)
    assert later.totals.generations == 3
    assert [row.key for row in later.by_day] == ["2023-11-16"]
    nothing = await store.analytics(OTHER, 0)
    assert nothing.totals == AnalyticsGroup("", 0, 0, 0)
    assert nothing.by_model == nothing.by_day == ()


@pytest.mark.parametrize("at", [NOON, NOON + DAY // 2, NOON + HOUR // 2, NOON + 17 * HOUR + 61_001])
async def test_a_period_begins_at_a_millisecond(store: Store, at: int) -> None:
    offsets = [-DAY, -HOUR, -60_000, -1, 0, 1, 60_000, HOUR, DAY]
    for offset in offsets:
        await ended(store, at + offset)
    for left_out, offset in enumerate(offsets):
        assert await counted(store, at + offset) == len(offsets) - left_out
        assert await counted(store, at + offset + 1) == len(offsets) - left_out - 1


async def test_costs_are_added_and_taken_away_without_a_residue(store: Store, clock: Clock) -> None:
    rows = [await ended(store, NOON, cost=cost) for cost in (0.1, 0.2, 0.3, 1e-8)]
    assert (await store.analytics(ME, 0)).totals.cost_usd == 0.60000001
    await store.delete_conversation(ME, rows[2].conversation)
    await store.purge(clock.now + 1)
    assert (await store.analytics(ME, 0)).totals.cost_usd == 0.30000001


async def test_a_sum_is_unknown_again_once_its_last_answer_is_gone(
    store: Store, clock: Clock
) -> None:
    await ended(store, NOON)
    row = await ended(store, NOON, tokens=5, cost=0.0, first_text_ms=0.0, tok_s=0.1)
    totals = (await store.analytics(ME, 0)).totals
    assert totals == AnalyticsGroup("", 2, 0, 0, 5, 0.0, 0.0, 0.0, about(0.1))
    await store.delete_conversation(ME, row.conversation)
    await store.purge(clock.now + 1)
    assert (await store.analytics(ME, 0)).totals == AnalyticsGroup("", 1, 0, 0)


async def test_numbers_that_no_answer_can_have_are_unknown(store: Store) -> None:
    await ended(store, NOON, tokens=10**30, cost=1e300, first_text_ms=1e40, tok_s=1e300)
    await ended(store, NOON, tokens=2**53 - 1, cost=1.0, first_text_ms=9e15, tok_s=5)
    totals = (await store.analytics(ME, 0)).totals
    assert (totals.output_tokens, totals.cost_usd, totals.tok_s_p50) == (2**53 - 1, 1.0, about(5))
    assert totals.first_text_p50_ms is not None
    assert totals.first_text_p50_ms > 1e8  # longer than four days


# ---- which answers count -------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["done", "stopped", "failed", "interrupted"])
async def test_an_answer_counts_once_it_has_ended_in_any_way(store: Store, status: Any) -> None:
    row = await started(store)
    await store.append([Append(row.id, (Record(RecordId(1, 1), NOON, PartStart(0, "text")),))])
    assert await counted(store) == 0
    last = (
        Record(RecordId(1, 2), NOON, TextDelta(0, "Because.")),
        Record(RecordId(1, 3), NOON, PartEnd(0)),
        replace(ending(NOON, status), id=RecordId(1, 4)),
    )
    await store.append([Append(row.id, last)])
    totals = (await store.analytics(ME, 0)).totals
    assert (totals.generations, totals.errors, totals.stopped) == (
        1,
        int(status in {"failed", "interrupted"}),
        int(status == "stopped"),
    )


async def test_an_end_that_is_written_twice_or_by_a_former_owner_counts_once(
    open_store: OpenStore,
) -> None:
    first = await open_store("instance-1")
    row = await started(first)
    again = Append(row.id, (ending(NOON),))
    assert await first.append([again]) == set()
    assert await first.append([again]) == {row.id}
    second = await open_store("instance-2")
    assert await second.append([again]) == {row.id}
    assert await counted(first) == await counted(second) == 1


async def test_an_answer_that_recovery_ends_counts_once(open_store: OpenStore) -> None:
    first = await open_store("instance-1")
    row = await started(first)
    await first.append([Append(row.id, (Record(RecordId(1, 1), NOON, PartStart(0, "text")),))])
    second = await open_store("instance-2")
    (orphan,) = await second.orphans("instance-2")
    opening = Record(RecordId(2, 0), NOON, Open("1-1", "a/x"))
    assert await second.claim(orphan.row, "instance-2", [opening])
    assert await counted(second) == 0
    last = replace(ending(NOON, "interrupted"), id=RecordId(2, 1))
    assert await second.append([Append(row.id, (last,))]) == set()
    assert await first.append([Append(row.id, (replace(last, id=RecordId(1, 2)),))]) == {row.id}
    assert await counted(second) == 1
    assert (await second.analytics(ME, 0)).totals.errors == 1


async def test_each_generation_of_one_message_counts(store: Store) -> None:
    row = await ended(store, NOON)
    send = a_send(row.conversation)
    more = replace(send.generations[0], message=row.message, parent=row.parent, extends=True)
    (extended,), _ = await store.start(ME, replace(send, generations=(more,), messages=()))
    await store.append([Append(extended.id, (ending(NOON),))])
    assert await counted(store) == 2


async def test_answers_of_a_deleted_conversation_count_until_it_is_purged(
    store: Store, clock: Clock
) -> None:
    row = await ended(store, NOON, tokens=3)
    kept = await ended(store, NOON, tokens=4)
    late = await started(store, conversation=row.conversation)
    await store.delete_conversation(ME, row.conversation)
    assert await counted(store) == 2
    await store.append([Append(late.id, (ending(NOON + 2 * DAY, tokens=5),))])
    assert await counted(store) == 3
    await store.restore_conversation(ME, row.conversation)
    assert await counted(store) == 3
    await store.delete_conversation(ME, row.conversation)
    await store.purge(clock.now)
    assert await counted(store) == 3
    await store.purge(clock.now + 1)
    assert await counted(store) == 1
    found = await store.analytics(ME, 0)
    assert found.totals.output_tokens == 4
    assert [day.key for day in found.by_day] == ["2023-11-15"]
    assert (await store.generation(ME, kept.id)).status == "done"


async def test_an_answer_that_runs_while_its_conversation_is_purged_never_counts(
    store: Store, clock: Clock
) -> None:
    row = await started(store)
    await store.delete_conversation(ME, row.conversation)
    await store.purge(clock.now + 1)
    assert await store.append([Append(row.id, (ending(NOON),))]) == {row.id}
    assert await counted(store) == 0


async def test_an_ephemeral_answer_counts_until_it_is_purged(store: Store, clock: Clock) -> None:
    conversation = await new_conversation(store, origin=EPHEMERAL)
    row = await started(store, conversation=conversation)
    await store.append([Append(row.id, (ending(NOON),))])
    assert await counted(store) == 1
    clock.now = NOON + 60_000
    assert await store.purge(0) == 1
    assert await counted(store) == 0


async def test_a_trimmed_answer_still_counts(store: Store) -> None:
    await ended(store, NOON, tokens=3)
    assert await store.trim(NOON + 1) == 1
    assert (await store.analytics(ME, 0)).totals.output_tokens == 3


async def test_imported_answers_do_not_count(store: Store) -> None:
    row = await ended(store, NOON)
    messages = await store.messages(ME, row.conversation)
    ids = {message.id: new_id("m") for message in messages}
    new = NewConversation(new_id("c"), "Copy", "page")
    copies = [
        replace(m, id=ids[m.id], parent=ids.get(m.parent or ""), conversation=new.id)
        for m in messages
    ]
    whole = ImportedConversation(new, pinned=False, leaf=None, created_at=5, updated_at=9)
    await store.stage_import(ME, [whole], copies)
    await store.finish_import(ME, [new.id])
    assert await counted(store) == 1
    await store.delete_conversation(ME, new.id)
    await store.purge(2**60)
    assert await counted(store) == 1


async def test_answers_of_several_subjects_are_counted_apart(store: Store, clock: Clock) -> None:
    mine = await ended(store, NOON)
    other = await started(store, subject=OTHER)
    await store.append([Append(other.id, (ending(NOON, "failed"),))])
    assert (await store.analytics(ME, 0)).totals.errors == 0
    assert (await store.analytics(OTHER, 0)).totals.errors == 1
    await store.delete_conversation(ME, mine.conversation)
    await store.purge(clock.now + 1)
    assert await counted(store) == 0
    assert await counted(store, subject=OTHER) == 1
