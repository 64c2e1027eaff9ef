"""Alembic's entry: runs the migrations on the connection that `storage.connect` hands over."""

from __future__ import annotations

from alembic import context

from grantha.storage.schema import metadata

connection = context.config.attributes["connection"]
# Before `configure`, which looks whether a transaction is open and would end one of its own early.
connection.exec_driver_sql("BEGIN IMMEDIATE")
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
connection.exec_driver_sql("COMMIT")
