"""Logs as the engine writes them, random or fixed, and all merges of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import strategies as st

from grantha.chat import Usage
from grantha.events import (
    Citation,
    Event,
    Frame,
    GenerationEnd,
    Notice,
    Open,
    PartEnd,
    PartStart,
    ReasoningDelta,
    Record,
    RecordId,
    Seam,
    TextDelta,
    ToolCallDelta,
    UsageReport,
    merge,
)

USAGE = Usage(input_tokens=7, output_tokens=5, cached_input_tokens=2, reasoning_tokens=1)
LOGPROB = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
FINISHES = ["stop", "length", "tool-calls", "content-filter", "refusal", "unknown", None]


def end_of(
    events: Sequence[Event],
    ending: str = "done",
    finish: str | None = "stop",
    native: str | None = None,
) -> GenerationEnd:
    """The end record of these events."""
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    error = None
    if ending in {"failed", "interrupted"}:
        error = {"code": "truncated", "message": "It broke off.", "fault": "provider"}
    return GenerationEnd(
        ending=ending,  # type: ignore[arg-type]  # hypothesis gives plain text
        finish_reason=finish,  # type: ignore[arg-type]
        native_finish_reason=native,
        usage=USAGE if ending == "done" else None,
        timings={"duration_ms": 12.5},
        text_length=len(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        error=error,
    )


def numbered(events: Sequence[Event]) -> list[Record]:
    """Events as the records of one log; every later open record begins an epoch."""
    records: list[Record] = []
    epoch, seq = 1, -1
    for event in events:
        epoch, seq = (epoch + 1, 0) if isinstance(event, Open) and records else (epoch, seq + 1)
        records.append(Record(RecordId(epoch, seq), 1000 + len(records), event))
    return records


def frames_of(records: Sequence[Record], cuts: Sequence[int] = ()) -> list[list[Frame]]:
    """The batches that a reader gets who comes at these places."""
    places = sorted({0, len(records), *(cut for cut in cuts if 0 < cut < len(records))})
    return [merge(records[a:b]) for a, b in pairwise(places)]


def singly(records: Sequence[Record]) -> list[list[Frame]]:
    """Every record as a separate frame."""
    return frames_of(records, range(len(records)))


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """A log from its open record to its end."""
    events: list[Event] = [Open(None, "scripted/any")]
    parts = draw(st.integers(0, 4))
    for part in range(parts):
        kind = draw(st.sampled_from(["text", "reasoning", "tool-call"]))
        if draw(st.booleans()):
            events.append(draw(st.sampled_from(_background_tasks(part, events))))
        events += draw(_part(part, kind))
        if part < parts - 1 or draw(st.booleans()):
            events.append(PartEnd(part))
        if kind == "text" and draw(st.booleans()):
            events.append(Citation(part, draw(st.sampled_from(["https://a.example/", None])), "A"))
    ending = draw(st.sampled_from(["done", "stopped", "failed", "interrupted"]))
    finish = draw(st.sampled_from(FINISHES)) if ending == "done" else None
    return numbered([*events, end_of(events, ending, finish)])


def _background_tasks(part: int, events: Sequence[Event]) -> list[Event]:
    previous = str(numbered(events)[-1].id)
    return [
        Notice("retrying", "Again"),
        UsageReport(USAGE),
        Seam("options", "prefix", "scripted/any", {}, 0),
        Open(previous, "scripted/any"),
    ]


@st.composite
def _part(draw: st.DrawFn, part: int, kind: str) -> list[Event]:
    fragments = draw(st.lists(words, max_size=4))
    if kind == "text":
        probable = st.sampled_from([(), (LOGPROB,)])
        return [
            PartStart(part, "text"),
            *[TextDelta(part, fragment, 1, draw(probable)) for fragment in fragments],
        ]
    if kind == "reasoning":
        signed = [ReasoningDelta(part, "", "proof", 0)] if draw(st.booleans()) else []
        thoughts = [ReasoningDelta(part, fragment) for fragment in fragments]
        return [PartStart(part, "reasoning"), *thoughts, *signed]
    arguments = ['{"city":', '"Paris"', "}"][: draw(st.integers(0, 3))]
    return [
        PartStart(part, "tool-call", f"call_{part}", "look"),
        *[ToolCallDelta(part, fragment) for fragment in arguments],
    ]


def everything() -> list[Event]:
    """One of each: thought with its proof, text with a source, a call."""
    return [
        Open(None, "scripted/any"),
        Notice("accepted", "Accepted"),
        PartStart(0, "reasoning"),
        ReasoningDelta(0, "Let me "),
        ReasoningDelta(0, "think."),
        ReasoningDelta(0, "", "proof", 0),
        PartEnd(0, 40),
        PartStart(1, "text"),
        TextDelta(1, "Hello ", 1, (LOGPROB,)),
        TextDelta(1, "world", 1, (LOGPROB,)),
        Citation(1, "https://a.example/", "A", "quoted"),
        TextDelta(1, "! \U0001f600"),
        PartEnd(1),
        PartStart(2, "tool-call", "call_x", "look"),
        ToolCallDelta(2, '{"city":'),
        ToolCallDelta(2, '"Paris"}'),
        PartEnd(2),
        UsageReport(USAGE),
    ]
