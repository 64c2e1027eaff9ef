"""SQL of imports: conversations are staged in parts, then become visible all at once.

A staged conversation is stored as a deleted one. So no query shows it, and what a crash or a full disk
left unfinished is purged like any other; the parts are small, since answers wait while one is written.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, update

from grantha.errors import StorageFailed
from grantha.storage import rows
from grantha.storage.base import ImportedConversation, MessageRow
from grantha.storage.schema import conversations, messages

_LONG_AGO = 0  # as the time of deletion: the next purge takes it


def stage(
    connection: Connection,
    subject: str,
    imported: Sequence[ImportedConversation],
    message_rows: Sequence[MessageRow],
    now: int,
) -> None:
    """Writes a part of an import."""
    if imported:
        connection.execute(
            insert(conversations),
            [
                {
                    "id": one.new.id,
                    "subject": subject,
                    "title": one.new.title,
                    "title_by": one.new.title_by,
                    "pinned": one.pinned,
                    "origin": one.new.origin,
                    "system_prompt": one.new.system_prompt,
                    "options": rows.to_json(dict(one.new.options)),
                    "model": one.new.model,
                    "leaf": one.leaf,
                    "created_at": one.created_at,
                    "updated_at": one.updated_at,
                    "deleted_at": now,
                }
                for one in imported
            ],
        )
    if message_rows:
        connection.execute(
            insert(messages),
            [
                {
                    "id": row.id,
                    "conversation": row.conversation,
                    "parent": row.parent,
                    "role": row.role,
                    "parts": rows.parts_json(row.parts),
                    "text": rows.parts_text(row.parts),
                    "model": row.model,
                    "status": row.status,
                    "end": rows.to_json(row.end) if row.end else None,
                    "seams": rows.to_json(list(row.seams)),
                    "citations": rows.to_json(list(row.citations)),
                    "created_at": row.created_at,
                }
                for row in message_rows
            ],
        )


def finish(connection: Connection, subject: str, wanted: Sequence[str]) -> None:
    """Makes staged conversations visible. Raises `StorageFailed` if one of them was purged."""
    if _set_deleted_at(connection, subject, wanted, None) != len(wanted):
        raise StorageFailed("The import took too long.", advice="Import less at a time.")


def discard(connection: Connection, subject: str, wanted: Sequence[str]) -> None:
    """Leaves staged conversations to the next purge."""
    _set_deleted_at(connection, subject, wanted, _LONG_AGO)


# ---- helpers below -------------------------------------------------------------------------------


def _set_deleted_at(
    connection: Connection, subject: str, wanted: Sequence[str], deleted_at: int | None
) -> int:
    """Changes staged conversations; returns how many were found."""
    statement = update(conversations).where(
        conversations.c.id == bindparam("wanted"),
        conversations.c.subject == subject,
        conversations.c.deleted_at.is_not(None),
    )
    values = [{"wanted": one, "at": deleted_at} for one in wanted]
    return connection.execute(statement.values(deleted_at=bindparam("at")), values).rowcount
