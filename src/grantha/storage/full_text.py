"""Repairs the full-text index, which SQLite takes for damaged once the text of a message was.

Until then neither a search nor the end of an answer whose words it has could be carried out.
"""

from __future__ import annotations

import logging
import sqlite3

from sqlalchemy.exc import DBAPIError

_log = logging.getLogger(__name__)


def is_damaged(error: BaseException | None) -> bool:
    """Whether a query failed because of the index."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return getattr(origin, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT_VTAB


def rebuild(raw: sqlite3.Connection) -> None:
    """Makes the index again from the messages, on the writing connection."""
    _log.error("the full-text index is damaged and is rebuilt")
    raw.execute("INSERT INTO messages_text(messages_text) VALUES ('rebuild')")
