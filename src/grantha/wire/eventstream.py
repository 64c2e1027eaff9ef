"""Amazon's binary event stream (`application/vnd.amazon.eventstream`): framing and checksums only.

A message is, big-endian: total length (4), length of the headers (4), CRC-32 of these eight bytes
(4), headers, payload, CRC-32 of everything before (4). A header is: length of its name (1), name,
type (1), value. A damaged message raises; what follows it can't be trusted.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

LIMIT = 16 * 1024 * 1024
_PRELUDE = struct.Struct(">III")
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # bytes of a value by its type
_BYTES, _STRING = 6, 7  # types whose value has its length before it


class DamagedMessage(ValueError):
    """A checksum doesn't match, or a length is impossible."""


@dataclass(frozen=True, slots=True)
class EventStreamMessage:
    """One message. Only headers that are text are kept."""

    payload: bytes
    headers: dict[str, str] = field(default_factory=dict)


class EventStreamDecoder:
    """Bytes as they come to whole messages."""

    __slots__ = ("_buffer", "_damage")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._damage: DamagedMessage | None = None

    def feed(self, chunk: bytes) -> list[EventStreamMessage]:
        """Messages completed by this chunk. Raises `DamagedMessage` once all whole ones were given."""
        if self._damage is not None:
            raise self._damage
        self._buffer += chunk
        frames: list[EventStreamMessage] = []
        try:
            while (frame := self._next()) is not None:
                frames.append(frame)
        except DamagedMessage as error:
            if not frames:
                raise
            self._damage = error
        return frames

    def finish(self) -> list[EventStreamMessage]:
        """Always empty: an incomplete frame holds no payload. Raises `DamagedMessage` for one."""
        if self._damage is not None:
            raise self._damage
        return []

    def _next(self) -> EventStreamMessage | None:
        if len(self._buffer) < _PRELUDE.size:
            return None
        total, size, crc = _PRELUDE.unpack_from(self._buffer)
        if zlib.crc32(self._buffer[:8]) != crc:
            raise DamagedMessage("The checksum of a frame's prelude doesn't match")
        if not 16 + size <= total <= LIMIT:
            raise DamagedMessage("A frame's length is impossible")
        if len(self._buffer) < total:
            return None
        message = bytes(self._buffer[:total])
        del self._buffer[:total]
        return _message(message, size)


def encode(payload: bytes, headers: dict[str, str]) -> bytes:
    """One message with text headers."""
    head = b"".join(
        struct.pack(">B", len(name.encode()))
        + name.encode()
        + struct.pack(">BH", _STRING, len(value.encode()))
        + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _message(message: bytes, size: int) -> EventStreamMessage:
    (crc,) = struct.unpack_from(">I", message, len(message) - 4)
    if zlib.crc32(message[:-4]) != crc:
        raise DamagedMessage("The checksum of a frame doesn't match")
    try:
        headers = _headers(message[12 : 12 + size])
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise DamagedMessage("A frame's headers can't be read") from error
    return EventStreamMessage(message[12 + size : -4], headers)


def _headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at = 0
    while at < len(block):
        end = at + 1 + block[at]
        name = block[at + 1 : end].decode()
        kind = block[end]
        at = end + 1
        if kind in {_BYTES, _STRING}:
            (length,) = struct.unpack_from(">H", block, at)
            at += 2
            if kind == _STRING:
                headers[name] = block[at : at + length].decode()
            at += length
        elif kind in _SIZES:
            at += _SIZES[kind]
        else:
            raise DamagedMessage("A frame's header has an unknown type")
    return headers
