"""Images of other hosts: fetched by the server, bounded, and without a way into private networks."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from grantha.api.http.request_timeouts import ABORT
from grantha.api.remote_images import MAX_SIZE, RemoteImages
from grantha.api.routes.remote_images import ImageResponse
from grantha.errors import Busy, TimedOut
from tests.api.conftest import TOKEN, until_listening
from tests.image_host import PNG, ImageHost, Reply, serving_images
from tests.server import HttpReply, MakeServer, Server, until

HERE = {"GRANTHA_IMAGE_NETWORKS": "127.0.0.1"}
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
CONCURRENT, WAITING = 4, 60


@pytest.fixture
def host() -> Iterator[ImageHost]:
    with serving_images() as made:
        yield made


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may load images from 127.0.0.1, and has a password for it that it must not send."""
    home = tmp_path_factory.mktemp("home")
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (home / ".netrc").chmod(0o600)
    server = Server(tmp_path_factory.mktemp("images"), {**HERE, "HOME": str(home)}).start()
    yield server
    server.close()


def load(server: Server, url: str, **headers: str) -> HttpReply:
    return server.call("GET", f"/api/remote-images?url={quote(url, safe='')}", None, headers)


def test_an_image_has_the_type_of_its_bytes_and_can_run_nothing(
    allowing: Server, host: ImageHost
) -> None:
    host.replies["/a.html"] = Reply(JPEG, headers={"Content-Type": "text/html"})
    reply = load(allowing, f"{host.url}/a.html")
    assert (reply.status, reply.body) == (200, JPEG)
    assert reply.headers["content-type"] == "image/jpeg"
    assert reply.headers["content-length"] == str(len(JPEG))
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert reply.headers["cache-control"] == "private, max-age=86400"
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"


def test_nothing_of_the_caller_or_of_the_machine_is_sent(allowing: Server, host: ImageHost) -> None:
    cookie = {"Set-Cookie": "seen=1; Path=/"}
    host.replies["/first"] = Reply(b"", 302, {**cookie, "Location": "/second"})
    headers = {"Cookie": "mine=1", "Referer": "http://x/", "User-Agent": "me", "Accept": "a/b"}
    assert load(allowing, f"{host.url}/first#fragment", **headers).status == 200
    assert host.paths == ["/first", "/second"]
    for _, sent in host.requests:
        assert sent == {
            "host": f"127.0.0.1:{host.port}",
            "user-agent": "grantha",
            "accept": "image/png, image/jpeg, image/gif, image/webp",
            "accept-encoding": "identity",
        }


@pytest.mark.parametrize(
    "place",
    [
        "127.0.0.1", "localhost", "[::1]", "127.1", "0x7f000001", "2130706433", "017700000001", "0.0.0.0",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "[::127.0.0.1]", "127.0.0.1.",
        "169.254.169.254", "10.0.0.1", "[fd00::1]", "[fe80::1]", "[64:ff9b:1::a00:1]",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_however_they_are_written(
    shared: Server, host: ImageHost, place: str
) -> None:
    reply = load(shared, f"http://{place}:{host.port}/x.png")
    assert reply.status in {400, 403}, reply.body
    if reply.status == 403:
        assert "GRANTHA_IMAGE_NETWORKS" in reply.json()["advice"]
    assert host.requests == []


def test_a_redirect_into_a_private_network_is_refused(allowing: Server, host: ImageHost) -> None:
    with serving_images("127.0.0.2") as private:
        host.replies["/x"] = Reply(b"", 302, {"Location": f"{private.url}/x.png"})
        reply = load(allowing, f"{host.url}/x")
        assert (reply.status, reply.json()["code"]) == (403, "forbidden")
        assert (host.paths, private.paths) == (["/x"], [])


@pytest.mark.parametrize(
    "location",
    ["/x", "file:///etc/passwd", "ftp://127.0.0.1/", "http://me:secret@127.0.0.1/", "http://[::1"],
)
def test_a_redirect_that_leads_nowhere_is_an_error(
    allowing: Server, host: ImageHost, location: str
) -> None:
    host.replies["/x"] = Reply(b"", 302, {"Location": location})
    reply = load(allowing, f"{host.url}/x")
    assert (reply.status, reply.json()["code"]) == (502, "malformed_reply")
    assert b"secret" not in reply.body
    assert len(host.requests) == (6 if location == "/x" else 1)


@pytest.mark.parametrize("with_length", [True, False])
def test_a_large_image_is_refused_also_when_its_size_is_not_known(
    allowing: Server, host: ImageHost, with_length: bool
) -> None:
    host.replies["/most"] = Reply(PNG.ljust(MAX_SIZE, b"\0"), with_length=with_length)
    assert len(load(allowing, f"{host.url}/most").body) == MAX_SIZE
    host.replies["/more"] = Reply(PNG.ljust(MAX_SIZE + 1, b"\0"), with_length=with_length)
    reply = load(allowing, f"{host.url}/more")
    assert (reply.status, reply.json()["code"]) == (413, "too_large")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b""),
        Reply(b"<html></html>".ljust(2000), headers={"Content-Type": "image/png"}),
        Reply(SVG, headers={"Content-Type": "image/svg+xml"}),
        Reply(b"\n" + PNG, headers={"Content-Type": "image/png"}),
        Reply(gzip.compress(PNG), headers={"Content-Encoding": "gzip"}),
        Reply(PNG, headers={"Content-Encoding": "br"}),
    ],
    ids=["nothing", "a page", "svg", "a blank before", "gzip", "br"],
)
def test_what_is_no_image_is_refused(allowing: Server, host: ImageHost, reply: Reply) -> None:
    host.replies["/x.png"] = reply
    found = load(allowing, f"{host.url}/x.png")
    assert (found.status, found.json()["code"]) == (502, "malformed_reply")
    assert found.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "request_refused"), (404, "request_refused"), (500, "provider_failed")],
)
def test_a_refusal_is_passed_on_as_one_of_its_host(
    allowing: Server, host: ImageHost, status: int, code: str
) -> None:
    host.replies["/x.png"] = Reply(b"no", status, {"WWW-Authenticate": "Basic"})
    reply = load(allowing, f"{host.url}/x.png")
    assert (reply.status, reply.json()["code"]) == (502, code)
    assert f"HTTP {status}" in reply.json()["detail"]
    assert "www-authenticate" not in reply.headers


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "/x.png", "//127.0.0.1/x", "file:///etc/passwd", "data:image/png;base64,AAAA", "http://",
        "http:///x", "ftp://127.0.0.1/", "http://[::1", "http://127.0.0.1:99999/", "http://me@127.0.0.1/",
        "http://me:secret@127.0.0.1/", "http://" + "a" * 5000, "http://a..b/", "http://" + "a" * 70 + "/",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(allowing: Server, url: str) -> None:
    reply = load(allowing, url)
    assert reply.status == 400, reply.body
    assert b"secret" not in reply.body


