"""Events: their stored form, how they are merged, and that merging never changes what is folded."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantha.chat import Usage
from grantha.errors import RateLimited
from grantha.events import (
    Citation,
    Event,
    GenerationEnd,
    Notice,
    Open,
    PartEnd,
    PartStart,
    ReasoningDelta,
    Record,
    RecordId,
    Seam,
    TextDelta,
    ToolCallDelta,
    UsageReport,
    event_from,
    frame_json,
    merge,
    merge_deltas,
    payload_of,
    replace_surrogates,
)
from grantha.fold import fold

TEXT = st.text(max_size=12)
SOME_TEXT = st.text(min_size=1, max_size=12)
PART = st.integers(0, 3)
MAYBE = st.none() | TEXT
COUNT = st.none() | st.integers(0, 10**9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
COUNTS = st.integers(0, 50)
USAGE = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT)
LOGPROBS = st.lists(OBJECT, max_size=2).map(tuple)
DELTAS: tuple[st.SearchStrategy[Event], ...] = (
    st.builds(TextDelta, PART, TEXT, COUNTS, LOGPROBS),
    st.builds(ReasoningDelta, PART, TEXT, MAYBE, COUNTS),
    st.builds(ToolCallDelta, PART, TEXT, MAYBE),
)
OTHERS: tuple[st.SearchStrategy[Event], ...] = (
    st.builds(Open, MAYBE, TEXT, OBJECT),
    st.builds(PartStart, PART, st.sampled_from(["text", "reasoning", "tool-call"]), MAYBE, MAYBE),
    st.builds(PartEnd, PART, COUNT),
    st.builds(UsageReport, USAGE),
    st.builds(Citation, PART, MAYBE, MAYBE, MAYBE),
    st.builds(Notice, TEXT, TEXT, OBJECT),
    st.builds(
        Seam,
        st.sampled_from(["options", "restart", "provider-lost", "fallback", "continued"]),
        st.sampled_from([None, "prefix", "instruction"]),
        TEXT,
        OBJECT,
        st.integers(0, 10**6),
        OBJECT,
        OBJECT,
    ),
    st.builds(
        GenerationEnd,
        st.sampled_from(["done", "stopped", "failed", "interrupted"]),
        st.sampled_from([None, "stop", "length", "tool-calls"]),
        MAYBE,
        st.none() | USAGE,
        OBJECT,
        st.integers(0, 10**6),
        TEXT,
        st.none() | OBJECT,
        st.none() | OBJECT,
    ),
)
EVENT = st.one_of(*DELTAS, *OTHERS)
LOG = st.lists(st.one_of(*DELTAS, *DELTAS, *DELTAS, *OTHERS), max_size=25)


def numbered(events: list[Event]) -> list[Record]:
    return [Record(RecordId(1, seq), 1000 + seq, event) for seq, event in enumerate(events)]


def result(events: Any) -> Any:
    folded = fold(events)
    return (
        folded.parts(),
        folded.text(),
        folded.text_length,
        folded.seams,
        folded.citations,
        folded.usage,
        folded.end,
    )


def test_every_kind_of_event_is_tried() -> None:
    assert len(DELTAS) + len(OTHERS) == len(get_args(Event))


@given(EVENT)
def test_an_event_comes_back_from_its_stored_form(event: Event) -> None:
    assert event_from(event.kind, payload_of(event)) == event


@given(EVENT, st.integers(1, 9))
def test_a_frame_is_one_line_of_json_with_id_kind_and_the_fields(event: Event, seq: int) -> None:
    (frame,) = merge([Record(RecordId(2, seq), 77, event)])
    line = frame_json(frame)
    body = json.loads(line)
    assert "\n" not in line
    assert (body["id"], body["kind"], body["at"]) == (f"2-{seq}", event.kind, 77)
    assert "records" not in body
    assert event_from(event.kind, line) == event


def test_an_unknown_kind_is_no_event() -> None:
    assert event_from("hologram", '{"part":0}') is None


@given(LOG)
def test_merging_never_changes_the_fold(events: list[Event]) -> None:
    assert result(frame.event for frame in merge(numbered(events))) == result(events)
    assert result(merge_deltas(events)) == result(events)


@given(LOG, st.data())
def test_a_reader_that_cuts_anywhere_folds_the_same(events: list[Event], data: Any) -> None:
    records = numbered(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=5)))
    bounds = zip([0, *cuts], [*cuts, len(records)], strict=True)
    frames = [frame for a, b in bounds for frame in merge(records[a:b])]
    assert result(frame.event for frame in frames) == result(events)
    assert sum(frame.records for frame in frames) == len(records)


@given(LOG)
def test_the_records_of_frames_add_up_and_ids_stay_dense(events: list[Event]) -> None:
    last = -1
    for frame in merge(numbered(events)):
        assert frame.id.seq == last + frame.records
        last = frame.id.seq
    assert last == len(events) - 1


def test_records_that_do_not_follow_each_other_are_never_one_frame() -> None:
    records = [Record(RecordId(1, seq), 0, TextDelta(0, "x")) for seq in (1, 2, 4)]
    assert [(frame.id.seq, frame.records) for frame in merge(records)] == [(2, 2), (4, 1)]
    epochs = [Record(RecordId(e, 1), 0, TextDelta(0, "x")) for e in (1, 2)]
    assert len(merge(epochs)) == 2


@given(LOG)
def test_counts_and_log_probabilities_are_kept_when_deltas_join(events: list[Event]) -> None:
    def count(log: Any) -> tuple[int, int]:
        texts = [event for event in log if isinstance(event, TextDelta)]
        return sum(t.deltas for t in texts), sum(len(t.logprobs) for t in texts)

    assert count(merge_deltas(events)) == count(events)


@given(EVENT)
def test_an_event_of_whole_characters_is_left_as_it_is(event: Event) -> None:
    assert replace_surrogates(event) is event


@pytest.mark.parametrize(
    "event",
    [
        TextDelta(0, "a\ud800b"),
        TextDelta(0, "a", 1, ({"token": "\udc00"},)),
        ReasoningDelta(0, "\ud800", "\udfff"),
        ToolCallDelta(0, '{"a":"\ud800"}'),
        PartStart(0, "tool-call", "\ud800", "\ud801"),
        Notice("retrying", "\ud800", {"\ud800": ["\ud800"]}),
    ],
    ids=["text", "log probabilities", "reasoning", "tool call", "part", "notice"],
)
def test_halves_of_surrogate_pairs_become_replacement_characters(event: Event) -> None:
    mended = replace_surrogates(event)
    payload_of(mended).encode()
    assert "\ufffd" in payload_of(mended)
    assert dataclasses.replace(mended) == replace_surrogates(mended)


@pytest.mark.parametrize(
    "text",
    ["", "1", "1-", "-1", "1-2-3", "1- 2", "+1-2", "1_0-2", "\u0661-2", "1-2\n", "9" * 20 + "-1"],
)
def test_what_is_no_record_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="record id"):
        RecordId.parse(text)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_record_id_comes_back_from_its_text(epoch: int, seq: int) -> None:
    assert RecordId.parse(str(RecordId(epoch, seq))) == (epoch, seq)


def test_the_fold_leaves_empty_parts_out_and_ignores_deltas_of_unknown_parts() -> None:
    events: list[Event] = [
        PartStart(0, "reasoning"),
        PartStart(1, "text"),
        TextDelta(1, "seen"),
        TextDelta(7, "of no part"),
    ]
    folded = fold(events)
    assert [part.type for part in folded.parts()] == ["text"]
    assert folded.text() == "seen"


def test_numbers_that_json_does_not_have_are_stored_and_sent_as_null() -> None:
    timings = {"tok_s": math.inf, "first_text_ms": 3}
    pause = {"retry_after": math.nan}
    end = GenerationEnd("failed", None, None, None, timings, 0, "", error=pause)
    payload = payload_of(end)
    assert json.loads(payload, parse_constant=pytest.fail)["timings"] == {
        "tok_s": None,
        "first_text_ms": 3,
    }
    stored = payload.replace("null", "Infinity")  # as an earlier version wrote it
    assert event_from("generation-end", stored) == event_from("generation-end", payload)


def test_an_error_names_only_a_pause_that_can_be_waited_for() -> None:
    pauses = {math.inf: None, math.nan: None, -3.0: 0.0, 1e300: 604_800.0, 2.5: 2.5, None: None}
    for named, kept in pauses.items():
        assert RateLimited("wait", retry_after=named).retry_after == kept
