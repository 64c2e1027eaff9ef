"""Rollups of the answers by hour, day and model, from which the analytics are read.

What has ended so far is their backlog, which the running server works off: no start waits for it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds the tables; the index of `ended_at` knows the newest end."""
    op.create_table(
        "rollups",
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("hours", sa.Integer, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("generations", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.Column("stopped", sa.BigInteger, nullable=False),
        sa.Column("tokens_known", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.Text, nullable=False),
        sa.Column("costs_known", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.Text, nullable=False),
        sa.Column("first_text_ms", sa.LargeBinary, nullable=False),
        sa.Column("tok_s", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("subject", "hours", "start", "model"),
        sqlite_with_rowid=False,
    )
    op.create_table("rollup_backlog", sa.Column("before", sa.BigInteger, nullable=False))
    op.execute(
        "INSERT INTO rollup_backlog (before) "
        "SELECT newest + 1 FROM (SELECT max(ended_at) AS newest FROM generations "
        "WHERE ended_at >= 0 AND ended_at < 253402300800000) "  # until the year 10000
        "WHERE newest IS NOT NULL"
    )
