"""Notices that the database's files were deleted, replaced or cut short while they are open.

SQLite doesn't: it goes on writing to a file that has no name any more, and what is committed is gone
with the process. Used by the writer's thread alone, between two transactions, when no checkpoint is
under way.
"""

from __future__ import annotations

import os
from pathlib import Path

from grantha.errors import StorageLost

_HEADER = 32  # bytes: as far as the number of pages
_MAGIC = b"SQLite format 3\0"
_Identity = tuple[int, int]  # device and inode


class FileWatch:
    """Made while the files are open: what is there then is what has to stay there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        found = path.stat()
        self._identity = _identity(found)
        self._size = found.st_size
        wal = _stat(self._wal)
        self._wal_identity = wal and _identity(wal)  # None until its first transaction makes it

    def check(self) -> None:
        """Raises `StorageLost` with what happened."""
        found = _stat(self._path)
        if found is None:
            raise StorageLost(f"The database {str(self._path)!r} was deleted while Grantha ran.")
        if _identity(found) != self._identity:
            raise StorageLost(
                f"The database {str(self._path)!r} was replaced by another file while Grantha ran."
            )
        if found.st_size < self._size and not self._is_whole(found.st_size):
            how = "cut short" if found.st_size else "emptied"
            raise StorageLost(f"The database {str(self._path)!r} was {how} while Grantha ran.")
        self._size = found.st_size
        wal = _stat(self._wal)
        if self._wal_identity is None:
            self._wal_identity = wal and _identity(wal)
        elif wal is None or _identity(wal) != self._wal_identity:
            what = "deleted" if wal is None else "replaced"
            raise StorageLost(
                f"The database's log {str(self._wal)!r} was {what} while Grantha ran."
            )

    def _is_whole(self, size: int) -> bool:
        """Whether a smaller file has all the pages that it names, as after pages were freed."""
        with self._path.open("rb") as file:
            header = file.read(_HEADER)
        if len(header) < _HEADER or not header.startswith(_MAGIC):
            return False
        page = int.from_bytes(header[16:18], "big")
        pages = int.from_bytes(header[28:32], "big")
        return (65536 if page == 1 else page) * pages <= size


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _identity(found: os.stat_result) -> _Identity:
    return found.st_dev, found.st_ino
