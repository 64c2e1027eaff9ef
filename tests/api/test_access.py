"""Who may call: hosts, origins, fetch metadata, tokens, cookies, cross-origin rules."""

import http.client
import json
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from grantha.api.logins import COOKIE
from tests.api.conftest import TOKEN, until_listening
from tests.server import DEADLINE, MakeServer, Server

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def _raw(
    server: Server, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """A request with exactly these headers, `Host` included or left out."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def _own(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


# ---- hosts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]"]
)
@pytest.mark.parametrize("path", ["/", "/api/conversations", "/healthz"])
def test_a_name_that_was_rebound_to_this_machine_is_refused(
    shared: Server, host: str, path: str
) -> None:
    status, headers, body = _raw(shared, "GET", path, [("Host", host)])
    assert status == 403
    assert headers["content-type"] == "application/problem+json"
    assert "GRANTHA_ALLOWED_HOSTS" in json.loads(body)["advice"]


@pytest.mark.parametrize(
    "hosts",
    [
        [""],
        ["x" * 300],
        ["localhost:1@evil.example"],
        ["evil.example@localhost"],
        ["localhost, evil.example"],
        ["localhost/evil"],
        ["localhost:80:80"],
        ["[::1"],
        ["::1"],
        ["localhost", "evil.example"],
        ["localhost", "localhost"],
        [],
    ],
)
def test_a_host_that_two_programs_could_read_differently_is_refused(
    shared: Server, hosts: list[str]
) -> None:
    status, headers, body = _raw(shared, "GET", "/healthz", [("Host", host) for host in hosts])
    assert status == 400
    assert headers["content-type"] == "application/problem+json"
    assert "Host" in json.loads(body)["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_the_machine_s_own_names_are_ours(shared: Server, host: str) -> None:
    for name in (host, f"{host}:{shared.port}"):
        assert _raw(shared, "GET", "/healthz", [("Host", name)])[0] == 200


def test_a_further_name_can_be_allowed(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_ALLOWED_HOSTS": "chat.example,other.example"}).start()
    for host, status in (("chat.example", 200), ("other.example:80", 200), ("evil.example", 403)):
        assert _raw(server, "GET", "/healthz", [("Host", host)])[0] == status
    same = [("Host", "chat.example"), ("Origin", "http://chat.example")]
    assert _raw(server, "GET", "/api/models", same)[0] == 200


# ---- origins ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost:1", "null", "file://", "http://[", "", "*"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "OPTIONS"])
def test_a_page_of_another_origin_may_not_call(shared: Server, origin: str, method: str) -> None:
    headers = [("Host", _own(shared)), ("Origin", origin), ("Content-Type", "application/json")]
    status, found, _ = _raw(shared, method, "/api/conversations", headers, b"{}")
    assert status == 403
    assert "access-control-allow-origin" not in found


def test_the_page_of_this_server_may_call(shared: Server) -> None:
    own = [("Host", _own(shared)), ("Origin", f"http://{_own(shared)}")]
    for extra in ([], [("Sec-Fetch-Site", "same-origin")]):
        json_body = [*own, *extra, ("Content-Type", "application/json")]
        assert _raw(shared, "POST", "/api/conversations", json_body, b"{}")[0] == 201


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_without_an_origin_the_browser_s_own_word_decides(shared: Server, site: str) -> None:
    host, foreign = ("Host", _own(shared)), ("Sec-Fetch-Site", site)
    form = ("Content-Type", "application/x-www-form-urlencoded")
    assert _raw(shared, "POST", "/api/conversations", [host, foreign, form], b"a=b")[0] == 403
    assert _raw(shared, "GET", "/api/conversations", [host, foreign])[0] == 403
    image = ("Sec-Fetch-Mode", "no-cors")
    assert _raw(shared, "GET", "/", [host, foreign, image])[0] == 403
    link = ("Sec-Fetch-Mode", "navigate")
    assert _raw(shared, "GET", "/api/conversations", [host, foreign, link])[0] == 403
    assert _raw(shared, "GET", "/c/c_x", [host, foreign, link])[0] == 200


@pytest.mark.parametrize("path", ["/api/live", "/ws/chat"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_foreign_page_gets_no_socket(
    shared: Server, path: str, headers: dict[str, str]
) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(shared.ws_url + path, headers=headers)
    assert refused.value.status == 403


# ---- cross-origin allow-list --------------------------------------------------------------------


def test_an_allowed_origin_may_call_and_read_the_reply(guarded: Server) -> None:
    friend = ("Origin", "https://friend.example")
    host = ("Host", _own(guarded))
    status, headers, _ = _raw(
        guarded,
        "OPTIONS",
        "/api/conversations",
        [
            host,
            friend,
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,content-type,idempotency-key"),
        ],
    )
    assert status == 200
    assert headers["access-control-allow-origin"] == "https://friend.example"
    assert "access-control-allow-credentials" not in headers
    allowed = headers["access-control-allow-headers"].lower()
    assert "idempotency-key" in allowed
    bearer = ("Authorization", BEARER["Authorization"])
    status, headers, _ = _raw(guarded, "GET", "/api/models", [host, friend, bearer])
    assert status == 200
    assert headers["access-control-allow-origin"] == "https://friend.example"
    assert "location" in headers["access-control-expose-headers"].lower()
    status, headers, _ = _raw(guarded, "GET", "/api/models", [host, friend])
    assert status == 401
    assert headers["access-control-allow-origin"] == "https://friend.example"


def test_another_origin_is_not_on_the_list(guarded: Server) -> None:
    host, evil = ("Host", _own(guarded)), ("Origin", "https://evil.example")
    bearer = ("Authorization", BEARER["Authorization"])
    status, headers, _ = _raw(guarded, "GET", "/api/models", [host, evil, bearer])
    assert status == 403
    assert "access-control-allow-origin" not in headers
    ask = ("Access-Control-Request-Method", "POST")
    status, headers, _ = _raw(guarded, "OPTIONS", "/api/models", [host, evil, ask])
    assert status == 400
    assert "access-control-allow-origin" not in headers


# ---- the token ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Cookie": f"grantha_token={TOKEN}"},
        {"Cookie": 'grantha_token="; ;;==,'},
        {"Authorization": "Bearer \xff\xfe"},
    ],
)
def test_a_call_without_the_token_is_refused(guarded: Server, headers: dict[str, str]) -> None:
    pairs = [("Host", _own(guarded)), *headers.items()]
    status, found, body = _raw(guarded, "GET", "/api/conversations", pairs)
    assert status == 401
    assert found["www-authenticate"] == 'Bearer realm="Grantha"'
    assert json.loads(body)["code"] == "unauthorized"
    assert TOKEN not in body.decode()


def test_the_token_never_works_in_an_address(guarded: Server) -> None:
    for name in ("token", "access_token", "key"):
        assert guarded.call("GET", f"/api/conversations?{name}={TOKEN}").status == 401


def test_the_token_is_taken_from_each_header_that_clients_use(guarded: Server) -> None:
    assert guarded.call("GET", "/api/conversations", headers=BEARER).status == 200
    assert guarded.call("GET", "/readyz", headers=BEARER).status == 200
    assert guarded.call("GET", "/v1/models", headers=BEARER).status == 200
    assert guarded.call("GET", "/v1/models", headers={"x-api-key": TOKEN}).status == 200
    assert guarded.call("GET", "/v1beta/models", headers={"x-goog-api-key": TOKEN}).status == 200
    refused = guarded.call("GET", f"/v1beta/models?key={TOKEN}").expect(401)
    assert refused["error"]["status"] == "UNAUTHENTICATED"


def test_health_and_the_page_s_own_files_need_none(guarded: Server) -> None:
    assert guarded.call("GET", "/healthz").json() == {"status": "ok"}
    for view in ("/", "/c/c_x", "/settings"):
        reply = guarded.call("GET", view)
        assert (reply.status, reply.headers["content-type"][:9]) == (200, "text/html")


async def test_the_page_signs_in_once_and_keeps_a_cookie_that_is_not_the_token(
    guarded: Server,
) -> None:
    async with httpx.AsyncClient(base_url=guarded.url, timeout=DEADLINE, verify=False) as client:
        wrong = await client.post("/api/login", json={"token": "wrong"})
        assert (wrong.status_code, wrong.json()["code"]) == (401, "unauthorized")
        assert "set-cookie" not in wrong.headers
        reply = await client.post("/api/login", json={"token": TOKEN})
        assert reply.status_code == 204
        cookie = reply.headers["set-cookie"]
        assert TOKEN not in cookie
        for mark in ("HttpOnly", "SameSite=strict", "Path=/"):
            assert mark in cookie
        assert (await client.get("/api/conversations")).status_code == 200
        async with (
            aiohttp.ClientSession(cookies=dict(client.cookies)) as session,
            session.ws_connect(f"{guarded.ws_url}/api/live") as socket,
        ):
            assert (await socket.receive_json(timeout=DEADLINE))["type"] == "hello"
        assert (await client.post("/api/logout")).status_code == 204
        assert (await client.get("/api/conversations")).status_code == 401


@pytest.mark.parametrize(
    "other", ['prefs={"a":1}', "bare", "a/b=[1]", 'half="', "=x", "caf\u00e9=1"]
)
def test_cookies_of_other_servers_on_this_host_do_not_sign_the_page_out(
    guarded: Server, other: str
) -> None:
    """Browsers send them all: cookies know no ports."""
    ours = guarded.call("POST", "/api/login", {"token": TOKEN}).headers["set-cookie"]
    ours = ours.partition(";")[0]
    assert ours.startswith(f"{COOKIE}=")
    for sent in (f"{other}; {ours}", f"{ours}; {other}"):
        assert guarded.call("GET", "/api/conversations", None, {"Cookie": sent}).status == 200
    assert guarded.call("GET", "/api/conversations", None, {"Cookie": other}).status == 401


async def test_a_socket_needs_the_token_too(guarded: Server) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/api/live", "/ws/chat"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(guarded.ws_url + path)
            assert refused.value.status == 401
            async with session.ws_connect(guarded.ws_url + path, headers=BEARER) as socket:
                await socket.close()


# ---- headers of the page ------------------------------------------------------------------------


def test_every_reply_tells_browsers_to_be_strict(shared: Server) -> None:
    for path in ("/", "/api/models", "/api/nothing", "/healthz"):
        headers = shared.call("GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"


def test_the_page_runs_no_script_but_its_own(shared: Server) -> None:
    reply = shared.call("GET", "/")
    rules = dict(
        part.strip().partition(" ")[::2]
        for part in reply.headers["content-security-policy"].split(";")
    )
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert "<script>" not in reply.body.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/..%2f..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/app.py",
        "/_app/../../api/app.py",
        "//etc/passwd",
        "/_app/%00",
        "/%ff%fe",
        "/" + "a" * 5000,
        "/" + "a/" * 2000,
        "/..\\..\\app.py",
    ],
)
def test_no_path_leads_out_of_the_page_s_folder(shared: Server, path: str) -> None:
    status, _, body = _raw(shared, "GET", path, [("Host", _own(shared))])
    assert status == 404 or (status, body) == (200, shared.call("GET", "/").body)  # the entry point


# ---- secrets ------------------------------------------------------------------------------------


async def test_a_key_never_shows_in_any_reply_or_log(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    key, token = "sk-planted-key-0123456789", "planted-token-0123456789"
    server = server_factory(
        {
            "OPENAI_API_KEY": key,
            "OPENAI_BASE_URL": "http://127.0.0.1:9",
            "GRANTHA_TOKEN": token,
            "GRANTHA_LOG_LEVEL": "debug",
        }
    )
    server.start(ready=False)
    until_listening(server)
    head = {"Authorization": f"Bearer {token}"}
    said: list[str] = []

    def call(method: str, path: str, body: Any = None) -> Any:
        reply = server.call(method, path, body, head)
        said.append(f"{reply.headers} {reply.body.decode()}")
        return reply

    ask = {"messages": [{"role": "user", "content": "hi"}], "provider": "openai", "model": "gpt-x"}
    call("POST", "/chat/completions/stream", ask)
    call("POST", "/chat/completions", ask)
    call("POST", "/v1/chat/completions", {**ask, "model": "openai/gpt-x"})
    call("POST", "/chat/completions", {"token": token, "key": key})
    call("POST", "/api/login", {"token": token + "x"})
    call("POST", "/api/providers/openai/check")
    for path in ("/api/providers", "/api/models", "/readyz", "/metrics", "/openapi.json", "/docs"):
        call("GET", path)
    rows = call("GET", "/api/conversations?origin=all").json()["items"]
    assert rows
    call("GET", f"/api/generations/{rows[0]['generation']}")
    server.terminate()
    said.append(server.output())
    assert any("unreachable" in text for text in said)
    for text in said:
        assert key not in text
        assert token not in text
    for file in server.data_dir.rglob("*"):
        if file.is_file():
            stored = file.read_bytes()
            assert key.encode() not in stored, file
            assert token.encode() not in stored, file
