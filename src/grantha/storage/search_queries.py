"""SQL of the search: titles first, then messages, the newest first.

Titles are compared here, since SQLite folds only the case of ASCII; they are short. Messages come from the
full-text index in the order of their numbers, so that a page costs what is on it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from grantha.errors import BadRequest
from grantha.storage import rows
from grantha.storage.base import EPHEMERAL, SearchFilters, SearchHit, SearchPage
from grantha.storage.rows import raw_connection
from grantha.storage.search_terms import SEPARATOR, SearchTerms, parse_query

_MAX_SNIPPET = 400  # characters: encoded data may be a word of megabytes
_TOKENS = {False: 24, True: 48}  # of a snippet; characters, in scripts without spaces
_FIRST = 2**63 - 1
_CURSOR = re.compile(r"message:([0-9]{1,18})|title:([0-9]{1,18}):(.{1,100})", re.DOTALL)
SNIPPET = (
    "substr(replace(snippet(messages_text, 0, char(2), char(3), '…', :tokens), :separator, ''), "
    "1, :longest)"
)
_ORIGIN = "(c.origin = :origin OR :origin IS NULL AND c.origin <> :ephemeral)"
# Of conversations `c`: those that a search may find.
VISIBLE = f"c.subject = :subject AND c.deleted_at IS NULL AND {_ORIGIN}"
_TITLES = f"""
    SELECT c.id, c.title, c.title_by, c.origin, c.updated_at FROM conversations c
    WHERE {VISIBLE} AND (c.updated_at, c.id) < (:updated_at, :id)
    AND (:since IS NULL OR c.updated_at >= :since) AND (:until IS NULL OR c.updated_at < :until)
    AND (:model IS NULL OR EXISTS (
        SELECT 1 FROM messages m WHERE m.conversation = c.id AND m.model = :model))
    ORDER BY c.updated_at DESC, c.id DESC"""  # noqa: S608
_FIRST_MATCHES = """
    SELECT 1 FROM messages_text WHERE messages_text MATCH ?
    AND rowid = (SELECT min(number) FROM messages WHERE conversation = ?)"""
# CROSS JOIN keeps the index outermost: it gives the rows in order, and LIMIT ends it. A question belongs to
# the models that answered it.
_MESSAGES = f"""
    SELECT m.number, m.id, m.conversation, c.title, c.origin, m.role, m.model, m.created_at,
        {SNIPPET} AS snippet
    FROM messages_text CROSS JOIN messages m ON m.number = messages_text.rowid
    CROSS JOIN conversations c ON c.id = m.conversation
    WHERE messages_text MATCH :match AND messages_text.rowid < :number AND {VISIBLE}
    AND (:role IS NULL OR m.role = :role)
    AND (:since IS NULL OR m.created_at >= :since) AND (:until IS NULL OR m.created_at < :until)
    AND (:model IS NULL OR m.model = :model OR EXISTS (
        SELECT 1 FROM messages a
        WHERE a.conversation = m.conversation AND a.parent = m.id AND a.model = :model))
    ORDER BY messages_text.rowid DESC LIMIT :limit"""  # noqa: S608


def search(
    connection: Connection,
    subject: str,
    query: str,
    filters: SearchFilters,
    *,
    cursor: str | None,
    limit: int,
) -> SearchPage:
    """One page of hits. Raises `BadRequest` for a cursor that isn't of this search."""
    number, updated_at, conversation = _position(cursor)
    terms = parse_query(query)
    if not terms.required:
        return SearchPage((), None)
    found: list[tuple[SearchHit, str]] = []  # each with the cursor of what follows it
    values = search_values(subject, filters, terms)
    if number is None and filters.role is None:
        after = {"updated_at": updated_at, "id": conversation}
        for hit in _title_hits(connection, terms, {**values, **after}):
            found.append((hit, f"title:{hit.created_at}:{hit.conversation}"))
            if len(found) > limit:
                break
    if len(found) <= limit:
        found += _messages(connection, values, number or _FIRST, limit + 1 - len(found))
    hits = tuple(hit for hit, _ in found[:limit])
    return SearchPage(hits, found[limit - 1][1] if len(found) > limit else None)


def matching_titles(
    connection: Connection, subject: str, terms: SearchTerms, origin: str | None
) -> list[str]:
    """The ids of all conversations whose titles match."""
    values = search_values(subject, SearchFilters(origin=origin), terms)
    all_of_them = {**values, "updated_at": _FIRST, "id": ""}
    return [row[0] for row in _titles(connection, terms, all_of_them)]


def search_values(subject: str, filters: SearchFilters, terms: SearchTerms) -> dict[str, Any]:
    """The values that `VISIBLE`, `SNIPPET` and a `MATCH :match` beside them need, and those of filters."""
    return {
        "match": terms.fts5(),
        "tokens": _TOKENS[terms.unspaced],
        "separator": SEPARATOR,
        "longest": _MAX_SNIPPET,
        "subject": subject,
        "origin": filters.origin,
        "ephemeral": EPHEMERAL,
        "model": filters.model,
        "role": filters.role,
        "since": filters.since,
        "until": filters.until,
    }


# ---- helpers below -------------------------------------------------------------------------------


def _title_hits(
    connection: Connection, terms: SearchTerms, values: dict[str, Any]
) -> Iterator[SearchHit]:
    raw = raw_connection(connection)
    for conversation, title, title_by, origin, updated_at in _titles(connection, terms, values):
        # A title that nobody gave is that of the first message, which is a hit of its own.
        if title_by == "user" or not _first_message_matches(raw, conversation, values["match"]):
            row = {"id": conversation, "origin": origin, "updated_at": updated_at}
            yield SearchHit(
                conversation, title, rows.origin_of(row), rows.whole_number(row, "updated_at")
            )


def _titles(
    connection: Connection, terms: SearchTerms, values: dict[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """Rows as `_TITLES` gives them. On the raw connection, since every title is read."""
    matches = terms.title_matcher()
    found = raw_connection(connection).execute(_TITLES, values)
    return (row for row in found if isinstance(row[1], str) and matches(row[1]))


def _first_message_matches(raw: sqlite3.Connection, conversation: str, match: str) -> bool:
    """Whether a conversation's first message matches."""
    return raw.execute(_FIRST_MATCHES, (match, conversation)).fetchone() is not None


def _messages(
    connection: Connection, values: dict[str, Any], number: int, limit: int
) -> list[tuple[SearchHit, str]]:
    found = connection.execute(text(_MESSAGES), {**values, "number": number, "limit": limit})
    return [
        (
            SearchHit(
                conversation=row["conversation"],
                title=rows.text_of(row, "title"),
                origin=rows.origin_of(row),
                created_at=rows.whole_number(row, "created_at"),
                message=row["id"],
                role=rows.role_of(row),
                model=rows.text_of(row, "model") or None,
                snippet=rows.text_of(row, "snippet"),
            ),
            f"message:{row['number']}",
        )
        for row in found.mappings()
    ]


def _position(cursor: str | None) -> tuple[int | None, int, str]:
    """The number before which messages follow, None while titles do; and after which title those do."""
    if cursor is None:
        return None, _FIRST, ""
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise BadRequest(
            f"{cursor[:60]!r} isn't a cursor of a search.", advice="Use next_cursor as it came."
        )
    number, updated_at, conversation = match.groups()
    if number is not None:
        return int(number), 0, ""
    return None, int(updated_at), conversation
