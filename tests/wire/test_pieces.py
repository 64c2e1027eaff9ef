"""The small machines that decoders are made of: thoughts, tool calls, batches, joints."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grantha.events import Reasoning, Text, ToolCall
from grantha.wire.lenient_json import JsonReader, loads
from grantha.wire.tool_calls import ToolCallAssembler
from grantha.wire.upstream.decoder import EventBatch
from grantha.wire.upstream.think_tags import ThinkTagSplitter
from grantha.wire.upstream.turn_normalizer import PrefixTrimmer

cuts = st.lists(st.integers(0, 60), max_size=8)
said = st.text(st.sampled_from("ab <>/think\n"), max_size=40)


def split(text: str, at: list[int]) -> tuple[str, str]:
    """Thought and answer of a text that comes in pieces."""
    splitter = ThinkTagSplitter()
    edges = sorted({0, len(text), *(cut for cut in at if cut < len(text))})
    found = [
        piece
        for start, end in zip(edges, edges[1:], strict=False)  # noqa: RUF007 - may be empty
        for piece in splitter.feed(text[start:end])
    ]
    found += splitter.finish()
    return (
        "".join(piece for thought, piece in found if thought),
        "".join(piece for thought, piece in found if not thought),
    )


@settings(deadline=None)
@given(said, cuts)
def test_a_text_that_opens_with_no_tag_passes_unchanged(text: str, at: list[int]) -> None:
    if not text.lstrip().startswith("<think>"):
        assert split(text, at) == ("", text)


@settings(deadline=None)
@given(said, said, cuts)
def test_a_thought_and_its_answer_are_parted_however_they_are_cut(
    thought: str, answer: str, at: list[int]
) -> None:
    if "</think>" not in thought:
        whole = f"\n<think>\n{thought}\n</think>\n\n{answer}"
        assert split(whole, at) == (thought.strip(" \t\r\n"), answer.lstrip(" \t\r\n"))


def test_a_piece_goes_out_as_soon_as_it_can_no_longer_become_a_tag() -> None:
    splitter = ThinkTagSplitter()
    assert splitter.feed("<thi") == []
    assert splitter.feed("s") == [(False, "<this")]
    assert splitter.idle
    splitter = ThinkTagSplitter()
    assert splitter.feed("<think>a </th") == [(True, "a")]
    assert splitter.feed("e") == [(True, " </the")]


def test_calls_without_names_belong_to_the_last_one() -> None:
    calls = ToolCallAssembler()
    assert calls.fragment(None, "a", "f", "{").index == 0
    assert calls.fragment(None, None, None, "}") == ToolCall(0, None, None, "}")
    assert calls.fragment(None, "b", "g", "") == ToolCall(1, "b", "g", "")
    assert calls.fragment(None, None, None, "{}").index == 1


def test_a_name_that_comes_late_is_passed_on_once() -> None:
    calls = ToolCallAssembler()
    assert calls.fragment(0, "a", None, "").name is None
    assert calls.fragment(0, None, "f", "{}").name == "f"
    assert calls.fragment(0, None, "f", "").name is None


def test_indexes_with_gaps_are_made_dense() -> None:
    calls = ToolCallAssembler()
    assert [calls.fragment(index, str(index), "f", "").index for index in (3, 7, 3)] == [0, 1, 0]


def test_adjacent_pieces_become_one_event_that_counts_them() -> None:
    batch = EventBatch("")
    for piece in ("a", "", "b"):
        batch.text(piece)
    batch.reasoning("c")
    batch.text("d")
    assert batch.take() == [Text("ab", 2), Reasoning("c"), Text("d")]
    assert batch.take() == []


@pytest.mark.parametrize(
    ("prefix", "pieces", "expected"),
    [
        ("End.", ["\n\nNext"], "\n\nNext"),
        ("End.\n\n", ["\n", "\nNext"], "Next"),
        ("End.\n\n", ["Next"], "Next"),
        ("def f():\n", ["\n    return"], "    return"),
        ("def f():\n", ["    return"], "    return"),
        ("End.\n\n", ["\n", "Next\n"], "Next\n"),
    ],
)
def test_blanks_at_the_joint_are_not_doubled(prefix: str, pieces: list[str], expected: str) -> None:
    joint = PrefixTrimmer(prefix)
    assert "".join(joint.trim(piece) for piece in pieces) == expected


def test_numbers_that_json_has_not_are_null() -> None:
    # Hosts written in Python send them, as the logprob of what is impossible.
    assert loads(b"[NaN, -Infinity, 1e999, -1e999, 1.5]") == [None, None, None, None, 1.5]
    reader = JsonReader(dict[str, Any])
    assert reader.read(b'{"logprob": -Infinity, "top": [1e999]}') == {
        "logprob": None,
        "top": [None],
    }
