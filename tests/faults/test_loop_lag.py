"""No body that a client can send holds up the event loop, and with it every stream.

Measured is the processor time of single callbacks of the loop, which other work on the machine
doesn't change.
"""

import asyncio
import base64
import time
from asyncio import events
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from grantha.api.app import create_app
from grantha.api.http.request_timeouts import timeout_protocol_for
from grantha.api.http.socket_protocol import SocketProtocol
from grantha.config import Settings
from tests.faults.web_sockets import connected

SIZE = 8 * 1024 * 1024 - 100
MAX_LAG = 0.05  # seconds of processor time a callback
HEAD = b'{"model":"scripted/hello","max_tokens":5,"messages":'
BODIES = {
    "brackets": b"[" * SIZE,
    "pairs": b"[" + b"[]," * (SIZE // 3) + b"[]]",
    "62 deep": b"[" + (b"[" * 62 + b"]" * 62 + b",") * (SIZE // 125) + b"1]",
    "closed only": b"]" * SIZE,
    "objects": HEAD + b"[" + b"{}," * (SIZE // 4) + b"{}]}",
    "numbers": HEAD + b"[" + b"1," * (SIZE // 3) + b"1]}",
    "fractions": HEAD + b"[" + b"1.5," * (SIZE // 5) + b"1]}",
    "long numbers": HEAD + b"[" + (b"9" * 4000 + b",") * (SIZE // 4100) + b"1]}",
    "too long number": HEAD + b"9" * (SIZE - 100) + b"}",
    "quotes": b'"' * SIZE,
    "escaped quotes": b'"' + b'\\"' * (SIZE // 2),
    "backslashes": b'"' + b"\\" * SIZE,
    "escapes": HEAD + b'[{"role":"user","content":"' + b"\\u0000" * (SIZE // 7) + b'"}]}',
    "spaces": b" " * SIZE,
    "not UTF-8": b"\xff" * SIZE,
    "bad messages": HEAD + b"[" + b"{}," * 60_000 + b"{}]}",
    "bad roles": HEAD + b"[" + b'{"role":"x"},' * 9_000 + b"{}]}",
    "bad parts": HEAD + b'[{"role":"user","content":[' + b"{}," * 60_000 + b"{}]}]}",
    "many messages": HEAD
    + b"["
    + b'{"role":"user","content":"a"},' * 20_000
    + b'{"role":"user","content":"a"}]}',
    "tools": HEAD + b'[{"role":"user","content":"a"}],"tools":[' + b"{}," * 60_000 + b"{}]}",
    "stop": HEAD + b'[{"role":"user","content":"a"}],"stop":[' + b"1," * 60_000 + b"1]}",
    "unknown keys": b"{" + b",".join(b'"%d":1' % n for n in range(60_000)) + b"}",
    "image": HEAD
    + b'[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,'
    + base64.b64encode(b"x" * 4_000_000)
    + b'"}}]}]}',
}
PATHS = [
    "/api/generations",
    "/api/login",
    "/chat/completions",
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/messages",
    "/api/chat",
]


class LoopTime:
    """The longest processor time of one callback of the event loop."""

    def __init__(self) -> None:
        self.longest = 0.0


@pytest.fixture
def loop_time(monkeypatch: pytest.MonkeyPatch) -> LoopTime:
    found = LoopTime()
    run = events.Handle._run

    def timed(handle: events.Handle) -> None:
        began = time.thread_time()
        run(handle)
        found.longest = max(found.longest, time.thread_time() - began)

    monkeypatch.setattr(events.Handle, "_run", timed)
    return found


@asynccontextmanager
async def client_of_app(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The app on the test's own event loop, so that its callbacks can be measured."""
    app = create_app(Settings(data_dir=folder, scripted=True, local_enabled=False, titles=False))
    started = asyncio.Event()
    ended = asyncio.Event()
    messages = iter([{"type": "lifespan.startup"}])

    async def receive() -> dict[str, str]:
        for message in messages:
            return message
        await ended.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message: object) -> None:
        started.set()

    lifespan = asyncio.ensure_future(app({"type": "lifespan"}, receive, send))
    await started.wait()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client
    ended.set()
    await lifespan


async def lag_of(
    client: httpx.AsyncClient, path: str, body: Iterable[bytes], loop_time: LoopTime
) -> float:
    """The longest processor time of a callback while a body is sent, in seconds.

    Slow once may have been a garbage collection, or another program in the processor's caches; slow
    six times is the body.
    """
    chunks = list(body)

    async def sent() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def measure() -> float:
        loop_time.longest = 0.0
        head = {"Content-Type": "application/json", "Idempotency-Key": str(time.monotonic_ns())}
        await client.post(path, content=sent(), headers=head)
        await asyncio.sleep(0)  # this very callback is counted once it has ended
        return loop_time.longest

    lag = await measure()
    return lag if lag <= MAX_LAG else min([await measure() for _ in range(5)])


@pytest.mark.parametrize("name", BODIES)
async def test_no_body_holds_the_loop(name: str, tmp_path: Path, loop_time: LoopTime) -> None:
    async with client_of_app(tmp_path) as client:
        lags = {path: await lag_of(client, path, [BODIES[name]], loop_time) for path in PATHS}
    assert {path: lag for path, lag in lags.items() if lag > MAX_LAG} == {}


CHUNK = 64 * 1024  # bytes that the server hands on at a time
OWN = b'{"format":"grantha","version":1,"conversations":['
TEXT = b'{"id":"%d","parent":null,"role":"user","parts":[{"type":"text","text":"%s"}]}'
IMPORTS = {
    "brackets": b"[" * SIZE,
    "62 deep": b"[" + (b"[" * 60 + b"]" * 60 + b",") * (SIZE // 121) + b"1]",
    "numbers": b"[" + b"1," * (SIZE // 3) + b"1]",
    "one text": OWN + b'{"messages":[' + TEXT % (1, b"x" * (3 * SIZE)) + b"]}]}",
    "a text without an end": OWN + b'"' + b'\\"' * (3 * SIZE // 2),
    "conversations": OWN + b'{"messages":[]},' * 20_000 + b'{"messages":[]}]}',
    "messages": OWN
    + b'{"messages":['
    + b",".join(TEXT % (n, b"x" * 1000) for n in range(SIZE // 1100))
    + b"]}]}",
}


@pytest.mark.parametrize("name", IMPORTS)
async def test_no_import_holds_the_loop(name: str, tmp_path: Path, loop_time: LoopTime) -> None:
    body = IMPORTS[name]
    chunks = [body[at : at + CHUNK] for at in range(0, len(body), CHUNK)]
    async with client_of_app(tmp_path) as client:
        assert await lag_of(client, "/api/import", chunks, loop_time) <= MAX_LAG


# A conversation of many small messages, each an answer to the one before.
SMALL = b'{"id":"%d","parent":%s,"role":"user","parts":[{"type":"text","text":"a \\"word\\""}]}'
LARGE = (
    OWN
    + b'{"leaf":"19999","messages":['
    + b",".join(SMALL % (n, b'"%d"' % (n - 1) if n else b"null") for n in range(20_000))
    + b"]}]}"
)


@pytest.mark.parametrize("path", ["", "/export", "/export?format=markdown"])
async def test_no_large_conversation_holds_the_loop(
    path: str, tmp_path: Path, loop_time: LoopTime
) -> None:
    async with client_of_app(tmp_path) as client:
        made = await client.post("/api/import", content=LARGE)
        [conversation] = made.raise_for_status().json()["conversations"]

        async def measure() -> float:
            loop_time.longest = 0.0
            reply = await client.get(f"/api/conversations/{conversation}{path}")
            assert reply.content.count(b"word") == 20_001  # in the title, too
            await asyncio.sleep(0)  # this very callback is counted once it has ended
            return loop_time.longest

        lag = await measure()
        if lag > MAX_LAG:
            lag = min([await measure() for _ in range(5)])
    assert lag <= MAX_LAG


# ---- sockets -------------------------------------------------------------------------------------

READ = 256 * 1024  # bytes that asyncio reads at once
FRAMES = {
    "empty messages": b"\x81\x80\0\0\0\0",
    "tiny messages": b"\x81\x81\0\0\0\0x",
    "pings": b"\x81\x8f\0\0\0\0" + b'{"type":"ping"}',
    "pings of the protocol": b"\x89\x80\0\0\0\0",
    "fragments": b"\x00\x81\0\0\0\0x",
}


@asynccontextmanager
async def port_of_app(folder: Path) -> AsyncIterator[int]:
    """The app behind uvicorn, on the test's own event loop."""
    config = uvicorn.Config(
        create_app(Settings(data_dir=folder, scripted=True, local_enabled=False, titles=False)),
        port=0,
        http=timeout_protocol_for(10.0, 60.0),
        ws=SocketProtocol,
        log_config=None,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@pytest.mark.parametrize("path", ["/api/live", "/ws/chat"])
@pytest.mark.parametrize("name", FRAMES)
async def test_no_flood_of_small_frames_holds_the_loop(
    name: str, path: str, tmp_path: Path, loop_time: LoopTime
) -> None:
    flood = FRAMES[name] * (READ // len(FRAMES[name]))
    if name == "fragments":
        flood = b"\x01\x80\0\0\0\0" + flood

    def send(port: int) -> None:
        with connected(port, path) as one:
            one.sendall(flood)
            one.sendall(b"\x88\x80\0\0\0\0")  # close
            while one.recv(65536):
                pass

    async def measure() -> float:
        loop_time.longest = 0.0
        await asyncio.to_thread(send, port)
        return loop_time.longest

    async with port_of_app(tmp_path) as port:
        lag = await measure()
        if lag > MAX_LAG:
            lag = min([await measure() for _ in range(5)])
    assert lag <= MAX_LAG
