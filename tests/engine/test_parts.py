"""Parts, titles and news: the smaller pieces of the engine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantha.chat import ReasoningPart, TextPart, ToolCallPart
from grantha.engine.feed import Change, Feed
from grantha.engine.parts import PartWriter
from grantha.engine.titles import title_from, usable_title
from grantha.events import (
    Cited,
    Event,
    PartEnd,
    PartStart,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from grantha.fold import fold
from tests.engine.conftest import MakeRig
from tests.engine.rig import EAGER, ME, Rig, until


class Written:
    """A part writer whose clock goes ten milliseconds a look."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._now = 0
        self.parts = PartWriter(self.events.append, self._tick)

    def _tick(self) -> int:
        self._now += 10
        return self._now


def test_reasoning_and_text_close_each_other_and_thinking_is_timed() -> None:
    written = Written()
    written.parts.reasoning(Reasoning("hm"))
    written.parts.text(Text("a"))
    written.parts.text(Text("b"))
    written.parts.reasoning(Reasoning("hm again", "signed"))
    written.parts.text(Text("c"))
    written.parts.end()
    assert fold(written.events).parts() == (
        ReasoningPart("hm", None, 10),
        TextPart("ab"),
        ReasoningPart("hm again", "signed", 10),
        TextPart("c"),
    )
    assert [e.part for e in written.events if isinstance(e, PartStart)] == [0, 1, 2, 3]


def test_fragments_of_several_tool_calls_are_distinguished_by_index() -> None:
    written = Written()
    written.parts.text(Text("Let me look."))
    written.parts.tool_call(ToolCall(0, "one", "look", '{"a"'))
    written.parts.tool_call(ToolCall(1, "two", "find", "{"))
    written.parts.tool_call(ToolCall(0, None, None, ":1}"))
    written.parts.tool_call(ToolCall(1, None, None, "}"))
    written.parts.tool_call(ToolCall(2, "three", "wait"))
    written.parts.end()
    assert fold(written.events).parts()[1:] == (
        ToolCallPart("one", "look", '{"a":1}'),
        ToolCallPart("two", "find", "{}"),
        ToolCallPart("three", "wait", "{}"),
    )
    assert written.parts.tools_begun


def test_after_a_seam_text_continues_in_its_part_and_indexes_start_over() -> None:
    written = Written()
    written.parts.text(Text("a"))
    written.parts.end_segment()
    written.parts.text(Text("b"))
    written.parts.tool_call(ToolCall(0, "one", "look", "{}"))
    written.parts.end_segment()
    written.parts.tool_call(ToolCall(0, "two", "look", "{}"))
    written.parts.end()
    parts = fold(written.events).parts()
    assert parts[0] == TextPart("ab")
    assert [part.call_id for part in parts if isinstance(part, ToolCallPart)] == ["one", "two"]


def test_a_new_owner_goes_on_in_the_open_text_part() -> None:
    written = Written()
    written.parts.resume([PartStart(0, "reasoning"), PartEnd(0), PartStart(1, "text")])
    written.parts.text(Text("on"))
    written.parts.reasoning(Reasoning("x"))
    assert written.events[0] == TextDelta(1, "on")
    assert [e.part for e in written.events if isinstance(e, PartStart)] == [2]


def test_a_citation_alone_opens_a_text_part() -> None:
    written = Written()
    written.parts.cite(Cited("https://example.org", None))
    written.parts.end()
    assert fold(written.events).citations[0].part == 0


UPSTREAM = st.one_of(
    st.builds(Text, st.text(min_size=1, max_size=5)),
    st.builds(Reasoning, st.text(min_size=1, max_size=5)),
    st.builds(ToolCall, st.integers(0, 2), st.just("id"), st.just("name"), st.text(max_size=4)),
)


@given(st.lists(UPSTREAM, max_size=30), st.data())
def test_every_delta_belongs_to_a_part_that_is_open(events: list[Any], data: Any) -> None:
    written = Written()
    for event in events:
        match event:
            case Text():
                written.parts.text(event)
            case Reasoning():
                written.parts.reasoning(event)
            case _:
                written.parts.tool_call(event)
        if data.draw(st.integers(0, 9)) == 0:
            written.parts.end_segment()
    written.parts.end()
    begun: dict[int, str] = {}
    ended: set[int] = set()
    for event in written.events:
        match event:
            case PartStart():
                assert event.part == len(begun)
                begun[event.part] = event.part_kind
            case PartEnd():
                assert event.part in begun.keys() - ended
                ended.add(event.part)
            case TextDelta() | ReasoningDelta() | ToolCallDelta():
                assert event.part in begun.keys() - ended
            case _:
                pytest.fail(f"a part writer writes no {event.kind}")
    assert ended == set(begun)
    wanted = "".join(event.text for event in events if isinstance(event, Text))
    assert fold(written.events).text() == wanted


