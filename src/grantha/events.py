"""The Event union and its JSON form.

Two unions live here. `UpstreamEvent` is what a dialect's decoder yields: it has no ids and knows no
parts. `Event` is what a log holds: numbered by a `RecordId`, every delta naming its part. The
engine turns the first into the second. Text is always whole code points. Unknown kinds are ignored
on reading, so that an older reader survives a newer writer.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any, Literal, NamedTuple, TypeAlias

from typing_extensions import override

from grantha.chat import (
    ContinuationMode,
    Ending,
    FinishReason,
    JsonObject,
    Usage,
    json_types,
    typed_fields,
)

# ---- what decoders yield -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider accepted the call: the model it reports, and its own id for the reply."""

    model: str | None = None
    upstream_id: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """Visible text. `deltas` counts the upstream's own deltas that were merged into this one."""

    text: str
    deltas: int = 1
    logprobs: tuple[JsonObject, ...] = ()  # OpenAI's form, one object a token


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Reasoning before the answer; a `signature` may come alone, at its end."""

    text: str
    signature: str | None = None
    deltas: int = 1


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A fragment of a tool call. `index` tells calls apart; id and name come at least once."""

    index: int
    call_id: str | None = None
    name: str | None = None
    arguments: str = ""
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Cited:
    """A source the vendor names for what was just written."""

    url: str | None
    title: str | None
    quoted: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderNotice:
    """Something a reader should know about the reply that isn't part of it.

    | code | when |
    |---|---|
    | image-omitted | the answer holds an image, and answers here are text |
    | provider-tool | the provider ran a tool of its own; `details` names it |
    | option-dropped | the model refuses an option, so it was left out; `details` names it |
    """

    code: str
    message: str
    details: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UsageSeen:
    """The latest known totals of this call; a later one replaces an earlier one."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The dialect's terminal sign. `native` is the vendor's own word; `stop_sequence` the text that ended
    the answer, where the vendor names it.
    """

    reason: FinishReason
    native: str | None = None
    stop_sequence: str | None = None


UpstreamEvent: TypeAlias = (
    Accepted | Text | Reasoning | ToolCall | Cited | ProviderNotice | UsageSeen | Finished
)


# ---- what a log holds ----------------------------------------------------------------------------


class RecordId(NamedTuple):
    """Position of a record in its log; ids sort in log order. Also a legal Redis Stream entry id."""

    epoch: int
    seq: int

    @override
    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @staticmethod
    def parse(text: str) -> RecordId:
        """From `epoch-seq`. Raises ValueError for anything else."""
        epoch, dash, seq = text.partition("-")
        if not (dash and _is_number(epoch) and _is_number(seq)):
            raise ValueError(f"{text!r} is not a record id of the form epoch-seq")
        return RecordId(int(epoch), int(seq))


START = RecordId(0, 0)  # before every record

PartKind = Literal["text", "reasoning", "tool-call"]
SeamReason = Literal["options", "restart", "provider-lost", "fallback", "continued"]


@dataclass(frozen=True, slots=True)
class Open:
    """An owner takes the log. `previous` is the last id of the epoch before, None at the first."""

    previous: str | None
    model: str
    options: JsonObject = field(default_factory=dict)
    kind: Literal["open"] = "open"


@dataclass(frozen=True, slots=True)
class PartStart:
    """A part begins; parts are numbered densely from 0 within a generation."""

    part: int
    part_kind: PartKind
    call_id: str | None = None
    name: str | None = None
    kind: Literal["part-start"] = "part-start"


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text added to a text part."""

    part: int
    text: str
    deltas: int = 1
    logprobs: tuple[JsonObject, ...] = ()
    kind: Literal["text-delta"] = "text-delta"


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Text added to a reasoning part, or its signature."""

    part: int
    text: str
    signature: str | None = None
    deltas: int = 1
    kind: Literal["reasoning-delta"] = "reasoning-delta"


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A fragment of the JSON text of a tool call's arguments."""

    part: int
    arguments: str
    signature: str | None = None
    kind: Literal["tool-call"] = "tool-call"


