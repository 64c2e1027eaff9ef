"""Replies that clients don't read: kept for a while and up to a size, then dropped."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from typing_extensions import override

from grantha.api.http.unread_replies import UnreadReplies

MB = 1024 * 1024
SYSTEM = 64 * 1024  # bytes that the system keeps on each side, at most


class Reply(asyncio.Protocol):
    """The server's side of a connection, which sends `size` bytes at once."""

    transport: asyncio.Transport

    def __init__(self, size: int) -> None:
        self._size = size
        self.begun = asyncio.Event()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SYSTEM)
        transport.write(bytes(self._size))
        self.begun.set()


@asynccontextmanager
async def replying(size: int) -> AsyncIterator[tuple[socket.socket, Reply]]:
    """A client that reads what the test lets it read, and the reply that it gets."""
    loop = asyncio.get_running_loop()
    reply = Reply(size)
    server = await loop.create_server(lambda: reply, "127.0.0.1", 0)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SYSTEM)
        client.setblocking(False)
        await loop.sock_connect(client, server.sockets[0].getsockname())
        await reply.begun.wait()
        yield client, reply
    server.close()
    await server.wait_closed()


async def settled(replies: UnreadReplies) -> None:
    """Waits until the system takes no more; looks at the time 0."""
    before = None
    while before != (now := {c: s.unsent for c, s in replies._stalled.items()}) or not now:
        before = now
        await asyncio.sleep(0.05)
        replies.look(0)


async def test_a_client_that_reads_nothing_is_dropped_after_two_minutes() -> None:
    async with replying(MB) as (_client, reply):
        replies = UnreadReplies([reply])
        await settled(replies)
        replies.look(119)
        assert not reply.transport.is_closing()
        replies.look(120)
        assert reply.transport.is_closing()


async def test_a_client_that_reads_slowly_is_left_alone() -> None:
    loop = asyncio.get_running_loop()
    async with replying(4 * MB) as (client, reply):
        replies = UnreadReplies([reply])
        await settled(replies)
        for now in range(100, 1000, 100):
            left = reply.transport.get_write_buffer_size()
            while reply.transport.get_write_buffer_size() == left:
                await loop.sock_recv(client, SYSTEM)
            replies.look(now)
        assert not reply.transport.is_closing()


async def test_while_too_much_waits_the_largest_replies_are_dropped() -> None:
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(replying(n * MB)) for n in (1, 3, 2)]
        small, large, middle = (reply for _client, reply in made)
        replies = UnreadReplies([small, large, middle], most=4 * MB)
        while len(replies._stalled) < 3:
            replies.look(0)
        assert not large.transport.is_closing()  # it may still be read
        await settled(replies)
        replies.look(1)
        assert large.transport.is_closing()
        assert not small.transport.is_closing()
        assert not middle.transport.is_closing()
