"""Drops connections whose clients don't read: what is written to them stays in memory until they do.

A client that reads slowly is left alone, however slow it is: what counts is whether the system got rid of
any byte for it. Closing such a connection isn't enough, since that waits for the client as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import struct
import termios
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

MAX_UNREAD = 128 * 1024 * 1024  # bytes that wait for all clients together
STALL_SECONDS = 120.0  # in which a client that is there takes a byte
_INTERVAL = 1.0  # seconds between two looks


class ClientConnection(Protocol):
    """uvicorn's protocols, for HTTP and for WebSockets."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """None before it is connected."""
        ...


@dataclass(slots=True)
class _Stalled:
    """A connection that took nothing since `since`, in seconds of the loop's clock."""

    transport: asyncio.Transport
    unsent: tuple[int, int]
    since: float


class UnreadReplies:
    """Watches `connections`, a set that the server keeps up to date."""

    def __init__(
        self,
        connections: Collection[ClientConnection],
        *,
        most: int = MAX_UNREAD,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._connections = connections
        self._most = most
        self._stall_seconds = stall_seconds
        self._stalled: dict[ClientConnection, _Stalled] = {}

    async def watch(self) -> None:
        """Looks every second, until it is cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL)
            self.look(asyncio.get_running_loop().time())

    def look(self, now: float) -> None:
        """Drops who has taken nothing for too long and, while too much waits, who keeps most of it."""
        before, self._stalled = self._stalled, {}
        sizes: dict[ClientConnection, int] = {}
        for connection in self._connections:
            transport = connection.transport
            size = transport.get_write_buffer_size() if transport is not None else 0
            if transport is None or not size:
                continue
            sizes[connection] = size
            unsent = (size, _in_kernel(transport))
            last = before.get(connection)
            if last is None or last.unsent != unsent:
                last = _Stalled(transport, unsent, now)
            self._stalled[connection] = last
        waiting = sum(sizes.values())
        for connection in sorted(sizes, key=sizes.__getitem__, reverse=True):
            stalled = self._stalled[connection]
            for_now = waiting > self._most and stalled.since < now
            if for_now or now - stalled.since >= self._stall_seconds:
                stalled.transport.abort()
                waiting -= sizes[connection]
                del self._stalled[connection]


def _in_kernel(transport: asyncio.Transport) -> int:
    """Bytes that the system holds for a client; 0 where it doesn't say."""
    size = bytearray(4)
    with contextlib.suppress(OSError):
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, size)
    return int(struct.unpack("i", size)[0])
