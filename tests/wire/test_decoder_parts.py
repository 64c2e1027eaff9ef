"""The small machines that decoders are made of: thoughts, tool calls, batches, joints."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grantha.events import Reasoning, Text, ToolCall
from grantha.wire.lenient_json import JsonReader, loads
from grantha.wire.tool_calls import MAX_CALLS, ToolCallAssembler
from grantha.wire.upstream.decoder import EventBatch
from grantha.wire.upstream.think_tags import ThinkTagSplitter
from grantha.wire.upstream.turn_normalizer import PrefixTrimmer

cuts = st.lists(st.integers(0, 60), max_size=8)
said = st.text(st.sampled_from("ab <>/think\n"), max_size=40)


def split(text: str, at: list[int], *, opened: bool = False) -> tuple[str, str]:
    """Thought and answer of a text that comes in pieces."""
    splitter = ThinkTagSplitter(opened=opened)
    edges = sorted({0, len(text), *(cut for cut in at if cut < len(text))})
    found = [
        fragment
        for start, end in zip(edges, edges[1:], strict=False)  # noqa: RUF007 - may be empty
        for fragment in splitter.feed(text[start:end])
    ]
    found += splitter.finish()
    return (
        "".join(fragment for thought, fragment in found if thought),
        "".join(fragment for thought, fragment in found if not thought),
    )


def test_a_reply_has_only_so_many_tool_calls() -> None:
    calls = ToolCallAssembler()
    for n in range(MAX_CALLS):
        calls.add(n, f"call_{n}", "name", "{}")
    with pytest.raises(ValueError, match="more than 512 tool calls"):
        calls.add(MAX_CALLS, "one more", "name", "{}")


@settings(deadline=None)
@given(said, cuts)
def test_a_text_that_opens_with_no_tag_passes_unchanged(text: str, at: list[int]) -> None:
    if not text.lstrip().startswith("<think>"):
        assert split(text, at) == ("", text)


@settings(deadline=None)
@given(said, said, cuts)
def test_reasoning_and_answer_are_separated_however_they_are_cut(
    thought: str, answer: str, at: list[int]
) -> None:
    if "</think>" not in thought:
        whole = f"\n<think>\n{thought}\n</think>\n\n{answer}"
        assert split(whole, at) == (thought.strip(" \t\r\n"), answer.lstrip(" \t\r\n"))


@settings(deadline=None)
@given(said, said, cuts, st.sampled_from(["", "<think>", "\n<think>\n"]))
def test_reasoning_that_the_prompt_has_opened_ends_at_its_closing_tag(
    thought: str, answer: str, at: list[int], tag: str
) -> None:
    if "</think>" not in thought and not thought.lstrip().startswith("<think>"):
        whole = f"{tag}{thought}\n</think>\n\n{answer}"
        assert split(whole, at, opened=True) == (
            thought.strip(" \t\r\n"),
            answer.lstrip(" \t\r\n"),
        )


def test_what_the_prompt_has_opened_goes_out_at_once_as_reasoning() -> None:
    splitter = ThinkTagSplitter(opened=True)
    assert splitter.feed("We add") == [(True, "We add")]
    assert splitter.feed(" 2 and 2.") == [(True, " 2 and 2.")]
    assert splitter.finish() == []


def test_text_goes_out_as_soon_as_it_can_no_longer_become_a_tag() -> None:
    splitter = ThinkTagSplitter()
    assert splitter.feed("<thi") == []
    assert splitter.feed("s") == [(False, "<this")]
    assert splitter.idle
    splitter = ThinkTagSplitter()
    assert splitter.feed("<think>a </th") == [(True, "a")]
    assert splitter.feed("e") == [(True, " </the")]


def _assembled(*fragments: tuple[int | None, str | None, str | None, str]) -> list[tuple[str, str]]:
    """Name and arguments of each call, as a reader joins its fragments."""
    calls = ToolCallAssembler()
    events = [event for fragment in fragments for event in calls.add(*fragment)] + calls.finish()
    assert calls.count == len({event.index for event in events})
    return [
        (
            next(event.name or "" for event in events if event.index == number),
            "".join(event.arguments for event in events if event.index == number),
        )
        for number in range(calls.count)
    ]


def test_calls_without_names_belong_to_the_last_one() -> None:
    calls = ToolCallAssembler()
    assert calls.add(None, "a", "f", "{") == [ToolCall(0, "a", "f", "{")]
    assert calls.add(None, None, None, "}") == [ToolCall(0, None, None, "}")]
    assert calls.add(None, "b", "g", "") == []
    assert calls.add(None, None, None, '{"x":1}') == [ToolCall(1, "b", "g", '{"x":1}')]


def test_a_name_that_comes_late_is_passed_on_once() -> None:
    calls = ToolCallAssembler()
    assert calls.add(0, "a", None, '{"x"') == []
    assert calls.add(0, None, "f", ":1}") == [ToolCall(0, "a", "f", '{"x":1}')]
    assert calls.add(0, None, "f", "") == []


def test_indexes_with_gaps_are_made_dense() -> None:
    calls = ToolCallAssembler()
    events = [e for index in (3, 7, 3) for e in calls.add(index, str(index), "f", "[")]
    assert [event.index for event in events] == [0, 1, 0]


def test_two_calls_without_arguments_at_one_index_are_two() -> None:
    assert _assembled((0, "a1", "now", ""), (0, "a2", "now", "")) == [("now", ""), ("now", "")]


def test_interleaved_calls_at_one_index_are_distinguished_by_their_ids() -> None:
    fragments = ((0, "a", "f", ""), (0, "b", "f", ""), (0, "a", None, "[1]"), (0, "b", None, "[2]"))
    assert _assembled(*fragments) == [("f", "[1]"), ("f", "[2]")]


def test_a_name_in_fragments_is_joined_and_a_repeated_one_taken_once() -> None:
    fragments = ((0, "a", "edit_ex", ""), (0, "a", "isting_file", ""), (0, None, None, "[]"))
    assert _assembled(*fragments) == [("edit_existing_file", "[]")]
    growing = ((0, "a", "edit", ""), (0, None, "edit_file", "[]"))
    assert _assembled(*growing) == [("edit_file", "[]")]
    repeated = ((0, "a", "f", '{"x":'), (0, "", "f", "1}"), (0, "", "", ""))
    assert _assembled(*repeated) == [("f", '{"x":1}')]


def test_complete_arguments_sent_again_count_once_and_a_second_object_is_a_second_call() -> None:
    again = ((0, "a", "f", '{"x":1}'), (0, "a", "f", '{"x":1}'))
    assert _assembled(*again) == [("f", '{"x":1}')]
    second = ((0, "a", "f", '{"x":1}'), (0, None, None, '{"x":2}'))
    assert _assembled(*second) == [("f", '{"x":1}'), ("f", '{"x":2}')]


def test_an_empty_object_before_the_arguments_is_no_part_of_them() -> None:
    assert _assembled((0, "a", "f", "{}"), (0, None, None, '{"x":1}')) == [("f", '{"x":1}')]


def test_a_half_and_a_nameless_call_are_known_as_such() -> None:
    calls = ToolCallAssembler()
    calls.add(0, "a", "f", '{"x')
    assert (calls.incomplete, calls.nameless) == (True, False)
    calls.add(0, None, None, '":1}')
    calls.add(1, "b", None, "{}")
    assert (calls.incomplete, calls.nameless) == (False, True)


def test_adjacent_deltas_become_one_event_that_counts_them() -> None:
    batch = EventBatch("")
    for fragment in ("a", "", "b"):
        batch.text(fragment)
    batch.reasoning("c")
    batch.text("d")
    assert batch.take() == [Text("ab", 2), Reasoning("c"), Text("d")]
    assert batch.take() == []


@pytest.mark.parametrize(
    ("prefix", "fragments", "expected"),
    [
        ("End.", ["\n\nNext"], "\n\nNext"),
        ("End.\n\n", ["\n", "\nNext"], "Next"),
        ("End.\n\n", ["Next"], "Next"),
        ("def f():\n", ["\n    return"], "    return"),
        ("def f():\n", ["    return"], "    return"),
        ("End.\n\n", ["\n", "Next\n"], "Next\n"),
    ],
)
def test_blanks_at_the_end_of_a_prefix_are_not_doubled(
    prefix: str, fragments: list[str], expected: str
) -> None:
    trimmer = PrefixTrimmer(prefix)
    assert "".join(trimmer.trim(fragment) for fragment in fragments) == expected


def test_numbers_that_json_has_not_are_null() -> None:
    # Hosts written in Python send them as the logprob of an impossible token.
    assert loads(b"[NaN, -Infinity, 1e999, -1e999, 1.5]") == [None, None, None, None, 1.5]
    reader = JsonReader(dict[str, Any])
    assert reader.read(b'{"logprob": -Infinity, "top": [1e999]}') == {
        "logprob": None,
        "top": [None],
    }
