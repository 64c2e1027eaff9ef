"""Converts database rows to the values of `storage.base` and back; no SQL here."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast, get_args

from sqlalchemy import Connection, RowMapping

from grantha.chat import (
    ContinuationMode,
    Ending,
    Options,
    Part,
    Role,
    Status,
    TextPart,
    is_amount,
    part_from_json,
    parts_to_json,
)
from grantha.events import (
    Event,
    GenerationEnd,
    Notice,
    Record,
    RecordId,
    Seam,
    SeamReason,
    decode_json,
    encode_json,
    event_from,
    event_of,
    payload_of,
)
from grantha.storage.base import ConversationRow, GenerationRow, MessageRow, Origin
from grantha.storage.search_terms import index_text

_log = logging.getLogger(__name__)
T = TypeVar("T")
L = TypeVar("L", bound=str)
_DAMAGED = (ValueError, TypeError, KeyError, AttributeError)  # of stored JSON of any shape
_SEAM_REASONS, _SEAM_MODES = get_args(SeamReason), get_args(ContinuationMode)
_ENDINGS: tuple[Ending, ...] = get_args(Ending)
_ROLES: tuple[Role, ...] = get_args(Role)
_STATUSES: tuple[Status, ...] = get_args(Status)
_ORIGINS: tuple[Origin, ...] = get_args(Origin)

Row = RowMapping | dict[str, Any]  # a database row; Any because columns differ in type


def raw_connection(connection: Connection) -> sqlite3.Connection:
    """The DBAPI connection, for the statements that every flush and every start runs."""
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def conversation_from(row: Row) -> ConversationRow:
    """A conversation; a `snippet` column is optional."""
    return ConversationRow(
        id=row["id"],
        title=text_of(row, "title"),
        title_by=text_of(row, "title_by"),
        pinned=bool(row["pinned"]),
        origin=origin_of(row),
        system_prompt=text_of(row, "system_prompt"),
        options=_options(row).to_json(),
        model=_text_or_none(row, "model"),
        leaf=_text_or_none(row, "leaf"),
        status=_status(row),
        generation=_text_or_none(row, "generation"),
        created_at=whole_number(row, "created_at"),
        updated_at=whole_number(row, "updated_at"),
        snippet=row.get("snippet"),
        metadata=_object(row, "metadata"),
    )


def message_from(row: Row) -> MessageRow:
    """A message with its parts decoded."""
    return MessageRow(
        id=row["id"],
        conversation=row["conversation"],
        parent=_text_or_none(row, "parent"),
        role=role_of(row),
        parts=_parts(row),
        created_at=whole_number(row, "created_at"),
        model=_text_or_none(row, "model"),
        generation=_text_or_none(row, "generation"),
        status=_status(row),
        end=_end(row),
        seams=_events(row, "seams", "seam"),
        citations=_events(row, "citations", "citation"),
    )


def generation_from(row: Row) -> GenerationRow:
    """A generation."""
    abandon_after = row["abandon_after"]
    return GenerationRow(
        id=row["id"],
        conversation=row["conversation"],
        message=row["message"],
        parent=_text_or_none(row, "parent"),
        model=text_of(row, "model"),
        options=_options(row),
        status=_status(row) or "interrupted",
        last_id=RecordId(whole_number(row, "epoch"), whole_number(row, "seq")),
        recoveries=whole_number(row, "recoveries"),
        created_at=whole_number(row, "created_at"),
        end=_end(row),
        trimmed=bool(row["trimmed"]),
        trace=_object(row, "trace"),
        abandon_after=abandon_after if is_amount(abandon_after) else None,
    )


def record_from(row: Sequence[Any]) -> Record:
    """A record from (epoch, seq, at, kind, payload)."""
    at = row[2] if type(row[2]) is int else 0
    return Record(RecordId(row[0], row[1]), at, event_of_record(row[3], row[4]))


def event_of_record(kind: str, payload: str) -> Event:
    """A notice in place of a record that is damaged or of a kind of a later version.

    It keeps the ids dense: a reader would take a missing one for a loss, and come back for it.
    """
    try:
        event = event_from(kind, payload)
        _check(event)
    except _DAMAGED as error:
        _log.error("a record (%s) can't be read and is left out: %r", kind, error)
        event = None
    return event or Notice("unreadable", "A part of the stored answer can't be read.")


def record_values(generation: str, records: Sequence[Record]) -> list[tuple[Any, ...]]:
    """Rows for the records table, in its column order."""
    return [
        (generation, r.id.epoch, r.id.seq, r.at, r.event.kind, payload_of(r.event)) for r in records
    ]


def parts_text(parts: Sequence[Part]) -> str:
    """The text of a message as the full-text index holds it."""
    return index_text("\n".join(part.text for part in parts if isinstance(part, TextPart)))


def events_json(events: Iterable[Event]) -> str:
    """Events without id and kind, as a stored list."""
    return "[" + ",".join([payload_of(event) for event in events]) + "]"


def to_json(value: object) -> str:
    """JSON in its stored form."""
    return encode_json(value)


def parts_json(parts: Sequence[Part]) -> str:
    """Parts in their stored form."""
    return to_json(parts_to_json(parts))


def origin_of(row: Row) -> Origin:
    """The origin of a conversation."""
    return _one_of(row, "origin", _ORIGINS, "page")


def role_of(row: Row) -> Role:
    """The role of a message."""
    return _one_of(row, "role", _ROLES, "user")


def text_of(row: Row, name: str) -> str:
    """The text of a column; empty if it is damaged."""
    return _text_or_none(row, name) or ""


def whole_number(row: Row, name: str) -> int:
    """The number in a column, 0 if it is damaged: SQLite keeps a value of any type in any column."""
    value = row[name]
    if type(value) is int and value >= 0:
        return value
    _log.error("%s of a row is damaged: it isn't a number", name)
    return 0


# ---- helpers below -------------------------------------------------------------------------------
#
# A damaged column loses its own content, but never breaks a list, a conversation or a start that reads it.


def _text_or_none(row: Row, name: str) -> str | None:
    value = row[name]
    if value is None or isinstance(value, str):
        return value
    _log.error("%s of a row is damaged: it isn't text", name)
    return None


def _one_of(row: Row, name: str, known: Sequence[L], default: L) -> L:
    value = row[name]
    for one in known:
        if value == one:
            return one
    _log.error("%s of %s is damaged", name, row["id"])
    return default


def _status(row: Row) -> Status | None:
    return None if row["status"] is None else _one_of(row, "status", _STATUSES, "interrupted")


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


def _events(row: Row, name: str, kind: str) -> tuple[dict[str, Any], ...]:
    """The bodies of events of one kind that a column lists."""
    found = []
    for body in _objects(row, name):
        try:
            _check(event_of(kind, body))
            found.append(body)
        except _DAMAGED as error:
            _log.error("one of the %s of %s is damaged: %r", name, row["id"], error)
    return tuple(found)


def _check(event: Event | None) -> None:
    """Raises what `_DAMAGED` has for a value that no event has, and that others rely on."""
    if isinstance(event, Seam):
        Options.from_json(event.options)
        if event.reason not in _SEAM_REASONS or event.mode not in {None, *_SEAM_MODES}:
            raise ValueError("a reason or a mode that there isn't")
    elif isinstance(event, GenerationEnd) and event.ending not in _ENDINGS:
        raise ValueError("an ending that there isn't")


def _end(row: Row) -> dict[str, Any] | None:
    """The body of an end record, without numbers that no answer can have."""
    body = _object(row, "end")
    if body is None:
        return None
    try:
        end = event_of("generation-end", body)
        _check(end)
        if isinstance(end, GenerationEnd) and end.usage is not None:
            body["usage"] = end.usage.to_json()
        timings = body.get("timings", {})
        body["timings"] = {name: value for name, value in timings.items() if is_amount(value)}
    except _DAMAGED as error:
        _log.error("the end of %s is damaged: %r", row["id"], error)
        return None
    return body


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
