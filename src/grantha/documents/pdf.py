"""PDF files: the text of each page below its number, by PDFium."""

from __future__ import annotations

import pypdfium2  # type: ignore[import-untyped]

from grantha.documents.document_text import Unreadable
from grantha.documents.text_buffer import TextBuffer

_LOCKED = pypdfium2.raw.FPDF_ERR_PASSWORD


def read_pdf(data: bytes, text: TextBuffer) -> int:
    """The number of pages. Raises `Unreadable` for a PDF with a password."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise Unreadable("locked" if error.err_code == _LOCKED else "damaged") from error
    for number in range(len(document)):
        if text.full:
            break
        page = document[number]
        text.add(page.get_textpage().get_text_range(), f"[Page {number + 1}]")
    return len(document)
