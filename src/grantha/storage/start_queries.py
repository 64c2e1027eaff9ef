"""SQL of a start: a send's conversation, messages, generations and key, in one transaction.

Every request goes through here, so the driver is spoken to directly with statements written once:
building and compiling them anew cost more than all the rest of a request. The rest of the store
has no such hurry. Runs inside a transaction of the writer.
"""

from __future__ import annotations

import sqlite3

from grantha.errors import Conflict, NotFound
from grantha.storage import rows
from grantha.storage.base import GenerationRow, NewGeneration, NewMessage, Start

INSERT_RECORDS = (
    "INSERT INTO records (generation, epoch, seq, at, kind, payload) VALUES (?,?,?,?,?,?)"
)
_CONVERSATION = (
    "INSERT INTO conversations (id, subject, title, title_by, pinned, origin, system_prompt, options, "
    "model, leaf, status, generation, created_at, updated_at) "
    "VALUES (?,?,?,?,0,?,?,?,?,?,'running',?,?,?)"
)
_RESUMED = (
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
_EXTEND = (
    "UPDATE messages SET generation = ?, status = 'running', model = ? "
    "WHERE id = ? AND conversation = ? AND status <> 'running'"
)
_GENERATION = (
    "INSERT INTO generations (id, subject, conversation, message, parent, model, options, status, "
    "owner, epoch, seq, recoveries, created_at, trimmed, abandon_after) "
    "VALUES (?,?,?,?,?,?,?,'running',?,?,?,0,?,0,?)"
)
# Replacing: a key whose answers were deleted for good names nothing any more.
_KEY = (
    "INSERT OR REPLACE INTO idempotency (subject, key, position, generation, fingerprint, created_at) "
    "VALUES (?,?,?,?,?,?)"
)
_EARLIER = (
    "SELECT i.fingerprint AS fingerprint, g.* FROM idempotency i "
    "JOIN generations g ON g.id = i.generation "
    "WHERE i.subject = ? AND i.key = ? ORDER BY i.position"
)


def start(
    driver: sqlite3.Connection, subject: str, instance_id: str, now: int, wanted: Start
) -> tuple[list[GenerationRow], bool]:
    """Writes a send once; see `Store.start`."""
    if wanted.key is not None:
        before = earlier(driver, subject, wanted.key, wanted.fingerprint)
        if before:
            return before, False
    _write_conversation(driver, subject, now, wanted)
    for message in wanted.messages:
        _write_message(driver, wanted.conversation, message, now)
    started = []
    for generation in wanted.generations:
        _write_answer(driver, wanted.conversation, generation, now)
        started.append(_write_generation(driver, subject, instance_id, now, wanted, generation))
    if wanted.key is not None:
        driver.executemany(
            _KEY,
            [
                (subject, wanted.key, position, generation.id, wanted.fingerprint, now)
                for position, generation in enumerate(wanted.generations)
            ],
        )
    return started, True


def earlier(
    driver: sqlite3.Connection, subject: str, key: str, fingerprint: str
) -> list[GenerationRow]:
    """The generations of the send that used a key; see `Store.earlier`."""
    found = driver.execute(_EARLIER, (subject, key))
    names = [column[0] for column in found.description]
    before = [dict(zip(names, row, strict=True)) for row in found]
    if before and before[0]["fingerprint"] != fingerprint:
        raise Conflict(
            "This Idempotency-Key was used before with another body.",
            advice="Use a new key for a new send.",
        )
    return [rows.generation_from(row) for row in before]


# ---- helpers below -------------------------------------------------------------------------------


def _write_conversation(driver: sqlite3.Connection, subject: str, now: int, wanted: Start) -> None:
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
        driver.execute(_CONVERSATION, values)
        return
    conversation = wanted.conversation
    resumed = driver.execute(_RESUMED, (wanted.title, leaf, last, now, conversation, subject))
    if resumed.rowcount != 1:
        raise NotFound(f"There is no conversation {conversation!r}.")


def _write_message(
    driver: sqlite3.Connection, conversation: str, new: NewMessage, now: int
) -> None:
    if new.parent is not None:
        found = driver.execute(_PARENT, (new.parent, conversation)).fetchone()
        if found is None:
            raise NotFound(f"There is no message {new.parent!r} in this conversation.")
    parts, text = rows.parts_json(new.parts), rows.parts_text(new.parts)
    driver.execute(_MESSAGE, (new.id, conversation, new.parent, new.role, parts, text, now))


def _write_answer(
    driver: sqlite3.Connection, conversation: str, wanted: NewGeneration, now: int
) -> None:
    if not wanted.extends:
        driver.execute(
            _ANSWER, (wanted.message, conversation, wanted.parent, wanted.model, wanted.id, now)
        )
        return
    extended = driver.execute(_EXTEND, (wanted.id, wanted.model, wanted.message, conversation))
    if extended.rowcount != 1:
        raise Conflict(
            "This answer is being written already.", advice="Wait for it to end, or stop it."
        )


def _write_generation(  # noqa: PLR0917  the columns of one row
    driver: sqlite3.Connection,
    subject: str,
    instance_id: str,
    now: int,
    start: Start,
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
    driver.execute(_GENERATION, values)
    driver.executemany(INSERT_RECORDS, rows.record_values(wanted.id, wanted.records))
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
