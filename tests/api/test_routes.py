"""Every route, with and without the access token; what isn't listed is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from starlette.routing import Route

from grantha.api.http.page import Page
from grantha.api.route_table import GROUPS
from tests.api.conftest import TOKEN
from tests.server import DEADLINE, Server

BEARER = {"Authorization": f"Bearer {TOKEN}"}
PUBLIC = {("GET", "/healthz"), ("POST", "/api/login"), ("POST", "/api/logout")}
ROUTES_OF_THE_PAGE = Path(__file__).parents[2] / "web/src/routes"


def _routes() -> Iterator[tuple[str, str]]:
    for group in GROUPS:
        for route in group.router.routes:
            path = re.sub(r"\{[^}]*\}", "x", str(getattr(route, "path", "")))
            methods: Any = route.methods if isinstance(route, Route) else None
            for method in sorted(methods or {"WEBSOCKET"}):
                yield method, path


HTTP = sorted({found for found in _routes() if found[0] != "WEBSOCKET"})
SOCKETS = sorted({path for method, path in _routes() if method == "WEBSOCKET"})


def test_the_table_holds_the_sockets_and_the_calls() -> None:
    assert SOCKETS == ["/api/live", "/ws/chat"]
    assert len(HTTP) > 40
    assert set(HTTP) >= PUBLIC


@pytest.mark.parametrize(("method", "path"), HTTP)
async def test_a_route_wants_the_token_unless_the_table_calls_it_public(
    guarded: Server, method: str, path: str
) -> None:
    async with httpx.AsyncClient(base_url=guarded.url, timeout=DEADLINE, verify=False) as client:
        reply = await client.request(method, path)
        assert (reply.status_code != 401) == ((method, path) in PUBLIC), reply.text
        if reply.status_code == 401:
            signed_in = await client.request(method, path, headers=BEARER)
            assert signed_in.status_code not in {401, 403}, signed_in.text


@pytest.mark.parametrize("path", SOCKETS)
async def test_a_socket_wants_the_token(guarded: Server, path: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(guarded.ws_url + path)
        assert refused.value.status == 401
        async with session.ws_connect(guarded.ws_url + path, headers=BEARER):
            pass


@pytest.mark.parametrize(
    "path",
    [
        "/api/nothing", "/api", "/apis", "/API/models", "/api/models/", "//api/models", "/healthz/",
        "/healthz/x", "/api/login/x", "/v1", "/v1/nothing", "/v1/messages/x", "/ollama/x", "/ai-sdk/x",
        "/ws/x", "/metrics/x", "/unlisted", "/c", "/c/x/y", "/_app/nothing.js", "/index.html/../api/models",
    ],
)  # fmt: skip
async def test_a_path_that_is_not_listed_is_refused_without_the_token(
    guarded: Server, path: str
) -> None:
    async with httpx.AsyncClient(base_url=guarded.url, timeout=DEADLINE, verify=False) as client:
        for method in ("GET", "POST"):
            reply = await client.request(method, path)
            assert reply.status_code == 401, (method, reply.text)


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/api/nothing", "detail"),
        ("/chat/nothing", "detail"),
        ("/ws/nothing", "detail"),
        ("/v1/nothing", "error.message"),
        ("/ollama/nothing", "error"),
        ("/ai-sdk/nothing", "error"),
        ("/healthz/nothing", "detail"),
    ],
)
async def test_an_unknown_path_beside_an_api_is_its_404_and_never_the_page(
    client: httpx.AsyncClient, path: str, where: str
) -> None:
    for method in ("GET", "POST"):
        reply = await client.request(method, path, headers={"Accept": "text/html"})
        assert reply.status_code == 404
        found = reply.json()
        for name in where.split("."):
            found = found[name]
        assert path in found


def test_the_views_that_need_no_token_are_the_page_s_own_routes(tmp_path: Path) -> None:
    page = Page(tmp_path)
    views = {
        re.sub(r"/\([^)]*\)", "", f"/{file.parent.relative_to(ROUTES_OF_THE_PAGE)}".rstrip("."))
        for file in ROUTES_OF_THE_PAGE.rglob("+page.svelte")
    }
    for view in views:
        path = re.sub(r"\[[^]]*\]", "x", view) or "/"
        assert page.serves(path), f"{view!r} isn't among the views that http/page.py lists"
