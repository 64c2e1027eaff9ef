"""What stands between a page and its server: a real nginx, and a TCP wire that misbehaves on demand.

Both keep a port of their own for the whole test, so that the page's address never changes. Neither
knows anything of the protocol.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
import subprocess
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.server import free_port, until

T = TypeVar("T")
PASSED = """
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
"""
SOCKET = """
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $joined;
"""


class Nginx:
    """One nginx in front of `upstream`, with `rules` for the whole site and `live` for the socket."""

    def __init__(
        self, program: str, folder: Path, upstream: int, *, rules: str = "", live: str = SOCKET
    ) -> None:
        self.port = free_port()
        folder.mkdir()
        config = folder / "nginx.conf"
        config.write_text(_config(folder, self.port, upstream, rules, live), encoding="utf-8")
        self._log = folder / "error.log"
        self.process = subprocess.Popen(
            [program, "-p", str(folder), "-e", str(self._log), "-c", str(config)],
            stdin=subprocess.DEVNULL,
        )
        until(self._listens, "nginx to listen", hint=self.words)

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def words(self) -> str:
        """What nginx complained of."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def close(self) -> None:
        """Ends it, workers and all."""
        self.process.terminate()
        self.process.wait(20)

    def _listens(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"nginx ended with {self.process.returncode}:\n{self.words()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _config(folder: Path, port: int, upstream: int, rules: str, live: str) -> str:
    temporary = "\n".join(
        f"  {kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Started by root, its workers would else belong to a user who may not enter the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 128; }}
http {{
  include /etc/nginx/mime.types;
  access_log off;
{temporary}
  map $http_upgrade $joined {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
{PASSED}{rules}
    }}
    location /api/live {{
      proxy_pass http://127.0.0.1:{upstream};
{PASSED}{live}
    }}
  }}
}}
"""


class Wire:
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
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def stall(self) -> None:
        """From now on no byte comes through, and no connection is closed."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def flow(self) -> None:
        """Everything that was held back goes on."""
        self._loop.call_soon_threadsafe(self._flows.set)

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

    async def _close(self) -> None:
        self._server.close()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sever(self) -> None:
        for writer in self._open:
            self._reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
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
