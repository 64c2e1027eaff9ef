"""Server-Sent Events in both directions: bytes to payloads, payloads to bytes.

Follows the WHATWG HTML standard, section 9.2 (event stream format), with one leniency: what stands
complete at the end of the input counts even if its blank line never came, because several vendors
leave it out after their last event. Knows nothing about payloads. Memory is bounded by
`limit`; any split of the input gives the same payloads.
"""

from __future__ import annotations

from dataclasses import dataclass

LIMIT = 16 * 1024 * 1024  # bytes of one event; the largest known are inline images of a few MiB
_LINE_COST = 8  # bytes: empty lines take memory, too
BOM = b"\xef\xbb\xbf"

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
HEARTBEAT = b":\n\n"


class EventTooLarge(ValueError):
    """One event is larger than the limit."""


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event with all its fields; `id` is None where the event named none."""

    data: bytes
    event: str = ""
    id: str | None = None


class SseDecoder:
    """Bytes as they come off a socket to the payloads of the events they complete."""

    __slots__ = (
        "_data",
        "_event",
        "_fresh",
        "_id",
        "_limit",
        "_rest",
        "_rest_size",
        "_size",
        "_skip",
    )

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._rest: list[bytes] = []  # fragments of an unfinished line, joined only once
        self._rest_size = 0
        self._data: list[bytes] = []
        self._size = 0
        self._event = b""
        self._id: bytes | None = None
        self._skip = False  # the last byte was CR: an LF that follows belongs to it
        self._fresh = True  # no line seen yet: a byte order mark may come first

    def feed(self, chunk: bytes) -> list[bytes]:
        """Payloads (`data`, lines joined by LF) of the events completed. Raises `EventTooLarge`."""
        if (
            chunk[:6] == b"data: "
            and chunk[-2:] == b"\n\n"
            and not (self._rest or self._data or self._fresh or self._skip)
            and chunk.count(b"\n") == 2
            and b"\r" not in chunk
        ):
            return [chunk[6:-2]]  # the usual read while text is written: one event, whole
        payloads: list[bytes] = []
        data = self._data
        for line in self._lines(chunk):
            if not line:
                if data:
                    payloads.append(data[0] if len(data) == 1 else b"\n".join(data))
                    data.clear()
                    self._size = 0
            elif line[:5] == b"data:":
                self._append(line[6:] if line[5:6] == b" " else line[5:])
            elif line == b"data":
                self._append(b"")
        return payloads

    def feed_events(self, chunk: bytes) -> list[SseEvent]:
        """Like `feed`, with the `event` and `id` fields: for clients of our own streams.

        An event with an id and no data is reported too (`data` is empty): it only moves the cursor.
        """
        events: list[SseEvent] = []
        for line in self._lines(chunk):
            if not line:
                if self._data or self._id is not None:
                    events.append(self._event_now())
                self._event = b""
                continue
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                self._append(value)
            elif name == b"event":
                self._event = value
            elif name == b"id" and b"\0" not in value:
                self._id = value
        return events

    def finish(self) -> list[bytes]:
        """The payload of a last event without its blank line, if there is one."""
        payloads = self.feed(b"\n\n")
        self._skip = False
        return payloads

    def _lines(self, chunk: bytes) -> list[bytes]:
        if self._skip and chunk:
            self._skip = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._skip = chunk[-1:] == b"\r"
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = chunk.split(b"\n")
        last = lines.pop()
        if lines:
            if self._rest:
                self._rest.append(lines[0])
                lines[0] = b"".join(self._rest)
                self._rest.clear()
                self._rest_size = 0
            if self._fresh:
                self._fresh = False
                lines[0] = lines[0].removeprefix(BOM)
        if last:
            self._rest.append(last)
            self._rest_size += len(last)
            if self._rest_size > self._limit:
                raise EventTooLarge(f"A line is longer than {self._limit} bytes")
        return lines

    def _append(self, value: bytes) -> None:
        self._size += len(value) + _LINE_COST
        if self._size > self._limit:
            raise EventTooLarge(f"An event is larger than {self._limit} bytes")
        self._data.append(value)

    def _event_now(self) -> SseEvent:
        event = SseEvent(
            b"\n".join(self._data),
            self._event.decode("utf-8", "replace"),
            None if self._id is None else self._id.decode("utf-8", "replace"),
        )
        self._data.clear()
        self._size = 0
        self._id = None
        return event


def encode(data: bytes, *, cursor: bytes = b"", event: bytes = b"") -> bytes:
    """One event, LF only. `data` must hold no CR or LF: JSON as we write it never does."""
    if event:
        head = b"event: %b\n" % event
        return (
            b"id: %b\n%bdata: %b\n\n" % (cursor, head, data)
            if cursor
            else b"%bdata: %b\n\n" % (head, data)
        )
    return b"id: %b\ndata: %b\n\n" % (cursor, data) if cursor else b"data: %b\n\n" % data


def priming(cursor: str, retry_ms: int) -> bytes:
    """The first block of a stream: an id without data, and how long to wait before coming back."""
    return f"id: {cursor}\nretry: {retry_ms}\n\n".encode()
