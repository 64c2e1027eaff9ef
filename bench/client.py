"""A load client that checks every token for order, loss and doubling, and the end of each answer.

One protocol object a stream, bytes compared with what must come next; so the check costs little beside
the socket. Speaks to the fake upstream directly, to nginx before it, and to Grantha by its starting
contract and its native API.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import re
import sys
import time
import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import brotli  # type: ignore[import-untyped]  # it has no types
import httptools

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Api = Literal["openai", "simple", "native"]
Coding = Literal["identity", "gzip", "zstd", "br"]
_DECODERS: dict[Coding, Callable[[], Callable[[bytes], bytes]]] = {
    "identity": lambda: bytes,
    "gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS).decompress,
    "zstd": lambda: zstd.ZstdDecompressor().decompress,
    "br": lambda: brotli.Decompressor().process,
}
_TEXT: dict[Api, re.Pattern[bytes]] = {
    "openai": re.compile(rb'"content":"([^"]*)"'),
    "simple": re.compile(rb'"content": ?"([^"]*)"'),
    "native": re.compile(rb'"kind":"text-delta"[^\n]*?"text":"([^"]*)"'),
}
_END: dict[Api, bytes] = {
    "openai": b"data: [DONE]",
    "simple": b'"done":true',
    "native": b'"kind":"generation-end"',
}
_GOOD_END: dict[Api, bytes] = {
    "openai": b"data: [DONE]",
    "simple": b'"ending":"done"',
    "native": b'"ending":"done"',
}
_STAMPED = re.compile(rb"w(\d+)@(\d+) ")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send a request: a port of this machine, the API behind it, the content coding."""

    name: str
    port: int
    api: Api
    coding: Coding = "identity"


@dataclass(slots=True)
class Outcome:
    """The outcome of one stream. Times in seconds; `delays` in microseconds, one a stamped token."""

    tokens: int = 0
    ttft: float | None = None
    error: str | None = None
    received: int = 0  # bytes of the body, as they were sent
    delays: array[int] = field(default_factory=lambda: array("q"))


@functools.lru_cache(maxsize=8)
def expected_text(count: int) -> bytes:
    """All text of an unpaced answer."""
    return b"".join([b"w%d " % number for number in range(count)])


