"""What every dialect's decoder has in common: its protocol, and the batch that it fills.

A decoder takes bytes in any split and gives `UpstreamEvent`s; it does no I/O and never raises out
of `feed`. Invariant: only whole code points leave a batch, and only text that was sent.
"""

from __future__ import annotations

from typing import Protocol

from grantha.errors import GranthaError
from grantha.events import Cited, Reasoning, Text, ToolCall, UpstreamEvent


class Decoder(Protocol):
    """Bytes of one reply to events. Used once, by one reader.

    `failure` is set when the reply reported or was a failure: the events fed before it stand, the
    caller raises it after them. `ending` says that the answer is complete and at most usage can
    follow; `done` that nothing can.
    """

    @property
    def failure(self) -> GranthaError | None: ...

    @property
    def ending(self) -> bool: ...

    @property
    def done(self) -> bool: ...

    @property
    def resume_token(self) -> str | None: ...

    def feed(self, chunk: bytes) -> list[UpstreamEvent]:
        """Events completed by these bytes, adjacent texts merged."""
        ...

    def finish(self) -> list[UpstreamEvent]:
        """The last events once the bytes have ended; a `Finished` is among all events, or this
        raises.

        Raises `failure` if that is set, `Truncated` when the terminal sign is missing.
        """
        ...


_TEXT, _REASONING = 1, 2


class Batch:
    """The events of one feed. Adjacent pieces of text, and of reasoning, become one event each.

    With `torn` set, halves of surrogate pairs are joined across pieces and feeds; a half whose
    other half never comes becomes U+FFFD.
    """

    __slots__ = ("_events", "_halves", "_kind", "_logprobs", "_pieces", "torn")

    def __init__(self) -> None:
        self._events: list[UpstreamEvent] = []
        self._pieces: list[str] = []
        self._logprobs: list[dict[str, object]] = []
        self._kind = 0
        self._halves: dict[object, str] = {}
        self.torn = False

    def text(self, piece: str) -> None:
        """Visible text; an empty piece changes nothing."""
        if piece:
            if self._kind != _TEXT:
                self._close(_TEXT)
            self._pieces.append(piece)

    def reasoning(self, piece: str) -> None:
        """Thought; an empty piece changes nothing."""
        if piece:
            if self._kind != _REASONING:
                self._close(_REASONING)
            self._pieces.append(piece)

    def logprobs(self, tokens: list[dict[str, object]]) -> None:
        """Log probabilities of the text piece just added."""
        if self._kind == _TEXT:
            self._logprobs.extend(tokens)

    def signature(self, signature: str) -> None:
        """The vendor's proof for the thought so far."""
        self.add(Reasoning("", signature, 0))

    def add(self, event: UpstreamEvent) -> None:
        """Any other event, in order."""
        self._close(0)
        if self.torn and isinstance(event, ToolCall):
            event = ToolCall(
                event.index,
                event.call_id,
                event.name,
                self._mend(event.index, event.arguments),
                event.signature,
            )
        if self.torn and isinstance(event, Cited):
            event = Cited(*(whole(text) for text in (event.url, event.title, event.quoted)))
        self._events.append(event)

    def take(self) -> list[UpstreamEvent]:
        """Everything since the last take."""
        self._close(0)
        events = self._events
        self._events = []
        return events

    def end(self) -> None:
        """The reply is over: halves still waiting become U+FFFD."""
        self._close(0)
        for channel in list(self._halves):
            del self._halves[channel]
            if channel == "text":
                self._events.append(Text("\ufffd", 0))
            elif channel == "reasoning":
                self._events.append(Reasoning("\ufffd", None, 0))

    def _close(self, kind: int) -> None:
        pieces = self._pieces
        if pieces:
            text = pieces[0] if len(pieces) == 1 else "".join(pieces)
            if self.torn:
                text = self._mend("text" if self._kind == _TEXT else "reasoning", text)
            if not text:
                pass
            elif self._kind == _TEXT:
                self._events.append(Text(text, len(pieces), tuple(self._logprobs)))
                self._logprobs.clear()
            else:
                self._events.append(Reasoning(text, None, len(pieces)))
            self._pieces = []
        self._kind = kind

    def _mend(self, channel: object, text: str) -> str:
        text = self._halves.pop(channel, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._halves[channel] = text[-1]
            text = text[:-1]
        return whole(text) or ""


def whole(text: str | None) -> str | None:
    """The text with surrogate pairs joined and lone halves replaced by U+FFFD."""
    if text is None:
        return None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
