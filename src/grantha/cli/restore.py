"""`grantha restore`: replaces the database with a backup; the old one is kept.

Refuses while a server has the folder, and for what isn't a whole database of this version or an older
one.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from grantha.cli.backup import copy_to
from grantha.cli.runner import fail, notify, read_settings
from grantha.errors import GranthaError, StorageFailed
from grantha.storage.base import DATABASE_FILES, FILE_NAME


def restore(
    file: Annotated[Path, typer.Argument(help="A file written by `grantha backup`.")],
    data_dir: Annotated[str | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Replace the database with a backup. Stop the server first; the old database is kept."""
    folder = read_settings(data_dir=data_dir).folder()
    try:
        _restore(file, folder)
    except GranthaError as error:
        fail(error)


def _restore(file: Path, folder: Path) -> None:
    from grantha.api.server import lock_folder
    from grantha.storage.connect import prepare_folder

    _check_backup(file)
    prepare_folder(folder)
    database = folder / FILE_NAME
    with lock_folder(folder):
        incoming = folder / f".restore.{os.getpid()}"
        try:
            copy_to(file, incoming)  # complete and on this disk before anything is touched
            kept = _keep_old_database(database) if database.exists() else None
            removed = [name for name in DATABASE_FILES[1:] if (folder / name).exists()]
            # They belong to the old database: with the new one they would be taken for its own.
            for name in removed:
                (folder / name).unlink()
            incoming.replace(database)
        except OSError as error:
            raise StorageFailed(f"{folder} can't be written: {error.strerror}.") from error
        finally:
            incoming.unlink(missing_ok=True)
    notify(f"{database} is restored from {file}.")
    if kept is not None:
        notify(f"The database that was there is kept as {kept}.")
    if removed:
        notify(f"Removed {' and '.join(removed)}, which belonged to it.")


def _check_backup(file: Path) -> None:
    from grantha.storage.connect import NEWEST

    if not file.is_file():
        raise StorageFailed(f"There is no file {str(file)!r}.", advice="Name a backup.")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            verdict = opened.execute("PRAGMA quick_check(1)").fetchone()[0]
            row = opened.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise StorageFailed(
            f"{file} isn't a database of Grantha: {error}.", advice="Name a backup."
        ) from error
    if verdict != "ok" or row is None:
        raise StorageFailed(f"{file} is damaged.", advice="Name another backup.")
    if row[0] > NEWEST:
        raise StorageFailed(
            f"{file} is of a newer Grantha (its schema is {row[0]}, ours {NEWEST}).",
            advice="Install that version before you restore it.",
        )


def _keep_old_database(database: Path) -> Path:
    """Copies the present database, with what is in its -wal; a damaged one is moved with its files."""
    folder = database.parent / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = folder / f"before-restore-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.db"
    try:
        copy_to(database, kept)
    except StorageFailed:
        for name in DATABASE_FILES:
            source = database.with_name(name)
            if source.exists():
                source.replace(kept.with_name(kept.name + name.removeprefix(FILE_NAME)))
    return kept
