"""Clients that send slowly, half, too much or nothing don't hurt others."""

import asyncio
import base64
import contextlib
import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect

from tests.api.streams import attached
from tests.server import DEADLINE, MakeServer, Server, until

QUICK = {"GRANTHA_HEADER_TIMEOUT": "1.5", "GRANTHA_BODY_TIMEOUT": "1.5"}


def _connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)


def _answer(connection: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while fragment := connection.recv(65536):
            found += fragment
    return found


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short deadlines."""
    made = Server(tmp_path_factory.mktemp("quick"), QUICK).start()
    yield made
    made.close()


def test_a_connection_that_says_nothing_is_closed(quick: Server) -> None:
    with _connected(quick) as connection:
        assert _answer(connection) == b""


def test_headers_that_never_end_are_cut_off(quick: Server) -> None:
    with _connected(quick) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert _answer(connection) == b""
    with _connected(quick) as connection:
        deadline, closed = time.monotonic() + DEADLINE, False
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            while not closed and time.monotonic() < deadline:
                connection.sendall(b"X-Drop: 1\r\n")
                connection.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    closed = connection.recv(1000) == b""
        except (BrokenPipeError, ConnectionResetError):
            closed = True
        assert closed


def test_headers_of_any_size_are_not_kept(quick: Server) -> None:
    with _connected(quick) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            for _ in range(2000):
                connection.sendall(b"X-Large: " + b"x" * 1000 + b"\r\n")
        assert b"200" not in _answer(connection)[:20]


@pytest.mark.parametrize(
    "headers",
    [
        b"X-Large: " + b"x" * 70_000 + b"\r\n",
        b"X: 1\r\n" * 2_000,
        b"X-Endless: " + b"x" * 2_000_000,
    ],
    ids=["one large", "many small", "one without an end"],
)
def test_large_headers_are_refused_even_when_they_come_at_once(
    shared: Server, headers: bytes
) -> None:
    with _connected(shared) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n")
        assert b"200" not in _answer(connection)[:20]
    target = b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with _connected(shared) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(target)
        assert b"400" in _answer(connection)[:20]


CHUNKED = (
    b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
)


@pytest.mark.parametrize(
    "replaced", [(b"chunked", b"gzip, chunked"), (b"chunked", b"identity"), (b"1.1", b"1.0")]
)
def test_a_body_whose_end_a_proxy_may_see_elsewhere_is_refused(
    shared: Server, replaced: tuple[bytes, bytes]
) -> None:
    with _connected(shared) as connection:
        connection.sendall(CHUNKED.replace(*replaced, 1) + b"\r\n")
        assert b" 400 " in _answer(connection)[:20]


def test_trailers_are_no_headers(shared: Server) -> None:
    with _connected(shared) as connection:
        connection.sendall(CHUNKED + b"Origin: https://evil.example\r\n\r\n")
        assert b" 405 " in _answer(connection)[:20]  # and no 403: it has no origin


@pytest.mark.parametrize("trailer", [b"X: 1\r\n", b"x" * 10_000], ids=["many", "endless"])
def test_trailers_of_any_size_are_not_kept(shared: Server, trailer: bytes) -> None:
    sent, closed = 0, False
    with _connected(shared) as connection:
        connection.sendall(CHUNKED + b"X-First: ")
        while not closed and sent < 100_000_000:
            try:
                connection.sendall(trailer * (100_000 // len(trailer)))
                sent += 100_000
            except (BrokenPipeError, ConnectionResetError):
                closed = True
    assert closed


def test_tiny_chunks_are_no_overhead(shared: Server) -> None:
    body = json.dumps({"password": "x" * 1500}).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = CHUNKED.removesuffix(b"0\r\n").replace(b"/healthz", b"/api/login")
    head = head.replace(b"Host", b"Content-Type: application/json\r\nHost")
    with _connected(shared) as connection:
        connection.sendall(head + chunks)
        assert b"problem+json" in _answer(connection)


def test_a_body_that_never_ends_gets_a_408(quick: Server) -> None:
    head = (
        b"POST /chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    with _connected(quick) as connection:
        connection.sendall(head)
        reply = _answer(connection)
    status, _, rest = reply.partition(b"\r\n")
    assert status == b"HTTP/1.1 408 Request Timeout"
    assert b"connection: close" in rest.lower()
    assert json.loads(rest.partition(b"\r\n\r\n")[2])["code"] == "too_slow"


def test_a_second_request_on_a_connection_has_its_own_deadline(quick: Server) -> None:
    with _connected(quick) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = b""
        while not first.endswith(b'{"status":"ok"}'):
            first += connection.recv(65536)
        assert first.startswith(b"HTTP/1.1 200")
        connection.sendall(b"\r\n")  # a byte that begins nothing keeps nothing open
        assert _answer(connection) == b""


def test_a_client_that_leaves_in_mid_body_leaves_nothing_behind(quick: Server) -> None:
    head = (
        b"POST /chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        b'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"messages":'
    )
    path = "/api/conversations?origin=all"
    before = quick.call("GET", path).expect(200)["items"]
    for _ in range(20):
        with _connected(quick) as connection:
            connection.sendall(head)
    assert quick.call("GET", path).expect(200)["items"] == before
    assert quick.call("GET", "/readyz").status == 200
    assert "Traceback" not in quick.output()
    assert "failed unexpectedly" not in quick.output()


async def test_a_long_answer_outlives_every_deadline_of_requests(quick: Server) -> None:
    made = quick.ask("scripted/count-150-at-60")  # 2.5 s
    async with (
        httpx.AsyncClient(base_url=quick.url, verify=False, timeout=DEADLINE) as client,
        attached(client, made["id"]) as stream,
    ):
        frames = await stream.frames()
    assert frames[-1]["kind"] == "generation-end"


def test_a_thousand_idle_connections_hurt_nobody(server_factory: MakeServer) -> None:
    server = server_factory().start()
    with contextlib.ExitStack() as idle:
        for n in range(1000):
            connection = idle.enter_context(_connected(server))
            if n % 2:
                connection.sendall(b"POST /chat/completions HTTP/1.1\r\nHost: loc")
        made = server.ask("scripted/count-20")
        assert server.ended(made["id"])["status"] == "done"
        assert server.call("GET", "/readyz").status == 200


def test_more_connections_than_allowed_are_turned_away(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_MAX_CONNECTIONS": "20"}).start()
    with contextlib.ExitStack() as held:
        for _ in range(30):
            held.enter_context(_connected(server))
        until(lambda: server.call("GET", "/healthz").status == 503, "a refusal")
    until(lambda: server.call("GET", "/healthz").status == 200, "room again")


async def test_more_readers_than_allowed_get_a_busy_error(
    server_factory: MakeServer,
) -> None:
    server = server_factory({"GRANTHA_MAX_READERS": "3"}).start()
    made = server.ask("scripted/silent")
    async with (
        httpx.AsyncClient(base_url=server.url, verify=False, timeout=DEADLINE) as client,
        contextlib.AsyncExitStack() as held,
    ):
        for _ in range(3):
            await held.enter_async_context(attached(client, made["id"]))
        path = f"/api/generations/{made['id']}/events"
        reply = await client.get(path)
        assert (reply.status_code, reply.json()["code"]) == (503, "busy")
        assert reply.json()["retryable"] is True
        body = {"messages": [{"role": "user", "content": "hi"}], "model": "scripted/count-3"}
        reply = await client.post("/chat/completions/stream", json=body)
        assert reply.status_code == 503
        location = reply.headers["location"].removesuffix("/events")
        assert server.ended(location.rpartition("/")[2])["text"] == "w0 w1 w2 "

        async def room() -> bool:
            return (
                await client.get(path, headers={"Accept": "application/json"})
            ).status_code == 200

        assert await room()  # a catch-up reads nothing for long, and isn't limited
    await _until_free(server, made["id"])


async def _until_free(server: Server, generation: str) -> None:
    end = time.monotonic() + DEADLINE
    async with httpx.AsyncClient(base_url=server.url, verify=False, timeout=DEADLINE) as client:
        while True:
            path = f"/api/generations/{generation}/events"
            async with client.stream("GET", path) as reply:
                if reply.status_code == 200:
                    return
            assert time.monotonic() < end, "a reader that left still counts"
            await asyncio.sleep(0.01)


def test_pipelined_requests_are_all_answered(shared: Server) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with _connected(shared) as connection:
        connection.sendall(request * 5 + last)
        assert _answer(connection).count(b"HTTP/1.1 200") == 6


def test_more_pipelined_requests_than_may_wait_close_the_connection(shared: Server) -> None:
    request = b"GET /api/conversations HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with _connected(shared) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request * 100_000)
        assert _answer(connection).count(b"HTTP/1.1 200") <= 65
    assert shared.call("GET", "/readyz").status == 200


def test_what_is_no_http_is_refused(shared: Server) -> None:
    for junk in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 9 + b"X\r\n\r\n",
    ):
        with _connected(shared) as connection:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            assert b" 200 " not in _answer(connection)[:20]
    assert shared.call("GET", "/readyz").status == 200


@pytest.mark.parametrize(
    ("line", "headers"),
    [
        ("POST /ws/chat", ""),
        ("BREW /ws/chat", ""),
        ("GET /ws/chat", "Content-Length: 5\r\n"),
        ("GET /ws/chat", "Transfer-Encoding: chunked\r\n"),
        ("GET /ws/chat?" + "x" * 20_000, ""),
        ("GET /ws/chat", "X: 1\r\n" * 300),
        ("GET /ws/chat", "X: " + "y" * 20_000 + "\r\n"),
    ],
    ids=["post", "unknown method", "body", "chunks", "address", "many headers", "long header"],
)
def test_an_upgrade_that_is_no_handshake_is_answered_and_closed(
    shared: Server, line: str, headers: str
) -> None:
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    with _connected(shared) as connection:
        connection.sendall(
            f"{line} HTTP/1.1\r\nHost: localhost\r\n{upgrade}"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n".encode()
        )
        assert b" 400 " in _answer(connection)[:20]


def test_only_so_many_messages_wait_on_a_socket(server_factory: MakeServer) -> None:
    server = server_factory().start()
    question = {"messages": [{"role": "user", "content": "hi"}], "model": "scripted/silent"}
    with connect(f"{server.ws_url}/ws/chat", open_timeout=DEADLINE) as ws:
        for _ in range(18):  # one is being answered, sixteen wait
            ws.send(json.dumps(question))
        while "error" not in (line := json.loads(ws.recv(timeout=DEADLINE))):
            pass
    assert line["error"]["code"] == "busy"


@pytest.mark.parametrize(("size", "code"), [(4096, "bad_request"), (4097, "too_large")])
def test_a_login_takes_four_kilobytes(shared: Server, size: int, code: str) -> None:
    reply = shared.call("POST", "/api/login", {"password": "x" * (size - len('{"password": ""}'))})
    assert reply.json()["code"] == code


def test_a_large_image_is_refused(shared: Server) -> None:
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(5 * 1024 * 1024 + 100)).decode()
    parts = [{"type": "image", "media_type": "image/png", "data": data}]
    path = f"/api/conversations/{shared.conversation()}/generations"
    reply = shared.call("POST", path, {"parts": parts, "model": "scripted/hello"})
    assert (reply.status, reply.json()["code"]) == (413, "too_large")
