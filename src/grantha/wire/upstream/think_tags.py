"""Splits `<think>…</think>` out of visible text, for models that write their reasoning into the answer.

Only a tag that opens the answer counts: later ones are part of the answer. Blank lines around the
tags are dropped; without tags, every character is passed on. Takes the text
in any split and holds back at most what could still become a tag.

Some templates put the opening tag into the prompt, so that a reply holds only the closing one. That
can't be seen in its beginning: of such models all is reasoning up to that tag.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

_OPEN, _CLOSE = "<think>", "</think>"
_BLANK = " \t\r\n"
_QUOTES = "`'\""

TagState = Literal["before", "opened", "lead", "inside", "after", "text"]


class ThinkTagSplitter:
    """Text to (is_reasoning, text) pairs. `opened`: the opening tag stood in the prompt."""

    __slots__ = ("_held", "_state")

    def __init__(self, *, opened: bool = False) -> None:
        self._held = ""
        self._state: TagState = "opened" if opened else "before"

    @property
    def idle(self) -> bool:
        """True once nothing can be split any more: text may bypass the splitter."""
        return self._state == "text"

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """What can be passed on after this text."""
        self._held += text
        return [fragment for fragment in self._advance() if fragment[1]]

    def finish(self) -> list[tuple[bool, str]]:
        """Releases what was held back, at the end of the text."""
        held, self._held = self._held, ""
        if self._state in {"opened", "inside"} and held:
            reasoning = held.removesuffix(_CLOSE)
            return [(True, reasoning)] if reasoning else []
        return [(False, held)] if held and self._state in {"before", "text"} else []

    def _advance(self) -> Iterator[tuple[bool, str]]:
        before: TagState | None = None
        while self._state != before:  # every step either moves on or waits for more text
            before = self._state
            if before in {"before", "opened"}:
                yield self._look_for_open_tag()
            elif before in {"lead", "after"}:
                self._held = self._held.lstrip(_BLANK)
                if self._held:
                    self._state = "inside" if before == "lead" else "text"
            elif before == "inside":
                yield self._until_close_tag()
            else:
                yield False, self._flush()

    def _look_for_open_tag(self) -> tuple[bool, str]:
        stripped = self._held.lstrip(_BLANK)
        if stripped.startswith(_OPEN):
            self._held = stripped[len(_OPEN) :]
            self._state = "lead"
        elif not _OPEN.startswith(stripped):
            self._state = "lead" if self._state == "opened" else "text"
        return False, ""

    def _until_close_tag(self) -> tuple[bool, str]:
        end, closed = _end_of_reasoning(self._held)
        if not closed and end and self._held[end - 1] in _QUOTES:
            end -= 1  # a tag behind it would be a quoted one
        reasoning = self._held[:end].rstrip(_BLANK)
        if closed:
            self._held = self._held[end + len(_CLOSE) :]
            self._state = "after"
        else:
            self._held = self._held[len(reasoning) :]
        return True, reasoning

    def _flush(self) -> str:
        held, self._held = self._held, ""
        return held


def _end_of_reasoning(text: str) -> tuple[int, bool]:
    """How much of the text is certainly reasoning, and whether the closing tag follows it.

    A tag in quotation marks is quoted by the model; it doesn't end its reasoning.
    """
    at = text.find(_CLOSE)
    while at >= 0:
        mark, after = text[at - 1 : at], text[at + len(_CLOSE) : at + len(_CLOSE) + 1]
        quoted = bool(mark) and mark in _QUOTES
        if quoted and not after:
            return at, False  # the next character decides
        if not quoted or after != mark:
            return at, True
        at = text.find(_CLOSE, at + 1)
    for size in range(min(len(_CLOSE) - 1, len(text)), 0, -1):
        if text.endswith(_CLOSE[:size]):
            return len(text) - size, False
    return len(text), False
