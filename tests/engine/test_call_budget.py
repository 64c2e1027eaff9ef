"""No upstream, however it breaks, is called more often than the call budget says."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grantha.chat import Call, Capabilities, ImagePart, Message, TextPart, Usage, text_message
from grantha.engine.call_budget import CallBudget, CallLimits, estimate_prompt_size
from grantha.errors import (
    Conflict,
    ContentBlocked,
    GranthaError,
    KeyRejected,
    Overloaded,
    RateLimited,
    TimedOut,
    Truncated,
    Unreachable,
    Unsupported,
)
from grantha.events import (
    Accepted,
    Finished,
    Notice,
    Open,
    Reasoning,
    Record,
    RecordId,
    Seam,
    Text,
    TextDelta,
    ToolCall,
    UsageSeen,
)
from tests.engine.conftest import MakeRig
from tests.engine.rig import (
    EAGER,
    ME,
    NO_PAUSES,
    Rig,
    StubProvider,
    StubUpstream,
    refusing,
    replying,
    until,
)

PREFIX = Capabilities(prefix=True)


# ---- the reported cases ----------------------------------------------------------------------------


async def test_an_upstream_that_breaks_after_every_word_is_not_called_for_ever(
    make_rig: MakeRig,
) -> None:
    used = UsageSeen(Usage(input_tokens=7))
    own = StubProvider([replying([Accepted("m"), used, Text("word ")], Truncated("cut"))], PREFIX)
    rig = await make_rig(providers={"own": own})
    answer = await rig.ended(await rig.ask("own/model"))
    assert (answer.ending, answer.error["code"]) == ("failed", "truncated")
    assert len(own.calls) <= NO_PAUSES.calls
    assert answer.text == "word " * len(own.calls)
    assert answer.folded.usage == Usage(input_tokens=7 * len(own.calls), partial=True)


async def test_words_that_are_not_worth_what_is_sent_again_end_it_after_three_tries(
    make_rig: MakeRig,
) -> None:
    own = StubProvider([replying([Text("word ")], Truncated("cut"))], PREFIX)
    rig = await make_rig(providers={"own": own})
    answer = await rig.ended(await rig.ask("own/model", text="A long question. " * 100))
    assert (answer.ending, len(own.calls), answer.text) == ("failed", 3, "word " * 3)


async def test_the_limit_on_what_is_sent_again_counts_prompts_that_were_taken(
    make_rig: MakeRig,
) -> None:
    limits = replace(NO_PAUSES, resent=1000)
    little = replying([Text("x")], Truncated("cut"))
    enough = replying([Text("x" * 60)], Truncated("cut"))  # pays for 960 characters
    own = StubProvider([little, enough] * 20, PREFIX)
    rig = await make_rig(providers={"own": own}, tuning=replace(EAGER, limits=limits))
    answer = await rig.ended(await rig.ask("own/model", text="q" * 600))
    assert answer.ending == "failed"
    sent = [600 + len(call.prefix) for call, _ in own.calls]
    assert 3 < len(own.calls) < limits.calls
    assert sum(sent[1:]) <= 1000 + 16 * len(answer.text)
    (notice,) = [e for e in answer.events(Notice) if e.code == "call-limit"]
    assert "sent again" in notice.message
    assert notice.details == {"calls": len(own.calls)}

    own = StubProvider(
        [refusing(Overloaded("full"))] * 2 + [replying([Text("hi"), Finished("stop")])]
    )
    rig = await make_rig(providers={"own": own}, tuning=replace(EAGER, limits=limits))
    answer = await rig.ended(await rig.ask("own/model", text="q" * 4900))
    assert answer.ending == "done"


async def test_no_call_begins_once_an_answer_has_been_written_for_too_long(
    make_rig: MakeRig,
) -> None:
    own = StubProvider([replying([Text("word ")], Truncated("cut"))], PREFIX)
    limits = replace(NO_PAUSES, seconds=0.0)
    rig = await make_rig(providers={"own": own}, tuning=replace(EAGER, limits=limits))
    answer = await rig.ended(await rig.ask("own/model"))
    assert (answer.ending, answer.error["code"], len(own.calls)) == ("failed", "truncated", 1)


async def test_a_server_that_is_killed_in_every_call_calls_no_more_than_the_limit(
    make_rig: MakeRig,
) -> None:
    provider = Adversary([["text", "hang"]], PREFIX)
    rig = await make_rig(
        providers={"own": provider}, tuning=replace(EAGER, limits=replace(NO_PAUSES, calls=4))
    )
    row = await rig.ask("own/model")
    after = [rig]
    for calls in range(1, 5):
        await until(lambda: provider.hanging == calls, "the call to hang")  # noqa: B023
        await after[-1].text_of(row, 6 * calls)
        await after[-1].crash()
        after.append(await after[-1].start_again())
    try:
        answer = await after[-1].ended(row)
        assert (answer.ending, answer.text) == ("interrupted", "words " * 4)
        assert "4 calls were made" in answer.error["message"]
        assert len(provider.calls) == 4
    finally:
        await after[-1].aclose()


# ---- counting ----------------------------------------------------------------------------------------


def records(*events: Any, step_ms: int = 0) -> list[Record]:
    """A log of these events; an `Open` begins the next epoch."""
    found: list[Record] = []
    epoch = seq = 0
    for number, event in enumerate(events):
        epoch, seq = (epoch + 1, 0) if isinstance(event, Open) else (epoch, seq + 1)
        found.append(Record(RecordId(epoch, seq), number * step_ms, event))
    return found


OPEN = Open(None, "m")
RETRYING = Notice("retrying", "again")


def test_every_record_that_announces_a_call_counts_once() -> None:
    budget = CallBudget(CallLimits(), 100)
    budget.replay(
        records(
            OPEN,
            Notice("accepted", ""),
            TextDelta(0, "word"),
            RETRYING,
            Seam("provider-lost", "prefix", "m", {}, 4),
            Open("1-4", "m"),
            Seam("restart", "prefix", "m", {}, 4),
            RETRYING,
            Seam("fallback", "prefix", "n", {}, 4),
            Seam("options", "prefix", "n", {}, 4),
        )
    )
    assert (budget.calls, budget.failures, budget.changes) == (4, 2, 1)


def test_what_an_earlier_generation_spent_is_not_counted_after_a_continuation() -> None:
    budget = CallBudget(CallLimits(calls=2), 100)
    budget.replay(
        records(
            OPEN,
            TextDelta(0, "word"),
            Seam("options", "prefix", "m", {}, 4),
            Seam("provider-lost", "prefix", "m", {}, 4),
            Seam("continued", "prefix", "m", {}, 4),
        )
    )
    assert (budget.calls, budget.changes) == (1, 0)
    assert budget.exceeded(4, 0.0) is None


def test_the_time_between_two_owners_is_not_counted() -> None:
    budget = CallBudget(CallLimits(seconds=7.0), 1)
    log = records(OPEN, TextDelta(0, "a"), Open("1-1", "m"), TextDelta(0, "b"), step_ms=3000)
    budget.replay(log)  # 3 s, 3 s away, 3 s
    assert budget.exceeded(2, 0.5) is None
    assert budget.exceeded(2, 1.5) is not None


def test_an_image_counts_by_its_area() -> None:
    image = ImagePart("image/png", "A" * 10**6)
    assert estimate_prompt_size([Message("user", (TextPart("four"), image))]) == 4004
    assert (
        estimate_prompt_size([text_message("user", "four"), text_message("assistant", "five!")])
        == 9
    )


# ---- every path of the policy ------------------------------------------------------------------------


class Adversary(StubProvider):
    """A provider that plays one list of acts a call; the last list is played for all further calls."""

    def __init__(self, plays: Sequence[Sequence[str]], facts: Capabilities) -> None:
        super().__init__((), facts)
        self.plays = plays
        self.hanging = 0

    async def open(self, call: Call, resume: str | None = None) -> StubUpstream:
        """Counts, then plays."""
        self.calls.append((call, resume))
        acts = self.plays[min(len(self.calls), len(self.plays)) - 1]
        if acts and acts[0] in REFUSALS:
            raise REFUSALS[acts[0]]
        token = "token" if "token" in acts else None
        return StubUpstream(self._run(acts), token)

    async def _run(self, acts: Sequence[str]) -> Any:
        yield [Accepted("m")]
        for act in acts:
            if act in REFUSALS:
                raise REFUSALS[act]
            if act == "hang":
                self.hanging += 1
                await asyncio.Event().wait()
            elif act in EVENTS:
                yield [EVENTS[act]]
        raise Truncated("cut")


REFUSALS: dict[str, GranthaError] = {
    "overloaded": Overloaded("full"),
    "limited": RateLimited("slow down", retry_after=0.001),
    "unreachable": Unreachable("gone"),
    "timeout": TimedOut("silent"),
    "key": KeyRejected("no"),
    "blocked": ContentBlocked("no"),
}
EVENTS: dict[str, Any] = {
    "text": Text("words "),
    "much": Text("many words " * 50),
    "thought": Reasoning("hm"),
    "tool": ToolCall(0, "call", "look", "{}"),
    "usage": UsageSeen(Usage(10, 1)),
    "end": Finished("stop"),
}
ACTS = st.sampled_from([*REFUSALS, *EVENTS, "hang", "token", "text", "text"])
PLAYS = st.lists(st.lists(ACTS, max_size=4), min_size=1, max_size=6)
FACTS = st.sampled_from([PREFIX, Capabilities(), Capabilities(instruction=False)])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
@given(
    plays=PLAYS,
    fallback_plays=PLAYS,
    facts=FACTS,
    fallback_facts=FACTS,
    chain=st.integers(0, 3),
    calls=st.integers(1, 6),
    on_hang=st.lists(st.sampled_from(["crash", "hand over", "change"]), max_size=12),
)
def test_all_calls_of_a_generation_stay_within_the_bound(
    *,
    plays: list[list[str]],
    fallback_plays: list[list[str]],
    facts: Capabilities,
    fallback_facts: Capabilities,
    chain: int,
    calls: int,
    on_hang: list[str],
) -> None:
    limits = replace(NO_PAUSES, calls=calls, changes=3)
    first, second = Adversary(plays, facts), Adversary(fallback_plays, fallback_facts)

    async def drive(folder: Path) -> None:
        tuning = replace(EAGER, limits=limits, fallbacks={"*": ("second/m",) * chain})
        rig = await Rig(folder, tuning, {"own": first, "second": second}).open()
        row = await rig.ask("own/model")
        seen, changes = 0, 0
        for act in [*on_hang, *["crash"] * (calls + 4)]:
            await until(partial(idle, rig, row.id, (first, second), seen), "an end, or a hang")
            seen = first.hanging + second.hanging
            if row.id not in rig.supervisor._running:
                break
            if act == "change" and changed(rig, row.id):
                changes += 1
                continue
            await (rig.aclose() if act == "hand over" else rig.crash())
            rig = await rig.start_again()
        assert (await rig.stored(row)).status in {"done", "failed", "interrupted"}
        assert changes <= limits.changes
        assert len(first.calls) + len(second.calls) <= calls + changes
        await rig.aclose()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(asyncio.wait_for(drive(Path(folder)), 60))


def idle(rig: Rig, generation: str, providers: Sequence[Adversary], seen: int) -> bool:
    """Whether it ended, or a call hangs that hadn't been seen."""
    hanging = sum(provider.hanging for provider in providers)
    return generation not in rig.supervisor._running or hanging > seen


def changed(rig: Rig, generation: str) -> bool:
    """Whether a person could change the options just now."""
    try:
        rig.supervisor.change(ME, generation, {"temperature": 0.5}, None)
    except (Conflict, Unsupported):
        return False
    return True


@pytest.mark.parametrize("act", ["text", "thought", "tool", "much", "overloaded", "timeout"])
async def test_the_same_failure_again_and_again_ends(make_rig: MakeRig, act: str) -> None:
    for token in ([], ["token"]):
        own = Adversary([[act, *token]], PREFIX)
        rig = await make_rig(providers={"own": own})
        answer = await rig.ended(await rig.ask("own/model"))
        assert answer.ending == "failed"
        assert len(own.calls) <= NO_PAUSES.calls
