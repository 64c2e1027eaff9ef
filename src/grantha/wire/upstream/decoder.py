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
from grantha.wire.lenient_json import InvalidJson, loads
from grantha.wire.signatures import signature_owner, tag_signature
from grantha.wire.upstream.vendor_errors import ErrorFactory, ErrorReport, parse_error_report


class Decoder(Protocol):
    """Bytes of one reply to events. Used once, by one reader.

    `failure` is set when the reply reported or was a failure: the events fed before it stand, the
    caller raises it after them. `answer_complete` says that the answer is complete and at most usage can
    follow; `done` that nothing can.
    """

    @property
    def failure(self) -> GranthaError | None: ...

    @property
    def answer_complete(self) -> bool: ...

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


class EventBatch:
    """The events of one feed. Adjacent pieces of text, and of reasoning, become one event each.

    With `lone_surrogates` set, halves of surrogate pairs are joined across pieces and feeds; a half whose
    other half never comes becomes U+FFFD. Signatures leave marked with `owner`.
    """

    __slots__ = (
        "_events",
        "_kind",
        "_logprobs",
        "_owner",
        "_pending_surrogates",
        "_pieces",
        "lone_surrogates",
    )

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._events: list[UpstreamEvent] = []
        self._pieces: list[str] = []
        self._logprobs: list[dict[str, object]] = []
        self._kind = 0
        self._pending_surrogates: dict[object, str] = {}
        self.lone_surrogates = False

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
        self.add(Reasoning("", tag_signature(signature, self._owner), 0))

    def add(self, event: UpstreamEvent) -> None:
        """Any other event, in order."""
        self._close(0)
        if isinstance(event, ToolCall):
            if event.signature:
                event = replace(event, signature=tag_signature(event.signature, self._owner))
            if self.lone_surrogates:
                event = replace(
                    event, arguments=self._join_surrogates(event.index, event.arguments)
                )
        if self.lone_surrogates and isinstance(event, Cited):
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
        for channel in list(self._pending_surrogates):
            del self._pending_surrogates[channel]
            if channel == "text":
                self._events.append(Text("\ufffd", 0))
            elif channel == "reasoning":
                self._events.append(Reasoning("\ufffd", None, 0))

    def _close(self, kind: int) -> None:
        pieces = self._pieces
        if pieces:
            text = pieces[0] if len(pieces) == 1 else "".join(pieces)
            if self.lone_surrogates:
                text = self._join_surrogates("text" if self._kind == _TEXT else "reasoning", text)
            if not text:
                pass
            elif self._kind == _TEXT:
                self._events.append(Text(text, len(pieces), tuple(self._logprobs)))
                self._logprobs.clear()
            else:
                self._events.append(Reasoning(text, None, len(pieces)))
            self._pieces = []
        self._kind = kind

    def _join_surrogates(self, channel: object, text: str) -> str:
        text = self._pending_surrogates.pop(channel, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._pending_surrogates[channel] = text[-1]
            text = text[:-1]
        return whole(text) or ""


class Framing(Protocol):
    """Framing: bytes to payloads. A ValueError says that a bound was passed or a frame is damaged."""

    def feed(self, chunk: bytes) -> list[bytes]: ...

    def finish(self) -> list[bytes]: ...


class Reply:
    """What a dialect makes of its payloads, one by one. Subclasses fill `read`.

    They set `finish` at the dialect's finish reason, `done` when nothing can follow, and `failure`.
    """

    def __init__(self, error_factory: ErrorFactory) -> None:
        self.error_factory = error_factory
        self.batch = EventBatch(signature_owner(error_factory.provider, error_factory.model))
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

    def fail(self, report: ErrorReport) -> None:
        """The reply reports a failure; the first one counts."""
        if self.failure is None:
            if report.failed_generation:
                self.batch.text(report.failed_generation)
            self.failure = self.error_factory.from_report(report)

    def unreadable(self, payload: bytes, error: InvalidJson) -> None:
        """A payload that isn't of the dialect: an error of some other shape, or malformed."""
        try:
            report = parse_error_report(loads(payload))
        except InvalidJson:
            report = None
        if report is not None:
            self.fail(report)
        elif self.failure is None:
            self.failure = self.error_factory.malformed(str(error))
            self.failure.__cause__ = error


class StreamDecoder:
    """A `Decoder` made of a framing and a reply."""

    def __init__(self, frames: Framing, reply: Reply) -> None:
        self._frames = frames
        self._reply = reply

    @property
    def failure(self) -> GranthaError | None:
        """What the reply reported or was; events fed before it stand."""
        return self._reply.failure

    @property
    def answer_complete(self) -> bool:
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
            reply.failure = reply.failure or reply.error_factory.malformed(str(error))
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
            raise reply.error_factory.truncated()
        reply.batch.add(Finished(*(reply.finish or ("unknown", None))))
        return reply.batch.take()

    def _rest(self) -> None:
        try:
            for payload in self._frames.finish():
                # Half an object was cut off: that is truncation, not a malformed reply.
                if payload == b"[DONE]" or _is_json(payload):
                    self._reply.read(payload)
        except ValueError as error:
            self._reply.failure = self._reply.error_factory.malformed(str(error))


def parse_whole_body(reply: Reply, body: bytes) -> list[UpstreamEvent]:
    """The events of a reply that came as one body, `Finished` last; raises a `ProviderError`."""
    reply.read(body)
    reply.close()
    if reply.failure is not None:
        raise reply.failure
    if reply.finish is None:
        raise reply.error_factory.malformed("it holds no finished answer")
    reply.batch.add(Finished(*reply.finish))
    return reply.batch.take()


def _is_json(payload: bytes) -> bool:
    try:
        loads(payload)
    except InvalidJson:
        return False
    return True


def whole(text: str | None) -> str | None:
    """The text with surrogate pairs joined and lone halves replaced by U+FFFD."""
    if text is None:
        return None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
