"""SQL of the logs: ending, taking over, reading, trimming. The journal writes the records.

Each function runs inside a transaction of the writer or on a reading connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, select, update

from grantha.chat import ReasoningPart, TextPart
from grantha.errors import NotFound
from grantha.events import (
    GenerationEnd,
    Notice,
    Record,
    RecordId,
    decode_json,
    event_of,
    payload_of,
)
from grantha.fold import Fold
from grantha.storage import analytics_queries, rows
from grantha.storage.base import Append, GenerationRow, Orphan, RunningAnswer
from grantha.storage.journal import Journal, Staged
from grantha.storage.schema import conversations, generations, records
from grantha.storage.start_queries import INSERT_RECORDS

_RECORDS_BEFORE = (
    "SELECT kind, payload FROM records "
    "WHERE generation = ? AND (epoch, seq) < (?, ?) ORDER BY epoch, seq"
)
_PLACE = "SELECT message, conversation, subject, model FROM generations WHERE id = ?"
_END_GENERATION = 'UPDATE generations SET status = ?, "end" = ?, ended_at = ? WHERE id = ?'
# By their ids, which are indexed: a search by generation alone would scan the table.
_END_MESSAGE = (
    'UPDATE messages SET parts = ?, text = ?, status = ?, "end" = ?, seams = ?, citations = ?, '
    "model = coalesce(?, model) WHERE id = ? AND generation = ?"
)
_END_CONVERSATION = (
    "UPDATE conversations SET status = ?, updated_at = ? WHERE id = ? AND generation = ?"
)


def append(raw: sqlite3.Connection, journal: Journal, batch: Sequence[Append]) -> Staged:
    """Writes records of many generations, and folds those that end into their messages.

    On the raw connection: a statement through SQLAlchemy costs three times as much, and these run
    for every flush.
    """
    staged = journal.stage(raw, batch)
    for item in batch:
        if item.end is not None and item.generation not in staged.fenced:
            _fold_into_message(
                raw, (*journal.pending(item.generation), *item.records), item, item.end
            )
    return staged


def claim(
    connection: Connection, row: GenerationRow, instance_id: str, opening: Sequence[Record]
) -> bool:
    """Makes `instance_id` the owner and writes the records that open the next epoch."""
    last = opening[-1].id
    taken = connection.execute(
        update(generations)
        .where(
            generations.c.id == row.id,
            generations.c.epoch == row.last_id.epoch,
            generations.c.seq == row.last_id.seq,
            generations.c.status == "running",
        )
        .values(owner=instance_id, epoch=last.epoch, seq=last.seq, recoveries=row.recoveries + 1)
    )
    if taken.rowcount != 1:
        return False
    connection.exec_driver_sql(INSERT_RECORDS, rows.record_values(row.id, opening))
    return True


def orphans(connection: Connection, instance_id: str, damaged: Collection[str]) -> list[Orphan]:
    """Running generations of other owners, oldest first; `damaged` are ids of logs with a gap."""
    found = connection.execute(
        select(generations)
        .where(generations.c.status == "running", generations.c.owner != instance_id)
        .order_by(generations.c.created_at)
    ).mappings()
    return [
        Orphan(row["subject"], rows.generation_from(row), damaged=row["id"] in damaged)
        for row in found
    ]


def generation(
    connection: Connection, subject: str, wanted: str, *, include_deleted: bool = False
) -> GenerationRow:
    """See `Store.generation`."""
    query = select(generations).where(generations.c.id == wanted, generations.c.subject == subject)
    if not include_deleted:
        query = query.join(conversations, conversations.c.id == generations.c.conversation).where(
            conversations.c.deleted_at.is_(None)
        )
    found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFound(f"There is no generation {wanted!r}.")
    return rows.generation_from(found)


def running(connection: Connection, subject: str, limit: int) -> list[RunningAnswer]:
    """See `Store.running`."""
    found = connection.execute(
        select(generations, conversations.c.title, conversations.c.origin)
        .join(conversations, conversations.c.id == generations.c.conversation)
        .where(
            generations.c.status == "running",
            generations.c.subject == subject,
            conversations.c.deleted_at.is_(None),
        )
        .order_by(generations.c.created_at, generations.c.id)
        .limit(limit)
    ).mappings()
    return [
        RunningAnswer(rows.generation_from(row), rows.text_of(row, "title"), rows.origin_of(row))
        for row in found
    ]


def read_records(  # noqa: PLR0917
    connection: Connection,
    subject: str,
    wanted: str,
    after: RecordId,
    limit: int,
    pending: Sequence[Record],
) -> list[Record]:
    """In order, after a cursor. `pending` are the journal's records, taken before this query."""
    rows_found = connection.exec_driver_sql(
        "SELECT r.epoch, r.seq, r.at, r.kind, r.payload FROM records r "
        "JOIN generations g ON g.id = r.generation AND g.subject = ? "
        "WHERE r.generation = ? AND (r.epoch, r.seq) > (?, ?) ORDER BY r.epoch, r.seq LIMIT ?",
        (subject, wanted, after.epoch, after.seq, limit),
    ).all()
    found = [tuple(row) for row in rows_found if {type(row[0]), type(row[1])} == {int}]
    moved = [rows.record_from(row) for row in found]
    if found and found[-1][3] == "generation-end" and isinstance(moved[-1].event, Notice):
        moved[-1] = replace(moved[-1], event=_end_of(connection, wanted) or moved[-1].event)
    last = RecordId(found[-1][0], found[-1][1]) if found else after
    further = [record for record in pending if record.id > last]
    if further and not found and not _belongs(connection, subject, wanted):
        return []
    return moved + further[: limit - len(found)]


