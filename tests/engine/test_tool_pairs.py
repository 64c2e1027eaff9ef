"""Calls without a result, results without a call: every vendor gets pairs, whatever was sent or stored."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from grantha.chat import (
    Call,
    ImagePart,
    Message,
    Options,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    text_message,
)
from grantha.engine.generation_request import GenerationRequest
from grantha.engine.tool_pairs import CUT_OFF, NO_RESULT, with_tool_results
from grantha.errors import ContentBlocked
from grantha.events import Finished, Text, ToolCall
from tests.engine.conftest import MakeRig
from tests.engine.rig import StubProvider, replying
from tests.wire.calls import PNG, anthropic, chat, converse, gemini, local_chat, responses

ASK = text_message("user", "And without it?")


def calls(*ids: str, text: str = "") -> Message:
    """What an assistant said, and the calls that it made."""
    said: list[Part] = [TextPart(text)] if text else []
    return Message("assistant", (*said, *(ToolCallPart(i, "f", "{}") for i in ids)))


def results(*ids: str) -> Message:
    """The results of calls."""
    return Message("tool", tuple(ToolResultPart(i, f"result of {i}") for i in ids))


def missing(call_id: str, text: str = NO_RESULT) -> ToolResultPart:
    """What stands for a result that never came."""
    return ToolResultPart(call_id, text, is_error=True)


def test_what_is_in_order_comes_back_unchanged() -> None:
    messages = (
        text_message("system", "Be brief."),
        text_message("user", "Go"),
        calls("a", "b"),
        results("a"),
        results("b"),
        calls("c"),
        calls("d"),
        Message("user", (ToolResultPart("d", "x"), ToolResultPart("c", "y"), TextPart("Go on"))),
    )
    assert with_tool_results(messages) is messages


def test_a_call_without_a_result_gets_one_that_says_so() -> None:
    repaired = with_tool_results([text_message("user", "Go"), calls("a"), ASK])
    assert repaired == (
        text_message("user", "Go"),
        calls("a"),
        Message("tool", (missing("a"),)),
        ASK,
    )


def test_results_that_are_there_stay_beside_those_that_never_came() -> None:
    repaired = with_tool_results([calls("a", "b"), results("b"), calls("c"), ASK])
    assert repaired == (
        calls("a", "b"),
        Message("tool", (missing("a"), ToolResultPart("b", "result of b"))),
        calls("c"),
        Message("tool", (missing("c"),)),
        ASK,
    )


def test_arguments_that_were_cut_off_are_sent_as_none() -> None:
    half = Message("assistant", (ToolCallPart("a", "save", '{"path":"/tm'),))
    repaired = with_tool_results([text_message("user", "Go"), half, ASK])
    assert repaired[1:] == (
        Message("assistant", (ToolCallPart("a", "save", "{}"),)),
        Message("tool", (missing("a", CUT_OFF),)),
        ASK,
    )


def test_a_result_that_comes_late_is_moved_to_its_call() -> None:
    repaired = with_tool_results([calls("a"), ASK, results("a")])
    assert repaired == (calls("a"), results("a"), ASK)


def test_a_picture_between_results_goes_behind_them() -> None:
    picture = ImagePart("image/png", PNG)
    first = Message("tool", (ToolResultPart("a", "one"), picture))
    repaired = with_tool_results([calls("a", "b"), first, results("b")])
    assert repaired == (
        calls("a", "b"),
        Message("tool", (ToolResultPart("a", "one"), ToolResultPart("b", "result of b"))),
        Message("user", (picture,)),
    )


def test_the_pictures_of_a_result_go_with_it() -> None:
    picture = ImagePart("image/png", PNG, call_id="a")
    first = Message("tool", (ToolResultPart("a", "one"), picture))
    in_order = (calls("a", "b"), first, results("b"), ASK)
    assert with_tool_results(in_order) == in_order
    late = with_tool_results([calls("a", "b"), ASK, first, results("b")])
    assert late == (
        calls("a", "b"),
        Message("tool", (*first.parts, ToolResultPart("b", "result of b"))),
        ASK,
    )


def test_the_pictures_of_a_result_without_a_call_stand_for_themselves() -> None:
    lost = Message("tool", (ToolResultPart("x", "one"), ImagePart("image/png", PNG, call_id="x")))
    repaired = with_tool_results([text_message("user", "Go"), lost])
    reported = TextPart("Result of a tool call:\none")
    assert repaired[1:] == (Message("user", (reported, ImagePart("image/png", PNG))),)


def test_a_result_without_a_call_becomes_text() -> None:
    repaired = with_tool_results([text_message("user", "Go"), results("x")])
    assert repaired[1] == text_message("user", "Result of a tool call:\nresult of x")


def test_of_two_results_the_last_counts() -> None:
    twice = Message("tool", (ToolResultPart("a", "old"), ToolResultPart("a", "new")))
    repaired = with_tool_results([calls("a"), twice])
    assert repaired == (calls("a"), Message("tool", (ToolResultPart("a", "new"),)))


def test_an_id_that_is_used_again_means_its_latest_call() -> None:
    messages = (calls("0"), results("0"), ASK, calls("0"), results("0"))
    assert with_tool_results(messages) == messages


PARTS = st.one_of(
    st.builds(TextPart, st.just("words")),
    st.builds(ToolCallPart, st.sampled_from("abc"), st.just("f"), st.sampled_from(["{}", '{"x'])),
    st.builds(ToolResultPart, st.sampled_from("abcd"), st.just("result")),
    st.builds(lambda call: ImagePart("image/png", PNG, call_id=call), st.sampled_from("abcd")),
)
CONVERSATIONS = st.lists(
    st.builds(
        Message,
        st.sampled_from(["user", "assistant", "tool", "system"]),
        st.lists(PARTS, max_size=4).map(tuple),
    ),
    max_size=7,
)


@given(CONVERSATIONS)
def test_any_conversation_comes_out_in_pairs_that_need_no_further_repair(
    messages: list[Message],
) -> None:
    sides = [
        Message(m.role, tuple(p for p in m.parts if m.role == "assistant" or not _is_call(p)))
        for m in messages
    ]
    repaired = with_tool_results(sides)
    assert_paired(repaired)
    said = [p for m in sides for p in m.parts if isinstance(p, TextPart)]
    assert [p for m in repaired for p in m.parts if p in said][: len(said)] == said
    made = [p.call_id for m in sides for p in m.parts if isinstance(p, ToolCallPart)]
    assert [p.call_id for m in repaired for p in m.parts if isinstance(p, ToolCallPart)] == made


def assert_paired(messages: tuple[Message, ...]) -> None:
    """The rule of all vendors: the results of a side's calls stand directly after it, each once."""
    waiting: list[str] = []
    for message in messages:
        if message.role == "assistant":
            assert not any(isinstance(part, ToolResultPart) for part in message.parts)
            waiting += [p.call_id for p in message.parts if isinstance(p, ToolCallPart)]
            continue
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                assert part.call_id in waiting
                waiting.remove(part.call_id)
            else:
                assert not waiting
    assert not waiting


