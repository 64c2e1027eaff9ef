"""After a crash: a new owner takes up what the dead one left, or ends it, and says which."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from typing_extensions import override

from grantha.chat import Capabilities
from grantha.errors import Overloaded, StorageFailed, UnknownModel, error_from_json
from grantha.events import START, Finished, Open, Record, RecordId, Text, ToolCall
from grantha.storage.base import GenerationRow
from tests.engine.conftest import MakeRig
from tests.engine.rig import ME, Rig, StubProvider, StubUpstream, refusing, replying, until
from tests.scripts import counted

COUNT = {"repeat": "w{n} ", "count": 60}
STOP = Finished("stop")


@pytest.fixture
async def crash(request: pytest.FixtureRequest) -> Any:
    """Crashes a rig and gives the one after it; all are closed in the end."""
    made: list[Rig] = []

    async def again(rig: Rig, *, recover: bool = True) -> Rig:
        await rig.crash()
        made.append(await rig.start_again(recover=recover))
        return made[-1]

    yield again
    for rig in made:
        await rig.aclose()


async def cut(rig: Rig, fragments: int, **capabilities: bool) -> GenerationRow:
    """An answer that stands still after some pieces."""
    model = rig.script("gated", COUNT, gate="gate", capabilities=capabilities)
    rig.allow("gate", fragments)
    row = await rig.ask(model)
    await rig.text_of(row, len(counted(fragments)))
    return row


def dense(frames: Sequence[Any]) -> None:
    """No id is missing and none comes twice, across epochs."""
    last = START
    for frame in frames:
        if frame.id.epoch != last.epoch:
            assert isinstance(frame.event, Open)
            assert (frame.id.seq, frame.event.previous) == (0, str(last) if last != START else None)
        else:
            assert frame.id.seq == last.seq + frame.records
        last = frame.id


async def test_an_answer_goes_on_by_prefix_in_a_new_epoch(rig: Rig, crash: Any) -> None:
    row = await cut(rig, 9, prefix=True)
    rig.allow("gate")
    after = await crash(rig)
    answer = await after.ended(row)
    assert (answer.ending, answer.text) == ("done", counted(60))
    assert answer.reasons == [("restart", "prefix")]
    assert answer.folded.seams[0].text_length == len(counted(9))
    assert answer.frames[-1].id.epoch == 2
    dense(answer.frames)
    end = answer.folded.end
    assert end is not None
    assert end.sha256 == hashlib.sha256(counted(60).encode()).hexdigest()
    assert end.usage is not None
    assert end.usage.partial  # what the dead owner's call used is unknown, not nothing
    assert end.usage.output_tokens == 51


async def test_a_reader_with_an_id_of_the_dead_owner_gets_every_later_record_once(
    rig: Rig, crash: Any
) -> None:
    row = await cut(rig, 9, prefix=True)
    all_before = await rig.store.records(ME, row.id, START, 1000)
    cursor = all_before[-2].id
    rig.allow("gate")
    after = await crash(rig)
    frames = await after.frames(row.id, cursor)
    assert frames[0].id == all_before[-1].id
    assert [frame.id for frame in frames] == sorted({frame.id for frame in frames})


async def test_without_a_prefix_the_answer_is_interrupted_and_its_text_kept(
    rig: Rig, crash: Any
) -> None:
    row = await cut(rig, 5, prefix=False)
    after = await crash(rig)
    answer = await after.ended(row)
    assert (answer.ending, answer.text) == ("interrupted", counted(5))
    assert error_from_json(answer.error).to_json() == answer.error
    assert (answer.error["code"], answer.error["retryable"]) == ("interrupted", True)
    stored = await after.store.message(ME, row.message)
    assert stored.status == "interrupted"
    assert "".join(part.text for part in stored.parts if part.type == "text") == counted(5)


async def test_before_the_first_word_the_call_is_simply_repeated(rig: Rig, crash: Any) -> None:
    model = rig.script("gated", COUNT, gate="gate")
    row = await rig.ask(model)
    await until(
        lambda: rig.supervisor._running[row.id].runner.lifecycle.state == "writing", "begin"
    )
    rig.allow("gate")
    answer = await (await crash(rig)).ended(row)
    assert (answer.ending, answer.text) == ("done", counted(60))
    assert answer.reasons == [("restart", None)]


async def test_before_the_first_word_a_failing_provider_is_tried_again(
    make_rig: MakeRig, crash: Any
) -> None:
    async def hung(_call: object, _resume: object) -> StubUpstream:
        async def run() -> Any:
            await until(lambda: False, "nothing")
            yield []

        return StubUpstream(run())

    busy = refusing(Overloaded("full", retry_after=0.0))
    own = StubProvider([hung, busy, replying([Text("hi"), STOP])])
    rig = await make_rig(providers={"own": own})
    row = await rig.ask("own/model")
    await until(lambda: len(own.calls) == 1, "the call")
    answer = await (await crash(rig)).ended(row)
    assert (answer.ending, answer.text) == ("done", "hi")


async def test_an_answer_that_called_tools_is_interrupted(make_rig: MakeRig, crash: Any) -> None:
    async def opened(_call: object, _resume: object) -> StubUpstream:
        async def run() -> Any:
            yield [Text("t"), ToolCall(0, "call", "look", "{}")]
            await until(lambda: False, "nothing")

        return StubUpstream(run())

    rig = await make_rig(providers={"own": StubProvider([opened], Capabilities(prefix=True))})
    row = await rig.ask("own/model")
    await rig.text_of(row, 1)
    answer = await (await crash(rig)).ended(row)
    assert answer.ending == "interrupted"
    assert "tools" in answer.error["message"]


async def test_an_answer_goes_on_after_every_crash_as_long_as_words_come(
    rig: Rig, crash: Any
) -> None:
    row = await cut(rig, 4, prefix=True)
    now = rig
    for number in range(6):
        now.allow("gate", 1)  # each call may write so many of its own
        now = await crash(now)
        await now.text_of(row, len(counted(5 + number)))
    now.allow("gate")
    answer = await now.ended(row)
    assert (answer.ending, answer.text) == ("done", counted(60))
    assert answer.reasons == [("restart", "prefix")] * 6
    dense(answer.frames)


async def test_three_crashes_in_a_row_without_a_word_end_it(rig: Rig, crash: Any) -> None:
    row = await cut(rig, 4, prefix=True)
    now = rig
    rig.allow("gate", 0)
    for _ in range(3):
        now = await crash(now)
        run = now.supervisor._running[row.id]
        await until(lambda: run.log.published.seq >= 2, "the reply to be accepted")  # noqa: B023
    answer = await (await crash(now)).ended(row)
    assert (answer.ending, answer.text) == ("interrupted", counted(4))
    assert answer.reasons == [("restart", "prefix")] * 3
    assert answer.frames[-1].id.epoch == 5
    dense(answer.frames)


async def test_of_several_answers_that_are_cut_together_none_is_blamed_so_soon(
    rig: Rig, crash: Any
) -> None:
    first = await cut(rig, 4, prefix=True)
    rig.conversation = ""
    rows = [first, await cut(rig, 4, prefix=True)]
    now = rig
    rig.allow("gate", 0)
    for _ in range(5):
        now = await crash(now)
        logs = [now.supervisor._running[row.id].log for row in rows]
        await until(lambda: all(log.published.seq >= 2 for log in logs), "the replies")  # noqa: B023
    now.allow("gate")
    for row in rows:
        answer = await now.ended(row)
        assert (answer.ending, answer.text) == ("done", counted(60))


async def test_an_answer_that_waits_behind_others_is_not_given_up_for_their_crashes(
    make_rig: MakeRig, crash: Any
) -> None:
    async def queued(_call: object, _resume: object) -> StubUpstream:
        await until(lambda: False, "nothing")
        raise AssertionError

    own = StubProvider([queued] * 6 + [replying([Text("at last"), STOP])])
    rig = await make_rig(providers={"own": own})
    row = await rig.ask("own/model")
    for calls in range(1, 7):
        await until(lambda: len(own.calls) == calls, "the call")  # noqa: B023
        rig = await crash(rig)
    answer = await rig.ended(row)
    assert (answer.ending, answer.text) == ("done", "at last")


async def test_max_tokens_holds_over_a_crash(rig: Rig, crash: Any) -> None:
    model = rig.script("gated", COUNT, gate="gate", capabilities={"prefix": True})
    rig.allow("gate", 6)
    row = await rig.ask(model, max_tokens=40)
    await rig.text_of(row, len(counted(6)))
    rig.allow("gate")
    answer = await (await crash(rig)).ended(row)
    assert (answer.ending, answer.text) == ("done", counted(40))


async def test_options_in_force_at_the_crash_hold_after_it(rig: Rig, crash: Any) -> None:
    step = {"repeat": "{temperature} ", "count": 40}
    model = rig.script("warm", step, gate="gate", capabilities={"prefix": True})
    rig.allow("gate", 3)
    row = await rig.ask(model, temperature=0.1)
    await rig.text_of(row, 15)
    rig.supervisor.change(ME, row.id, {"temperature": 0.9}, None)
    await until(lambda: rig.supervisor._running[row.id].runner.options.temperature == 0.9, "change")
    await rig.supervisor._running[row.id].log.flushed()
    rig.allow("gate")
    answer = await (await crash(rig)).ended(row)
    assert answer.text.split()[-1] == "0.90"
    assert answer.folded.seams[-1].options == {"temperature": 0.9}


async def test_an_owner_that_was_frozen_writes_nothing_once_another_has_taken_over(
    rig: Rig, crash: Any
) -> None:
    row = await cut(rig, 4, prefix=True)
    after = await rig.start_again()  # the first owner is still there, as after SIGSTOP and SIGCONT
    rig.allow("gate")
    try:
        answer = await after.ended(row)
        log = rig.supervisor._running.get(row.id)
        await until(lambda: log is None or log.log.fenced, "the old owner to be fenced")
        assert (answer.ending, answer.text) == ("done", counted(60))
        dense(answer.frames)
        assert answer.reasons == [("restart", "prefix")]
        assert await after.store.records(ME, row.id, answer.frames[-1].id, 10) == []
    finally:
        await after.aclose()


async def test_two_owners_never_take_up_the_same_orphan(rig: Rig, crash: Any) -> None:
    row = await cut(rig, 4, prefix=True)
    one = await crash(rig, recover=False)
    (orphan,) = await one.store.orphans(one.instance_id)
    two = await one.start_again(recover=False)
    try:
        assert await one.recover() == 1
        opening = one.supervisor._running[row.id].log
        assert opening.published.epoch == 2
        first = Record(RecordId(2, 0), 0, Open(str(orphan.row.last_id), "m"))
        assert await two.store.claim(orphan.row, two.instance_id, [first]) is False
    finally:
        await two.aclose()


async def test_a_stop_that_comes_before_the_answer_was_taken_up_holds(rig: Rig, crash: Any) -> None:
    row = await cut(rig, 4, prefix=True)
    after = await crash(rig, recover=False)
    stopping = asyncio.create_task(after.supervisor.stop(ME, row.id))
    await after.recover()
    stopped, receipt = await stopping
    assert (stopped.status, receipt is not None) == ("stopped", True)
    assert (await after.ended(row)).text.startswith(counted(4))


async def test_the_answer_of_a_deleted_conversation_ends(rig: Rig, crash: Any) -> None:
    row = await cut(rig, 4, prefix=True)
    await rig.store.delete_conversation(ME, row.conversation)
    after = await crash(rig)
    assert (await after.stored(row)).status == "interrupted"
    assert await after.store.orphans("nobody") == []


async def _begun(_call: object, _resume: object) -> StubUpstream:
    async def run() -> Any:
        yield [Text("so far")]
        await until(lambda: False, "nothing")

    return StubUpstream(run())


async def _interrupted(make_rig: MakeRig, crash: Any, own: StubProvider) -> Any:
    """The end of an answer that had begun before a crash, after which its provider has no replies."""
    rig = await make_rig(providers={"own": own})
    row = await rig.ask("own/model")
    await rig.text_of(row, 6)
    own.replies = []
    return await (await crash(rig)).ended(row)


async def test_an_answer_that_recovery_cannot_work_with_ends(make_rig: MakeRig, crash: Any) -> None:
    class Unreliable(StubProvider):
        @override
        def capabilities(self, model: str) -> Capabilities:
            if not self.replies:
                raise LookupError(model)
            return self.facts

    answer = await _interrupted(make_rig, crash, Unreliable([_begun]))
    assert (answer.ending, answer.text) == ("interrupted", "so far")
    assert answer.folded.end.text_length == 6
    assert "can't be read" in answer.error["message"]


async def test_an_answer_ends_whose_model_is_known_no_more(make_rig: MakeRig, crash: Any) -> None:
    class Forgetful(StubProvider):
        @override
        def capabilities(self, model: str) -> Capabilities:
            if not self.replies:
                raise UnknownModel(f"There is no model {model!r} any more.")
            return self.facts

    answer = await _interrupted(make_rig, crash, Forgetful([_begun]))
    assert (answer.ending, answer.text) == ("interrupted", "so far")


async def test_recovery_waits_while_the_store_takes_no_writes(rig: Rig) -> None:
    row = await cut(rig, 4, prefix=True)
    rig.allow("gate")
    await rig.crash()
    after = Rig(
        rig.folder,
        replace(rig.tuning, recovery_retry=0.001),
        wrap=lambda store: FailingStore(store, {"claim": 3, "orphans": 2}),
    )
    await after.open()
    try:
        assert await after.recover() == 1
        answer = await after.ended(row)
        assert (answer.ending, answer.text) == ("done", counted(60))
    finally:
        await after.aclose()


async def test_an_orderly_stop_lets_short_answers_end_and_hands_long_ones_over(rig: Rig) -> None:
    short = await rig.ask("scripted/count-20")
    long = await rig.ask(rig.script("gated", COUNT, gate="gate", capabilities={"prefix": True}))
    rig.allow("gate", 5)
    await rig.text_of(long, len(counted(5)))
    await rig.ended(short)
    await rig.aclose(drain=0.01)
    rig.allow("gate")
    after = await rig.start_again()
    try:
        assert (await after.stored(short)).status == "done"
        answer = await after.ended(long)
        assert (answer.ending, answer.text) == ("done", counted(60))
        assert answer.reasons == [("restart", "prefix")]
    finally:
        await after.aclose()


class FailingStore:
    """A store whose named calls fail so many times before they work."""

    def __init__(self, store: Any, times: dict[str, int]) -> None:
        self._store = store
        self._times = times

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in self._times:
            return found
        return self._failing(name, found)

    def _failing(self, name: str, found: Callable[..., Any]) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if self._times[name] > 0:
                self._times[name] -= 1
                raise StorageFailed("The database is locked by another process.")
            return await found(*args, **kwargs)

        return call
