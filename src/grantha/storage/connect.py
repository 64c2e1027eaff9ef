"""Opening SQLite: the folder, how connections are set up, and bringing the schema up to date.

Refuses network file systems, on which WAL's shared memory doesn't work.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert
from sqlalchemy.exc import DBAPIError

from grantha.errors import StorageFailed, StorageFull
from grantha.storage.base import DATABASE_FILES
from grantha.storage.rows import raw_connection
from grantha.storage.schema import FULL_TEXT, alembic_version, metadata
from grantha.storage.writer import storage_error

NEWEST = "0009"  # the newest migration; a test compares it with the folder
WRITE_LOCK = "write.lock"  # held around each transaction
LOCKS = ("serve.lock", WRITE_LOCK)  # the first is held by the one server of a folder
_OUR_NAMES = {*LOCKS, *DATABASE_FILES, "grantha.toml", "models", "backups", ".write-probe"}
_MIGRATIONS = Path(__file__).parent / "migrations"
_SHRINK_PAGES = 512  # 2 MB, moved in one transaction
_BUSY_MS = 5000
_MAX_LOG = 16 * 1024 * 1024  # bytes of the -wal file, once no read needs more of it
_INCOMPLETE = (
    "Restore a backup with `grantha restore`, or move the file away to begin with an empty one."
)
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "glusterfs"}
)


def prepare_folder(folder: Path) -> None:
    """Creates the data folder and its files, for their owner only. Raises `StorageFailed` with advice."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".write-probe"
        probe.write_bytes(b"")
        probe.unlink()
        _keep_private(folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise full_disk(folder) from error
        why = "it is a file" if folder.is_file() else f"{error.strerror}{_at(error)}"
        raise StorageFailed(
            f"The data folder {str(folder)!r} can't be written: {why}.",
            advice="Set GRANTHA_DATA_DIR to a folder that you may write.",
        ) from error
    kind = _file_system(folder)
    if kind in _NETWORK:
        raise StorageFailed(
            f"The data folder {str(folder)!r} is on a network file system ({kind}).",
            advice="Set GRANTHA_DATA_DIR to a folder on a local disk.",
        )


def full_disk(folder: Path) -> StorageFull:
    """The error for a data folder without room for a database."""
    return StorageFull(
        f"The disk of the data folder {str(folder)!r} is full.",
        advice="Free some space on it, or set GRANTHA_DATA_DIR to a folder on another disk.",
    )


def writing_engine(path: Path, synchronous: str) -> Engine:
    """An engine for the one writing connection; transactions are begun by hand."""
    with suppress(OSError):  # SQLite reports what is wrong
        # Its further files get the mode of the database.
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    engine = create_engine(_url(path), isolation_level="AUTOCOMMIT", pool_size=1)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        _pragmas(
            connection,
            # Takes effect only in an empty file, before WAL; without it the file would never get smaller.
            "PRAGMA auto_vacuum=INCREMENTAL",
            "PRAGMA journal_mode=WAL",
            f"PRAGMA synchronous={synchronous}",
            # The log of writes grows while a long read runs, and wouldn't get smaller afterwards.
            f"PRAGMA journal_size_limit={_MAX_LOG}",
            # Rollback data of savepoints: in files it took a fifth of the writer's time.
            "PRAGMA temp_store=MEMORY",
        )

    return engine


def reading_engine(path: Path, connections: int) -> Engine:
    """An engine whose connections can't write and never checkpoint."""
    engine = create_engine(
        _url(path),
        isolation_level="AUTOCOMMIT",
        pool_size=connections,
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        _pragmas(connection, "PRAGMA query_only=ON", "PRAGMA wal_autocheckpoint=0")

    return engine


def migrate(engine: Engine) -> None:
    """Brings the schema to `NEWEST`; one query if it is up to date. An empty database gets the newest
    schema at once, without migrations.

    Raises `StorageFailed` for a schema that this version doesn't know, and for one that isn't whole.
    """
    try:
        with engine.connect() as connection:
            found = _version(connection)
            if found == NEWEST:
                _check_tables(connection)
                return
            if found is None:
                _check_empty(connection)
            if found is not None:
                _check_known(connection, found)
            if found is None and _create(connection):
                return
            # Imported late: Alembic takes a quarter of a second to import.
            from alembic import command
            from alembic.config import Config

            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (DBAPIError, sqlite3.Error) as error:
        raise storage_error(error) from error


def shrink(connection: Connection) -> int:
    """See `Store.shrink`: up to `_SHRINK_PAGES` free pages, from the end of the file."""
    free = int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())
    raw = raw_connection(connection)
    for _ in range(min(free, _SHRINK_PAGES)):
        # The driver takes one step of this pragma, which frees one page whatever the number.
        raw.execute("PRAGMA incremental_vacuum(1)")
    # A file that some tool wrote again may not shrink at all: else it would be tried for ever.
    return free - int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())


