"""The files of conversations in a ZIP archive, as ChatGPT and Claude deliver their exports."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from grantha.errors import BadRequest, TooLarge

_START = b"PK\x03\x04"
# Large exports are cut into numbered files; beside them lie images, projects and settings.
_CONVERSATIONS = re.compile(r"(?:.*/)?conversations(?:[-_ ](\d+))?\.json", re.IGNORECASE)
_OF_THE_MAC = "__MACOSX/"


def is_archive(body: bytes | bytearray) -> bool:
    """Whether this is a ZIP archive."""
    return body.startswith(_START)


class Archive:
    """An archive in memory. Raises `BadRequest` for one that can't be read or has no conversations."""

    def __init__(self, body: bytes | bytearray) -> None:
        with _zip_problems():
            self._zip = zipfile.ZipFile(io.BytesIO(body))
        found = {info: _CONVERSATIONS.fullmatch(info.filename) for info in self._zip.infolist()}
        numbers = {
            info: int(match[1] or 0)
            for info, match in found.items()
            if match is not None and not info.filename.startswith(_OF_THE_MAC)
        }
        self._members = sorted(numbers, key=lambda info: numbers[info])
        if not self._members:
            raise BadRequest(
                "The ZIP archive holds no conversations.json.",
                advice="Import the archive as it was delivered.",
            )

    def check_size(self, limit: int) -> int:
        """Bytes of its conversations, unpacked. Raises `TooLarge` above the limit."""
        size = sum(info.file_size for info in self._members)
        if size > limit:
            raise TooLarge(
                f"The conversations in the archive take {size:,} bytes, and at most {limit:,} are read.",
                advice="Raise GRANTHA_MAX_IMPORT, or import the files in it one by one.",
            )
        return size

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Names and contents in the order of their numbers; one is in memory at a time."""
        for info in self._members:
            # It reads no more than the size that was checked, whatever the archive holds.
            with _zip_problems():
                content = self._zip.read(info)
            yield info.filename, content


@contextmanager
def _zip_problems() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise BadRequest(f"The ZIP archive is damaged: {error}.") from error
    except (RuntimeError, NotImplementedError) as error:  # with a password; of a rare kind
        raise BadRequest(
            "The ZIP archive can't be unpacked here.",
            advice="Unpack it, and import the conversations.json in it.",
        ) from error
