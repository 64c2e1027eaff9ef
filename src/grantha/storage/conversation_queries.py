"""SQL of conversations and messages: listing, search, the tree, changes, deletion.

Each function runs inside a transaction of the writer or on a reading connection, and filters by
subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, insert, or_, select, text, update

from grantha.errors import BadRequest, Conflict, NotFound
from grantha.storage import analytics_queries, rows
from grantha.storage.base import (
    EPHEMERAL,
    ConversationPage,
    ConversationRow,
    MessageRow,
    NewConversation,
    NewMessage,
    SearchFilters,
)
from grantha.storage.schema import conversations, generations, idempotency, messages
from grantha.storage.search_queries import SNIPPET, VISIBLE, matching_titles, search_values
from grantha.storage.search_terms import parse_query

_CHANGEABLE = frozenset(
    {"title", "title_by", "pinned", "system_prompt", "options", "model", "leaf", "metadata"}
)


def insert_conversation(
    connection: Connection, subject: str, new: NewConversation, now: int
) -> None:
    """A new conversation without messages."""
    connection.execute(
        insert(conversations).values(
            id=new.id,
            subject=subject,
            title=new.title,
            title_by=new.title_by,
            pinned=False,
            origin=new.origin,
            system_prompt=new.system_prompt,
            options=rows.to_json(dict(new.options)),
            model=new.model,
            metadata=None if new.metadata is None else rows.to_json(dict(new.metadata)),
            created_at=now,
            updated_at=now,
        )
    )


def append_messages(  # noqa: PLR0917  the arguments of `Store.append_messages`, the connection and the time
    connection: Connection,
    subject: str,
    wanted: str,
    added: Sequence[NewMessage],
    leaf: str | None,
    now: int,
) -> ConversationRow:
    """See `Store.append_messages`."""
    if conversation(connection, subject, wanted).status == "running":
        raise Conflict(
            "An answer is being written in this conversation.", advice="Wait for it, or stop it."
        )
    for new in added:
        _insert_message(connection, wanted, new, now)
    connection.execute(
        update(conversations).where(conversations.c.id == wanted).values(updated_at=now)
    )
    return update_conversation(connection, subject, wanted, {"leaf": leaf})


def _insert_message(connection: Connection, conversation: str, new: NewMessage, now: int) -> None:
    if new.parent is not None:
        found = connection.execute(
            select(messages.c.number).where(
                messages.c.id == new.parent, messages.c.conversation == conversation
            )
        ).first()
        if found is None:
            raise NotFound(f"There is no message {new.parent!r} in this conversation.")
    connection.execute(
        insert(messages).values(
            id=new.id,
            conversation=conversation,
            parent=new.parent,
            role=new.role,
            parts=rows.parts_json(new.parts),
            text=rows.parts_text(new.parts),
            seams="[]",
            citations="[]",
            created_at=now,
        )
    )


def conversation(connection: Connection, subject: str, wanted: str) -> ConversationRow:
    """Raises `NotFound`, also for a deleted one."""
    found = connection.execute(_visible(subject).where(conversations.c.id == wanted))
    row = found.mappings().first()
    if row is None:
        raise NotFound(f"There is no conversation {wanted!r}.")
    return rows.conversation_from(row)


def list_page(
    connection: Connection, subject: str, cursor: str | None, limit: int, origin: str | None
) -> ConversationPage:
    """Pinned first, then the last changed; one page."""
    wanted = _visible(subject)
    of_origin = conversations.c.origin == origin if origin else conversations.c.origin != EPHEMERAL
    wanted = wanted.where(of_origin)
    if cursor is not None:
        wanted = wanted.where(_before(cursor))
    wanted = wanted.order_by(
        conversations.c.pinned.desc(), conversations.c.updated_at.desc(), conversations.c.id.desc()
    ).limit(limit + 1)
    found = [rows.conversation_from(row) for row in connection.execute(wanted).mappings()]
    if len(found) <= limit:
        return ConversationPage(tuple(found), None)
    last = found[limit - 1]
    return ConversationPage(tuple(found[:limit]), f"{int(last.pinned)}:{last.updated_at}:{last.id}")


def search(
    connection: Connection, subject: str, query: str, limit: int, origin: str | None
) -> ConversationPage:
    """Conversations with a title or a message that matches; of messages, the newest ones."""
    terms = parse_query(query)
    if not terms.required:
        return ConversationPage((), None)
    found = connection.execute(
        text(
            # The inner limit bounds the work for a word that occurs in every message.
            f"WITH hits AS (SELECT rowid AS number, {SNIPPET} AS snippet "  # noqa: S608
            "FROM messages_text WHERE messages_text MATCH :match ORDER BY rowid DESC LIMIT 400), "
            "best AS (SELECT m.conversation AS id, max(m.number) AS number, h.snippet AS snippet "
            "FROM hits h JOIN messages m ON m.number = h.number GROUP BY m.conversation) "
            "SELECT c.*, b.snippet AS snippet FROM conversations c LEFT JOIN best b ON b.id = c.id "
            f"WHERE {VISIBLE} AND (b.id IS NOT NULL OR c.id IN (SELECT value FROM json_each(:titles))) "
            "ORDER BY c.pinned DESC, c.updated_at DESC LIMIT :limit"
        ),
        {
            **search_values(subject, SearchFilters(origin=origin), terms),
            "titles": rows.to_json(matching_titles(connection, subject, terms, origin)),
            "limit": limit,
        },
    ).mappings()
    return ConversationPage(tuple(rows.conversation_from(row) for row in found), None)


def update_conversation(
    connection: Connection, subject: str, wanted: str, changes: dict[str, Any]
) -> ConversationRow:
    """Applies known changes. A leaf must be a message of the conversation."""
    if unknown := set(changes) - _CHANGEABLE:
        raise BadRequest(f"A conversation has no {min(unknown)!r} that can be changed.")
    before = conversation(connection, subject, wanted)
    values = dict(changes)
    for name in {"options", "metadata"} & values.keys():
        values[name] = rows.to_json(dict(values[name]))
    if values.get("leaf") is not None:
        found = message(connection, subject, values["leaf"])
        if found.conversation != wanted:
            raise NotFound(f"There is no message {values['leaf']!r} in this conversation.")
    if values:
        # Not `updated_at`: a title that arrives late would move its conversation to the top.
        connection.execute(
            update(conversations).where(conversations.c.id == before.id).values(**values)
        )
    return conversation(connection, subject, wanted)


def soft_delete(connection: Connection, subject: str, wanted: str, now: int) -> None:
    """Marks as deleted. Raises `NotFound`."""
    conversation(connection, subject, wanted)
    connection.execute(
        update(conversations).where(conversations.c.id == wanted).values(deleted_at=now)
    )


def restore(connection: Connection, subject: str, wanted: str) -> ConversationRow:
    """Undoes `soft_delete`. Raises `NotFound` when it is gone for good."""
    connection.execute(
        update(conversations)
        .where(conversations.c.id == wanted, conversations.c.subject == subject)
        .values(deleted_at=None)
    )
    return conversation(connection, subject, wanted)


PURGE_BATCH = 64  # conversations deleted in one transaction: answers wait for it


def purge(connection: Connection, before: int, ended_before: int, keys_before: int) -> int:
    """Deletes hidden conversations and ephemeral ones with all they hold, and old idempotency keys."""
    connection.execute(delete(idempotency).where(idempotency.c.created_at < keys_before))
    ended = (
        select(generations.c.id)
        .where(generations.c.id == conversations.c.generation)
        .where(generations.c.ended_at < ended_before)
    )
    ephemeral = and_(conversations.c.origin == EPHEMERAL, ended.exists())
    gone = connection.execute(
        select(conversations.c.id)
        .where(or_(conversations.c.deleted_at < before, ephemeral))
        .limit(PURGE_BATCH)
    ).scalars()
    count = 0
    raw = rows.raw_connection(connection)
    answers: list[analytics_queries.Ended] = []
    for wanted in list(gone):
        answers += analytics_queries.ended_of(raw, wanted)
        mine = select(generations.c.id).where(generations.c.conversation == wanted)
        connection.execute(delete(idempotency).where(idempotency.c.generation.in_(mine)))
        connection.execute(delete(messages).where(messages.c.conversation == wanted))
        connection.execute(delete(generations).where(generations.c.conversation == wanted))
        connection.execute(delete(conversations).where(conversations.c.id == wanted))
        count += 1
    analytics_queries.remove(raw, answers)
    return count


def messages_of(connection: Connection, subject: str, wanted: str) -> list[MessageRow]:
    """All messages in order of creation. Raises `NotFound`."""
    conversation(connection, subject, wanted)
    found = connection.execute(
        select(messages).where(messages.c.conversation == wanted).order_by(messages.c.number)
    ).mappings()
    return [rows.message_from(row) for row in found]


def message(connection: Connection, subject: str, wanted: str) -> MessageRow:
    """Raises `NotFound`."""
    found = connection.execute(
        select(messages)
        .join(conversations, conversations.c.id == messages.c.conversation)
        .where(messages.c.id == wanted, conversations.c.subject == subject)
    )
    row = found.mappings().first()
    if row is None:
        raise NotFound(f"There is no message {wanted!r}.")
    return rows.message_from(row)


def path(connection: Connection, subject: str, wanted: str) -> list[MessageRow]:
    """From the root to a message, which is the last. Raises `NotFound`."""
    message(connection, subject, wanted)
    found = connection.execute(
        text(
            "WITH RECURSIVE up(id, parent, depth) AS ("
            "SELECT id, parent, 0 FROM messages WHERE id = :wanted "
            "UNION ALL SELECT m.id, m.parent, up.depth + 1 "
            "FROM messages m JOIN up ON m.id = up.parent) "
            "SELECT m.* FROM up JOIN messages m ON m.id = up.id ORDER BY up.depth DESC"
        ),
        {"wanted": wanted},
    ).mappings()
    return [rows.message_from(row) for row in found]


# ---- helpers below -------------------------------------------------------------------------------


def _visible(subject: str) -> Select[Any]:
    return select(conversations).where(
        conversations.c.subject == subject, conversations.c.deleted_at.is_(None)
    )


def _before(cursor: str) -> Any:
    c = conversations.c
    try:
        pinned, updated, last = cursor.split(":", 2)
        is_pinned, moment = bool(int(pinned)), int(updated)
        if not 0 <= moment < 2**63:
            raise ValueError(updated)
    except ValueError as error:
        raise BadRequest(
            f"{cursor[:60]!r} isn't a cursor of this list.", advice="Use next_cursor as it came."
        ) from error
    among_equals = and_(
        c.pinned.is_(is_pinned),
        or_(c.updated_at < moment, and_(c.updated_at == moment, c.id < last)),
    )
    return or_(among_equals, c.pinned.is_(False)) if is_pinned else among_equals
