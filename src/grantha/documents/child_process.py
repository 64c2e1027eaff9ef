"""The program of a child process: reads a document from standard input, writes its text as JSON.

It has no keys in its environment, and the kernel bounds its memory and processor time and lets it write
no file. So a document made to exhaust or to take over a parser reaches neither the server nor the disk.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import TypeAlias

from grantha.documents import document_text as kinds
from grantha.documents.document_text import DocumentText, Unreadable, encode
from grantha.documents.text_buffer import TextBuffer

# Adds the text to the buffer; gives the number of pages, None where there are none.
Read: TypeAlias = Callable[[bytes, TextBuffer], int | None]
_GIB = 1024**3
_LIMITS = {
    resource.RLIMIT_AS: 2 * _GIB,
    resource.RLIMIT_CPU: 30,  # seconds
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def main(max_characters: int, reader: Callable[[bytes], tuple[str, Read]] | None = None) -> None:
    """Converts standard input, and ends. `reader` chooses a media type and a parser by content."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the server
    os.nice(10)
    replies = os.dup(1)
    os.dup2(2, 1)  # what native code prints must not mix with the reply
    for limit, value in _LIMITS.items():
        with contextlib.suppress(ValueError, OSError):  # macOS refuses a limit of address space
            resource.setrlimit(limit, (value, value))
    with os.fdopen(replies, "wb") as output:
        output.write(encode(_convert(sys.stdin.buffer.read(), max_characters, reader or _reader)))


def _convert(
    data: bytes, max_characters: int, reader: Callable[[bytes], tuple[str, Read]]
) -> DocumentText | Unreadable:
    text = TextBuffer(max_characters)
    try:
        media_type, read = reader(data)
        pages = read(data, text)
    except Unreadable as error:
        return error
    except ModuleNotFoundError:
        return Unreadable("not-installed")
    except MemoryError:
        return Unreadable("too-large")
    except Exception:  # noqa: BLE001  parsers raise anything for damaged files; the parent says so
        return Unreadable("damaged")
    if not text.has_words:
        return Unreadable("empty")
    return DocumentText(media_type, text.value, pages, text.full)


def _reader(data: bytes) -> tuple[str, Read]:
    """By content: the name and the type of a file are guesses. Parsers are loaded when they are needed."""
    if kinds.is_pdf(data):
        from grantha.documents.pdf import read_pdf

        return kinds.PDF, read_pdf
    if data.startswith(_OLE):
        from grantha.documents.spreadsheet import read_spreadsheet

        return kinds.OLD_EXCEL, read_spreadsheet
    from grantha.documents.office_archive import OfficeArchive

    archive = OfficeArchive(data)
    if archive.has("word/document.xml"):
        from grantha.documents.word import read_word

        return kinds.WORD, read_word
    if archive.has("ppt/presentation.xml"):
        from grantha.documents.presentation import read_presentation

        return kinds.POWERPOINT, read_presentation
    spreadsheet = kinds.EXCEL if archive.has_below("xl/") else archive.media_type
    if spreadsheet in {kinds.EXCEL, kinds.OPEN_SPREADSHEET}:
        from grantha.documents.spreadsheet import read_spreadsheet

        return spreadsheet, read_spreadsheet
    raise Unreadable("unsupported", "Save it as a PDF, and attach that.")


if __name__ == "__main__":
    main(int(sys.argv[1]))