def _create(connection: Connection) -> bool:
    """Builds the newest schema in an empty database, all or nothing; whether it was empty."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        empty = connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first() is None
        if empty:
            metadata.create_all(connection)
            for statement in FULL_TEXT:
                connection.exec_driver_sql(statement)
            connection.execute(insert(alembic_version).values(version_num=NEWEST))
    except BaseException:
        raw_connection(connection).rollback()  # unless SQLite has done so itself, as on a full disk
        raise
    connection.exec_driver_sql("COMMIT")
    return empty


def _keep_private(folder: Path) -> None:
    """Nobody else may read what people wrote, or hold a lock that every send waits for."""
    mode = folder.stat().st_mode
    ours = {entry.name for entry in folder.iterdir()} <= _OUR_NAMES
    if ours and mode & 0o077 and folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)
    elif mode & 0o022:
        raise StorageFailed(
            f"The data folder {str(folder)!r} may be written by other users, and holds other files.",
            advice=f"Run 'chmod go-w {folder}', or set GRANTHA_DATA_DIR to a folder of its own.",
        )
    for name in LOCKS:  # another user may have created them without access for us
        os.close(os.open(folder / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))
    for name in (*LOCKS, *DATABASE_FILES):
        file = folder / name
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(0o600)


def _at(error: OSError) -> str:
    """The lock file that an error is about, in brackets; else nothing."""
    name = Path(str(error.filename)).name
    return f" ({name})" if name in LOCKS else ""


def _url(path: Path) -> URL:
    # In a URL string, a question mark in the path would begin a query and name another file.
    return URL.create("sqlite", database=str(path))


def _version(connection: Connection) -> str | None:
    found = connection.exec_driver_sql(
        "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    ).first()
    if found is None:
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return row[0] if row else None


def _check_known(connection: Connection, found: str) -> None:
    if re.fullmatch(r"[0-9]{1,9}", found) and int(found) > int(NEWEST):
        raise StorageFailed(
            f"The database was written by a newer Grantha (schema {found}, ours is {NEWEST}).",
            advice="Install that version again, or restore a backup from before it.",
        )
    if not any((_MIGRATIONS / "versions").glob(f"{glob.escape(found)}_*.py")):
        raise StorageFailed(
            f"The database {_file(connection)} has the schema {found[:40]!r}, which no Grantha has had.",
            advice=_INCOMPLETE,
        )


def _check_tables(connection: Connection) -> None:
    """A file whose set-up was cut short, or that someone has changed, would fail at the first query."""
    missing = sorted(metadata.tables.keys() - _tables(connection))
    if missing:
        raise StorageFailed(
            f"The database {_file(connection)} has no table {missing[0]!r}.", advice=_INCOMPLETE
        )


def _check_empty(connection: Connection) -> None:
    # An interrupted migration can leave this table behind without a row; it is filled again.
    tables = sorted(_tables(connection) - {alembic_version.name})
    if tables:
        raise StorageFailed(
            f"The database {_file(connection)} isn't Grantha's, or isn't whole: "
            f"it has a table {tables[0]!r} and no version.",
            advice=_INCOMPLETE,
        )


def _tables(connection: Connection) -> set[str]:
    rows = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    return {row[0] for row in rows}


def _file(connection: Connection) -> str:
    return repr(connection.engine.url.database)


def _pragmas(connection: Any, *more: str) -> None:
    # A row with text that isn't UTF-8 can be read: without it, every query that meets it would fail.
    connection.text_factory = _decode
    cursor = connection.cursor()
    for pragma in (f"PRAGMA busy_timeout={_BUSY_MS}", "PRAGMA foreign_keys=ON", *more):
        cursor.execute(pragma)
    cursor.close()


def _decode(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")


def _file_system(folder: Path) -> str | None:
    """Type of the mount that a folder is on, from /proc/mounts; None where there is none."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    best, kind = "", None
    real = str(folder.resolve())
    for line in mounts:
        _device, point, found, *_ = line.split(" ")
        if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, found
    return kind
