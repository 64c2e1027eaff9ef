"""Between database rows and the values of `storage.base`; no SQL here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Connection, RowMapping

from grantha.chat import Options, Part, TextPart, part_from_json, parts_to_json
from grantha.events import Event, Record, RecordId, event_from, payload_of
from grantha.storage.base import ConversationRow, GenerationRow, MessageRow

Row = RowMapping | dict[str, Any]  # a database row; Any because columns differ in type


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection, for the statements that every flush and every start runs."""
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def conversation_from(row: Row) -> ConversationRow:
    """A conversation; a `snippet` column is optional."""
    return ConversationRow(
        id=row["id"],
        title=row["title"],
        title_by=row["title_by"],
        pinned=bool(row["pinned"]),
        origin=row["origin"],
        system_prompt=row["system_prompt"],
        options=json.loads(row["options"]),
        model=row["model"],
        leaf=row["leaf"],
        status=row["status"],
        generation=row["generation"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        snippet=row.get("snippet"),
    )


def message_from(row: Row) -> MessageRow:
    """A message with its parts decoded."""
    return MessageRow(
        id=row["id"],
        conversation=row["conversation"],
        parent=row["parent"],
        role=row["role"],
        parts=tuple(part_from_json(part) for part in json.loads(row["parts"])),
        created_at=row["created_at"],
        model=row["model"],
        generation=row["generation"],
        status=row["status"],
        end=json.loads(row["end"]) if row["end"] else None,
        seams=tuple(json.loads(row["seams"])),
        citations=tuple(json.loads(row["citations"])),
    )


def generation_from(row: Row) -> GenerationRow:
    """A generation."""
    return GenerationRow(
        id=row["id"],
        conversation=row["conversation"],
        message=row["message"],
        parent=row["parent"],
        model=row["model"],
        options=Options.from_json(json.loads(row["options"])),
        status=row["status"],
        last_id=RecordId(row["epoch"], row["seq"]),
        recoveries=row["recoveries"],
        created_at=row["created_at"],
        end=json.loads(row["end"]) if row["end"] else None,
        trimmed=bool(row["trimmed"]),
        trace=json.loads(row["trace"]) if row["trace"] else None,
        abandon_after=row["abandon_after"],
    )


def record_from(row: Sequence[Any]) -> Record | None:
    """A record from (epoch, seq, at, kind, payload); None for a kind of a later version."""
    event = event_from(row[3], row[4])
    return None if event is None else Record(RecordId(row[0], row[1]), row[2], event)


def record_values(generation: str, records: Sequence[Record]) -> list[tuple[Any, ...]]:
    """Rows for the records table, in its column order."""
    return [
        (generation, r.id.epoch, r.id.seq, r.at, r.event.kind, payload_of(r.event)) for r in records
    ]


def parts_text(parts: Sequence[Part]) -> str:
    """What the full-text index sees of a message."""
    return "\n".join(part.text for part in parts if isinstance(part, TextPart))


def events_json(events: Iterable[Event]) -> str:
    """Events without id and kind, as a stored list."""
    return "[" + ",".join([payload_of(event) for event in events]) + "]"


def to_json(value: object) -> str:
    """JSON as it is stored."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parts_json(parts: Sequence[Part]) -> str:
    """Parts as they are stored."""
    return to_json(parts_to_json(parts))
