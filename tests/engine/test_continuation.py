"""The joint: whatever the model repeats of the end, the answer goes on exactly where it stopped."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grantha.chat import Options, text_message
from grantha.engine.continuation import OverlapTrimmer, anchor_of, continued_call

WORDS = st.text(alphabet="ab \n.,é漢🙂|0-", max_size=200)
ANY = st.text(max_size=200) | WORDS


def through(text: str, fragments: list[str]) -> str:
    trimmer = OverlapTrimmer(text)
    return "".join([trimmer.feed(fragment) for fragment in fragments] + [trimmer.finish()])


def split(text: str, data: Any) -> list[str]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(ANY, st.data())
def test_a_continuation_that_repeats_the_requested_words_joins_the_original(
    text: str, data: Any
) -> None:
    cut = data.draw(st.integers(0, len(text)))
    before, rest = text[:cut], text[cut:]
    assert before + through(before, split(anchor_of(before) + rest, data)) == text


@given(st.integers(1, 3), st.integers(1, 80), st.integers(0, 80), st.data())
def test_text_that_repeats_itself_loses_none_of_its_repetitions(
    width: int, before: int, after: int, data: Any
) -> None:
    unit = "ab "[:width]
    text = unit * before
    assert text + through(text, split(anchor_of(text) + unit * after, data)) == unit * (
        before + after
    )


@given(ANY, ANY, st.data())
def test_only_a_repetition_of_the_end_is_ever_left_out(text: str, more: str, data: Any) -> None:
    """Legitimate text isn't lost: what is missing of `more` stood at the end of `text` already."""
    assume(text)
    shown = through(text, split(more, data))
    kept = shown.removeprefix(" ") if not more.endswith(shown) else shown
    assert more.endswith(kept)
    left_out = more[: len(more) - len(kept)]
    assert text.endswith((left_out, left_out.lstrip(" \n\u2026.")))


@given(ANY, ANY, st.data())
def test_the_split_of_a_continuation_into_deltas_makes_no_difference(
    text: str, rest: str, data: Any
) -> None:
    more = (
        anchor_of(text) + rest
    )  # so that it begins as asked, which drawing both would seldom give
    assume(more != rest or not text)
    assert through(text, split(more, data)) == through(text, [more])


@pytest.mark.parametrize(
    ("text", "more", "joined"),
    [
        ("", "Hello", "Hello"),
        ("The quick brown", " fox", "The quick brown fox"),
        ("The quick brown", "fox", "The quick brown fox"),
        ("The quick brown fo", "The quick brown fox jumps", "The quick brown fox jumps"),
        ("He saw the quick brown", "quick brown fox", "He saw the quick brown fox"),
        ("He saw the quick brown", "…quick brown fox", "He saw the quick brown fox"),
        ("One.\nTwo.\n", "\nTwo.\nThree.", "One.\nTwo.\nThree."),
        ("A list:\n- a\n- b", "\n- c", "A list:\n- a\n- b\n- c"),
        ("Go on", "", "Go on"),
    ],
)
def test_how_models_begin(text: str, more: str, joined: str) -> None:
    assert text + through(text, list(more)) == joined


@given(st.text(alphabet="ab ", min_size=700, max_size=900), st.data())
def test_little_is_held_back(text: str, data: Any) -> None:
    """However long the model goes on repeating, text flows again after a few hundred characters."""
    trimmer = OverlapTrimmer(text)
    fragment = text[-600:]
    held = 0
    for char in fragment * 2:
        held = 0 if trimmer.feed(char) else held + 1
        assert held <= 460


def test_a_prefix_call_carries_the_text_and_an_instruction_the_anchor() -> None:
    requested = (text_message("user", "Why?"),)
    text = "Because " * 30
    by_prefix = continued_call("m", requested, Options(), text, "prefix")
    assert (by_prefix.messages, by_prefix.prefix) == (requested, text)
    by_words = continued_call("m", requested, Options(), text, "instruction")
    assert by_words.prefix == ""
    assert [m.role for m in by_words.messages] == ["user", "assistant", "user"]
    assert by_words.messages[1].text == text
    assert anchor_of(text) in by_words.messages[2].text
    assert 30 <= len(anchor_of(text)) <= 60
