"""SQL that starts generations: conversation, messages, generations and key, in one transaction.

Every request runs these statements, so they are constants on the raw connection: building and
compiling them each time cost more than the rest of the request. Runs inside a transaction of the
writer.
"""

from __future__ import annotations

import sqlite3

from grantha.errors import Conflict, NotFound
from grantha.storage import rows
from grantha.storage.base import GenerationRow, GenerationStart, NewGeneration, NewMessage

INSERT_RECORDS = (
    "INSERT INTO records (generation, epoch, seq, at, kind, payload) VALUES (?,?,?,?,?,?)"
)
_CONVERSATION = (
    "INSERT INTO conversations (id, subject, title, title_by, pinned, origin, system_prompt, options, "
    "model, leaf, status, generation, created_at, updated_at) "
    "VALUES (?,?,?,?,0,?,?,?,?,?,'running',?,?,?)"
)
_UPDATE_CONVERSATION = (
    "UPDATE conversations SET title = CASE title WHEN '' THEN ? ELSE title END, leaf = ?, "
    "status = 'running', generation = ?, updated_at = ? "
    "WHERE id = ? AND subject = ? AND deleted_at IS NULL"
)
_PARENT = "SELECT 1 FROM messages WHERE id = ? AND conversation = ?"
_MESSAGE = (
    "INSERT INTO messages (id, conversation, parent, role, parts, text, seams, citations, "
    "created_at) VALUES (?,?,?,?,?,?,'[]','[]',?)"
)
_ANSWER = (
    "INSERT INTO messages (id, conversation, parent, role, parts, text, seams, citations, model, "
    "generation, status, created_at) VALUES (?,?,?,'assistant','[]','','[]','[]',?,?,'running',?)"
)
# The status in the WHERE is what keeps two continuations from writing one message.
_EXTEND_ANSWER = (
    "UPDATE messages SET generation = ?, status = 'running', model = ? "
    "WHERE id = ? AND conversation = ? AND status <> 'running'"
)
_GENERATION = (
    "INSERT INTO generations (id, subject, conversation, message, parent, model, options, status, "
    "owner, epoch, seq, recoveries, created_at, trimmed, abandon_after) "
    "VALUES (?,?,?,?,?,?,?,'running',?,?,?,0,?,0,?)"
)
# REPLACE, because a key may still be there whose generations were purged.
_KEY = (
    "INSERT OR REPLACE INTO idempotency (subject, key, position, generation, fingerprint, created_at) "
    "VALUES (?,?,?,?,?,?)"
)
_BY_KEY = (
    "SELECT i.fingerprint AS fingerprint, g.* FROM idempotency i "
    "JOIN generations g ON g.id = i.generation "
    "WHERE i.subject = ? AND i.key = ? ORDER BY i.position"
)


def start(
    raw: sqlite3.Connection, subject: str, instance_id: str, now: int, wanted: GenerationStart
) -> tuple[list[GenerationRow], bool]:
    """Writes a request once; see `Store.start`."""
    if wanted.key is not None:
        before = generations_by_key(raw, subject, wanted.key, wanted.fingerprint)
        if before:
            return before, False
    _write_conversation(raw, subject, now, wanted)
    for message in wanted.messages:
        _write_message(raw, wanted.conversation, message, now)
    started = []
    for generation in wanted.generations:
        _write_answer(raw, wanted.conversation, generation, now)
        started.append(_write_generation(raw, subject, instance_id, now, wanted, generation))
    if wanted.key is not None:
        raw.executemany(
            _KEY,
            [
                (subject, wanted.key, position, generation.id, wanted.fingerprint, now)
                for position, generation in enumerate(wanted.generations)
            ],
        )
    return started, True


def generations_by_key(
    raw: sqlite3.Connection, subject: str, key: str, fingerprint: str
) -> list[GenerationRow]:
    """The generations that a key started; see `Store.generations_by_key`."""
    found = raw.execute(_BY_KEY, (subject, key))
    names = [column[0] for column in found.description]
    before = [dict(zip(names, row, strict=True)) for row in found]
    if before and before[0]["fingerprint"] != fingerprint:
        raise Conflict(
            "This Idempotency-Key was used before with another body.",
            advice="Use a new key for a new request.",
        )
    return [rows.generation_from(row) for row in before]


# ---- helpers below -------------------------------------------------------------------------------


def _write_conversation(
    raw: sqlite3.Connection, subject: str, now: int, wanted: GenerationStart
) -> None:
    leaf, last = wanted.generations[0].message, wanted.generations[-1].id
    new = wanted.new_conversation
    if new is not None:
        values = (
            new.id,
            subject,
            new.title or wanted.title,
            new.title_by,
            new.origin,
            new.system_prompt,
            rows.to_json(dict(new.options)),
            new.model,
            leaf,
            last,
            now,
            now,
        )
        raw.execute(_CONVERSATION, values)
        return
    conversation = wanted.conversation
    resumed = raw.execute(
        _UPDATE_CONVERSATION, (wanted.title, leaf, last, now, conversation, subject)
    )
    if resumed.rowcount != 1:
        raise NotFound(f"There is no conversation {conversation!r}.")


def _write_message(raw: sqlite3.Connection, conversation: str, new: NewMessage, now: int) -> None:
    if new.parent is not None:
        found = raw.execute(_PARENT, (new.parent, conversation)).fetchone()
        if found is None:
            raise NotFound(f"There is no message {new.parent!r} in this conversation.")
    parts, text = rows.parts_json(new.parts), rows.parts_text(new.parts)
    raw.execute(_MESSAGE, (new.id, conversation, new.parent, new.role, parts, text, now))


def _write_answer(
    raw: sqlite3.Connection, conversation: str, wanted: NewGeneration, now: int
) -> None:
    if not wanted.extends:
        raw.execute(
            _ANSWER, (wanted.message, conversation, wanted.parent, wanted.model, wanted.id, now)
        )
        return
    extended = raw.execute(_EXTEND_ANSWER, (wanted.id, wanted.model, wanted.message, conversation))
    if extended.rowcount != 1:
        raise Conflict(
            "This answer is being written already.", advice="Wait for it to end, or stop it."
        )


def _write_generation(  # noqa: PLR0917  the columns of one row
    raw: sqlite3.Connection,
    subject: str,
    instance_id: str,
    now: int,
    start: GenerationStart,
    wanted: NewGeneration,
) -> GenerationRow:
    last = wanted.records[-1].id
    values = (
        wanted.id,
        subject,
        start.conversation,
        wanted.message,
        wanted.parent,
        wanted.model,
        rows.to_json(wanted.options.to_json()),
        instance_id,
        last.epoch,
        last.seq,
        now,
        wanted.abandon_after,
    )
    raw.execute(_GENERATION, values)
    raw.executemany(INSERT_RECORDS, rows.record_values(wanted.id, wanted.records))
    return GenerationRow(
        id=wanted.id,
        conversation=start.conversation,
        message=wanted.message,
        parent=wanted.parent,
        model=wanted.model,
        options=wanted.options,
        status="running",
        last_id=last,
        recoveries=0,
        created_at=now,
        abandon_after=wanted.abandon_after,
    )
