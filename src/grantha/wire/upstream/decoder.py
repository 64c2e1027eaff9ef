"""What every dialect's decoder has in common: its protocol, and the batch that it fills.

A decoder turns bytes, in any split, into `UpstreamEvent`s; it does no I/O and never raises out
of `feed`. Invariant: only whole code points leave a batch, and only text that was sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from grantha.chat import FinishReason
from grantha.errors import GranthaError
from grantha.events import Cited, Finished, ProviderNotice, Reasoning, Text, ToolCall, UpstreamEvent
from grantha.wire.lenient_json import InvalidJson, JsonReader, loads
from grantha.wire.signatures import signature_owner, tag_signature
from grantha.wire.upstream.vendor_errors import ErrorFactory, ErrorReport, parse_error_report


class Decoder(Protocol):
    """Bytes of one reply to events. Used once, by one reader.

    `failure` is set when the reply reported or was a failure: the events fed before it remain valid, the
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
# What a value of an unexpected type leads to, in fields that may have any shape.
_MISSHAPEN = (
    *(TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError),
)


class EventBatch:
    """The events of one feed. Adjacent texts, and adjacent reasoning, become one event each.

    With `lone_surrogates` set, halves of surrogate pairs are joined across texts and feeds; a half whose
    other half never comes becomes U+FFFD. Signatures leave marked with `owner`.
    """

    __slots__ = (
        "_events",
        "_fragments",
        "_kind",
        "_logprobs",
        "_owner",
        "_pending_surrogates",
        "has_content",
        "lone_surrogates",
    )

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._events: list[UpstreamEvent] = []
        self._fragments: list[str] = []
        self._logprobs: list[dict[str, object]] = []
        self._kind = 0
        self._pending_surrogates: dict[object, str] = {}
        self.lone_surrogates = False
        self.has_content = False  # text, reasoning or a tool call was seen

    def text(self, fragment: str) -> None:
        """Visible text; an empty one changes nothing."""
        if fragment:
            if self._kind != _TEXT:
                self._close(_TEXT)
            self._fragments.append(fragment)

    def reasoning(self, fragment: str) -> None:
        """Reasoning; an empty text changes nothing."""
        if fragment:
            if self._kind != _REASONING:
                self._close(_REASONING)
            self._fragments.append(fragment)

    def logprobs(self, tokens: list[dict[str, object]]) -> None:
        """Log probabilities of the text just added."""
        if self._kind == _TEXT:
            self._logprobs.extend(tokens)

    def signature(self, signature: str) -> None:
        """The vendor's signature of the reasoning so far."""
        self.add(Reasoning("", tag_signature(signature, self._owner), 0))

    def add(self, event: UpstreamEvent) -> None:
        """Any other event, in order."""
        self._close(0)
        if isinstance(event, ToolCall):
            self.has_content = True
            if event.signature:
                event = replace(event, signature=tag_signature(event.signature, self._owner))
            if self.lone_surrogates:
                event = replace(
                    event, arguments=self._join_surrogates(event.index, event.arguments)
                )
        if self.lone_surrogates and isinstance(event, Cited):
            event = Cited(
                *(repair_surrogates(text) for text in (event.url, event.title, event.quoted))
            )
        self._events.append(event)

    def take(self) -> list[UpstreamEvent]:
        """Everything since the last call."""
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
        fragments = self._fragments
        if fragments:
            self.has_content = True
            text = fragments[0] if len(fragments) == 1 else "".join(fragments)
            if self.lone_surrogates:
                text = self._join_surrogates("text" if self._kind == _TEXT else "reasoning", text)
            if not text:
                pass
            elif self._kind == _TEXT:
                self._events.append(Text(text, len(fragments), tuple(self._logprobs)))
                self._logprobs.clear()
            else:
                self._events.append(Reasoning(text, None, len(fragments)))
            self._fragments = []
        self._kind = kind

    def _join_surrogates(self, channel: object, text: str) -> str:
        text = self._pending_surrogates.pop(channel, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._pending_surrogates[channel] = text[-1]
            text = text[:-1]
        return repair_surrogates(text) or ""


class Framing(Protocol):
    """Framing: bytes to payloads. A ValueError means that a bound was exceeded or a frame is damaged."""

    def feed(self, chunk: bytes) -> list[bytes]: ...

    def finish(self) -> list[bytes]: ...


T = TypeVar("T")


class ReplyParser(Generic[T]):
    """Turns a dialect's payloads into events, one by one. Subclasses fill `handle`.

    They set `finish` and `stop_sequence` at the dialect's finish reason, `done` when nothing can follow,
    and `failure`.
    """

    def __init__(self, error_factory: ErrorFactory, payload_type: type[T]) -> None:
        self.error_factory = error_factory
        self._reader = JsonReader(payload_type)
        self.batch = EventBatch(signature_owner(error_factory.provider, error_factory.model))
        self.failure: GranthaError | None = None
        self.finish: tuple[FinishReason, str | None] | None = None
        self.stop_sequence: str | None = None
        self.done = False
        self.resume_token: str | None = None

    def parse(self, payload: bytes) -> None:
        """Decodes one payload and handles it."""
        try:
            decoded = self._reader.read(payload)
        except InvalidJson as error:
            self.unreadable(payload, error)
            return
        self.batch.lone_surrogates = self.batch.lone_surrogates or self._reader.lone_surrogates
        self.handle(decoded)

    def parse_safely(self, payload: bytes) -> None:
        """`parse`, whatever the types of fields in the payload."""
        try:
            self.parse(payload)
        except _MISSHAPEN as error:
            said = str(error) if type(error) is ValueError else "a field has an unexpected type"
            self.unreadable(payload, InvalidJson(said))

    def handle(self, payload: T) -> None:
        """Adds the events of one decoded payload to the batch."""
        raise NotImplementedError

    def close(self) -> None:
        """The reply has ended: releases what was held back."""
        self.batch.end()

    def is_terminated(self) -> bool:
        """Whether a terminal sign was seen."""
        return self.finish is not None

    def finished(self) -> Finished:
        """The terminal sign. The vendor's own words are left out if they hold a key."""
        reason, native = self.finish or ("unknown", None)
        secret, stop = self.error_factory.holds_secret, self.stop_sequence
        return Finished(
            reason,
            None if secret(native or "") else native,
            None if secret(stop or "") else stop,
        )

    def fail(self, report: ErrorReport) -> None:
        """The reply reports a failure; the first one counts."""
        if self.failure is None:
            if report.failed_generation:
                self.batch.text(report.failed_generation)
            self.failure = self.error_factory.from_report(report)

    def fail_with(self, error: Any) -> None:
        """The reply reports this `error` member."""
        self.fail(parse_error_report({"error": error}) or ErrorReport())

    def unreadable(self, payload: bytes, error: InvalidJson) -> None:
        """A payload that isn't of the dialect: an error of another shape, or malformed."""
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

    def __init__(self, framing: Framing, parser: ReplyParser[Any]) -> None:
        self._framing = framing
        self._parser = parser

    @property
    def failure(self) -> GranthaError | None:
        """The failure that the reply reported or was; events fed before it remain valid."""
        return self._parser.failure

    @property
    def answer_complete(self) -> bool:
        """The finish reason was seen."""
        return self._parser.finish is not None

    @property
    def done(self) -> bool:
        """Nothing can follow."""
        return self._parser.done

    @property
    def resume_token(self) -> str | None:
        """Names the reply at the provider, where it can be resumed there."""
        return self._parser.resume_token

    def feed(self, chunk: bytes) -> list[UpstreamEvent]:
        """Events completed by these bytes."""
        parser = self._parser
        try:
            for payload in self._framing.feed(chunk):
                if parser.done or parser.failure is not None:
                    break
                parser.parse_safely(payload)
        except ValueError as error:
            parser.failure = parser.failure or parser.error_factory.malformed(str(error))
        return parser.batch.take()

    def finish(self) -> list[UpstreamEvent]:
        """What was held back, and `Finished`; raises the failure or `Truncated`."""
        parser = self._parser
        if not parser.done and parser.failure is None:
            self._parse_rest()
        parser.close()
        if parser.failure is not None:
            raise parser.failure
        if not parser.is_terminated():
            raise parser.error_factory.truncated()
        parser.batch.add(parser.finished())
        return parser.batch.take()

    def _parse_rest(self) -> None:
        try:
            for payload in self._framing.finish():
                # Half an object was cut off: that is truncation, not a malformed reply.
                if payload == b"[DONE]" or is_json(payload):
                    self._parser.parse_safely(payload)
        except ValueError as error:
            self._parser.failure = self._parser.error_factory.malformed(str(error))


def parse_whole_body(parser: ReplyParser[Any], body: bytes) -> list[UpstreamEvent]:
    """The events of a reply that came as one body, `Finished` last; raises a `ProviderError`."""
    parser.parse_safely(body)
    parser.close()
    if parser.failure is not None:
        raise parser.failure
    if parser.finish is None:
        raise parser.error_factory.malformed("it holds no finished answer")
    parser.batch.add(parser.finished())
    return parser.batch.take()


def images_omitted(count: int = 1) -> ProviderNotice:
    """A reply holds images, which no part of an answer can."""
    message = "The model also sent an image, which can't be shown here."
    return ProviderNotice("image-omitted", message, {"count": count})


def provider_tool(name: str, **details: Any) -> ProviderNotice:
    """The vendor ran one of its tools; empty details are left out."""
    known = {key: value for key, value in details.items() if value}
    return ProviderNotice("provider-tool", f"The provider used {name}.", {"tool": name, **known})


def string_in(value: Any, key: str) -> str:
    """The text of a member; empty if there is none, or no object."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def is_json(payload: bytes | str) -> bool:
    """Whether it is complete JSON."""
    try:
        loads(payload)
    except InvalidJson:
        return False
    return True


def repair_surrogates(text: str | None) -> str | None:
    """The text with surrogate pairs joined and lone halves replaced by U+FFFD."""
    if text is None:
        return None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