def test_a_line_break_in_an_address_adds_no_header(allowing: Server, host: ImageHost) -> None:
    load(allowing, f"{host.url}/x.png HTTP/1.1\r\nX-More: 1\r\n\r\n")
    assert all("x-more" not in headers for _, headers in host.requests)


def test_a_host_that_cannot_be_reached_is_named(allowing: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        reply = load(allowing, f"http://127.0.0.1:{unused.getsockname()[1]}/x.png")
    assert (reply.status, reply.json()["code"]) == (502, "unreachable")
    assert "127.0.0.1" in reply.json()["detail"]


def test_images_of_other_sites_pages_are_not_loaded(allowing: Server, host: ImageHost) -> None:
    assert load(allowing, f"{host.url}/x.png", **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert host.requests == []


def test_a_login_is_enough_and_needed(server_factory: MakeServer, host: ImageHost) -> None:
    server = server_factory({**HERE, "GRANTHA_TOKEN": TOKEN})
    server.start(ready=False)
    until_listening(server)
    assert load(server, f"{host.url}/x.png").status == 401
    assert host.requests == []
    login = server.call("POST", "/api/login", {"token": TOKEN})
    cookie = login.headers["set-cookie"].partition(";")[0]
    assert load(server, f"{host.url}/x.png", Cookie=cookie).body == PNG


def test_a_proxy_is_used_for_public_addresses_alone(
    server_factory: MakeServer, host: ImageHost
) -> None:
    proxy = f"http://me:secret@127.0.0.1:{host.port}"
    server = server_factory({"http_proxy": proxy, "no_proxy": ""}).start()
    for private in ("127.0.0.1", "localhost", "10.0.0.1", f"127.0.0.1:{host.port}"):
        assert load(server, f"http://{private}/x.png").status == 403
    assert host.requests == []
    assert load(server, "http://93.184.215.14/x.png").body == PNG
    [(path, headers)] = host.requests
    assert path == "http://93.184.215.14/x.png"
    assert headers["proxy-authorization"].startswith("Basic ")


# ---- slow and many ---------------------------------------------------------------------------------


async def test_what_takes_too_long_is_given_up(host: ImageHost) -> None:
    images = RemoteImages(("127.0.0.1",), fetch_seconds=0.2)
    for _ in range(CONCURRENT + 1):  # each gives its turn back
        with pytest.raises(TimedOut):
            async with images.fetched(f"{host.url}/held"):
                pass
    images.close()


async def test_a_few_are_loaded_at_a_time_some_wait_and_the_rest_is_refused(
    host: ImageHost,
) -> None:
    images = RemoteImages(("127.0.0.1",), fetch_seconds=60.0)

    async def size(number: int) -> int:
        async with images.fetched(f"{host.url}/held/{number}") as image:
            return len(image.data)

    tasks = [asyncio.create_task(size(n)) for n in range(CONCURRENT + WAITING)]
    await asyncio.to_thread(
        until, lambda: len(host.requests) == CONCURRENT, "the first to be requested"
    )
    with pytest.raises(Busy):
        await size(-1)
    assert len(host.requests) == CONCURRENT
    host.open()
    assert await asyncio.gather(*tasks) == [len(PNG)] * len(tasks)
    assert host.most_at_once <= CONCURRENT
    images.close()


def test_a_client_that_leaves_gives_its_turn_back(allowing: Server, host: ImageHost) -> None:
    with ExitStack() as clients:
        for n in range(CONCURRENT):
            made = socket.create_connection(("127.0.0.1", allowing.port))
            clients.enter_context(made)
            path = f"/api/remote-images?url={quote(f'{host.url}/held/{n}', safe='')}"
            made.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        until(lambda: len(host.requests) == CONCURRENT, "all to be loaded")
    assert load(allowing, f"{host.url}/x.png").body == PNG


async def test_a_client_that_does_not_read_is_dropped(host: ImageHost) -> None:
    images = RemoteImages(("127.0.0.1",), fetch_seconds=60.0, send_seconds=0.2)
    app = SimpleNamespace(state=SimpleNamespace(app_state=SimpleNamespace(images=images)))
    dropped = asyncio.Event()
    scope: Any = {"type": "http", "app": app, ABORT: dropped.set}

    async def receive() -> dict[str, str]:
        await dropped.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    for _ in range(CONCURRENT + 1):  # each gives its turn back
        dropped.clear()
        await ImageResponse(f"{host.url}/x.png")(scope, receive, send)
        assert dropped.is_set()
    images.close()