@dataclass(frozen=True, slots=True)
class PartEnd:
    """A part is complete. `duration_ms` is given for reasoning."""

    part: int
    duration_ms: int | None = None
    kind: Literal["part-end"] = "part-end"


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Usage of the whole generation so far."""

    usage: Usage
    kind: Literal["usage"] = "usage"


@dataclass(frozen=True, slots=True)
class Citation:
    """A source for the text of a part up to here."""

    part: int
    url: str | None
    title: str | None
    quoted: str | None = None
    kind: Literal["citation"] = "citation"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a reader should know that isn't part of the answer, such as a retry.

    Codes: accepted, retrying, call-limit, answer-limit, abandoned, unreadable (in place of a stored record
    that is damaged), those of `ProviderNotice`; a reader ignores others.
    """

    code: str
    message: str
    details: JsonObject = field(default_factory=dict)
    kind: Literal["notice"] = "notice"


@dataclass(frozen=True, slots=True)
class Seam:
    """Between two segments. `text_length`, in code points so far, is where the mark stands.

    `mode` is None when no text stood before it. `changes` maps an option (or "model") to its
    [old, new].
    """

    reason: SeamReason
    mode: ContinuationMode | None
    model: str
    options: JsonObject
    text_length: int
    changes: Mapping[str, list[Any]] = field(default_factory=dict)
    details: JsonObject = field(default_factory=dict)
    kind: Literal["seam"] = "seam"


@dataclass(frozen=True, slots=True)
class GenerationEnd:
    """The last record. Length (code points) and SHA-256 (hex, of the UTF-8) cover all text deltas.

    `usage` None is unknown. `timings` in milliseconds, see `grantha.analytics.timings`.
    `receipt` says how a stop went; `stop_sequence` is the text that ended the answer, where it is known.
    """

    ending: Ending
    finish_reason: FinishReason | None
    native_finish_reason: str | None
    usage: Usage | None
    timings: JsonObject
    text_length: int
    sha256: str
    error: JsonObject | None = None
    receipt: JsonObject | None = None
    stop_sequence: str | None = None
    kind: Literal["generation-end"] = "generation-end"


Event: TypeAlias = (
    Open
    | PartStart
    | TextDelta
    | ReasoningDelta
    | ToolCallDelta
    | PartEnd
    | UsageReport
    | Citation
    | Notice
    | Seam
    | GenerationEnd
)

_KINDS: dict[str, type[Event]] = {
    "open": Open,
    "part-start": PartStart,
    "text-delta": TextDelta,
    "reasoning-delta": ReasoningDelta,
    "tool-call": ToolCallDelta,
    "part-end": PartEnd,
    "usage": UsageReport,
    "citation": Citation,
    "notice": Notice,
    "seam": Seam,
    "generation-end": GenerationEnd,
}


@dataclass(frozen=True, slots=True)
class Record:
    """One numbered event; `at` is milliseconds since 1970, by the owner's clock."""

    id: RecordId
    at: int
    event: Event


@dataclass(frozen=True, slots=True)
class Frame:
    """One or more consecutive records as they are sent: `id` is the last one's, `records` how many.

    A reader checks that no record is missing: within an epoch, `id.seq` grows by `records`;
    an open record starts the next epoch at 0.
    """

    id: RecordId
    at: int
    event: Event
    records: int = 1


def merge(records: Iterable[Record]) -> list[Frame]:
    """Consecutive deltas of one part become one frame; everything else stays as it is."""
    frames: list[Frame] = []
    run: list[Record] = []
    for record in records:
        if run and not _follows(run[-1], record):
            frames.append(_merged_frame(run))
            run = []
        run.append(record)
    if run:
        frames.append(_merged_frame(run))
    return frames


def merge_deltas(events: Iterable[Event]) -> list[Event]:
    """Consecutive deltas of one part become one event; everything else stays as it is."""
    result: list[Event] = []
    run: list[Event] = []
    for event in events:
        if run and not _extends(run[-1], event):
            result.append(_join(run))
            run = []
        run.append(event)
    if run:
        result.append(_join(run))
    return result


def payload_of(event: Event) -> str:
    """The stored JSON of an event, without id and kind; defaults are left out."""
    if type(event) is TextDelta and event.deltas == 1 and not event.logprobs:
        return f'{{"part":{event.part},"text":{encode_basestring(event.text)}}}'
    return encode_json(_fields(event))


def encode_json(value: object) -> str:
    """JSON as it is stored and sent. NaN and infinity become null: JSON has neither, and one of them
    would make everything unreadable that holds it.
    """
    try:
        return _encode(value)
    except ValueError:
        return _encode(_decode(_encode_any(value)))


def decode_json(text: str) -> Any:
    """Stored JSON. Raises ValueError for anything else.

    `NaN` and `Infinity`, which earlier versions wrote, are None, and so are numbers as large as that.
    """
    try:
        return _decode(text)
    except (TypeError, RecursionError) as error:
        raise ValueError("not text, or nested too deeply") from error


