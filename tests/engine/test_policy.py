"""Every line of the policy's table, and the order of the lines."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantha.chat import Capabilities
from grantha.engine.call_budget import CallLimits
from grantha.engine.lifecycle import TRANSITIONS, Lifecycle, State
from grantha.engine.policy import (
    MAX_RETRY_AFTER,
    MAX_TRIES,
    Continue,
    FailureContext,
    FallBack,
    GiveUp,
    Resume,
    Retry,
    next_step,
    pause_before,
)
from grantha.errors import (
    ContentBlocked,
    GranthaError,
    KeyRejected,
    MissingKey,
    Overloaded,
    RateLimited,
    RequestRefused,
    StorageFull,
    Truncated,
)

PREFIX = Capabilities(prefix=True)
INSTRUCTION = Capabilities()
NEITHER = Capabilities(instruction=False)
CUT = FailureContext(
    error=Truncated("cut"),
    tries=1,
    failures=1,
    resumes=0,
    resumable=False,
    exhausted=False,
    shown=True,
    tools_begun=False,
    capabilities=PREFIX,
    next_capabilities=None,
)


@pytest.mark.parametrize(
    ("situation", "step"),
    [
        (replace(CUT, resumable=True), Resume(0.5)),
        (replace(CUT, resumable=True, shown=False), Resume(0.5)),
        (replace(CUT, resumable=True, tools_begun=True), Resume(0.5)),
        (replace(CUT, resumable=True, resumes=2), Continue(0.5)),
        (replace(CUT, shown=False), Retry(0.5)),
        (replace(CUT, shown=False, tries=2, failures=2), Retry(1.0)),
        (replace(CUT, shown=False, tries=3), GiveUp()),
        (CUT, Continue(0.5)),
        (replace(CUT, tries=2, failures=2), Continue(1.0)),
        (replace(CUT, failures=5), Continue(8.0)),
        (replace(CUT, failures=40), Continue(30.0)),
        (replace(CUT, exhausted=True, resumable=True, next_capabilities=PREFIX), GiveUp()),
        (replace(CUT, tries=3), GiveUp()),
        (replace(CUT, tools_begun=True), GiveUp()),
        (replace(CUT, capabilities=INSTRUCTION), GiveUp()),
        (replace(CUT, capabilities=NEITHER), GiveUp()),
        (replace(CUT, tries=3, next_capabilities=PREFIX), FallBack("prefix", 0.0)),
        (replace(CUT, tries=3, failures=3, next_capabilities=PREFIX), FallBack("prefix", 2.0)),
        (replace(CUT, tries=3, next_capabilities=INSTRUCTION), FallBack("instruction", 0.0)),
        (replace(CUT, tries=3, next_capabilities=NEITHER), GiveUp()),
        (replace(CUT, tries=3, shown=False, next_capabilities=NEITHER), FallBack(None, 0.0)),
        (replace(CUT, tools_begun=True, next_capabilities=PREFIX), GiveUp()),
        (replace(CUT, error=KeyRejected("no")), GiveUp()),
        (replace(CUT, error=KeyRejected("no"), next_capabilities=PREFIX), FallBack("prefix", 0.0)),
        (replace(CUT, error=ContentBlocked("no"), next_capabilities=PREFIX), GiveUp()),
        (replace(CUT, error=RequestRefused("no"), next_capabilities=PREFIX), GiveUp()),
        (replace(CUT, error=StorageFull("full"), next_capabilities=PREFIX), GiveUp()),
        (replace(CUT, error=MissingKey("none"), shown=False), GiveUp()),
        (replace(CUT, error=RateLimited("later", retry_after=7.0), shown=False), Retry(7.0)),
        (replace(CUT, error=RateLimited("later", retry_after=61.0), shown=False), GiveUp()),
    ],
)
def test_the_first_rule_that_applies_decides(situation: FailureContext, step: object) -> None:
    assert next_step(situation, jitter=1.0) == step


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_the_pause_grows_is_bounded_and_never_nothing(failures: int, jitter: float) -> None:
    limits = CallLimits()
    pause = pause_before(failures, limits, jitter)
    assert 0.25 <= pause <= 30.0
    assert pause <= pause_before(failures + 1, limits, 1.0)


@given(st.floats(0, 10**6))
def test_the_pause_that_a_provider_asks_for_is_honoured_or_the_provider_given_up(
    seconds: float,
) -> None:
    situation = replace(CUT, error=RateLimited("later", retry_after=seconds), shown=False)
    step = next_step(situation, jitter=1.0)
    assert step == (Retry(max(seconds, 0.5)) if seconds <= MAX_RETRY_AFTER else GiveUp())


@given(
    st.sampled_from([Truncated("x"), Overloaded("x"), KeyRejected("x"), ContentBlocked("x")]),
    st.booleans(),
    st.sampled_from([PREFIX, INSTRUCTION, NEITHER]),
)
def test_no_situation_is_tried_for_ever(
    error: GranthaError, shown: bool, capabilities: Capabilities
) -> None:
    situation = replace(CUT, error=error, shown=shown, capabilities=capabilities, resumable=True)
    for _ in range(MAX_TRIES + 3):
        step = next_step(situation)
        resumed = situation.resumes + isinstance(step, Resume)
        situation = replace(situation, tries=situation.tries + 1, resumes=resumed)
    assert next_step(situation) == GiveUp()


# ---- lifecycle -----------------------------------------------------------------------------------

STATES = tuple(TRANSITIONS)


def in_state(state: str) -> Lifecycle:
    lifecycle = Lifecycle()
    lifecycle.state = state  # type: ignore[assignment]  # every key of the table is a State
    return lifecycle


def test_the_table_knows_every_state() -> None:
    named = {word for arm in get_args(State) for word in (get_args(arm) or (arm,))}
    assert named == set(STATES)
    assert {to for targets in TRANSITIONS.values() for to in targets} | {"calling"} == named


@pytest.mark.parametrize("after", STATES)
@pytest.mark.parametrize("before", STATES)
def test_only_the_steps_of_the_table_are_possible(before: str, after: str) -> None:
    lifecycle = in_state(before)
    if after == before or after in TRANSITIONS[before]:
        lifecycle.move_to(after)  # type: ignore[arg-type]  # as above
        assert lifecycle.state == after
    else:
        with pytest.raises(RuntimeError, match="can't go"):
            lifecycle.move_to(after)  # type: ignore[arg-type]  # as above


def test_an_end_is_final_and_reached_only_through_ending() -> None:
    for ending in ("done", "stopped", "failed", "interrupted"):
        assert TRANSITIONS[ending] == frozenset()
        assert [s for s in STATES if ending in TRANSITIONS[s]] == ["ending"]
        assert not in_state(ending).running
