"""What is already written: whole logs from the store, and logs that begin with an earlier answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import TypeVar

from grantha.chat import (
    ContinuationMode,
    Ending,
    Options,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
)
from grantha.errors import Unsupported
from grantha.events import (
    START,
    Citation,
    Event,
    Frame,
    GenerationEnd,
    Open,
    PartEnd,
    PartStart,
    ReasoningDelta,
    Record,
    RecordId,
    Seam,
    TextDelta,
    ToolCallDelta,
    event_from,
)
from grantha.storage.base import GenerationRow, MessageRow, Store

_PAGE = 1024
E = TypeVar("E", Seam, Citation, GenerationEnd)


async def read_log(store: Store, subject: str, generation: str) -> list[Record]:
    """All records of a generation, in order."""
    records: list[Record] = []
    cursor = START
    while page := await store.records(subject, generation, cursor, _PAGE):
        records.extend(page)
        cursor = page[-1].id
    return records


async def read_log_text(store: Store, subject: str, generation: str) -> str:
    """All visible text of a generation that is durable."""
    records = await read_log(store, subject, generation)
    return "".join(r.event.text for r in records if isinstance(r.event, TextDelta))


async def trimmed_frames(store: Store, subject: str, row: GenerationRow) -> list[Frame]:
    """The frames of an answer whose records were trimmed, rebuilt from its message.

    The same text, parts, seams, citations and end; each part is one frame between two seams. The last
    frame has the last record's id, so that a client which comes back with it gets a 204.
    """
    message = await store.message(subject, row.message)
    # A later continuation only added to the message: what was this one's stands at its beginning.
    length = None if message.generation == row.id else (row.end or {}).get("text_length")
    parts = message.parts if length is None else _truncated(message.parts, length)
    seams = [
        _event_from("seam", body, Seam)
        for body in message.seams
        if length is None or body["text_length"] <= length
    ]
    events: list[Event] = [Open(None, row.model, row.options.to_json())]
    offset = 0
    for number, part in enumerate(parts):
        if isinstance(part, TextPart):
            events.append(PartStart(number, "text"))
            events.extend(_with_seams(number, part.text, offset, seams))
            offset += len(part.text)
        elif isinstance(part, ReasoningPart):
            events.extend(_reasoning(number, part))
        elif isinstance(part, ToolCallPart):
            events.append(PartStart(number, "tool-call", part.call_id, part.name))
            events.append(ToolCallDelta(number, part.arguments, part.signature))
    events.extend(seams)  # of an answer that has no text
    events.extend(_event_from("citation", body, Citation) for body in message.citations)
    if row.end is not None:
        events.append(_event_from("generation-end", row.end, GenerationEnd))
    elif row.status != "running":
        events.append(_damaged_end(row.status, parts))
    last = max(row.last_id.seq, len(events) - 1)
    epoch = row.last_id.epoch
    frames = [Frame(RecordId(epoch, seq), row.created_at, e) for seq, e in enumerate(events[:-1])]
    return [
        *frames,
        Frame(RecordId(epoch, last), row.created_at, events[-1], last - len(frames) + 1),
    ]


def _damaged_end(ending: Ending, parts: Sequence[Part]) -> GenerationEnd:
    """In place of an end that can't be read: readers wait for one."""
    text = "".join(part.text for part in parts if isinstance(part, TextPart))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return GenerationEnd(ending, None, None, None, {}, len(text), digest)


def continuing_records(
    message: MessageRow, model: str, options: Options, at: int
) -> tuple[tuple[Record, ...], str]:
    """The beginning of a log that continues a message: all it holds so far, and that text.

    The deltas count as none, so that a limit on tokens starts from zero. Raises `Unsupported` for an
    answer that calls tools.
    """
    events: list[Event] = [Open(None, model, options.to_json())]
    seams = [_event_from("seam", body, Seam) for body in message.seams]
    text = ""
    for number, part in enumerate(message.parts):
        last = number == len(message.parts) - 1
        match part:
            case TextPart():
                events.append(PartStart(number, "text"))
                events.extend(_with_seams(number, part.text, len(text), seams))
                text += part.text
                if not last:
                    events.append(PartEnd(number))
            case ReasoningPart():
                events.extend(_reasoning(number, part))
            case _:
                raise Unsupported("An answer that calls tools can't be continued.")
    events.extend(seams)  # of an answer that has no text
    events.extend(_event_from("citation", body, Citation) for body in message.citations)
    records = tuple(Record(RecordId(1, seq), at, event) for seq, event in enumerate(events))
    return records, text


def continuation_seam(
    mode: ContinuationMode | None, before: GenerationRow, model: str, options: Options, length: int
) -> Seam:
    """The seam between an ended answer and what is added to it."""
    changes = {} if model == before.model else {"model": [before.model, model]}
    return Seam("continued", mode, model, options.to_json(), length, changes)


def _with_seams(number: int, text: str, offset: int, seams: list[Seam]) -> Iterator[Event]:
    done = 0
    while seams and seams[0].text_length <= offset + len(text):
        seam = seams.pop(0)
        upto = max(done, seam.text_length - offset)
        if upto > done:
            yield TextDelta(number, text[done:upto], 0)
            done = upto
        yield seam
    if done < len(text):
        yield TextDelta(number, text[done:], 0)


def _truncated(parts: Sequence[Part], length: int) -> list[Part]:
    """Parts up to a length of text, in code points."""
    kept: list[Part] = []
    for part in parts:
        if length <= 0:
            break
        if isinstance(part, TextPart):
            kept.append(TextPart(part.text[:length]))
            length -= len(part.text)
        else:
            kept.append(part)
    return kept


def _reasoning(number: int, part: Part) -> Iterator[Event]:
    if isinstance(part, ReasoningPart):
        yield PartStart(number, "reasoning")
        yield ReasoningDelta(number, part.text, part.signature, 0)
        yield PartEnd(number, part.duration_ms)


def _event_from(kind: str, body: object, expected: type[E]) -> E:
    event = event_from(kind, json.dumps(body))
    if not isinstance(event, expected):
        raise TypeError(f"a stored {kind} isn't a {kind}")
    return event
