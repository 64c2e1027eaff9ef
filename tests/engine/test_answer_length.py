"""An answer has a longest length: the rest of what an upstream sends is neither stored nor read."""

from __future__ import annotations

from typing import Any

import pytest

from grantha.chat import Capabilities, ToolCallPart
from grantha.engine.answer_length import AnswerLimits
from grantha.engine.generation_request import ContinuationRequest
from grantha.engine.tuning import Tuning
from grantha.events import (
    Cited,
    Finished,
    Notice,
    ProviderNotice,
    Reasoning,
    Text,
    ToolCall,
    UpstreamEvent,
)
from tests.engine.conftest import MakeRig
from tests.engine.rig import ME, StubProvider, replying

STOP = Finished("stop")
SMALL = Tuning(answer_limits=AnswerLimits(size=1000, tokens=50), titles=False)


async def answered(make_rig: MakeRig, *events: UpstreamEvent) -> Any:
    own = StubProvider([replying(*([event] for event in events))])
    rig = await make_rig(tuning=SMALL, providers={"own": own})
    return await rig.ended(await rig.ask("own/model"))


def is_cut(answer: Any) -> bool:
    end = answer.folded.end
    codes = [notice.code for notice in answer.events(Notice)]
    cut = (end.ending, end.finish_reason) == ("done", "length")
    assert cut == ("answer-limit" in codes)
    return cut


async def test_an_answer_that_just_fits_is_complete(make_rig: MakeRig) -> None:
    answer = await answered(make_rig, Text("x" * 900), Text("é" * 50), STOP)
    assert (answer.text, is_cut(answer)) == ("x" * 900 + "é" * 50, False)


async def test_text_beyond_the_limit_is_cut_between_characters(make_rig: MakeRig) -> None:
    answer = await answered(make_rig, Text("x" * 899), Text("é" * 5000), Text("more"), STOP)
    assert (answer.text, is_cut(answer)) == ("x" * 899 + "é" * 50, True)
    assert answer.folded.end.text_length == 949


async def test_so_many_tokens_are_enough(make_rig: MakeRig) -> None:
    answer = await answered(make_rig, *[Text("a ") for _ in range(60)], STOP)
    assert (len(answer.text), is_cut(answer)) == (102, True)


@pytest.mark.parametrize(
    "event",
    [
        Reasoning("y" * 5000),
        Reasoning("", "s" * 5000),
        ToolCall(0, "call", "name", "z" * 5000),
        ToolCall(0, "call", "n" * 5000),
        Cited("https://example.org/" + "u" * 5000, None),
        ProviderNotice("provider-tool", "m" * 5000),
        Text("a", 1, ({"token": "t" * 20_000},)),
    ],
    ids=["thought", "signature", "arguments", "name", "source", "notice", "log probabilities"],
)
async def test_nothing_else_is_longer_either(make_rig: MakeRig, event: UpstreamEvent) -> None:
    answer = await answered(make_rig, Text("before"), event, Text("after"), STOP)
    assert is_cut(answer)
    assert answer.text == "before"
    stored = sum(len(str(frame.event)) for frame in answer.frames)
    assert stored < 4000


async def test_what_a_vendor_says_of_the_end_is_cut(make_rig: MakeRig) -> None:
    end = Finished("stop", "n" * 9000, "s" * 9000)
    folded = (await answered(make_rig, Text("all"), end)).folded
    assert folded.end.ending == "done"
    assert folded.end.stop_sequence == "s" * 4096


async def test_many_small_events_are_counted_too(make_rig: MakeRig) -> None:
    calls = [ToolCall(n, str(n), "f") for n in range(500)]
    answer = await answered(make_rig, *calls, STOP)
    assert is_cut(answer)
    assert sum(isinstance(part, ToolCallPart) for part in answer.folded.parts()) < 20


@pytest.mark.parametrize(
    "turn",
    [
        (Text("a"), Reasoning("b")),
        (Cited("https://example.org", None), Reasoning("b")),
        (Reasoning("", "s", 0), Reasoning("", "s", 0)),
    ],
    ids=["text and reasoning", "source and reasoning", "signatures"],
)
async def test_many_small_parts_are_counted_with_what_stores_them(
    make_rig: MakeRig, turn: tuple[UpstreamEvent, ...]
) -> None:
    answer = await answered(make_rig, *turn * 20, STOP)
    assert is_cut(answer)
    assert len(answer.folded.parts()) < 20


async def test_a_continuation_of_a_full_answer_calls_nobody(make_rig: MakeRig) -> None:
    own = StubProvider([replying([Text("x" * 5000), STOP])], Capabilities(prefix=True))
    rig = await make_rig(tuning=SMALL, providers={"own": own})
    row = await rig.ask("own/model")
    assert is_cut(await rig.ended(row))
    after, created = await rig.supervisor.continue_answer(ContinuationRequest(ME, row.id, {}))
    assert created
    answer = await rig.ended(after)
    assert (answer.ending, len(answer.text), len(own.calls)) == ("done", 1000, 1)
