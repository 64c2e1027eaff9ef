"""The tables. A new database is created from them; queries use them.

Migrations bring an older database to the same schema; a test compares the two. JSON is stored as
text, since it is always read whole. Times are milliseconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

conversations = Table(
    "conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("title_by", Text, nullable=False),
    Column("pinned", Boolean, nullable=False, default=False),
    Column("origin", Text, nullable=False),
    Column("system_prompt", Text, nullable=False, default=""),
    Column("options", Text, nullable=False, default="{}"),
    Column("model", Text),
    Column("leaf", Text),
    Column("status", Text),
    Column("generation", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("metadata", Text),
    Index("conversations_listed", "subject", "origin", "pinned", "updated_at", "id"),
)

messages = Table(
    "messages",
    metadata,
    # An integer key, because the full-text index refers to rows by number.
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column(
        "conversation", Text, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False
    ),
    Column("parent", Text),
    Column("role", Text, nullable=False),
    Column("parts", Text, nullable=False),
    Column("text", Text, nullable=False, default=""),  # as `search_terms.index_text` writes it
    Column("model", Text),
    Column("generation", Text),
    Column("status", Text),
    Column("end", Text),
    Column("seams", Text, nullable=False, default="[]"),
    Column("citations", Text, nullable=False, default="[]"),
    Column("created_at", BigInteger, nullable=False),
    Index("messages_of_conversation", "conversation", "number"),
)

generations = Table(
    "generations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column(
        "conversation", Text, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False
    ),
    Column("message", Text, nullable=False),
    Column("parent", Text),
    Column("model", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("recoveries", Integer, nullable=False, default=0),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("end", Text),
    Column("trimmed", Boolean, nullable=False, default=False),
    Column("trace", Text),
    Column("abandon_after", Float),
    Index("generations_of_conversation", "conversation"),
    Index("generations_running", "status", "owner"),
    Index("generations_ended", "ended_at", "trimmed"),
)

records = Table(
    "records",
    metadata,
    Column("generation", Text, ForeignKey("generations.id", ondelete="CASCADE"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    PrimaryKeyConstraint("generation", "epoch", "seq"),
    sqlite_with_rowid=False,
)

# The records of one tick in one row, until they move to `records`; see `storage.journal`.
journal = Table(
    "journal",
    metadata,
    Column("tick", Integer, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("body", Text, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("subject", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("generation", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("subject", "key", "position"),
    Index("idempotency_age", "created_at"),
)

# Browsers that have logged in; `key` is an HMAC of the cookie, see `api.logins`.
logins = Table(
    "logins",
    metadata,
    Column("key", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

# The totals of the answers of an hour or a day, in UTC from `start` on; see `storage.rollups`.
rollups = Table(
    "rollups",
    metadata,
    Column("subject", Text, nullable=False),
    Column("hours", Integer, nullable=False),  # 1 or 24
    Column("start", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("generations", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("stopped", BigInteger, nullable=False),
    Column("tokens_known", BigInteger, nullable=False),
    Column("tokens", Text, nullable=False),
    Column("costs_known", BigInteger, nullable=False),
    Column("cost", Text, nullable=False),
    Column("first_text_ms", LargeBinary, nullable=False),
    Column("tok_s", LargeBinary, nullable=False),
    PrimaryKeyConstraint("subject", "hours", "start", "model"),
    sqlite_with_rowid=False,
)

# At most one row: generations that ended before this time aren't in `rollups` yet.
rollup_backlog = Table("rollup_backlog", metadata, Column("before", BigInteger, nullable=False))

# Alembic's own: which migration the schema is at.
alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

# The full-text index of messages. It holds no copy of the text: it names messages by number and is
# kept by triggers.
FULL_TEXT = (
    """
    CREATE VIRTUAL TABLE messages_text
    USING fts5(text, content='messages', content_rowid='number',
        tokenize='unicode61 remove_diacritics 2')
    """,
    """
    CREATE TRIGGER messages_text_insert AFTER INSERT ON messages WHEN new.text <> '' BEGIN
        INSERT INTO messages_text(rowid, text) VALUES (new.number, new.text); END
    """,
    """
    CREATE TRIGGER messages_text_delete AFTER DELETE ON messages WHEN old.text <> '' BEGIN
        INSERT INTO messages_text(messages_text, rowid, text)
        VALUES ('delete', old.number, old.text); END
    """,
    # One trigger, since the order of two is SQLite's own: the old text has to go first.
    """
    CREATE TRIGGER messages_text_update AFTER UPDATE OF text ON messages BEGIN
        INSERT INTO messages_text(messages_text, rowid, text)
        SELECT 'delete', old.number, old.text WHERE old.text <> '';
        INSERT INTO messages_text(rowid, text) SELECT new.number, new.text WHERE new.text <> ''; END
    """,
)
