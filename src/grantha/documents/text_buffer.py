"""Collects a document's text up to a number of characters."""

from __future__ import annotations

import re

# NUL and halves of surrogate pairs can't be stored; the rest is what parsers leave of fonts and fields.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_BLANK_LINES = re.compile(r"\n{3,}")


class TextBuffer:
    """Blocks of text, a blank line between each two."""

    def __init__(self, max_characters: int) -> None:
        self.full = False  # more was added than there is room for
        self.has_words = False  # besides headings
        self._room = max_characters
        self._blocks: list[str] = []

    @property
    def value(self) -> str:
        """All of it."""
        return "\n\n".join(self._blocks)

    def add(self, block: str, heading: str = "") -> None:
        """Adds a block below its heading; a heading alone is no word of the document."""
        clean = _NO_TEXT.sub("", block.replace("\r\n", "\n").replace("\r", "\n"))
        clean = _BLANK_LINES.sub(
            "\n\n", "\n".join(line.rstrip() for line in clean.split("\n"))
        ).strip()
        self.has_words = self.has_words or bool(clean)
        whole = "\n\n".join(part for part in (heading, clean) if part)
        if not whole or self.full:
            return
        self.full = len(whole) > self._room
        self._blocks.append(whole[: self._room])
        self._room -= len(whole) + 2
        if self._room <= 0:
            self.full = True
