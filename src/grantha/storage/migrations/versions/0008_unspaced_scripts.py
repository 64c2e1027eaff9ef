"""Texts in scripts without spaces between words are indexed by character, so that any part is found.

U+001F stands around each such character of the indexed text; the index splits there. The index is built
again: of two triggers of an update, SQLite ran the one that removes the old text last, so that a continued
answer was no longer found by the words of its beginning.
"""

from __future__ import annotations

import re
import unicodedata

from alembic import op

revision = "0008"
down_revision = "0007"
_BATCH = 500  # rows: all texts together may not fit into memory
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff"
    "\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9d"
    "\U00020000-\U0003ffff]+"
)
# As bytes: SQLite's own conversion would fail for a row whose text is damaged. Texts of ASCII alone have as
# many bytes as characters.
_TEXTS = """
    SELECT number, CAST(text AS BLOB) FROM messages
    WHERE number > ? AND length(text) <> length(CAST(text AS BLOB)) ORDER BY number LIMIT ?"""


def upgrade() -> None:
    """Writes the texts again and builds the index again; texts that can't be read stay as they are."""
    for trigger in ("messages_text_out", "messages_text_in"):
        op.execute(f"DROP TRIGGER {trigger}")
    _split_texts()
    op.execute(
        "CREATE TRIGGER messages_text_update AFTER UPDATE OF text ON messages BEGIN "
        "INSERT INTO messages_text(messages_text, rowid, text) "
        "SELECT 'delete', old.number, old.text WHERE old.text <> ''; "
        "INSERT INTO messages_text(rowid, text) SELECT new.number, new.text WHERE new.text <> ''; END"
    )
    op.execute("INSERT INTO messages_text(messages_text) VALUES ('delete-all')")
    op.execute(
        "INSERT INTO messages_text(rowid, text) SELECT number, text FROM messages WHERE text <> ''"
    )


def _split_texts() -> None:
    connection = op.get_bind()
    last = -1
    while rows := connection.exec_driver_sql(_TEXTS, (last, _BATCH)).fetchall():
        last = rows[-1][0]
        changed = [(text, number) for number, stored in rows if (text := _split(stored))]
        if changed:
            connection.exec_driver_sql("UPDATE messages SET text = ? WHERE number = ?", changed)


def _split(stored: bytes) -> str | None:
    try:
        text = stored.decode().replace("\x1f", "")
    except UnicodeDecodeError:
        return None
    if not _UNSPACED.search(text):
        return None
    composed = unicodedata.normalize("NFC", text)
    return _UNSPACED.sub(lambda run: "\x1f" + "\x1f".join(run[0]) + "\x1f", composed)
