"""What a conversion gives, and how parent and child process say it to each other: one JSON object."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

PDF = "application/pdf"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OLD_EXCEL = "application/vnd.ms-excel"
OPEN_SPREADSHEET = "application/vnd.oasis.opendocument.spreadsheet"
POWERPOINT = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

Reason: TypeAlias = Literal[
    "unsupported", "damaged", "locked", "empty", "too-large", "not-installed"
]

_PDF_WITHIN = 1024  # bytes before which a PDF has to begin


@dataclass(frozen=True, slots=True)
class DocumentText:
    """A document's text. `pages` are those of a PDF, slides or sheets; None where it has none.

    `truncated`: the text ends before the document does, at the most characters that a file may have.
    """

    media_type: str
    text: str
    pages: int | None = None
    truncated: bool = False


class Unreadable(Exception):
    """A document that gives no text. `advice` is a sentence, or empty."""

    def __init__(self, reason: Reason, advice: str = "") -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.advice = advice


def is_pdf(data: bytes) -> bool:
    """Whether bytes are a PDF, by its signature."""
    return b"%PDF-" in data[:_PDF_WITHIN]


def encode(result: DocumentText | Unreadable) -> bytes:
    """For the parent process."""
    if isinstance(result, Unreadable):
        return json.dumps({"reason": result.reason, "advice": result.advice}).encode()
    return json.dumps(asdict(result)).encode()


def decode(reply: bytes) -> DocumentText:
    """What the child process said. Raises `Unreadable`."""
    try:
        members = json.loads(reply)
        if "reason" in members:
            raise Unreadable(members["reason"], str(members["advice"]))
        return DocumentText(**members)
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable("damaged") from error
