"""Instructions belong to one answer: the conversation doesn't hold them."""

from __future__ import annotations

from grantha.chat import Options, text_message
from grantha.engine.generation_request import GenerationRequest
from grantha.engine.history import HistoryReader
from grantha.events import Text
from tests.engine.conftest import MakeRig
from tests.engine.rig import ME, StubProvider, replying

SYSTEM = text_message("system", "Be brief.")
GO = text_message("user", "Go")


async def test_instructions_reach_the_model_and_the_next_answer_has_none(make_rig: MakeRig) -> None:
    provider = StubProvider([replying([Text("Yes.")])])
    rig = await make_rig(providers={"own": provider})
    first = await rig.ask("own/any", instructions="Be brief.")
    await rig.ended(first)
    rows, _ = await rig.supervisor.start(
        GenerationRequest(ME, ("own/any",), Options(), rig.conversation, first.message, (GO,))
    )
    await rig.ended(rows[0])
    sent = [call.messages for call, _ in provider.calls]
    assert sent[0] == (SYSTEM, GO)
    assert [message.role for message in sent[-1]] == ["user", "assistant", "user"]


async def test_instructions_are_there_again_when_an_answer_is_taken_up(make_rig: MakeRig) -> None:
    rig = await make_rig(providers={"own": StubProvider([replying([Text("Yes.")])])})
    row = await rig.ask("own/any", instructions="Be brief.")
    await rig.ended(row)
    history = HistoryReader(rig.store)
    assert await history.of_generation(ME, await rig.stored(row)) == (SYSTEM, GO)
