"""Malformed, oversized, unknown, cut off, refused: each endpoint answers in its vendor's own format."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.compat_clients.conftest import TEXT, TOKEN, CompatServer
from tests.server import DEADLINE, Server, until


def of_openai(body: Any) -> str:
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["type"] in {"invalid_request_error", "api_error"}
    return str(body["error"]["message"])


def of_anthropic(body: Any) -> str:
    assert set(body) == {"type", "error"}
    assert body["type"] == "error"
    assert set(body["error"]) == {"type", "message"}
    assert body["error"]["type"].endswith("_error") or body["error"]["type"] == "request_too_large"
    return str(body["error"]["message"])


def of_ollama(body: Any) -> str:
    assert set(body) == {"error"}
    return str(body["error"])


def of_ai_sdk(body: Any) -> str:
    assert set(body) == {"error", "code"}
    return str(body["error"])


ENDPOINTS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "chat": ("/v1/chat/completions", of_openai),
    "responses": ("/v1/responses", of_openai),
    "messages": ("/v1/messages", of_anthropic),
    "ollama": ("/ollama/api/chat", of_ollama),
    "ai-sdk": ("/ai-sdk/chat", of_ai_sdk),
}
HI = [{"role": "user", "content": "Hi", "parts": [{"type": "text", "text": "Hi"}]}]
GOOD = {"model": "scripted/hello", "messages": HI, "input": "Hi", "max_tokens": 9, "id": "chat"}


@pytest.fixture
def http(compat_server: CompatServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=compat_server.url, timeout=DEADLINE) as client:
        yield client


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    ("body", "reported"),
    [
        (b"", "empty"),
        (b"{", "isn't JSON"),
        (b"[]", "must be a JSON object"),
        (b'"Hi"', "must be a JSON object"),
        (b'{"model": NaN}', "isn't JSON"),
        (b'{"model": "\xff"}', "isn't UTF-8"),
        (b'{"model": "\\u0000"}', "NUL"),
        (b'{"model": "\\ud800"}', "surrogate"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "levels deep"),
        (b"{}", "is missing|nothing to answer|must be"),
        (b'{"id": "c", "max_tokens": 1, "messages": 5, "input": 5}', "must be"),
    ],
)
def test_a_malformed_body_is_refused_in_the_vendors_format(
    http: httpx.Client, endpoint: str, body: bytes, reported: str
) -> None:
    path, message_of = ENDPOINTS[endpoint]
    reply = http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    message = message_of(reply.json())
    assert any(words in message for words in reported.split("|")), message


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_oversized_body_is_refused_in_the_vendors_format(
    http: httpx.Client, endpoint: str
) -> None:
    path, message_of = ENDPOINTS[endpoint]
    said = http.post(path, content=b" " * 300_000)

    def trickle() -> Iterator[bytes]:
        for _ in range(30):
            yield b" " * 10_000

    unsaid = http.post(path, content=trickle())  # its length isn't known until too much has come
    for reply in (said, unsaid):
        assert reply.status_code == 413
        assert "larger than" in message_of(reply.json())


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("media", ["application/json", "text/plain", None])
def test_whatever_the_content_type_says_the_body_is_read_as_json(
    http: httpx.Client, endpoint: str, media: str | None
) -> None:
    path, _ = ENDPOINTS[endpoint]
    headers = {"Content-Type": media} if media else {}
    request = http.build_request("POST", path, json=GOOD | {"id": f"{endpoint}-{media}"})
    request.headers.pop("content-type")
    request.headers.update(headers)
    reply = http.send(request)
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize(
    ("method", "path", "status", "message_of"),
    [
        ("GET", "/v1/responses/resp_none", 404, of_openai),
        ("GET", "/v1/responses/%00", 404, of_openai),
        ("GET", "/v1/responses/resp_none?stream=perhaps", 400, of_openai),
        ("GET", "/v1/responses/resp_none?stream=true&starting_after=-5", 400, of_openai),
        ("POST", "/v1/responses/resp_none/cancel", 404, of_openai),
        ("DELETE", "/v1/responses/resp_none", 404, of_openai),
        ("GET", "/v1/models/nobody", 404, of_openai),
        ("GET", "/v1/chat/completions", 405, of_openai),
        ("POST", "/v1/images/generations", 404, of_openai),
        ("GET", "/v1/messages", 405, of_anthropic),
        ("POST", "/v1/messages/batches", 404, of_anthropic),
        ("POST", "/ollama/api/pull", 404, of_ollama),
        ("POST", "/ai-sdk/chat/unknown/stop", 404, of_ai_sdk),
        ("GET", "/ai-sdk/nothing", 404, of_ai_sdk),
    ],
)
def test_what_is_unknown_is_reported_in_the_vendors_format(
    http: httpx.Client, method: str, path: str, status: int, message_of: Callable[[Any], str]
) -> None:
    reply = http.request(method, path)
    assert reply.status_code == status, reply.text
    assert message_of(reply.json())


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_client_that_leaves_in_mid_body_hurts_nobody(
    compat_server: CompatServer, endpoint: str
) -> None:
    path, _ = ENDPOINTS[endpoint]
    for _ in range(5):
        with socket.create_connection(
            ("127.0.0.1", compat_server.port), timeout=DEADLINE
        ) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n"
            connection.sendall(head.encode() + b'{"messages": [')
    assert compat_server.call("GET", "/readyz").status == 200
    assert "Traceback" not in compat_server.output()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_client_that_leaves_in_mid_answer_hurts_nobody(
    http: httpx.Client, compat_server: CompatServer, endpoint: str
) -> None:
    path, _ = ENDPOINTS[endpoint]
    model, allow = compat_server.gated()
    allow(3)
    body = GOOD | {"model": model, "stream": True, "id": f"leaves-{endpoint}", "max_tokens": 999}
    with http.stream("POST", path, json=body) as reply:
        location = reply.headers["location"]
        next(reply.iter_raw())
    allow("open")
    compat_server.assert_said(location, TEXT)
    assert "Traceback" not in compat_server.output()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a token."""
    made = Server(tmp_path_factory.mktemp("guarded"), {"GRANTHA_TOKEN": TOKEN})
    made.start(ready=False)
    until(lambda: _lives(made) or None, "the server to listen", hint=made.output)
    yield made
    made.close()


def _lives(server: Server) -> bool:
    try:
        return server.call("GET", "/healthz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_refusals_of_the_security_checks_have_the_vendors_format(
    guarded: Server, endpoint: str
) -> None:
    path, message_of = ENDPOINTS[endpoint]
    stranger = guarded.call("POST", path, GOOD)
    assert stranger.status == 401
    assert "access token" in message_of(stranger.json())
    foreign = guarded.call("POST", path, GOOD, {"Origin": "https://foe.example"})
    assert foreign.status == 403
    assert "foe.example" in message_of(foreign.json())
    friend = guarded.call("POST", path, GOOD, {"Authorization": f"Bearer {TOKEN}"})
    assert friend.status == 200


def test_anthropics_key_header_is_the_token_as_well(guarded: Server) -> None:
    reply = guarded.call("POST", "/v1/messages", GOOD, {"x-api-key": TOKEN})
    assert reply.expect(200)["type"] == "message"
