"""Proxies between the page and its server: a real nginx, and one for TCP that misbehaves on demand.

Both keep a port of their own for the whole test, so that the page's address never changes. Neither
knows anything of the protocol.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.nginx import running_nginx
from tests.server import reserved_port

T = TypeVar("T")
WEBSOCKET = """
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
"""
_PASSED = """
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
"""
_SITE = """
  include /etc/nginx/mime.types;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
{passed}{rules}
    }}
    location /api/live {{
      proxy_pass http://127.0.0.1:{upstream};
{passed}{live}
    }}
  }}
"""


@contextmanager
def nginx_before(
    program: str, folder: Path, upstream: int, *, rules: str = "", live: str = WEBSOCKET
) -> Iterator[str]:
    """Runs an nginx in front of the port `upstream`; gives its URL without a slash at the end.

    `rules` are directives for the whole site, `live` those for the WebSocket's path.
    """
    with reserved_port() as port:
        http = _SITE.format(port=port, upstream=upstream, passed=_PASSED, rules=rules, live=live)
        with running_nginx(program, folder, port, http):
            yield f"http://127.0.0.1:{port}"


class FaultyProxy:
    """A TCP proxy in a thread of its own. How it treats bytes may be changed at any moment.

    `drip` and `cut` touch only what the server sends; a stall holds both directions and keeps the
    connections, as a network does that lost its route.
    """

    def __init__(self, upstream: int, seed: int) -> None:
        self.cuts = 0
        self._upstream = upstream
        self._chance = random.Random(seed)
        self._cuts_left = 0
        self._dripping = False
        self._held = 0.0
        self._open: set[asyncio.StreamWriter] = set()
        self._writers: list[asyncio.StreamWriter] = []  # all there were
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._joined: set[asyncio.Task[None]] = set()  # else they could be collected while they run
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def stall(self) -> None:
        """From now on no byte comes through, and no connection is closed."""
        self._do(self._set(self._flows.clear))

    def flow(self) -> None:
        """Everything that was held back goes on."""
        self._do(self._set(self._flows.set))

    def cut(self, times: int) -> None:
        """Resets so many connections, each after a random number of bytes."""
        self._cuts_left = times

    def sever(self) -> None:
        """Resets every connection that is open now."""
        self._do(self._sever())

    def drip(self) -> None:
        """From now on bytes come in crumbs of one to seven, so every frame is torn somewhere."""
        self._dripping = True

    def hold(self, seconds: float) -> None:
        """From now on an event stream begins at once and then comes in bursts, so far apart."""
        self._held = seconds

    def close(self) -> None:
        """Ends every connection and the thread."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ---- in the thread ---------------------------------------------------------------------------

    def _do(self, job: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(job, self._loop).result(20)

    async def _set(self, change: Callable[[], None]) -> None:
        change()  # and when it returns, the change is in force

    async def _close(self) -> None:
        self._server.close()
        # In rounds: what was being accepted becomes a task of its own.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # Also those whose task was cancelled before it began, and what is still to be written.
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _sever(self) -> None:
        for writer in self._open:
            self._reset(writer)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        task = self._loop.create_task(self._join(reader, writer))
        self._joined.add(task)
        task.add_done_callback(self._joined.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
        self._writers.append(far)
        up = asyncio.create_task(self._up(reader, far))
        down = asyncio.create_task(self._down(far_reader, writer))
        self._open.add(writer)
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._open.discard(writer)
            writer.close()
            far.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while body := await reader.read(65536):
            await self._flows.wait()
            writer.write(body)
            await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left: int | None = None
        events = False
        while body := await reader.read(65536):
            await self._flows.wait()
            # The head alone tells: scripts and descriptions name the type too, and what comes after
            # them on the same connection must not be held.
            if body.startswith(b"HTTP/1.1 "):
                events = b"content-type: text/event-stream" in body.partition(b"\r\n\r\n")[0]
            if self._cuts_left > 0 and left is None:
                self._cuts_left -= 1
                left = self._chance.randrange(1, 600)
            if left is not None and len(body) >= left:
                await self._send(writer, body[:left])
                self._reset(writer)
                return
            if left is not None:
                left -= len(body)
            await self._send(writer, body)
            if events:
                await asyncio.sleep(self._held)  # what comes meanwhile is read at once

    async def _send(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        while self._dripping and body:
            size = self._chance.randrange(1, 8)
            writer.write(body[:size])
            body = body[size:]
            await writer.drain()
            await asyncio.sleep(0)  # the crumb leaves by itself, as a packet of its own
        writer.write(body)
        await writer.drain()

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self.cuts += 1
        if writer.is_closing():
            return
        peer = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
