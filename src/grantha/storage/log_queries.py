"""SQL of the logs: appending with fencing, taking over, reading, trimming.

Each function runs inside a transaction of the writer or on a reading connection. The fence is the
`WHERE` of the append: owner, epoch and sequence number must all be what the writer believes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from grantha.chat import ReasoningPart, TextPart
from grantha.errors import NotFound
from grantha.events import Fold, GenerationEnd, Record, RecordId, event_from, payload_of
from grantha.storage import rows
from grantha.storage.base import Append, GenerationRow, Orphan
from grantha.storage.schema import generations, records

__FENCED_ADVANCE = (
    "UPDATE generations SET seq = ? "
    "WHERE id = ? AND owner = ? AND epoch = ? AND seq = ? AND status = 'running'"
)


def start(
    connection: Connection, subject: str, boot: str, now: int, wanted: Start
) -> tuple[list[GenerationRow], bool]:
    """Writes a send once; see `Store.start`."""
    if wanted.key is not None:
        before = earlier(connection, subject, wanted.key, wanted.fingerprint)
        if before:
            return before, False
    if wanted.new_conversation is not None:
        insert_conversation(connection, subject, wanted.new_conversation, now)
    else:
        _require_conversation(connection, subject, wanted.conversation)
    for message in wanted.messages:
        insert_message(connection, wanted.conversation, message, now)
    started = [
        _start_one(connection, subject, boot, now, wanted.conversation, generation)
        for generation in wanted.generations
    ]
    _remember_key(connection, subject, now, wanted)
    if wanted.title:
        connection.execute(
            update(conversations)
            .where(conversations.c.id == wanted.conversation, conversations.c.title == "")
            .values(title=wanted.title)
        )
    last = wanted.generations[-1]
    connection.execute(
        update(conversations)
        .where(conversations.c.id == wanted.conversation)
        .values(
            leaf=wanted.generations[0].message,
            status="running",
            generation=last.id,
            updated_at=now,
        )
    )
    return started, True


def earlier(
    connection: Connection, subject: str, key: str, fingerprint: str
) -> list[GenerationRow]:
    """The generations of the send that used a key; see `Store.earlier`."""
    found = connection.execute(
        select(idempotency.c.fingerprint, generations)
        .join(generations, generations.c.id == idempotency.c.generation)
        .where(idempotency.c.subject == subject, idempotency.c.key == key)
        .order_by(idempotency.c.position)
    ).mappings()
    before = list(found)
    if before and before[0]["fingerprint"] != fingerprint:
        raise Conflict(
            "This Idempotency-Key was used before with another body.",
            advice="Use a new key for a new send.",
        )
    return [rows.generation_from(row) for row in before]


def append(connection: Connection, boot: str, batch: Sequence[Append]) -> set[str]:
    """Writes records of many generations; returns those that another owner has.

    The driver is spoken to directly: a statement through SQLAlchemy costs three times as much, and
    this is the one that runs for every flush.
    """
    fenced: set[str] = set()
    values: list[tuple[object, ...]] = []
    ended: list[tuple[Append, GenerationEnd]] = []
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    for item in batch:
        first, last = item.records[0].id, item.records[-1].id
        advanced = driver.execute(
            _FENCED_ADVANCE, (last.seq, item.generation, boot, first.epoch, first.seq - 1)
        )
        if advanced.rowcount != 1:
            fenced.add(item.generation)
            continue
        values.extend(rows.record_values(item.generation, item.records))
        if item.end is not None:
            ended.append((item, item.end))
    if values:
        driver.executemany(_INSERT_RECORDS, values)
    for item, end in ended:
        _finish(connection, item.generation, end, item.records[-1].at)
    return fenced


def claim(connection: Connection, row: GenerationRow, boot: str, opening: Sequence[Record]) -> bool:
    """Makes `boot` the owner and writes the records that open the next epoch."""
    last = opening[-1].id
    taken = connection.execute(
        update(generations)
        .where(
            generations.c.id == row.id,
            generations.c.epoch == row.last_id.epoch,
            generations.c.seq == row.last_id.seq,
            generations.c.status == "running",
        )
        .values(owner=boot, epoch=last.epoch, seq=last.seq, recoveries=row.recoveries + 1)
    )
    if taken.rowcount != 1:
        return False
    connection.exec_driver_sql(_INSERT_RECORDS, rows.record_values(row.id, opening))
    return True


def orphans(connection: Connection, boot: str) -> list[Orphan]:
    """Running generations of other owners, oldest first."""
    found = connection.execute(
        select(generations)
        .where(generations.c.status == "running", generations.c.owner != boot)
        .order_by(generations.c.created_at)
    ).mappings()
    return [Orphan(row["subject"], rows.generation_from(row)) for row in found]


def generation(connection: Connection, subject: str, wanted: str) -> GenerationRow:
    """Raises `NotFound`."""
    found = (
        connection.execute(
            select(generations).where(generations.c.id == wanted, generations.c.subject == subject)
        )
        .mappings()
        .first()
    )
    if found is None:
        raise NotFound(f"There is no generation {wanted!r}.")
    return rows.generation_from(found)


def read_records(
    connection: Connection, subject: str, wanted: str, after: RecordId, limit: int
) -> list[Record]:
    """In order, after a cursor."""
    found = connection.exec_driver_sql(
        "SELECT r.epoch, r.seq, r.at, r.kind, r.payload FROM records r "
        "JOIN generations g ON g.id = r.generation AND g.subject = ? "
        "WHERE r.generation = ? AND (r.epoch, r.seq) > (?, ?) ORDER BY r.epoch, r.seq LIMIT ?",
        (subject, wanted, after.epoch, after.seq, limit),
    )
    return [record for row in found if (record := rows.record_from(tuple(row))) is not None]


def ended_since(connection: Connection, subject: str, since: int) -> list[GenerationRow]:
    """Oldest first; without traces, which are large."""
    columns = [c for c in generations.c if c.name != "trace"]
    found = connection.execute(
        select(*columns)
        .where(generations.c.subject == subject, generations.c.ended_at >= since)
        .order_by(generations.c.ended_at)
    ).mappings()
    return [rows.generation_from({**row, "trace": None}) for row in found]


def trim(connection: Connection, before: int, most: int = 64) -> int:
    """Deletes the records of at most `most` generations that ended before a time."""
    due = connection.execute(
        select(generations.c.id)
        .where(generations.c.trimmed.is_(False), generations.c.ended_at < before)
        .limit(most)
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
    """When how much was written: [ms since the start, kind, code points, pieces] a record."""
    found = connection.exec_driver_sql(
        "SELECT at, kind, payload FROM records WHERE generation = ? ORDER BY epoch, seq", (wanted,)
    )
    started: int | None = None
    trace: list[list[object]] = []
    for at, kind, payload in found:
        started = at if started is None else started
        body = json.loads(payload)
        size = len(body.get("text", body.get("arguments", "")) or "")
        trace.append([at - started, kind, size, body.get("pieces", 1)])
    return {"started_at": started, "records": trace}


# ---- helpers below -------------------------------------------------------------------------------


def _remember_key(connection: Connection, subject: str, now: int, wanted: Start) -> None:
    if wanted.key is None:
        return
    connection.execute(
        insert(idempotency),
        [
            {
                "subject": subject,
                "key": wanted.key,
                "position": position,
                "generation": generation.id,
                "fingerprint": wanted.fingerprint,
                "created_at": now,
            }
            for position, generation in enumerate(wanted.generations)
        ],
    )


def _require_conversation(connection: Connection, subject: str, wanted: str) -> None:
    found = connection.execute(
        select(conversations.c.id).where(
            conversations.c.id == wanted,
            conversations.c.subject == subject,
            conversations.c.deleted_at.is_(None),
        )
    ).first()
    if found is None:
        raise NotFound(f"There is no conversation {wanted!r}.")


def _start_one(  # noqa: PLR0917  the columns of one row
    connection: Connection,
    subject: str,
    boot: str,
    now: int,
    conversation: str,
    wanted: NewGeneration,
) -> GenerationRow:
    if wanted.extends:
        _extend_message(connection, conversation, wanted)
    else:
        connection.execute(
            insert(messages).values(
                id=wanted.message,
                conversation=conversation,
                parent=wanted.parent,
                role="assistant",
                parts="[]",
                text="",
                seams="[]",
                citations="[]",
                model=wanted.model,
                generation=wanted.id,
                status="running",
                created_at=now,
            )
        )
    last = wanted.records[-1].id
    values = {
        "id": wanted.id,
        "subject": subject,
        "conversation": conversation,
        "message": wanted.message,
        "parent": wanted.parent,
        "model": wanted.model,
        "options": rows.to_json(wanted.options.to_json()),
        "status": "running",
        "owner": boot,
        "epoch": last.epoch,
        "seq": last.seq,
        "recoveries": 0,
        "created_at": now,
        "ended_at": None,
        "end": None,
        "trimmed": False,
        "trace": None,
    }
    connection.execute(insert(generations).values(values))
    connection.exec_driver_sql(_INSERT_RECORDS, rows.record_values(wanted.id, wanted.records))
    return rows.generation_from(values)


def _extend_message(connection: Connection, conversation: str, wanted: NewGeneration) -> None:
    # The status in the WHERE is what keeps two continuations from writing one message.
    extended = connection.execute(
        update(messages)
        .where(
            messages.c.id == wanted.message,
            messages.c.conversation == conversation,
            messages.c.status != "running",
        )
        .values(generation=wanted.id, status="running", model=wanted.model)
    )
    if extended.rowcount != 1:
        raise Conflict(
            "This answer is being written already.", advice="Wait for it to end, or stop it."
        )


def _finish(connection: Connection, wanted: str, end: GenerationEnd, now: int) -> None:
    folded = Fold()
    found = connection.exec_driver_sql(
        "SELECT kind, payload FROM records WHERE generation = ? ORDER BY epoch, seq", (wanted,)
    )
    for kind, payload in found:
        event = event_from(kind, payload)
        if event is not None:
            folded.apply(event)
    parts = folded.parts()
    shown = [part for part in parts if isinstance(part, TextPart | ReasoningPart)]
    end_json = payload_of(end)
    connection.execute(
        update(generations)
        .where(generations.c.id == wanted)
        .values(status=end.ending, end=end_json, ended_at=now)
    )
    connection.execute(
        update(messages)
        .where(messages.c.generation == wanted)
        .values(
            parts=rows.parts_json(parts),
            text=rows.parts_text(shown),
            status=end.ending,
            end=end_json,
            seams=rows.to_json([json.loads(payload_of(seam)) for seam in folded.seams]),
            citations=rows.to_json([json.loads(payload_of(c)) for c in folded.citations]),
            **({"model": folded.seams[-1].model} if folded.seams else {}),
        )
    )
    connection.execute(
        update(conversations)
        .where(conversations.c.generation == wanted)
        .values(status=end.ending, updated_at=now)
    )
