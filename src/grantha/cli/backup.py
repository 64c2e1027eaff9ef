"""`grantha backup`: copies the database to one file, whether the server runs or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from grantha.cli.runner import fail, notify, read_settings
from grantha.errors import GranthaError, StorageFailed
from grantha.storage.base import FILE_NAME


def backup(
    file: Annotated[Path, typer.Argument(help="File to write; it must not exist yet.")],
    data_dir: Annotated[str | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Copy the database to a file. The server may keep running."""
    source = read_settings(data_dir=data_dir).folder() / FILE_NAME
    try:
        copy_to(source, file)
    except GranthaError as error:
        fail(error)
    notify(f"{file} holds {file.stat().st_size:,} bytes. To restore it: `grantha restore {file}`.")


def copy_to(source: Path, target: Path) -> None:
    """Copies a database to a new file. Raises `StorageFailed`.

    Writes under a temporary name first, so that a file of the final name is always complete."""
    from grantha.storage.sql import copy_database

    if target.exists():
        raise StorageFailed(f"{target} already exists.", advice="Choose another file name.")
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        # Created first, readable by its owner only: conversations are private.
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        unfinished.unlink()
        copy_database(source, unfinished)
        unfinished.chmod(0o600)
        unfinished.rename(target)
    except OSError as error:
        raise StorageFailed(f"{target} can't be written: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
