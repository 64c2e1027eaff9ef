"""A seam's continuation mode is `mode`; it was `how` before.

Seams are in the log, in the journal of answers that were being written, and in ended messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from alembic import op

revision = "0006"
down_revision = "0005"
# Each query reads the JSON as bytes: SQLite's own conversion would fail for a row whose text is damaged.
_RECORDS = """
    SELECT CAST(payload AS BLOB), generation, epoch, seq FROM records WHERE kind = 'seam'"""
_UPDATE_RECORD = "UPDATE records SET payload = ? WHERE generation = ? AND epoch = ? AND seq = ?"
_MESSAGES = "SELECT CAST(seams AS BLOB), number FROM messages WHERE seams <> '[]'"
_UPDATE_MESSAGE = "UPDATE messages SET seams = ? WHERE number = ?"
_JOURNAL = """SELECT CAST(body AS BLOB), tick FROM journal WHERE instr(body, '"seam"')"""
_UPDATE_JOURNAL = "UPDATE journal SET body = ? WHERE tick = ?"


def upgrade() -> None:
    """Renames the member; JSON that can't be read stays as it is."""
    _rewrite(_RECORDS, _UPDATE_RECORD, _renamed)
    _rewrite(_MESSAGES, _UPDATE_MESSAGE, _renamed_all)
    _rewrite(_JOURNAL, _UPDATE_JOURNAL, _renamed_entries)


def _rewrite(select: str, update: str, rename: Callable[[Any], Any]) -> None:
    connection = op.get_bind()
    changed = [
        (text, *key)
        for stored, *key in connection.exec_driver_sql(select)
        if (text := _rewritten(stored, rename)) is not None
    ]
    if changed:
        connection.exec_driver_sql(update, changed)


def _rewritten(stored: bytes, rename: Callable[[Any], Any]) -> str | None:
    try:
        value = rename(json.loads(stored.decode()))
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        text.encode()  # fails for half a surrogate pair, which SQLite doesn't take
    except (ValueError, RecursionError):
        return None
    return text


def _renamed(seam: Any) -> Any:
    if not isinstance(seam, dict):
        return seam
    return {"mode" if name == "how" else name: value for name, value in seam.items()}


def _renamed_all(seams: Any) -> Any:
    return [_renamed(seam) for seam in seams] if isinstance(seams, list) else seams


def _renamed_entries(entries: Any) -> Any:
    """Entries are [generation, epoch, seq, at, kind, payload]."""
    if not isinstance(entries, list):
        return entries
    return [
        [*entry[:5], _renamed(entry[5])]
        if isinstance(entry, list) and len(entry) == 6 and entry[4] == "seam"
        else entry
        for entry in entries
    ]
