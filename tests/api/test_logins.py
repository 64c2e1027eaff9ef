"""Logins of the page: what a cookie opens, and that logging out ends it at once, everywhere."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import httpx
import pytest
from starlette.datastructures import Headers

from grantha.api.access import Access, WrongToken
from grantha.api.logins import COOKIE, LOGIN_SECONDS, MAX_LOGINS, Logins
from grantha.errors import StorageFailed, Unauthorized
from grantha.storage.sql import SqlStore
from tests.api.conftest import TOKEN, until_listening
from tests.server import DEADLINE, MakeServer, Server

ENV = {"GRANTHA_TOKEN": TOKEN, "GRANTHA_TRUSTED_PROXIES": "127.0.0.1"}
SILENT = {"model": "scripted/silent", "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    made = SqlStore(tmp_path, "i_test", "OFF")
    await made.open()
    yield made
    await made.aclose()


# ---- over HTTP ----------------------------------------------------------------------------------


def _login(server: Server) -> dict[str, str]:
    """The header with the cookie of a new login."""
    reply = server.call("POST", "/api/login", {"token": TOKEN})
    assert reply.status == 204
    return {"Cookie": reply.headers["set-cookie"].partition(";")[0]}


def _status(server: Server, cookie: dict[str, str]) -> int:
    return server.call("GET", "/api/conversations", headers=cookie).status


def test_a_logged_out_cookie_is_dead_and_another_login_lives(guarded: Server) -> None:
    first, second = _login(guarded), _login(guarded)
    assert first != second
    assert guarded.call("POST", "/api/logout", headers=first).status == 204
    assert (_status(guarded, first), _status(guarded, second)) == (401, 200)
    assert guarded.call("POST", "/api/logout", headers=first).status == 204  # nothing is left to do


def test_logins_and_logouts_outlive_a_crash(server_factory: MakeServer) -> None:
    server = server_factory(ENV)
    server.start(ready=False)
    until_listening(server)
    out, kept = _login(server), _login(server)
    server.call("POST", "/api/logout", headers=out)
    server.kill()
    server.start(ready=False)
    until_listening(server)
    assert (_status(server, out), _status(server, kept)) == (401, 200)


def test_another_token_ends_every_login(server_factory: MakeServer) -> None:
    server = server_factory(ENV)
    server.start(ready=False)
    until_listening(server)
    cookie = _login(server)
    server.terminate()
    server.env["GRANTHA_TOKEN"] = TOKEN + "-another"
    server.start(ready=False)
    until_listening(server)
    assert _status(server, cookie) == 401


@pytest.mark.parametrize("path", ["/api/live", "/ws/chat"])
async def test_logging_out_closes_the_sockets_of_that_login(guarded: Server, path: str) -> None:
    out, kept = _login(guarded), _login(guarded)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(guarded.ws_url + path, headers=out) as closed,
        session.ws_connect(guarded.ws_url + path, headers=kept) as open_one,
    ):
        assert guarded.call("POST", "/api/logout", headers=out).status == 204
        while (message := await closed.receive(timeout=DEADLINE)).type is aiohttp.WSMsgType.TEXT:
            pass  # what was sent before
        assert (message.type, closed.close_code) == (aiohttp.WSMsgType.CLOSE, 4401)
        await open_one.send_str('{"type": "ping"}' if path == "/api/live" else "{}")
        assert (await open_one.receive(timeout=DEADLINE)).type is aiohttp.WSMsgType.TEXT


@pytest.mark.parametrize("path", ["/chat/completions/stream", "/v1/chat/completions", "events"])
async def test_logging_out_ends_the_streams_of_that_login(guarded: Server, path: str) -> None:
    out, kept = _login(guarded), _login(guarded)
    async with httpx.AsyncClient(base_url=guarded.url, timeout=DEADLINE, verify=False) as client:
        async with (
            _silent_stream(client, path, out) as ending,
            _silent_stream(client, path, kept) as living,
        ):
            assert (ending.status_code, living.status_code) == (200, 200)
            assert guarded.call("POST", "/api/logout", headers=out).status == 204
            async for _ in ending.aiter_raw():
                pass  # it ends: else this would time out
            assert not living.is_closed
        assert _status(guarded, kept) == 200


@asynccontextmanager
async def _silent_stream(
    client: httpx.AsyncClient, path: str, cookie: dict[str, str]
) -> AsyncIterator[httpx.Response]:
    """A stream of an answer that never begins."""
    headers = {**cookie, "Accept": "text/event-stream"}
    if path == "events":
        made = await client.post("/api/conversations", json={}, headers=cookie)
        path = f"/api/conversations/{made.json()['id']}/generations"
        question = {"model": "scripted/silent", "text": "x"}
        made = await client.post(path, json=question, headers=cookie)
        events = f"/api/generations/{made.json()['id']}/events"
        async with client.stream("GET", events, headers=headers) as opened:
            yield opened
    else:
        body = {**SILENT, "stream": True}
        async with client.stream("POST", path, json=body, headers=headers) as opened:
            yield opened


def test_the_cookie_is_taken_back_as_it_was_set_behind_https(server_factory: MakeServer) -> None:
    server = server_factory(ENV)
    server.start(ready=False)
    until_listening(server)
    for scheme, secure in (("https", True), ("http", False)):
        for path, body in (("/api/login", {"token": TOKEN}), ("/api/logout", None)):
            reply = server.call("POST", path, body, {"X-Forwarded-Proto": scheme})
            cookie = reply.headers["set-cookie"].lower()
            assert ("; secure" in cookie) is secure, (path, scheme)
            assert "; httponly" in cookie
            assert "; samesite=strict" in cookie


# ---- the parts ----------------------------------------------------------------------------------


async def test_a_logout_that_the_store_refuses_holds_here_and_can_be_repeated(
    tmp_path: Path, store: SqlStore
) -> None:
    logins = Logins(TOKEN, store)
    cookie = await logins.add()
    login = logins.find(cookie)
    assert login is not None
    await store.aclose()
    with pytest.raises(StorageFailed):
        await logins.end(cookie)
    assert login.ended.is_set()
    assert logins.find(cookie) is None
    await store.open()
    await logins.end(cookie)
    assert await store.logins() == []


async def test_logins_expire_and_are_limited_in_number(store: SqlStore) -> None:
    now = 1_000
    logins = Logins(TOKEN, store, lambda: now)
    expiring = await logins.add()
    now += LOGIN_SECONDS * 1000 - 1
    assert logins.find(expiring) is not None
    now += 1
    assert logins.find(expiring) is None
    cookies = [await logins.add() for _ in range(MAX_LOGINS + 1)]
    assert len(await store.logins()) == MAX_LOGINS
    assert logins.find(cookies[0]) is None
    assert all(logins.find(cookie) for cookie in cookies[1:])


async def test_the_store_holds_neither_cookie_nor_token(tmp_path: Path, store: SqlStore) -> None:
    cookie = await Logins(TOKEN, store).add()
    stored = _bytes_in(tmp_path)
    assert b"logins" in stored
    assert cookie.encode() not in stored
    assert TOKEN.encode() not in stored


async def test_every_wrong_token_costs_the_same_work(store: SqlStore) -> None:
    logins = Logins(TOKEN, store)
    access = Access(TOKEN, logins)
    cookie = await logins.add()
    wrong = [
        "x" * len(TOKEN),  # wrong from the first character on
        TOKEN[:-1] + "x",  # wrong in the last one
        TOKEN[:-1],
        TOKEN + "x",
        "x",
        TOKEN.upper(),
    ]
    places: list[Callable[[str], dict[str, str]]] = [
        lambda given: {"authorization": f"Bearer {given}"},
        lambda given: {"x-api-key": given},
        lambda given: {"cookie": f"{COOKIE}={given}"},
    ]
    for place in places:
        traces = [_calls(access, place(given)) for given in [*wrong, cookie[:-1] + "~"]]
        assert len(traces[0]) > 10
        assert all(trace == traces[0] for trace in traces)
    with pytest.raises(Unauthorized):
        access.check(Headers({}))
    assert access.check(Headers({"cookie": f"{COOKIE}={cookie}"})) is logins.find(cookie)
    assert access.check(Headers({"authorization": f"Bearer {TOKEN}"})) is None


def _bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def _calls(access: Access, headers: dict[str, str]) -> list[str]:
    """Every function that refusing these headers calls, in order, C functions included."""
    calls: list[str] = []

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        name = argument.__qualname__ if event.startswith("c_") else frame.f_code.co_qualname
        calls.append(f"{event} {name}")

    made = Headers(headers)
    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        access.check(made)
    except WrongToken:
        pass
    finally:
        sys.setprofile(before)
    return calls
