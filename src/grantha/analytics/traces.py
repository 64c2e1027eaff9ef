"""A log as the inspector draws it: when how much was written, and by which segment.

Rows are `[ms, kind, code points, deltas]`, one a record. The same rows are kept in the store when
the records themselves are deleted, so that an old answer can still be looked into.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from grantha.chat import JsonObject
from grantha.events import ReasoningDelta, Record, TextDelta, ToolCallDelta, payload_of

TraceRow = Sequence[Any]  # [int, str, int, int]


def rows_since_start(records: Iterable[Record]) -> list[list[Any]]:
    """Rows with the time since the first record, in ms."""
    started: int | None = None
    rows: list[list[Any]] = []
    for record in records:
        started = record.at if started is None else started
        event, size, deltas = record.event, 0, 1
        if isinstance(event, TextDelta | ReasoningDelta):
            size, deltas = len(event.text), event.deltas
        elif isinstance(event, ToolCallDelta):
            size = len(event.arguments)
        rows.append([record.at - started, event.kind, size, deltas])
    return rows


def stored_rows(trace: JsonObject) -> tuple[list[TraceRow], int | None]:
    """The rows of a stored trace, and the bytes that its records took. What is damaged is left out."""
    found, stored = trace.get("records"), trace.get("stored")
    rows: list[TraceRow] = [
        row
        for row in (found if isinstance(found, list) else ())
        if isinstance(row, list) and [type(value) for value in row] == [int, str, int, int]
    ]
    return rows, stored if isinstance(stored, int) else None


def rows_since_before(rows: Iterable[TraceRow]) -> list[list[Any]]:
    """The same rows with the time since the record before."""
    last = 0
    found: list[list[Any]] = []
    for at, kind, size, deltas in rows:
        found.append([at - last, kind, size, deltas])
        last = at
    return found


def stored_bytes(records: Iterable[Record]) -> int:
    """What the payloads of some records take in the store."""
    return sum(len(payload_of(record.event).encode()) for record in records)


def segments(
    rows: Sequence[TraceRow],
    seams: Sequence[JsonObject],
    model: str,
    options: JsonObject,
    text_length: int,
) -> list[dict[str, Any]]:
    """One for each upstream call that wrote: from where in the text, under what, when, and why.

    `rows` are since the start; `seams` are the log's seam records as JSON, in order.
    """
    whole = rows[-1][0] if rows else 0
    seam_times = [row[0] for row in rows if row[1] == "seam"]
    found: list[dict[str, Any]] = [
        {
            "offset": 0,
            "model": model,
            "options": dict(options),
            "reason": None,
            "mode": None,
            "start_ms": 0,
        }
    ]
    found.extend(
        {
            "offset": seam.get("text_length", 0),
            "model": seam.get("model"),
            "options": dict(seam.get("options") or {}),
            "reason": seam.get("reason"),
            "mode": seam.get("mode"),
            "start_ms": seam_times[n] if n < len(seam_times) else whole,
        }
        for n, seam in enumerate(seams)
    )
    ends = [*(segment["offset"] for segment in found[1:]), text_length]
    times = [*(segment["start_ms"] for segment in found[1:]), whole]
    for segment, end, time in zip(found, ends, times, strict=True):
        segment["text_length"] = end - segment["offset"]
        segment["end_ms"] = time
    return found