def replace_surrogates(event: Event) -> Event:
    """The event with U+FFFD for every lone surrogate, which can't be stored.

    Vendors cut a character in two between two chunks; a model's own error may hold anything.
    """
    if isinstance(event, PartEnd | UsageReport):
        return event  # no text in it
    try:
        if isinstance(event, TextDelta) and not event.logprobs:
            event.text.encode()
        else:
            payload_of(event).encode()
    except UnicodeEncodeError:
        payload = payload_of(event)
        mended = payload.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return event_from(event.kind, mended) or event
    return event


def event_from(kind: str, payload: str) -> Event | None:
    """Inverse of `payload_of`; None for a kind that this version doesn't know."""
    return event_of(kind, decode_json(payload))


def event_of(kind: str, body: JsonObject) -> Event | None:
    """The same from decoded JSON, such as a frame as clients get it; further fields are ignored.

    Raises TypeError when a field is missing or has a value of a wrong type.
    """
    cls = _KINDS.get(kind)
    if cls is None:
        return None
    values = typed_fields(body, _TYPES[cls])
    if "logprobs" in values:
        values["logprobs"] = tuple(values["logprobs"])
    if values.get("usage") is not None:
        values["usage"] = Usage.from_json(values["usage"])
    return cls(**values)


def frame_json(frame: Frame) -> str:
    """A frame as clients get it: `{"id":"1-7","kind":"text-delta",…,"at":…}`."""
    tail = f',"records":{frame.records}' if frame.records != 1 else ""
    return (
        f'{{"id":"{frame.id}","kind":"{frame.event.kind}",'
        f'{payload_of(frame.event)[1:-1]},"at":{frame.at}{tail}}}'
    )


# ---- helpers below -------------------------------------------------------------------------------


def _finite_or_none(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


# Made once: `json.dumps` and `json.loads` with settings of their own make a new one at each call.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_encode_any = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite_or_none).decode


def _extends(a: Event, b: Event) -> bool:
    return (
        type(a) is type(b)
        and isinstance(a, TextDelta | ReasoningDelta | ToolCallDelta)
        and isinstance(b, TextDelta | ReasoningDelta | ToolCallDelta)
        and a.part == b.part
    )


def _follows(last: Record, record: Record) -> bool:
    return record.id == (last.id.epoch, last.id.seq + 1) and _extends(last.event, record.event)


def _merged_frame(run: list[Record]) -> Frame:
    last = run[-1]
    return Frame(last.id, last.at, _join([record.event for record in run]), len(run))


def _join(events: list[Event]) -> Event:
    first = events[0]
    if len(events) == 1:
        return first
    if isinstance(first, TextDelta):
        texts = [e for e in events if isinstance(e, TextDelta)]
        return TextDelta(
            first.part,
            "".join([e.text for e in texts]),
            sum([e.deltas for e in texts]),
            tuple(lp for e in texts for lp in e.logprobs),
        )
    if isinstance(first, ReasoningDelta):
        reasoning = [e for e in events if isinstance(e, ReasoningDelta)]
        return ReasoningDelta(
            first.part,
            "".join([e.text for e in reasoning]),
            next((e.signature for e in reversed(reasoning) if e.signature), None),
            sum([e.deltas for e in reasoning]),
        )
    calls = [e for e in events if isinstance(e, ToolCallDelta)]
    return ToolCallDelta(
        calls[0].part,
        "".join([e.arguments for e in calls]),
        next((e.signature for e in reversed(calls) if e.signature), None),
    )


def _fields_of(cls: type[Event]) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (f.name, f.default if f.default_factory is dataclasses.MISSING else f.default_factory())
        for f in dataclasses.fields(cls)
        if f.name != "kind"
    )


# Name and default of every field; a value equal to its default isn't written.
_FIELDS: dict[type[Event], tuple[tuple[str, Any], ...]] = {
    cls: _fields_of(cls) for cls in _KINDS.values()
}
_TYPES = {
    cls: {name: types for name, types in json_types(cls).items() if name != "kind"}
    for cls in _KINDS.values()
}


def _fields(event: Event) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, default in _FIELDS[type(event)]:
        value = getattr(event, name)
        if value != default:
            body[name] = value.to_json() if isinstance(value, Usage) else _plain(value)
    return body


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _is_number(text: str) -> bool:
    # int() also takes signs, spaces, underscores and other scripts' digits; ids have none of them.
    return text.isascii() and text.isdigit() and len(text) <= 18
