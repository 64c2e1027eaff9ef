"""Generations whose request ends with its connection remember how long they may run without a reader."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the column; answers from before run on, as they did."""
    op.add_column("generations", sa.Column("abandon_after", sa.Float))