def _is_call(part: Part) -> bool:
    return isinstance(part, ToolCallPart)


DANGLING = with_tool_results(
    [text_message("user", "Go"), calls("a"), calls("b"), results("b"), ASK]
)


def pairs_of_chat(messages: list[dict[str, Any]]) -> list[str]:
    """The vendor's rule, checked in its own format: the ids of the calls, all answered."""
    found = []
    for index, message in enumerate(messages):
        made = [call["id"] for call in message.get("tool_calls", [])]
        answers = messages[index + 1 : index + 1 + len(made)]
        assert [m.get("tool_call_id") for m in answers] == made
        found += made
    return found


def pairs_of_blocks(messages: list[dict[str, Any]], use: Any, result: Any) -> list[str]:
    """The same where calls and results are blocks of messages that alternate."""
    found = []
    for index, message in enumerate(messages):
        made = [use(block) for block in message["content"] if use(block)]
        if made:
            answers = [result(block) for block in messages[index + 1]["content"]]
            assert answers[: len(made)] == made
        found += made
    return found


def test_every_dialect_is_sent_whole_pairs() -> None:
    call = Call("m", DANGLING)
    assert pairs_of_chat(chat(call)["messages"]) == ["a", "b"]
    assert pairs_of_blocks(
        anthropic(call)["messages"],
        lambda b: b["id"] if b["type"] == "tool_use" else None,
        lambda b: b.get("tool_use_id"),
    ) == ["a", "b"]
    assert pairs_of_blocks(
        converse(Call("m", DANGLING, Options(tools=({"name": "f"},))))["messages"],
        lambda b: b.get("toolUse", {}).get("toolUseId"),
        lambda b: b.get("toolResult", {}).get("toolUseId"),
    ) == ["a", "b"]
    items = responses(call)["input"]
    made = [i["call_id"] for i in items if i["type"] == "function_call"]
    assert made == ["a", "b"]
    assert [i["call_id"] for i in items if i["type"] == "function_call_output"] == made
    contents = gemini(call)["contents"]
    assert [len(c["parts"]) for c in contents] == [1, 2, 3]
    assert [m["role"] for m in local_chat(call)["messages"]] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "user",
    ]


async def test_a_question_after_an_answer_that_broke_off_in_a_call_is_sent_with_a_pair(
    make_rig: MakeRig,
) -> None:
    begun = ToolCall(0, call_id="a", name="save", arguments='{"path":"/tm')
    provider = StubProvider(
        [
            replying([begun], ContentBlocked("The filter cut it.")),
            replying([Text("Gladly."), Finished("stop")]),
        ]
    )
    rig = await make_rig(providers={"own": provider})
    row = await rig.ask("own/m")
    assert (await rig.ended(row)).ending == "failed"
    send = GenerationRequest("local", ("own/m",), Options(), rig.conversation, row.message, (ASK,))
    (second,), _ = await rig.supervisor.start(send)
    assert (await rig.ended(second)).text == "Gladly."
    assert provider.calls[1][0].messages == (
        text_message("user", "Go"),
        Message("assistant", (ToolCallPart("a", "save", "{}"),)),
        Message("tool", (missing("a", CUT_OFF),)),
        ASK,
    )
    stored = await rig.store.message("local", row.message)
    assert stored.parts == (ToolCallPart("a", "save", '{"path":"/tm'),)
