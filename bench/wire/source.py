"""A fake upstream for the wire bench: the same OpenAI stream to everyone, faster than what it measures.

Runs in a process of its own. `/N/events/RATE/...` in the path: N chunks, RATE a second (0: all at once).
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
    """One event of OpenAI's own length."""
    body = {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion.chunk",
        "created": 1741569952,
        "model": "gpt-5-mini-2025-08-07",
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
        "usage": None,
        "obfuscation": "aB3dE5fG",
    }
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def framed(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection."""
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line[:15].lower() == b"content-length:"
            ),
            0,
        )
        await reader.readexactly(length)
        _, count, _, rate = head.split(b" ")[1].split(b"/")[:4]
        writer.write(HEAD)
        await write(writer, int(count), int(rate))
        end = chunk({}, "stop") + b"data: [DONE]\n\n"
        writer.write(framed(end) + b"0\r\n\r\n")
        await writer.drain()


async def write(writer: asyncio.StreamWriter, count: int, rate: int) -> None:
    """The text, one HTTP chunk per token."""
    event = framed(chunk({"content": " token"}))
    if not rate:
        for _ in range(0, count, 50):
            writer.write(event * 50)
            await writer.drain()
        return
    loop = asyncio.get_running_loop()
    started = loop.time()
    for n in range(count):
        due = started + n / rate - loop.time()
        if due > 0:
            await asyncio.sleep(due)
        writer.write(event)


async def main() -> None:
    """Serves until its standard input ends; prints its port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
