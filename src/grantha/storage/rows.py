"""Converts database rows to the values of `storage.base` and back; no SQL here."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, RowMapping

from grantha.chat import Options, Part, TextPart, part_from_json, parts_to_json
from grantha.events import (
    Event,
    Record,
    RecordId,
    decode_json,
    encode_json,
    event_from,
    payload_of,
)
from grantha.storage.base import ConversationRow, GenerationRow, MessageRow

_log = logging.getLogger(__name__)
T = TypeVar("T")
_DAMAGED = (ValueError, TypeError, KeyError, AttributeError)  # of stored JSON of any shape

Row = RowMapping | dict[str, Any]  # a database row; Any because columns differ in type


def raw_connection(connection: Connection) -> sqlite3.Connection:
    """The DBAPI connection, for the statements that every flush and every start runs."""
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
        options=_options(row).to_json(),
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
        parts=_parts(row),
        created_at=row["created_at"],
        model=row["model"],
        generation=row["generation"],
        status=row["status"],
        end=_object(row, "end"),
        seams=_objects(row, "seams"),
        citations=_objects(row, "citations"),
    )


def generation_from(row: Row) -> GenerationRow:
    """A generation."""
    return GenerationRow(
        id=row["id"],
        conversation=row["conversation"],
        message=row["message"],
        parent=row["parent"],
        model=row["model"],
        options=_options(row),
        status=row["status"],
        last_id=RecordId(row["epoch"], row["seq"]),
        recoveries=row["recoveries"],
        created_at=row["created_at"],
        end=_object(row, "end"),
        trimmed=bool(row["trimmed"]),
        trace=_object(row, "trace"),
        abandon_after=row["abandon_after"],
    )


def record_from(row: Sequence[Any]) -> Record | None:
    """A record from (epoch, seq, at, kind, payload); None where `event_of_record` is."""
    event = event_of_record(row[3], row[4])
    return None if event is None else Record(RecordId(row[0], row[1]), row[2], event)


def event_of_record(kind: str, payload: str) -> Event | None:
    """None for a kind of a later version, and for a damaged record, which is logged."""
    try:
        return event_from(kind, payload)
    except _DAMAGED as error:
        _log.error("a record (%s) can't be read and is left out: %r", kind, error)
        return None


def record_values(generation: str, records: Sequence[Record]) -> list[tuple[Any, ...]]:
    """Rows for the records table, in its column order."""
    return [
        (generation, r.id.epoch, r.id.seq, r.at, r.event.kind, payload_of(r.event)) for r in records
    ]


def parts_text(parts: Sequence[Part]) -> str:
    """The text of a message that the full-text index holds."""
    return "\n".join(part.text for part in parts if isinstance(part, TextPart))


def events_json(events: Iterable[Event]) -> str:
    """Events without id and kind, as a stored list."""
    return "[" + ",".join([payload_of(event) for event in events]) + "]"


def to_json(value: object) -> str:
    """JSON in its stored form."""
    return encode_json(value)


def parts_json(parts: Sequence[Part]) -> str:
    """Parts in their stored form."""
    return to_json(parts_to_json(parts))


# ---- helpers below ------------------------------------------------------------------------------- A
# damaged column loses its own content, but never breaks a list, a conversation or a start that reads it.


def _column(row: Row, name: str, kind: type[T]) -> T | None:
    text = row[name]
    if not text:
        return None
    try:
        value = decode_json(text)
        if isinstance(value, kind):
            return value
        _log.error("%s of %s is damaged: it isn't a %s", name, row["id"], kind.__name__)
    except ValueError as error:
        _log.error("%s of %s is damaged: %s", name, row["id"], error)
    return None


def _object(row: Row, name: str) -> dict[str, Any] | None:
    return _column(row, name, dict)


def _objects(row: Row, name: str) -> tuple[dict[str, Any], ...]:
    found = _column(row, name, list) or []
    objects = tuple(item for item in found if isinstance(item, dict))
    if len(objects) < len(found):
        _log.error("%s of %s is damaged: not all items are objects", name, row["id"])
    return objects


def _parts(row: Row) -> tuple[Part, ...]:
    parts: list[Part] = []
    for part in _objects(row, "parts"):
        try:
            parts.append(part_from_json(part))
        except _DAMAGED as error:
            _log.error("a part of %s is damaged: %r", row["id"], error)
    return tuple(parts)


def _options(row: Row) -> Options:
    try:
        return Options.from_json(_object(row, "options") or {})
    except _DAMAGED as error:
        _log.error("options of %s are damaged: %r", row["id"], error)
        return Options()
