"""Conversations that OpenAI's clients make have metadata of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Adds the column; it is null for conversations that were made otherwise."""
    op.add_column("conversations", sa.Column("metadata", sa.Text))
