"""Documents that a vendor reads itself: PDFs, by their bytes or their URL. Knows no vendor."""

from __future__ import annotations

from grantha.chat import Capabilities, FilePart
from grantha.documents.document_text import PDF
from grantha.errors import BadRequest


def is_sent_as_file(part: FilePart, facts: Capabilities) -> bool:
    """Whether the vendor gets a document as it is: a PDF, for a model that reads PDFs."""
    if part.text or part.media_type != PDF or not facts.documents:
        return False
    return part.data is not None or (part.url is not None and facts.urls)


def text_of(part: FilePart) -> str:
    """A document's text. Raises `BadRequest` for one that only a model which reads PDFs can take."""
    if part.text or (part.data is None and part.url is None):
        return part.text
    if part.url is not None:
        raise BadRequest(
            "This model's provider doesn't fetch documents by URL.",
            advice="Send the document's bytes as base64, or its text.",
        )
    raise BadRequest(
        "This model doesn't read PDFs or other documents.",
        advice="Send the document's text, or choose a model that reads PDFs.",
    )
