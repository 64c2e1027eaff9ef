"""The ZIP archive that Word, Excel, PowerPoint and OpenDocument files are."""

from __future__ import annotations

import io
import zipfile

from grantha.documents.document_text import Unreadable

_MAX_EXPANDED = 512 * 1024 * 1024  # bytes; a kilobyte of an archive can expand to a megabyte


class OfficeArchive:
    """Raises `Unreadable` for what isn't an archive, and for one that expands too far."""

    def __init__(self, data: bytes) -> None:
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except zipfile.BadZipFile as error:
            known = data.startswith(b"PK")
            raise Unreadable("damaged" if known else "unsupported") from error
        if sum(member.file_size for member in self._archive.infolist()) > _MAX_EXPANDED:
            raise Unreadable("too-large")
        self._names = frozenset(self._archive.namelist())

    @property
    def media_type(self) -> str:
        """That of an OpenDocument file; empty for others."""
        return self.read("mimetype").decode("ascii", "replace") if self.has("mimetype") else ""

    def has(self, name: str) -> bool:
        """Whether there is such a member."""
        return name in self._names

    def has_below(self, folder: str) -> bool:
        """Whether there is a member in the folder, whose name ends with a slash."""
        return any(name.startswith(folder) for name in self._names)

    def read(self, name: str) -> bytes:
        """The bytes of a member."""
        return self._archive.read(name)