class Stream(asyncio.Protocol):
    """One request and its answer; `outcome` resolves at the end."""

    def __init__(self, request: bytes, target: Target, count: int, *, stamped: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self.outcome = Outcome()
        self.done: asyncio.Future[Outcome] = self._loop.create_future()
        self._request = request
        self._target = target
        self._pattern, self._end = _TEXT[target.api], _END[target.api]
        self._decode = _DECODERS[target.coding]()
        self._count = count
        self._stamped = stamped
        self._expected = b"" if stamped else expected_text(count)
        self._offset = 0
        self._rest = b""
        self._ended = False
        self._digest = hashlib.sha256() if target.api == "native" else None
        self._parser = httptools.HttpResponseParser(self)
        self._send_once = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._send_once = time.monotonic()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.finish(f"not HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.finish(f"the connection was lost: {exc}")

    # ---- called by the parser

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status not in {200, 201}:
            self.finish(f"HTTP {status}")

    def on_body(self, body: bytes) -> None:
        self.outcome.received += len(body)
        decoded = self._decode(body)
        whole = self._rest + decoded if self._rest else decoded
        cut = whole.rfind(b"\n\n") + 2
        if cut < 2:
            self._rest = whole
            return
        self._rest = whole[cut:]
        blocks = whole[:cut] if self._rest else whole
        text = b"".join(self._pattern.findall(blocks))
        if text:
            self._check(text)
        if self._end in blocks:
            self._check_end(blocks)

    def on_message_complete(self) -> None:
        if not self._ended:
            self.finish("the answer ended without its end")
        elif self.outcome.tokens != self._count:
            self.finish(f"{self.outcome.tokens} tokens of {self._count}")
        else:
            self.finish(None)

    # ---- helpers below

    def _check(self, text: bytes) -> None:
        now = time.monotonic()
        if self.outcome.ttft is None:
            self.outcome.ttft = now - self._send_once
        if self._digest is not None:
            self._digest.update(text)
        if self._stamped:
            self._check_stamped(text, int(now * 1e6))
        elif self._expected.startswith(text, self._offset):
            self._offset += len(text)
            self.outcome.tokens += text.count(b" ")
        else:
            self.finish(f"wrong text after {self.outcome.tokens} tokens: {text[:40]!r}")

    def _check_stamped(self, text: bytes, now: int) -> None:
        outcome = self.outcome
        for number, stamp in _STAMPED.findall(text):
            if int(number) != outcome.tokens:
                self.finish(f"token {int(number)} where {outcome.tokens} should be")
                return
            outcome.tokens += 1
            outcome.delays.append(now - int(stamp))

    def _check_end(self, blocks: bytes) -> None:
        if _GOOD_END[self._target.api] not in blocks:
            self.finish(f"a bad end: {blocks[-300:]!r}")
        if self._digest is not None and self._digest.hexdigest().encode() not in blocks:
            self.finish("the hash of the text is not the end record's")
        self._ended = True

    def finish(self, error: str | None) -> None:
        """Settles the outcome; the first word counts."""
        if not self.done.done():
            self.outcome.error = error
            self.done.set_result(self.outcome)
            self._transport.close()


def request_of(target: Target, count: int, rate: int, conversation: str = "") -> bytes:
    """The bytes of a request for an answer of `count` tokens at `rate` a second (0: unlimited)."""
    model = f"n{count}-r{rate}"
    question = [{"role": "user", "content": "Tell me a joke"}]
    if target.api == "openai":
        path, body = "/v1/chat/completions", {"model": model, "messages": question, "stream": True}
    elif target.api == "simple":
        path = "/chat/completions/stream"
        body = {"messages": question, "model": model, "provider": "openai"}
    else:
        path = f"/api/conversations/{conversation}/generations"
        body = {"text": "Tell me a joke", "model": f"openai/{model}"}
    coding = f"\r\nAccept-Encoding: {target.coding}"
    return http("POST", target.port, path, body, accept=f"text/event-stream{coding}")


def http(method: str, port: int, path: str, body: object = None, accept: str = "*/*") -> bytes:
    """A request as bytes, the connection to be closed by us."""
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: {accept}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def ask(target: Target, count: int, rate: int = 0, timeout: float = 120.0) -> Outcome:
    """One whole answer on a connection of its own."""
    conversation = await new_conversation(target.port) if target.api == "native" else ""
    return await read(target, request_of(target, count, rate, conversation), count, rate, timeout)


async def read(
    target: Target, request: bytes, count: int, rate: int = 0, timeout: float = 120.0
) -> Outcome:
    """Sends a request that is ready and checks its answer."""
    loop = asyncio.get_running_loop()
    try:
        _, stream = await loop.create_connection(
            lambda: Stream(request, target, count, stamped=rate > 0), "127.0.0.1", target.port
        )
    except OSError as error:
        return Outcome(error=f"no connection: {error}")
    try:
        return await asyncio.wait_for(stream.done, timeout)
    except TimeoutError:
        stream.finish("it took too long")
        return stream.outcome


async def many(
    target: Target, streams: int, count: int, rate: int = 0, *, opened_per_s: float = 0
) -> list[Outcome]:
    """Many answers, all at once or opened at a rate; conversations are made beforehand."""
    names = [
        await new_conversation(target.port) if target.api == "native" else ""
        for _ in range(streams)
    ]
    loop = asyncio.get_running_loop()
    began = loop.time()
    tasks = []
    for number, name in enumerate(names):
        if opened_per_s:
            wait = began + number / opened_per_s - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
        request = request_of(target, count, rate, name)
        tasks.append(asyncio.create_task(read(target, request, count, rate)))
    return list(await asyncio.gather(*tasks))


async def new_conversation(port: int) -> str:
    """An empty conversation, by the native API."""
    found = await call_json("POST", port, "/api/conversations", {})
    return str(found["id"])


async def call_json(method: str, port: int, path: str, body: object = None) -> dict[str, object]:
    """A small JSON call. Raises RuntimeError for a refusal."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = http(method, port, path, body, "application/json")
        writer.write(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        whole = await asyncio.wait_for(reader.read(-1), 60)
    finally:
        writer.close()
    head, _, content = whole.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 2"):
        raise RuntimeError(f"{method} {path}: {whole[:300]!r}")
    return dict(json.loads(content)) if content else {}


def failures(outcomes: list[Outcome]) -> list[str]:
    """What went wrong, each kind once with its count."""
    kinds: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.error:
            kinds[outcome.error] = kinds.get(outcome.error, 0) + 1
    return [f"{count} x {kind}" for kind, count in kinds.items()]
