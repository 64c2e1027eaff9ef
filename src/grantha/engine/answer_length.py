"""The bound on the length of one answer, whatever its upstream sends.

All that an upstream writes is kept: text, reasoning, arguments of tool calls, sources and notices. It is
counted over all calls of a generation, restarts included; what doesn't fit is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from grantha.events import (
    Citation,
    Cited,
    Event,
    Finished,
    PartStart,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    UpstreamEvent,
    UsageSeen,
)

_EVENT_COST = 64  # bytes of an event besides its text: empty ones are stored, too
_PART_COST = 256  # bytes of the records that begin and end a part
_MAX_NATIVE = 200  # characters of a vendor's own finish reason
_MAX_STOP_SEQUENCE = 4096  # characters of the one that a vendor names
_LOGPROBS_SHARE = 16  # log probabilities are twenty times as long as their text, and may be


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """`size` is in bytes of UTF-8; `tokens` are counted as the upstream's deltas."""

    size: int = 4 * 1024 * 1024
    tokens: int = 1_000_000


DEFAULT_ANSWER_LIMITS = AnswerLimits()


class AnswerLength:
    """Counts one generation. `exceeded` is set once something didn't fit."""

    def __init__(self, limits: AnswerLimits) -> None:
        self._limits = limits
        self._left = limits.size
        self._tokens_left = limits.tokens
        self._kind: str | None = None  # of the part that was written last
        self.exceeded = False

    @property
    def full(self) -> bool:
        """Whether nothing more fits."""
        return self.exceeded or self._left <= 0 or self._tokens_left <= 0

    def resume(self, event: Event) -> None:
        """Counts an event that is in the log already."""
        match event:
            case PartStart():
                self._begin(event.part_kind)
            case TextDelta():
                self._left -= _size(event.text)
                self._tokens_left -= event.deltas
            case ReasoningDelta():
                self._left -= _size(event.text, event.signature)
                self._tokens_left -= event.deltas
                self._close_if_signed(event)
            case ToolCallDelta():
                self._left -= _size(event.arguments, event.signature)
            case Citation():
                self._left -= _EVENT_COST + _size(event.url, event.title, event.quoted)
            case _:
                pass

    def fit_text(self, event: Text) -> Text:
        """The text, as much of it as fits."""
        self._tokens_left -= event.deltas
        self._begin("text")
        if event.logprobs:
            self._spend(sum(len(str(one)) for one in event.logprobs) // _LOGPROBS_SHARE)
        text = self._cut(event.text)
        return replace(event, text=text, logprobs=()) if self.exceeded else event

    def fit(self, event: UpstreamEvent) -> UpstreamEvent | None:
        """Any other event, its text cut; None if nothing of it fits."""
        match event:
            case Reasoning():
                self._tokens_left -= event.deltas
                self._begin("reasoning")
                if not self._spend(_size(event.signature)):
                    return None
                self._close_if_signed(event)
                text = self._cut(event.text)
                return replace(event, text=text) if self.exceeded else event
            case ToolCall():
                self._kind = "tool-call"
                cost = _EVENT_COST if event.name else 0
                if not self._spend(cost + _size(event.call_id, event.name, event.signature)):
                    return None
                arguments = self._cut(event.arguments)
                return replace(event, arguments=arguments) if self.exceeded else event
            case Cited():
                self._begin("text")
                fits = self._spend(_EVENT_COST + _size(event.url, event.title, event.quoted))
                return event if fits else None
            case UsageSeen():
                return event
            case Finished():
                return replace(
                    event,
                    native=event.native and event.native[:_MAX_NATIVE],
                    stop_sequence=event.stop_sequence and event.stop_sequence[:_MAX_STOP_SEQUENCE],
                )
            case _:
                # Of these only strings can be long.
                fields = (getattr(event, name) for name in event.__slots__)
                fits = self._spend(_EVENT_COST + sum(len(str(value)) for value in fields))
                return event if fits else None

    def _begin(self, kind: str) -> None:
        """Counts what a further part takes: a word of text and one of reasoning by turns are many."""
        if self._kind not in {None, kind}:
            self._left -= _PART_COST
        self._kind = kind

    def _close_if_signed(self, event: Reasoning | ReasoningDelta) -> None:
        """A signature ends its part: what follows it begins another one, be it reasoning again."""
        if event.signature is not None:
            self._kind = "signed"

    def _spend(self, size: int) -> bool:
        """Counts something that can't be cut; returns whether it fits."""
        self._left -= size
        self.exceeded = self.exceeded or self._left < 0
        return not self.exceeded

    def _cut(self, text: str) -> str:
        before = max(self._left, 0)
        fits = self._spend(_size(text))
        # A delta beyond the limit is stored all the same: it has arrived.
        self.exceeded = self.exceeded or self._tokens_left < 0
        return (
            text
            if fits
            else text.encode("utf-8", "surrogatepass")[:before].decode("utf-8", "ignore")
        )


def _size(*texts: str | None) -> int:
    """Bytes of UTF-8."""
    return sum(
        len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        for text in texts
        if text
    )
