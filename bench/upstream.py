"""A model host that is faster than what it measures: OpenAI Chat Completions, streamed.

The model's name says what to send: `n100-r20` is 100 tokens at 20 a second, `n100-r0` the same as fast
as the reader takes them. Token i is `w<i> `, or `w<i>@<microseconds> ` when paced, stamped with the
monotonic clock that all processes of a machine share. So each token can be checked for order, loss and
doubling, and its delay measured. Bytes of unpaced answers are built once and kept.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import signal
import sys
import time

import uvloop

from bench.machine import most_files

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
LISTING = b'{"object":"list","data":[{"id":"n5-r0","object":"model"}]}'
_WANTED = re.compile(rb'"model":\s*"n(\d+)-r(\d+)"')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_BLOCK = 32 * 1024


def _event(delta: bytes, finish: bytes = b"null") -> bytes:
    body = (
        b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
        b'"model":"bench","choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n'
        % (delta, finish)
    )
    return _chunk(body)


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _tail(count: int) -> bytes:
    usage = (
        b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,'
        b'"model":"bench","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":%d,'
        b'"total_tokens":%d}}\n\n' % (count, count + 5)
    )
    return _event(b"{}", b'"stop"') + _chunk(usage) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


_FIRST = _event(b'{"role":"assistant","content":""}')


@functools.lru_cache(maxsize=16)
def _blocks(count: int) -> list[bytes]:
    """An unpaced answer in chunks of about 32 kB."""
    blocks, block, size = [], [HEAD, _FIRST], 0
    for number in range(count):
        block.append(_event(b'{"content":"w%d "}' % number))
        size += len(block[-1])
        if size >= _BLOCK:
            blocks.append(b"".join(block))
            block, size = [], 0
    return [*blocks, b"".join([*block, _tail(count)])]


class Answering(asyncio.Protocol):
    """One connection: reads a request, sends its answer, reads the next."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._blocks: list[bytes] = []
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._number = self._count = self._rate = 0
        self._began = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def connection_lost(self, _exc: Exception | None) -> None:
        self._blocks = []
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(body) < (int(length[1]) if length else 0):
            return
        self._buffer = b""
        wanted = _WANTED.search(body)
        if wanted is None:
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(LISTING), LISTING)
            )
            return
        self._count, self._rate = int(wanted[1]), int(wanted[2])
        if self._rate:
            self._transport.write(HEAD + _FIRST)
            self._began, self._number = self._loop.time(), 0
            self._next()
        else:
            self._blocks = _blocks(self._count)[::-1]
            self._pour()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._pour()

    def _pour(self) -> None:
        if self._blocks and not self._paused and not self._transport.is_closing():
            self._transport.write(self._blocks.pop())
            self._loop.call_soon(self._pour)

    def _next(self) -> None:
        stamp = time.monotonic_ns() // 1000
        token = _event(b'{"content":"w%d@%d "}' % (self._number, stamp))
        self._number += 1
        if self._number == self._count:
            self._timer = None
            self._transport.write(token + _tail(self._count))
            return
        self._transport.write(token)
        due = self._began + self._number / self._rate
        self._timer = self._loop.call_at(due, self._next)


async def serve() -> None:
    """Serves until SIGTERM, or until its parent process is gone; prints its port first."""
    most_files()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    parent = os.getppid()
    while os.getppid() == parent:
        try:
            await asyncio.wait_for(stopped.wait(), 1.0)
            return
        except TimeoutError:
            continue


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
    sys.exit(0)