# ---- titles ----------------------------------------------------------------------------------------


@given(st.text(max_size=300))
def test_a_title_from_a_question_is_one_short_line(question: str) -> None:
    title = title_from(question)
    assert 1 <= len(title) <= 61
    assert "\n" not in title


def test_a_long_question_is_cut_at_a_word() -> None:
    assert title_from("word " * 40) == ("word " * 12).strip() + "…"
    assert title_from("\n\n  Why is\tthe sky blue?\nTell me") == "Why is the sky blue?"
    assert title_from(" \n ") == "New chat"


@pytest.mark.parametrize(
    ("reply", "title"),
    [
        ("Blue skies", "Blue skies"),
        ('"Blue Skies."', "Blue Skies"),
        ("Title: Blue skies\nand more", "Blue skies"),
        ("", None),
        ("Sure: here is a title", None),
        ("one two three four five six seven eight nine ten", None),
        ("x" * 61, None),
    ],
)
def test_only_what_looks_like_a_title_is_used(reply: str, title: str | None) -> None:
    assert usable_title(reply) == title


async def titled(rig: Rig, title_script: str) -> str:
    rig.script(
        "writer",
        attempts=[{"steps": [{"text": "An answer."}]}, {"steps": [{"text": title_script}]}],
    )
    row = await rig.ask("scripted/writer", text="Why is the sky blue?")
    await rig.ended(row)
    await until(
        lambda: not rig.supervisor.running and not rig.supervisor._background_tasks, "the title"
    )
    return (await rig.store.conversation(ME, rig.conversation)).title


async def test_the_model_gives_a_better_title_after_the_first_answer(make_rig: MakeRig) -> None:
    tuning = type(EAGER)(window=0.001)
    assert await titled(await make_rig(tuning=tuning), "Blue Skies") == "Blue Skies"
    bad = await titled(await make_rig(tuning=tuning), "I am sorry: I can not")
    assert bad == "Why is the sky blue?"


async def test_a_conversation_that_was_deleted_meanwhile_needs_no_title(
    make_rig: MakeRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig = await make_rig(tuning=type(EAGER)(window=0.001))
    model = rig.script("gated", {"text": "An answer."}, gate="gate")
    row = await rig.ask(model)
    await rig.store.delete_conversation(ME, rig.conversation)
    rig.allow("gate")
    assert (await rig.ended(row)).ending == "done"
    await until(
        lambda: not rig.supervisor.running and not rig.supervisor._background_tasks, "the title"
    )
    assert "Traceback" not in caplog.text


# ---- news ------------------------------------------------------------------------------------------


async def test_a_listener_gets_the_changes_of_its_subject_once_and_in_order() -> None:
    feed = Feed()
    mine, others = feed.listen("me"), feed.listen("you")
    reported = [Change("conversation", "me", f"c{n}") for n in (1, 2, 1)]
    for change in reported:
        feed.publish(change)
    feed.publish(Change("models", "you"))
    assert await mine.changes() == reported[:2]
    assert await others.changes() == [Change("models", "you")]
    waiting = asyncio.create_task(mine.changes())
    await asyncio.sleep(0)
    feed.publish(Change("models", "me"))
    assert await waiting == [Change("models", "me")]


async def test_a_listener_that_fell_behind_gets_the_change_everything() -> None:
    feed = Feed()
    listener = feed.listen("me")
    for number in range(2000):
        feed.publish(Change("conversation", "me", f"c{number}"))
    assert await listener.changes() == [Change("everything", "me")]


async def test_a_start_and_an_end_are_published_as_changes(rig: Rig) -> None:
    listener = rig.feed.listen(ME)
    row = await rig.ask("scripted/count-2")
    assert await listener.changes() == [Change("generation", ME, row.conversation, row.id)]
    assert await listener.changes() == [Change("generation", ME, row.conversation, row.id)]
    assert (await rig.stored(row)).status == "done"
