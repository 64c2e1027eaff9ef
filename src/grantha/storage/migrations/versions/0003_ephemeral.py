"""Conversations that `store: false` makes have the origin "ephemeral"; it was "unkept" before."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Renames the value."""
    op.execute("UPDATE conversations SET origin = 'ephemeral' WHERE origin = 'unkept'")
