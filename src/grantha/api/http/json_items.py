"""Reads a large JSON document item by item: only one item of its long list is decoded at a time.

One linear pass finds where the items begin and end, and checks depth and number of values; nothing is
decoded before that. All of it runs in a thread, see `bodies`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grantha.api.http.bodies import parse_json, scan
from grantha.errors import BadRequest

_MAX_VALUES = 4_000_000  # in the whole document
_MAX_ITEMS = 100_000
_MAX_OUTLINE = 64 * 1024  # bytes beside the items
_MAX_ALONE = 16 * 1024 * 1024  # bytes of a document without a list, which is decoded whole
_COMMA, _QUOTE, _LIST = b',"['
_ENDS_OF_ITEMS = b",]}"


class JsonItems:
    """A document that is a list, or an object that has one at `key`."""

    def __init__(self, body: bytes | bytearray, key: str, max_depth: int) -> None:
        """Raises `BadRequest` for what is too deep, too long, or no JSON outside of the items."""
        self._body = body
        self._spans: list[tuple[int, int]] = []
        first, last = self._find(f'"{key}"'.encode(), max_depth)
        outline = body[:first] + body[last:]
        if first == len(body) and len(outline) > _MAX_ALONE:
            raise BadRequest(f"The body has more than {_MAX_ALONE:,} bytes and no list of {key}.")
        if first < len(body) and len(outline) > _MAX_OUTLINE:
            raise BadRequest(
                f"The body has more than {_MAX_OUTLINE:,} bytes beside its list of {key}."
            )
        self.outline: Any = parse_json(outline)  # the document, its list empty if it has one

    def __iter__(self) -> Iterator[Any]:
        """The items, decoded. Raises `BadRequest` for one that isn't JSON."""
        for start, end in self._spans:
            try:
                yield parse_json(self._body[start:end])
            except BadRequest as error:
                raise BadRequest(f"{error.message} (After byte {start}.)") from error

    def _find(self, key: bytes, max_depth: int) -> tuple[int, int]:
        """Where the list's items begin and end; the end of the body twice if it has no list."""
        body = self._body
        level = 0  # the depth of the list, 0 before it was found
        first = start = len(body)
        name = len(body)  # where the last name or text of the document itself begins
        for at, sign, depth in scan(body, max_depth, _MAX_VALUES):
            if level:
                if depth == level and sign in _ENDS_OF_ITEMS:
                    if sign == _COMMA or self._spans or body[start:at].strip():
                        self._add(start, at)
                    start = at + 1
                    if sign != _COMMA:
                        return first, at
            elif sign == _LIST and (depth == 1 or (depth == 2 and body.startswith(key, name))):
                level, first, start = depth, at + 1, at + 1
            elif sign == _QUOTE and depth == 1:
                name = at
        if level:
            raise BadRequest("The body isn't JSON: its list has no end.")
        return first, first

    def _add(self, start: int, end: int) -> None:
        if len(self._spans) >= _MAX_ITEMS:
            raise BadRequest(f"The body has more than {_MAX_ITEMS} items.")
        self._spans.append((start, end))
