"""Newline-delimited JSON, framing only: bytes to lines.

Any split of the input gives the same lines; blank ones are dropped, CRLF is accepted. Memory is
bounded by `limit`.
"""

from __future__ import annotations

LIMIT = 16 * 1024 * 1024


class LineTooLong(ValueError):
    """One line is longer than the limit."""


class LineDecoder:
    """Bytes as they come to the lines they complete, without their ends."""

    __slots__ = ("_limit", "_rest", "_size")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines completed by this chunk. Raises `LineTooLong`."""
        lines = chunk.split(b"\n")
        last = lines.pop()
        if lines and self._rest:
            self._rest.append(lines[0])
            lines[0] = b"".join(self._rest)
            self._rest.clear()
            self._size = 0
        if last:
            self._rest.append(last)
            self._size += len(last)
            if self._size > self._limit:
                raise LineTooLong(f"A line is longer than {self._limit} bytes")
        return [stripped for line in lines if (stripped := line.strip())]

    def finish(self) -> list[bytes]:
        """The last line, if the input ended without its line feed."""
        return self.feed(b"\n")


def encode(payload: bytes) -> bytes:
    """One line."""
    return payload + b"\n"
