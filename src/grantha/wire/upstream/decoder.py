"""What every dialect's decoder has in common: its protocol, and the batch that it fills.

A decoder takes bytes in any split and gives `UpstreamEvent`s; it does no I/O and never raises out
of `feed`. Invariant: only whole code points leave a batch, and only text that was sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from grantha.chat import FinishReason
from grantha.errors import GranthaError
from grantha.events import Cited, Finished, Reasoning, Text, ToolCall, UpstreamEvent
from grantha.wire.lenient_json import NotJson, loads
from grantha.wire.signatures import maker, marked
from grantha.wire.upstream.vendor_errors import Faults, Reported, read_report


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
    other half never comes becomes U+FFFD. Signatures leave marked with `made_by`.
    """

    __slots__ = ("_events", "_halves", "_kind", "_logprobs", "_made_by", "_pieces", "torn")

    def __init__(self, made_by: str) -> None:
        self._made_by = made_by
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
        self.add(Reasoning("", marked(signature, self._made_by), 0))

    def add(self, event: UpstreamEvent) -> None:
        """Any other event, in order."""
        self._close(0)
        if isinstance(event, ToolCall):
            if event.signature:
                event = replace(event, signature=marked(event.signature, self._made_by))
            if self.torn:
                event = replace(event, arguments=self._mend(event.index, event.arguments))
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


class Frames(Protocol):
    """Framing: bytes to payloads. A ValueError says that a bound was passed or a frame is damaged."""

    def feed(self, chunk: bytes) -> list[bytes]: ...

    def finish(self) -> list[bytes]: ...


class Reply:
    """What a dialect makes of its payloads, one by one. Subclasses fill `read`.

    They set `finish` at the dialect's finish reason, `done` when nothing can follow, and `failure`.
    """

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.batch = Batch(maker(faults.provider, faults.model))
        self.failure: GranthaError | None = None
        self.finish: tuple[FinishReason, str | None] | None = None
        self.done = False
        self.resume_token: str | None = None

    def read(self, payload: bytes) -> None:
        """Takes one payload."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing more comes: what was held back is let out."""
        self.batch.end()

    def complete(self) -> bool:
        """Whether a terminal sign was seen."""
        return self.finish is not None

    def fail(self, report: Reported) -> None:
        """The reply reports a failure; the first one counts."""
        if self.failure is None:
            if report.failed_text:
                self.batch.text(report.failed_text)
            self.failure = self.faults.reported(report)

    def unreadable(self, payload: bytes, error: NotJson) -> None:
        """A payload that isn't of the dialect: an error of some other shape, or malformed."""
        try:
            report = read_report(loads(payload))
        except NotJson:
            report = None
        if report is not None:
            self.fail(report)
        elif self.failure is None:
            self.failure = self.faults.malformed(str(error))
            self.failure.__cause__ = error


class StreamDecoder:
    """A `Decoder` made of a framing and a reply."""

    def __init__(self, frames: Frames, reply: Reply) -> None:
        self._frames = frames
        self._reply = reply

    @property
    def failure(self) -> GranthaError | None:
        """What the reply reported or was; events fed before it stand."""
        return self._reply.failure

    @property
    def ending(self) -> bool:
        """The finish reason was seen."""
        return self._reply.finish is not None

    @property
    def done(self) -> bool:
        """Nothing can follow."""
        return self._reply.done

    @property
    def resume_token(self) -> str | None:
        """Names the reply at the provider, where it can be resumed there."""
        return self._reply.resume_token

    def feed(self, chunk: bytes) -> list[UpstreamEvent]:
        """Events completed by these bytes."""
        reply = self._reply
        try:
            for payload in self._frames.feed(chunk):
                if reply.done or reply.failure is not None:
                    break
                reply.read(payload)
        except ValueError as error:
            reply.failure = reply.failure or reply.faults.malformed(str(error))
        return reply.batch.take()

    def finish(self) -> list[UpstreamEvent]:
        """The held back rest and `Finished`; raises the failure or `Truncated`."""
        reply = self._reply
        if not reply.done and reply.failure is None:
            self._rest()
        reply.close()
        if reply.failure is not None:
            raise reply.failure
        if not reply.complete():
            raise reply.faults.truncated()
        reply.batch.add(Finished(*(reply.finish or ("unknown", None))))
        return reply.batch.take()

    def _rest(self) -> None:
        try:
            for payload in self._frames.finish():
                # Half an object was cut off: that is truncation, not a malformed reply.
                if payload == b"[DONE]" or _is_json(payload):
                    self._reply.read(payload)
        except ValueError as error:
            self._reply.failure = self._reply.faults.malformed(str(error))


def whole_reply(reply: Reply, body: bytes) -> list[UpstreamEvent]:
    """The events of a reply that came as one body, `Finished` last; raises a `ProviderError`."""
    reply.read(body)
    reply.close()
    if reply.failure is not None:
        raise reply.failure
    if reply.finish is None:
        raise reply.faults.malformed("it holds no finished answer")
    reply.batch.add(Finished(*reply.finish))
    return reply.batch.take()


def _is_json(payload: bytes) -> bool:
    try:
        loads(payload)
    except NotJson:
        return False
    return True


def whole(text: str | None) -> str | None:
    """The text with surrogate pairs joined and lone halves replaced by U+FFFD."""
    if text is None:
        return None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
