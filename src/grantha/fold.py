"""The fold from events to a message: what every reader, store and view makes of a log.

Cost per event is constant. The page has the same fold (`web/src/lib/wire`); `fixtures/wire/fold` keeps
the two equal. Knows no ids, no store and no transport.
"""

from __future__ import annotations

from collections.abc import Iterable

from grantha.chat import Part, ReasoningPart, TextPart, ToolCallPart, Usage
from grantha.events import (
    Citation,
    Event,
    GenerationEnd,
    Notice,
    Open,
    PartEnd,
    PartStart,
    ReasoningDelta,
    Seam,
    TextDelta,
    ToolCallDelta,
    UsageReport,
)


class Fold:
    """Builds the parts of a message from events, in order. Cost per event is constant.

    The same fold runs in the page (`web/src/lib/wire`); `fixtures/wire/fold` keeps the two equal.
    """

    def __init__(self) -> None:
        self._parts: list[_OpenPart] = []
        self.text_length = 0
        self.seams: list[Seam] = []
        self.citations: list[Citation] = []
        self.usage: Usage | None = None
        self.end: GenerationEnd | None = None

    def apply(self, event: Event) -> None:  # noqa: C901  one case per kind of event
        """Takes the next event; deltas for a part that never started are ignored."""
        match event:
            case PartStart():
                self._parts.append(_OpenPart(event))
            case TextDelta():
                self._part(event.part).fragments.append(event.text)
                self.text_length += len(event.text)
            case ReasoningDelta():
                self._part(event.part).extend(event.text, event.signature)
            case ToolCallDelta():
                self._part(event.part).extend(event.arguments, event.signature)
            case PartEnd():
                self._part(event.part).duration_ms = event.duration_ms
            case UsageReport():
                self.usage = event.usage
            case Citation():
                self.citations.append(event)
            case Seam():
                self.seams.append(event)
            case GenerationEnd():
                self.end = event
                self.usage = event.usage
            case Open() | Notice():
                pass

    def parts(self) -> tuple[Part, ...]:
        """The parts so far; empty text and reasoning parts are left out."""
        return tuple(part for _, part in self.numbered())

    def numbered(self) -> list[tuple[int, Part]]:
        """The parts so far with their numbers in the log; empty ones are left out."""
        closed = [(number, part.closed()) for number, part in enumerate(self._parts)]
        return [(number, part) for number, part in closed if part is not None]

    def part(self, number: int) -> Part | None:
        """One part so far; None while it is empty or when there is none of this number."""
        return self._parts[number].closed() if 0 <= number < len(self._parts) else None

    def text(self) -> str:
        """All visible text so far, in order."""
        return "".join(
            fragment
            for part in self._parts
            if part.start.part_kind == "text"
            for fragment in part.fragments
        )

    def _part(self, number: int) -> _OpenPart:
        if number < len(self._parts):
            return self._parts[number]
        return _OpenPart(PartStart(number, "text"))


def fold(events: Iterable[Event]) -> Fold:
    """The fold of all events."""
    folded = Fold()
    for event in events:
        folded.apply(event)
    return folded


# ---- helpers below -------------------------------------------------------------------------------


class _OpenPart:
    __slots__ = ("duration_ms", "fragments", "signature", "start")

    def __init__(self, start: PartStart) -> None:
        self.start = start
        self.fragments: list[str] = []
        self.signature: str | None = None
        self.duration_ms: int | None = None

    def extend(self, fragment: str, signature: str | None) -> None:
        self.fragments.append(fragment)
        self.signature = signature or self.signature

    def closed(self) -> Part | None:
        text = "".join(self.fragments)
        if self.start.part_kind == "tool-call":
            return ToolCallPart(
                self.start.call_id or "", self.start.name or "", text or "{}", self.signature
            )
        if self.start.part_kind == "reasoning":
            if not text and not self.signature:
                return None
            return ReasoningPart(text, self.signature, self.duration_ms)
        return TextPart(text) if text else None
