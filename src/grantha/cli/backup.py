"""`grantha backup`: the whole database in one file, while the server runs or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from grantha.cli.runner import fail, read_settings, say
from grantha.errors import GranthaError, StorageFailed

DATABASE = "grantha.db"


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.")],
    data_dir: Annotated[str | None, typer.Option(help="Folder of the conversations.")] = None,
) -> None:
    """Copy the database to a file. The server may go on writing meanwhile."""
    source = read_settings(data_dir=data_dir).folder() / DATABASE
    try:
        _copy(source, file)
    except GranthaError as error:
        fail(error)
    say(f"{file} holds {file.stat().st_size:,} bytes. To restore it, put it in place of {source}.")


def _copy(source: Path, target: Path) -> None:
    """Under another name first: a file of the right name is always a whole backup."""
    from grantha.storage.sql import copy_database

    if target.exists():
        raise StorageFailed(f"{target} exists already.", advice="Name a file that isn't there yet.")
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        # Made first, for its owner alone: conversations are private.
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        unfinished.unlink()
        copy_database(source, unfinished)
        unfinished.chmod(0o600)
        unfinished.rename(target)
    except OSError as error:
        raise StorageFailed(f"{target} can't be written: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
