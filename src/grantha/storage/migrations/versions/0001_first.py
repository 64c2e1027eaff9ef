"""The first schema: conversations, messages, generations, records, idempotency keys, full text."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Builds every table as it was at the first release."""
    _conversations()
    _messages()
    _generations()
    _records()
    _full_text()


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("title_by", sa.Text, nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("system_prompt", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("leaf", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("generation", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", sa.BigInteger),
    )
    op.create_index(
        "conversations_listed",
        "conversations",
        ["subject", "origin", "pinned", "updated_at", "id"],
    )


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column(
            "conversation",
            sa.Text,
            sa.ForeignKey("conversations.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("parent", sa.Text),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("parts", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("generation", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("end", sa.Text),
        sa.Column("seams", sa.Text, nullable=False),
        sa.Column("citations", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("messages_of_conversation", "messages", ["conversation", "number"])


def _generations() -> None:
    op.create_table(
        "generations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column(
            "conversation",
            sa.Text,
            sa.ForeignKey("conversations.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("parent", sa.Text),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("recoveries", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("end", sa.Text),
        sa.Column("trimmed", sa.Boolean, nullable=False),
        sa.Column("trace", sa.Text),
    )
    op.create_index("generations_of_conversation", "generations", ["conversation"])
    op.create_index("generations_running", "generations", ["status", "owner"])
    op.create_index("generations_ended", "generations", ["ended_at", "trimmed"])


def _records() -> None:
    op.create_table(
        "records",
        sa.Column(
            "generation",
            sa.Text,
            sa.ForeignKey("generations.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("generation", "epoch", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "idempotency",
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("generation", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("subject", "key", "position"),
    )
    op.create_index("idempotency_age", "idempotency", ["created_at"])


def _full_text() -> None:
    # The index holds no copy of the text: it names messages by number and is kept by triggers.
    op.execute(
        "CREATE VIRTUAL TABLE messages_text USING fts5("
        "text, content='messages', content_rowid='number', tokenize='unicode61 remove_diacritics 2')"
    )
    op.execute(
        "CREATE TRIGGER messages_text_insert AFTER INSERT ON messages WHEN new.text <> '' BEGIN "
        "INSERT INTO messages_text(rowid, text) VALUES (new.number, new.text); END"
    )
    op.execute(
        "CREATE TRIGGER messages_text_delete AFTER DELETE ON messages WHEN old.text <> '' BEGIN "
        "INSERT INTO messages_text(messages_text, rowid, text) "
        "VALUES ('delete', old.number, old.text); END"
    )
    op.execute(
        "CREATE TRIGGER messages_text_out AFTER UPDATE OF text ON messages "
        "WHEN old.text <> '' BEGIN "
        "INSERT INTO messages_text(messages_text, rowid, text) "
        "VALUES ('delete', old.number, old.text); END"
    )
    op.execute(
        "CREATE TRIGGER messages_text_in AFTER UPDATE OF text ON messages "
        "WHEN new.text <> '' BEGIN "
        "INSERT INTO messages_text(rowid, text) VALUES (new.number, new.text); END"
    )
