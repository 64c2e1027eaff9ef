"""SQL of the logins. Runs inside a transaction of the writer or on a reading connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select

from grantha.storage import rows
from grantha.storage.base import LoginRow
from grantha.storage.schema import logins


def all_logins(connection: Connection) -> list[LoginRow]:
    """The oldest first."""
    found = connection.execute(select(logins).order_by(logins.c.created_at, logins.c.key))
    return [
        LoginRow(
            rows.text_of(row, "key"),
            rows.text_of(row, "subject"),
            rows.whole_number(row, "created_at"),
            rows.whole_number(row, "expires_at"),  # a damaged one has expired
        )
        for row in found.mappings()
    ]


def change_logins(
    connection: Connection, added: Sequence[LoginRow], removed: Sequence[str]
) -> None:
    """See `Store.change_logins`."""
    if removed:
        connection.execute(delete(logins).where(logins.c.key.in_(removed)))
    if added:
        connection.execute(insert(logins), [asdict(row) for row in added])
