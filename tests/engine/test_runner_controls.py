"""Stop and live changes, in every phase that a generation can be in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from grantha.chat import Capabilities
from grantha.errors import Conflict, Overloaded, Truncated, Unsupported
from grantha.events import START, Finished, Notice, Seam, Text, ToolCall
from grantha.storage.base import GenerationRow
from tests.engine.conftest import MakeRig
from tests.engine.rig import (
    DEADLINE,
    EAGER,
    ME,
    Rig,
    StubProvider,
    StubUpstream,
    refusing,
    replying,
    until,
)
from tests.scripts import counted

STOP = Finished("stop")
COUNT = {"repeat": "w{n} ", "count": 100}


async def reached(rig: Rig, row: GenerationRow, state: str) -> None:
    run = rig.supervisor._running[row.id]
    await until(lambda: run.runner.lifecycle.state == state, f"state {state}")


# ---- stop ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "script"),
    [
        ("calling", {"begin": 3600, "steps": [{"text": "never"}]}),
        ("writing", {"steps": [{"wait": 3600}, {"text": "never"}]}),
        ("waiting", {"refuse": {"error": "Overloaded", "retry_after": 59}, "steps": []}),
    ],
    ids=["while connecting", "while the prompt is processed", "while waiting for the next try"],
)
async def test_stop_ends_an_answer_that_has_no_text_yet(
    rig: Rig, phase: str, script: dict[str, Any]
) -> None:
    model = rig.script("slow", *script.pop("steps"), **script)
    row = await rig.ask(model)
    await reached(rig, row, phase)
    stopped, receipt = await rig.supervisor.stop(ME, row.id)
    assert stopped.status == "stopped"
    assert receipt is not None
    assert (receipt.deltas, receipt.confirmed) == (0, True if phase == "writing" else None)
    answer = await rig.ended(row)
    assert (answer.ending, answer.text) == ("stopped", "")


async def test_stop_between_two_deltas_keeps_the_text_and_returns_a_receipt(rig: Rig) -> None:
    row = await rig.ask(rig.script("gated", COUNT, gate="gate"))
    rig.allow("gate", 7)
    await rig.text_of(row, len(counted(7)))
    stopped, receipt = await rig.supervisor.stop(ME, row.id)
    answer = await rig.ended(row)
    assert (stopped.status, answer.ending, answer.text) == ("stopped", "stopped", counted(7))
    assert receipt is not None
    assert answer.folded.end is not None
    assert answer.folded.end.receipt == receipt.to_json()
    assert (receipt.confirmed, receipt.deltas) == (True, 7)
    assert receipt.closed_ms is not None
    assert receipt.closed_ms >= 0


async def test_stop_after_the_end_changes_nothing_and_says_that_nothing_ran(rig: Rig) -> None:
    row = await rig.ask("scripted/count-3")
    await rig.ended(row)
    await until(lambda: not rig.supervisor.running, "the run to be gone")
    assert await rig.supervisor.stop(ME, row.id) == (await rig.stored(row), None)
    assert (await rig.stored(row)).status == "done"


async def test_two_stops_at_once_get_the_same_receipt(rig: Rig) -> None:
    row = await rig.ask(rig.script("gated", COUNT, gate="gate"))
    rig.allow("gate", 2)
    await rig.text_of(row, 4)
    (first, one), (second, two) = await asyncio.gather(
        rig.supervisor.stop(ME, row.id), rig.supervisor.stop(ME, row.id)
    )
    assert first.status == second.status == "stopped"
    assert one == two is not None


async def test_stop_in_the_same_moment_as_the_start_is_not_lost(rig: Rig) -> None:
    asking = asyncio.create_task(rig.ask(rig.script("gated", COUNT, gate="gate")))
    while not rig.supervisor.running:  # noqa: ASYNC110  the very turn of the loop is what counts
        await asyncio.sleep(0)
    (running,) = rig.supervisor._running.values()
    assert running.runner.lifecycle.state == "calling"
    stopped, receipt = await rig.supervisor.stop(ME, running.row.id)
    await asking
    assert (stopped.status, receipt is not None) == ("stopped", True)


async def test_nobody_stops_the_answer_of_somebody_else(rig: Rig) -> None:
    from grantha.errors import NotFound

    row = await rig.ask(rig.script("gated", COUNT, gate="gate"))
    with pytest.raises(NotFound):
        await rig.supervisor.stop("stranger", row.id)
    assert rig.supervisor.running == 1


async def test_a_provider_that_ignores_being_cancelled_writes_nothing_after_the_stop(
    make_rig: MakeRig,
) -> None:
    tuning = replace(EAGER, close_timeout=0.01)
    let_go = asyncio.Event()
    done = asyncio.Event()

    async def deaf() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    async def opened(_call: object, _resume: object) -> StubUpstream:
        async def run() -> Any:
            yield [Text("before ")]
            await deaf()
            yield [Text("after"), STOP]
            done.set()

        async def close() -> bool:
            await deaf()
            return True

        return StubUpstream(run(), close=close)

    rig = await make_rig(providers={"own": StubProvider([opened])}, tuning=tuning)
    row = await rig.ask("own/model")
    await rig.text_of(row, 1)
    _, receipt = await rig.supervisor.stop(ME, row.id)
    assert receipt is not None
    assert receipt.confirmed is False
    let_go.set()
    answer = await rig.ended(row)
    assert (answer.ending, answer.text) == ("stopped", "before ")


# ---- changes -------------------------------------------------------------------------------------


def change(rig: Rig, row: GenerationRow, model: str | None = None, **changes: Any) -> Any:
    return rig.supervisor.change(ME, row.id, changes, model)


async def changed(rig: Rig, row: GenerationRow, **options: float) -> None:
    """Waits for the seam with these options: an open gate could end the call before it is replaced."""
    reader = rig.supervisor.reader(ME, row.id, START)
    async with asyncio.timeout(DEADLINE):
        async for frame in reader:
            if isinstance(frame.event, Seam) and frame.event.options == options:
                return


async def test_a_change_applies_from_the_next_delta_by_prefix(rig: Rig) -> None:
    step = {"repeat": "{n}:{temperature} ", "start": 100, "count": 40}
    model = rig.script("warm", step, gate="gate", capabilities={"prefix": True})
    rig.allow("gate", 5)
    row = await rig.ask(model, temperature=0.25)
    before = await rig.text_of(row, 5 * 9)
    mode, wanted, options = change(rig, row, temperature=0.75)
    assert (mode, wanted, options.temperature) == ("prefix", model, 0.75)
    await changed(rig, row, temperature=0.75)
    rig.allow("gate")
    answer = await rig.ended(row)
    cut = answer.folded.seams[0].text_length
    assert answer.reasons == [("options", "prefix")]
    assert answer.folded.seams[0].changes == {"temperature": [0.25, 0.75]}
    assert answer.text.startswith(before)
    words = answer.text.split()
    assert [word.split(":")[0] for word in words] == [str(n) for n in range(100, 140)]
    assert all("0.25" in word for word in answer.text[:cut].split())
    assert all("0.75" in word for word in answer.text[cut:].split())
    assert len(answer.text[cut:].split()) >= 30


@pytest.mark.parametrize(
    ("phase", "script"),
    [
        ("calling", {"begin": 3600, "steps": []}),
        ("writing", {"steps": [{"wait": 3600}]}),
        ("waiting", {"refuse": {"error": "Overloaded", "retry_after": 59}, "steps": []}),
    ],
    ids=["while connecting", "while the prompt is processed", "while waiting for the next try"],
)
async def test_a_change_before_the_first_word_starts_over(
    rig: Rig, phase: str, script: dict[str, Any]
) -> None:
    hung = rig.script("hung", *script.pop("steps"), **script)
    other = rig.script("quick", {"text": "{temperature}!"}, capabilities={"instruction": False})
    row = await rig.ask(hung)
    await reached(rig, row, phase)
    assert change(rig, row, other, temperature=0.5)[0] is None
    answer = await rig.ended(row)
    assert (answer.ending, answer.text) == ("done", "0.50!")
    assert answer.reasons == [("options", None)]
    assert answer.folded.seams[0].changes == {"model": [hung, other], "temperature": [None, 0.5]}


async def test_two_changes_at_once_both_hold(rig: Rig) -> None:
    step = {"repeat": "{temperature}/{top_p} ", "count": 30}
    row = await rig.ask(
        rig.script("warm", step, gate="gate", capabilities={"prefix": True}), temperature=0.1
    )
    rig.allow("gate", 2)
    await rig.text_of(row, 1)
    change(rig, row, temperature=0.5)
    _, _, options = change(rig, row, top_p=0.25)
    assert (options.temperature, options.top_p) == (0.5, 0.25)
    await changed(rig, row, temperature=0.5, top_p=0.25)
    rig.allow("gate")
    answer = await rig.ended(row)
    assert answer.text.split()[-1] == "0.50/0.25"
    assert answer.folded.seams[-1].options == {"temperature": 0.5, "top_p": 0.25}


async def test_a_stop_wins_over_a_change(rig: Rig) -> None:
    row = await rig.ask(rig.script("gated", COUNT, gate="gate", capabilities={"prefix": True}))
    rig.allow("gate", 3)
    await rig.text_of(row, 1)
    change(rig, row, temperature=0.5)
    stopping = asyncio.create_task(rig.supervisor.stop(ME, row.id))
    await asyncio.sleep(0)
    with pytest.raises(Conflict):
        change(rig, row, temperature=0.6)
    _, receipt = await stopping
    answer = await rig.ended(row)
    assert (answer.ending, receipt is not None) == ("stopped", True)
    assert answer.reasons in ([], [("options", "prefix")])


async def test_a_change_that_comes_with_the_end_leaves_a_complete_answer_alone(
    make_rig: MakeRig,
) -> None:
    closing, go_on = asyncio.Event(), asyncio.Event()

    async def opened(_call: object, _resume: object) -> StubUpstream:
        async def run() -> Any:
            yield [Text("complete"), STOP]

        async def close() -> bool:
            closing.set()
            await go_on.wait()
            return True

        return StubUpstream(run(), close=close)

    own = StubProvider([opened], Capabilities(prefix=True))
    rig = await make_rig(providers={"own": own})
    row = await rig.ask("own/model")
    await closing.wait()
    with pytest.raises(Conflict):
        change(rig, row, temperature=0.5)
    go_on.set()
    answer = await rig.ended(row)
    assert (answer.ending, answer.text, len(own.calls)) == ("done", "complete", 1)


async def test_a_change_by_instruction_removes_the_overlap(make_rig: MakeRig) -> None:
    text = "Rivers carry water from the hills down to the wide sea, day and night."
    gate = asyncio.Event()

    async def first(_call: object, _resume: object) -> StubUpstream:
        async def run() -> Any:
            yield [Text(text[:30])]
            await gate.wait()

        return StubUpstream(run())

    own = StubProvider(
        [first, replying([Text(text[:12]), Text(text[12:45])], [Text(text[45:]), STOP])]
    )
    rig = await make_rig(providers={"own": own})
    row = await rig.ask("own/model")
    await rig.text_of(row, 30)
    assert change(rig, row, temperature=0.5)[0] == "instruction"
    answer = await rig.ended(row)
    assert (answer.text, answer.reasons) == (text, [("options", "instruction")])


async def test_a_limit_below_the_deltas_so_far_leaves_the_end_to_the_provider(rig: Rig) -> None:
    row = await rig.ask(rig.script("gated", COUNT, gate="gate", capabilities={"prefix": True}))
    rig.allow("gate", 6)
    await rig.text_of(row, len(counted(6)))
    change(rig, row, max_tokens=3)
    answer = await rig.ended(row)
    # How many tokens six deltas are isn't known, so the model gets the limit of three once more.
    assert (answer.ending, answer.text) == ("done", counted(9))
    assert answer.folded.end is not None
    assert answer.folded.end.finish_reason == "length"


async def test_a_change_that_the_model_cannot_take_is_refused_with_the_reason(
    make_rig: MakeRig,
) -> None:
    hold = asyncio.Event()

    async def opened(_call: object, _resume: object) -> StubUpstream:
        async def run() -> Any:
            yield [Text("text")]
            await hold.wait()

        return StubUpstream(run())

    stuck = StubProvider([opened], Capabilities(prefix=False, instruction=False), name="stuck")
    cold = StubProvider([opened], Capabilities(prefix=True, temperature=False), name="cold")
    rig = await make_rig(providers={"stuck": stuck, "cold": cold})
    for model, named in (("stuck/m", "partial answer"), ("cold/m", "temperature")):
        row = await rig.ask(model)
        await rig.text_of(row, 1)
        with pytest.raises(Unsupported, match=named):
            change(rig, row, temperature=0.5)
        await rig.supervisor.stop(ME, row.id)
        assert (await rig.ended(row)).reasons == []


async def test_an_answer_that_calls_tools_is_not_changed(make_rig: MakeRig) -> None:
    hold = asyncio.Event()

    async def opened(_call: object, _resume: object) -> StubUpstream:
        async def run() -> Any:
            yield [Text("t"), ToolCall(0, "call", "look", "{}")]
            await hold.wait()

        return StubUpstream(run())

    rig = await make_rig(providers={"own": StubProvider([opened], Capabilities(prefix=True))})
    row = await rig.ask("own/model")
    await rig.text_of(row, 1)
    with pytest.raises(Unsupported, match="tools"):
        change(rig, row, temperature=0.5)


async def test_nothing_is_changed_after_the_end(rig: Rig) -> None:
    row = await rig.ask("scripted/count-2")
    await rig.ended(row)
    with pytest.raises(Conflict):
        change(rig, row, temperature=0.5)


async def test_a_change_to_another_model_in_mid_answer(make_rig: MakeRig) -> None:
    own = StubProvider([replying([Text("and the rest"), STOP])], Capabilities(prefix=True))
    rig = await make_rig(providers={"own": own})
    row = await rig.ask(rig.script("gated", COUNT, gate="gate"))
    rig.allow("gate", 2)
    await rig.text_of(row, len(counted(2)))
    assert change(rig, row, "own/model")[:2] == ("prefix", "own/model")
    answer = await rig.ended(row)
    assert answer.text == counted(2) + "and the rest"
    assert own.calls[0][0].prefix == counted(2)
    assert answer.folded.seams[0].model == "own/model"


async def test_a_change_while_the_provider_is_tried_again_keeps_the_text(make_rig: MakeRig) -> None:
    own = StubProvider(
        [
            replying([Text("one ")], Truncated("cut")),
            refusing(Overloaded("full", retry_after=59.0)),
            replying([Text("two"), STOP]),
        ],
        Capabilities(prefix=True),
    )
    rig = await make_rig(providers={"own": own})
    row = await rig.ask("own/model")
    await until(lambda: len(own.calls) == 2, "the second call")
    await reached(rig, row, "waiting")
    change(rig, row, temperature=0.5)
    answer = await rig.ended(row)
    assert (answer.ending, answer.text) == ("done", "one two")
    assert [reason for reason, _ in answer.reasons][-1] == "options"
    assert any(e.code == "retrying" for e in answer.events(Notice))