def ended_since(connection: Connection, subject: str, since: int) -> list[GenerationRow]:
    """Oldest first; without traces, which are large."""
    columns = [c for c in generations.c if c.name != "trace"]
    found = connection.execute(
        select(*columns)
        .where(generations.c.subject == subject, generations.c.ended_at >= since)
        .order_by(generations.c.ended_at)
    ).mappings()
    return [rows.generation_from({**row, "trace": None}) for row in found]


def trim(connection: Connection, before: int, limit: int = 64) -> int:
    """Deletes the records of at most `limit` generations that ended before a time."""
    due = connection.execute(
        select(generations.c.id)
        .where(generations.c.trimmed.is_(False), generations.c.ended_at < before)
        .limit(limit)
    ).scalars()
    count = 0
    for wanted in list(due):
        connection.execute(
            update(generations)
            .where(generations.c.id == wanted)
            .values(trimmed=True, trace=rows.to_json(trace_of(connection, wanted)))
        )
        connection.execute(delete(records).where(records.c.generation == wanted))
        count += 1
    return count


def trace_of(connection: Connection, wanted: str) -> dict[str, object]:
    """Timing and size of each record: [ms since the start, kind, code points, deltas]."""
    found = connection.exec_driver_sql(
        "SELECT at, kind, payload FROM records WHERE generation = ? ORDER BY epoch, seq", (wanted,)
    )
    started: int | None = None
    stored = 0
    trace: list[list[object]] = []
    for at, kind, payload in found:
        if not (isinstance(at, int) and isinstance(kind, str) and isinstance(payload, str)):
            continue  # damaged
        stored += len(payload.encode())
        started = at if started is None else started
        trace.append([at - started, kind, *_written(payload)])
    return {"started_at": started, "records": trace, "stored": stored}


# ---- helpers below -------------------------------------------------------------------------------


def _end_of(connection: Connection, wanted: str) -> GenerationEnd | None:
    """The end as the generation's row has it, in place of a record that can't be read."""
    found = connection.execute(select(generations).where(generations.c.id == wanted)).mappings()
    row = rows.generation_from(found.one())
    event = event_of("generation-end", row.end) if row.end is not None else None
    return event if isinstance(event, GenerationEnd) else None


def _written(payload: str) -> tuple[int, int]:
    """Code points and deltas of a record; of a damaged one they are unknown."""
    try:
        body = decode_json(payload)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return 0, 1
    text, deltas = body.get("text", body.get("arguments", "")), body.get("deltas", 1)
    return len(text) if isinstance(text, str) else 0, deltas if isinstance(deltas, int) else 1


def _belongs(connection: Connection, subject: str, wanted: str) -> bool:
    found = connection.exec_driver_sql(
        "SELECT 1 FROM generations WHERE id = ? AND subject = ?", (wanted, subject)
    )
    return found.first() is not None


def _fold_into_message(
    raw: sqlite3.Connection, last: Sequence[Record], item: Append, end: GenerationEnd
) -> None:
    """Folds the log into its message; `last` are its newest records, which aren't read back."""
    wanted, first = item.generation, last[0].id
    folded = Fold()
    for kind, payload in raw.execute(_RECORDS_BEFORE, (wanted, first.epoch, first.seq)):
        folded.apply(rows.event_of_record(kind, payload))
    for record in last:
        folded.apply(record.event)
    parts = folded.parts()
    shown = [part for part in parts if isinstance(part, TextPart | ReasoningPart)]
    end_json, now = payload_of(end), item.records[-1].at
    message, conversation, subject, model = raw.execute(_PLACE, (wanted,)).fetchone()
    raw.execute(_END_GENERATION, (end.ending, end_json, now, wanted))
    analytics_queries.add(raw, [(subject, model, now, end.ending, end_json)])
    raw.execute(
        _END_MESSAGE,
        (
            rows.parts_json(parts),
            rows.parts_text(shown),
            end.ending,
            end_json,
            rows.events_json(folded.seams),
            rows.events_json(folded.citations),
            folded.seams[-1].model if folded.seams else None,
            message,
            wanted,
        ),
    )
    raw.execute(_END_CONVERSATION, (end.ending, now, conversation, wanted))
