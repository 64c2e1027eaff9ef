"""Turns a provider's events into numbered parts of a log.

One text part goes on until something else comes; reasoning and text close each other; every tool call
is a part of its own, identified by the provider's index. Knows nothing of segments or errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from grantha.events import (
    Citation,
    Cited,
    Event,
    PartEnd,
    PartKind,
    PartStart,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)


class PartWriter:
    """Writes into a log through `add`. `now_ms` times how long reasoning took."""

    def __init__(self, add: Callable[[Event], None], now_ms: Callable[[], int]) -> None:
        self._add = add
        self._now_ms = now_ms
        self._next = 0
        self._open: tuple[int, PartKind] | None = None
        self._opened_at = 0
        self._tools: dict[int, int] = {}  # the provider's index -> our part
        self.tools_begun = False

    def resume(self, events: Iterable[Event]) -> None:
        """Continues after earlier records."""
        for event in events:
            if isinstance(event, PartStart):
                self._next = event.part + 1
                self._open = (event.part, event.part_kind)
                self.tools_begun = self.tools_begun or event.part_kind == "tool-call"
            elif isinstance(event, PartEnd) and self._open and self._open[0] == event.part:
                self._open = None
        # Only a text part can be continued; others that were open stay as they are.
        if self._open and self._open[1] != "text":
            self._open = None

    def text(self, event: Text) -> None:
        """Visible text."""
        if event.text:
            self._add(TextDelta(self._part("text"), event.text, event.deltas, event.logprobs))

    def reasoning(self, event: Reasoning) -> None:
        """Adds reasoning; a signature closes the part."""
        part = self._part("reasoning")
        self._add(ReasoningDelta(part, event.text, event.signature, event.deltas))
        if event.signature is not None:
            self._close()

    def tool_call(self, event: ToolCall) -> None:
        """Adds a fragment of a tool call; the first one of an index needs a name."""
        part = self._tools.get(event.index)
        if part is None:
            self._close()
            part = self._tools[event.index] = self._start("tool-call", event.call_id, event.name)
            self.tools_begun = True
        if event.arguments or event.signature:
            self._add(ToolCallDelta(part, event.arguments, event.signature))

    def cite(self, event: Cited) -> None:
        """Adds a source of the text so far."""
        self._add(Citation(self._part("text"), event.url, event.title, event.quoted))

    def end_segment(self) -> None:
        """Ends a segment: the next call's indexes are others."""
        for part in self._tools.values():
            self._add(PartEnd(part))
        self._tools.clear()
        if self._open and self._open[1] != "text":
            self._close()

    def end(self) -> None:
        """Closes what is open."""
        self.end_segment()
        self._close()

    def _part(self, kind: PartKind) -> int:
        if self._open is None or self._open[1] != kind:
            self._close()
            self._open = (self._start(kind), kind)
            self._opened_at = self._now_ms()
        return self._open[0]

    def _start(self, kind: PartKind, call_id: str | None = None, name: str | None = None) -> int:
        part = self._next
        self._next += 1
        self._add(PartStart(part, kind, call_id, name))
        return part

    def _close(self) -> None:
        if self._open is not None:
            part, kind = self._open
            took = self._now_ms() - self._opened_at if kind == "reasoning" else None
            self._add(PartEnd(part, took))
            self._open = None
