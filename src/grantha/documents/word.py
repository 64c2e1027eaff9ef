"""Word files as Markdown: headings, lists, tables, notes."""

from __future__ import annotations

import io

import mammoth  # type: ignore[import-untyped]
from markdownify import ATX, markdownify

from grantha.documents.text_buffer import TextBuffer


def read_word(data: bytes, text: TextBuffer) -> None:
    """Has no pages: Word makes them when it draws."""
    images = mammoth.images.img_element(lambda _image: {})
    html = mammoth.convert_to_html(io.BytesIO(data), convert_image=images).value
    text.add(
        markdownify(
            html,
            heading_style=ATX,
            strip=["img"],
            table_infer_header=True,
            # A model reads text, and would quote the backslashes.
            escape_asterisks=False,
            escape_underscores=False,
            escape_misc=False,
        )
    )
