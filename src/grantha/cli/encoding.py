"""Input and output where the terminal's encoding isn't UTF-8: characters that it lacks become simpler ones.

Without this, one ✓ would end a command with a traceback. JSON is written in ASCII there, so that
nothing in it is lost.
"""

from __future__ import annotations

import codecs
import io
import json
import sys
from typing import TextIO

from grantha.errors import BadRequest

_HANDLER = "grantha-simpler"
_SIMPLER = {
    "✓": "+", "✗": "x", "○": "o", "●": "*", "◌": ".", "■": "#", "⊘": "/", "…": "...", "·": "-",
    "→": "->", "─": "-", "≈": "~", "’": "'", "━": "-", "│": "|", "╷": "|", "╵": "|",
    "┼": "+", "•": "*", "▌": "|",
}  # fmt: skip


def simplify_output() -> None:
    """Makes stdout and stderr able to write every text. Called once, at the start of a command."""
    codecs.register_error(_HANDLER, _simpler)
    for stream in (sys.stdout, sys.stderr):
        # A replacement by a test or another program keeps its own settings.
        if isinstance(stream, io.TextIOWrapper) and not is_utf8(stream):
            stream.reconfigure(errors=_HANDLER)


def is_utf8(stream: TextIO) -> bool:
    """Whether a stream can carry every character."""
    return codecs.lookup(stream.encoding or "ascii").name in {"utf-8", "utf-16", "utf-32"}


def ascii_json(line: str, stream: TextIO) -> str:
    """A line of JSON that this stream can encode without loss."""
    return line if is_utf8(stream) else json.dumps(json.loads(line))


def read_stdin() -> str:
    """All of standard input. Raises `BadRequest` for what isn't text."""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"Standard input isn't UTF-8 text (at byte {error.start:,}).",
            advice="Convert it, as with `iconv -t UTF-8`, or attach the file with -f.",
        ) from error


def _simpler(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_SIMPLER.get(character, "?") for character in text), error.end
