"""Timings of one generation, folded from its events with the times at which they came."""

from __future__ import annotations

from typing import cast

from typing_extensions import TypedDict

from grantha.chat import Usage
from grantha.events import Event, Notice, ReasoningDelta, Seam, TextDelta, ToolCallDelta

STALL_MS = 3000


class Timings(TypedDict, total=False):
    """How long an answer took; unknown values are left out."""

    # Milliseconds:
    queued_ms: float  # from the request to the first upstream call
    connect_ms: float  # from the first upstream call until the provider accepted it
    first_text_ms: float  # from the request to the first visible text
    first_event_ms: float  # from the request to the first text, reasoning or tool call
    duration_ms: float  # from the request to the end
    writing_ms: float  # from the first event to the last
    max_gap_ms: float  # the longest silence between two events that wrote something
    # Counts, and rates per second of writing:
    stalls: int  # silences longer than `STALL_MS`
    deltas: int  # upstream deltas, which for most providers are tokens
    deltas_s: float  # deltas per second: an estimate of the speed
    tok_s: float  # output tokens per second, from complete usage
    segments: int  # upstream calls whose text is in the answer
    retries: int  # upstream calls that failed


class TimingsFold:
    """Times are milliseconds of one clock that never goes back."""

    def __init__(self, requested: float) -> None:
        self._requested = requested
        self._called: float | None = None
        self._accepted: float | None = None
        self._first: float | None = None
        self._first_text: float | None = None
        self._last: float | None = None
        self._max_gap = 0.0
        self._stalls = 0
        self._deltas = 0
        self._segments = 1
        self._retries = 0
        self._reasoned = False

    def called(self, at: float) -> None:
        """The first upstream call goes out."""
        if self._called is None:
            self._called = at

    def apply(self, at: float, event: Event) -> None:
        """An event that was written at a time."""
        match event:
            case TextDelta():
                if self._first_text is None:
                    self._first_text = at
                self._wrote(at, event.deltas)
            case ReasoningDelta():
                self._reasoned = True
                self._wrote(at, event.deltas)
            case ToolCallDelta():
                self._wrote(at, 1)
            case Seam():
                self._segments += 1
            case Notice(code="accepted"):
                if self._accepted is None:
                    self._accepted = at
            case Notice(code="retrying"):
                self._retries += 1
            case _:
                pass

    def result(self, at: float, usage: Usage | None = None) -> Timings:
        """The timings as of a time. `usage` is that of the whole generation."""
        found: dict[str, float | int | None] = {
            "queued_ms": _span(self._requested, self._called),
            "connect_ms": _span(self._called, self._accepted),
            "first_text_ms": _span(self._requested, self._first_text),
            "first_event_ms": _span(self._requested, self._first),
            "duration_ms": _span(self._requested, at),
            "writing_ms": _span(self._first, self._last),
            "max_gap_ms": round(self._max_gap, 1) if self._first is not None else None,
            "stalls": self._stalls,
            "deltas": self._deltas,
            "deltas_s": self._rate(self._deltas),
            "tok_s": self._rate(self._visible_tokens(usage)),
            "segments": self._segments,
            "retries": self._retries,
        }
        known = {name: value for name, value in found.items() if value is not None}
        return cast("Timings", known)

    def _wrote(self, at: float, deltas: int) -> None:
        self._deltas += deltas
        if self._first is None:
            self._first = at
        if self._last is not None:
            gap = at - self._last
            self._max_gap = max(self._max_gap, gap)
            self._stalls += gap > STALL_MS
        self._last = at

    def _visible_tokens(self, usage: Usage | None) -> int:
        """Tokens written between the first event and the last; 0 if that isn't known."""
        if usage is None or usage.partial or usage.output_tokens is None:
            return 0
        # Reasoning that the vendor keeps to itself was written before the first event.
        return usage.output_tokens - (0 if self._reasoned else usage.reasoning_tokens or 0)

    def _rate(self, written: int) -> float | None:
        span = _span(self._first, self._last)
        return round(1000 * (written - 1) / span, 1) if span and written > 1 else None


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 1)
