"""Timings and cost: folded from events, unknown where they are unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantha.analytics.cost import add_usage, cost_usd
from grantha.analytics.timings import STALL_MS, TimingsFold
from grantha.chat import Capabilities, Options, Usage
from grantha.events import Notice, ReasoningDelta, Seam, TextDelta, ToolCallDelta

PRICED = Capabilities(input_price=1.0, output_price=4.0)


def test_an_answer_is_timed_from_the_request_on() -> None:
    timings = TimingsFold(1000.0)
    timings.called(1010.0)
    timings.called(5000.0)
    timings.apply(1100.0, Notice("accepted", ""))
    timings.apply(1200.0, ReasoningDelta(0, "hm", None, 3))
    timings.apply(1400.0, TextDelta(1, "a", 1))
    timings.apply(1400.0 + STALL_MS + 1, TextDelta(1, "b", 6))
    assert timings.result(6000.0) == {
        "queued_ms": 10.0,
        "connect_ms": 90.0,
        "first_text_ms": 400.0,
        "first_event_ms": 200.0,
        "duration_ms": 5000.0,
        "writing_ms": 3201.0,
        "max_gap_ms": 3001.0,
        "stalls": 1,
        "deltas": 10,
        "deltas_s": pytest.approx(2.8),
        "segments": 1,
        "retries": 0,
    }


def test_speed_in_tokens_comes_from_complete_usage_alone() -> None:
    timings = TimingsFold(0.0)
    timings.apply(1000.0, TextDelta(0, "a", 1))
    timings.apply(2000.0, TextDelta(0, "b", 1))
    usage = Usage(output_tokens=61, reasoning_tokens=40)
    assert timings.result(3000.0, usage)["tok_s"] == 20.0  # hidden reasoning came before
    for unknown in (None, Usage(input_tokens=5), replace(usage, partial=True)):
        found = timings.result(3000.0, unknown)
        assert "tok_s" not in found
        assert found["deltas_s"] == 1.0

    timings.apply(2000.0, ReasoningDelta(1, "hm"))
    assert timings.result(3000.0, usage)["tok_s"] == 60.0


def test_what_never_happened_has_no_time() -> None:
    found = TimingsFold(0.0).result(50.0)
    assert found == {"duration_ms": 50.0, "stalls": 0, "deltas": 0, "segments": 1, "retries": 0}


def test_segments_retries_and_tool_calls_count() -> None:
    timings = TimingsFold(0.0)
    timings.apply(1.0, Notice("retrying", ""))
    timings.apply(2.0, Seam("provider-lost", "prefix", "m", Options().to_json(), 0))
    timings.apply(3.0, ToolCallDelta(0, "{}"))
    found = timings.result(4.0)
    assert (found["retries"], found["segments"], found["deltas"]) == (1, 2, 1)


@given(st.lists(st.floats(0, 10_000), max_size=20))
def test_no_time_is_negative_when_the_clock_only_goes_forward(gaps: list[float]) -> None:
    timings, now = TimingsFold(0.0), 0.0
    for gap in gaps:
        now += gap
        timings.apply(now, TextDelta(0, "x"))
    assert all(value >= 0 for value in cast("dict[str, float]", timings.result(now)).values())


@pytest.mark.parametrize(
    ("usage", "capabilities", "cost"),
    [
        (None, PRICED, None),
        (Usage(1_000_000, 500_000), PRICED, 3.0),
        (Usage(1_000_000, None), PRICED, None),
        (Usage(1, 1), Capabilities(), None),
        (Usage(10, 1, cached_input_tokens=11), replace(PRICED, cached_input_price=0.1), None),
        (Usage(1_000_000, 1_000_000, cost_usd=0.25), PRICED, 0.25),
    ],
)
def test_cost_is_what_was_billed_else_counts_times_prices(
    usage: Usage | None, capabilities: Capabilities, cost: float | None
) -> None:
    assert cost_usd(usage, capabilities) == cost


def test_a_sum_with_something_unknown_is_unknown() -> None:
    assert add_usage(Usage(1, 2), Usage(3, None)) == Usage(4, None)
    assert add_usage(Usage(1, 2, cost_usd=0.5), Usage(3, 4, cost_usd=0.25)) == Usage(
        4, 6, cost_usd=0.75
    )
    assert add_usage(Usage(1, 2, partial=True), Usage(3, 4)) == Usage(4, 6, partial=True)
