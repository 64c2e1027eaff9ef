"""A file that is still growing: `.NAME.part` beside the place it will get, locked by one process.

It survives an interruption, with a note of which version of the remote file it is a part of. Only a
complete and verified one is renamed to its target.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

from grantha.errors import Conflict, GranthaError, ProviderFailed, StorageFailed, StorageFull

_READ_BACK = 8 << 20  # bytes
RESERVE = 64 << 20  # bytes of the disk that a download leaves free for the database


class PartialFile:
    """Opened by `open`; every method blocks and raises `StorageFull` or `StorageFailed`."""

    def __init__(self, target: Path, file: BinaryIO) -> None:
        self._target = target
        self._path = part_of(target)
        self._note = self._path.with_name(f"{self._path.name}.json")
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0
        self.validator: str | None = None

    @classmethod
    def open(cls, target: Path) -> Self:
        """Opens what an earlier attempt left, to be read by `read_back` before anything is added.

        Raises `Conflict` while another one writes.
        """
        path = part_of(target)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b")
        except OSError as error:
            raise storage_error(error, target.parent) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have completed and renamed it before the lock was ours: what was
            # opened then is the finished file.
            if not os.path.samestat(path.stat(), os.fstat(file.fileno())):
                raise BlockingIOError
        except OSError as error:
            file.close()
            raise Conflict(f"{target.name} is being downloaded already.") from error
        file.seek(0)
        part = cls(target, file)
        part._read_note()
        return part

    @property
    def name(self) -> str:
        """The name that the complete file gets."""
        return self._target.name

    def is_done(self, size: int) -> bool:
        """Whether nothing is begun here, and the complete file has this size."""
        try:
            begun = os.fstat(self._file.fileno()).st_size
            return begun == 0 and self._target.stat().st_size == size
        except OSError:
            return False

    def read_back(self) -> bool:
        """Hashes the next block of what is there already; False once all of it was read.

        Block by block, so that a caller can be cancelled: a large file takes half a minute.
        """
        try:
            block = self._file.read(_READ_BACK)
        except OSError as error:
            raise storage_error(error, self._target.parent) from error
        self._digest.update(block)
        self.size += len(block)
        return bool(block)

    def restart(self, validator: str | None) -> None:
        """Drops everything; what follows belongs to this version (an ETag or a date) of the file."""
        try:
            self._file.truncate(0)
            self._note.unlink(missing_ok=True)
            if validator is not None:
                self._note.write_text(json.dumps({"validator": validator}), encoding="utf-8")
        except OSError as error:
            raise storage_error(error, self._target.parent) from error
        self._digest = hashlib.sha256()
        self.size = 0
        self.validator = validator

    def append(self, block: bytes) -> None:
        """Adds to the end."""
        try:
            self._file.write(block)
        except OSError as error:
            raise storage_error(error, self._target.parent) from error
        self._digest.update(block)
        self.size += len(block)

    def make_room(self, size: int) -> None:
        """Raises `StorageFull` unless the disk can hold a file that grows to this size."""
        make_room(self._target, size - self.size)

    def complete(
        self, size: int | None, sha256: str | None, check: Callable[[Path], None] | None
    ) -> None:
        """Verifies the content and gives the file its name. `check` may raise to refuse it.

        Raises `ProviderFailed`, and keeps nothing, for content that isn't the expected one.
        """
        digest = self._digest.hexdigest()
        try:
            if size not in {None, self.size} or sha256 not in {None, digest}:
                self.discard()
                raise ProviderFailed(
                    f"{self.name} isn't the published file ({self.size:,} bytes, SHA-256 {digest})",
                    advice="Nothing was kept. Try again, or get the file from another place.",
                    provider="local",
                )
            if check is not None:
                self._checked(check)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._path.replace(self._target)
            self._note.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, self._target.parent) from error

    def discard(self) -> None:
        """Removes what there is."""
        self._path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets go of the file; what isn't complete stays, to be resumed."""
        with suppress(OSError):
            # By the file's own size: a part that wasn't read back yet counts as well.
            if os.fstat(self._file.fileno()).st_size == self.size == 0:
                self.discard()
        with suppress(OSError):  # a full disk was reported by the write before
            self._file.close()

    def _checked(self, check: Callable[[Path], None]) -> None:
        self._file.flush()
        try:
            check(self._path)
        except GranthaError:
            self.discard()
            raise

    def _read_note(self) -> None:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        found = note.get("validator") if isinstance(note, dict) else None
        self.validator = found if isinstance(found, str) else None


def make_room(target: Path, size: int) -> None:
    """Raises `StorageFull` unless the target's folder, which exists, can hold so many bytes more."""
    try:
        free = shutil.disk_usage(target.parent).free
    except OSError as error:
        raise storage_error(error, target.parent) from error
    if size + RESERVE > free:
        raise StorageFull(
            f"{target.name} needs {size:,} bytes more in {target.parent}, and {free:,} are free",
            advice="Free some space, or set GRANTHA_DATA_DIR to a folder on a larger disk.",
        )


def remove_partial(target: Path) -> None:
    """Removes what an unfinished download left. Raises `Conflict` while it is being written."""
    if not part_of(target).exists():
        return
    part = PartialFile.open(target)
    part.discard()
    part.close()


def storage_error(error: OSError, folder: Path) -> GranthaError:
    """What a failed write to a folder means."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull(f"There is no room in {folder}")
    return StorageFailed(f"{folder} can't be written: {error.strerror}")


def part_of(target: Path) -> Path:
    """Where a file grows until it is complete."""
    return target.with_name(f".{target.name}.part")


def size_of(path: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def free_space(folder: Path) -> int | None:
    """Free bytes of the disk below a folder; None if that can't be found out."""
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return None
