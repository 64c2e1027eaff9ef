"""A bad line between a client and the server: a TCP relay that cuts, swallows and holds back.

What it does is decided for each connection by its first bytes, so a test can harm one transport, or
one request, and leave the others alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """How many bytes of the replies pass before the rest is swallowed, or the line is cut.

    None lets everything pass.
    """

    reply_bytes: int | None = None
    then: str = "cut"  # or "swallow"


WELL = Fault()


class Relay:
    """`judge` gives the harm for a connection from the head of its first request."""

    def __init__(self, port: int, judge: Callable[[bytes], Fault]) -> None:
        self._port = port
        self._judge = judge
        self.requests: list[bytes] = []
        self.url = ""
        self._ends: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        self._ends |= {writer, back}
        back.write(_alone(head))
        tasks = [
            asyncio.create_task(_pass(reader, back, WELL)),
            asyncio.create_task(_pass(there, writer, self._judge(head))),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for end in (writer, back):
                end.close()
            self._ends -= {writer, back}

    def close(self) -> None:
        """Cuts every connection."""
        for end in self._ends:
            end.close()


def _alone(head: bytes) -> bytes:
    """One request a connection: each is judged by its own head."""
    if b"upgrade: websocket" in head.lower():
        return head
    return head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter, harm: Fault) -> None:
    left = harm.reply_bytes
    try:
        while chunk := await source.read(65536):
            if left is None:
                target.write(chunk)
            elif left > 0:
                target.write(chunk[:left])
                left -= len(chunk)
            if left is not None and left <= 0 and harm.then == "cut":
                await target.drain()
                return
            await target.drain()
    except OSError:
        return


@asynccontextmanager
async def relay(port: int, judge: Callable[[bytes], Fault]) -> AsyncIterator[Relay]:
    """A relay in front of a server's port; everything is closed at the end."""
    line = Relay(port, judge)
    serving: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await line.serve(reader, writer)
        finally:
            serving.discard(task)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    host, there = listening.sockets[0].getsockname()
    line.url = f"http://{host}:{there}"
    try:
        yield line
    finally:
        listening.close()
        line.close()
        await asyncio.gather(*serving, return_exceptions=True)
