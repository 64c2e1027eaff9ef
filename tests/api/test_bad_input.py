"""Any input: a 4xx problem that says what is wrong, nothing stored, and the server still runs."""

import json
from typing import Any

import httpx
import pytest

from tests.server import Server

PROBLEM = "application/problem+json"
ASK = '{"messages":[{"role":"user","content":"hi"}]'
BODIES: list[tuple[bytes, str]] = [
    (b"", "empty"),
    (b"   ", "empty"),
    (b"{", "isn't JSON"),
    (b'{"messages":', "isn't JSON"),
    (b"messages=hi", "isn't JSON"),
    (b"\xff\xfe", "isn't UTF-8"),
    (b'{"messages":[{"role":"user","content":"\xc3\x28"}]}', "isn't UTF-8"),
    (b'{"messages":[{"role":"user","content":"\xed\xa0\x80"}]}', "isn't UTF-8"),
    (b'{"messages":[{"role":"user","content":"a\x00b"}]}', "isn't JSON"),
    (b'{"messages":[{"role":"user","content":"a\\u0000b"}]}', "NUL"),
    (b'{"messages":[{"role":"user","content":"\\ud83d"}]}', "surrogate"),
    (b"[" * 100_000, "levels deep"),
    (b'{"messages":' * 70 + b"1" + b"}" * 70, "levels deep"),
    (b'{"messages":[' + b"1," * 200_000 + b"1]}", "more than 200000 values"),
    (b'{"messages":[' + b'{"role":"king"},' * 5_000 + b"1]}", "'messages"),
    (ASK.encode() + b',"x":"' + b'\\"[' * 5_000 + b"[}", "isn't JSON"),
    (b'{"messages":[NaN]}', "NaN"),
    (b'{"seed":' + b"9" * 5000 + b"}", "isn't JSON"),
    (b'{"seed":1e400}', "too large"),
    (b"null", "valid"),
    (b"[]", "valid"),
    (b'"text"', "valid"),
    (b"{}", "'messages': Field required"),
    (b'{"messages":null}', "'messages'"),
    (b'{"messages":"hi"}', "'messages'"),
    (b'{"messages":[]}', "'messages'"),
    (b'{"messages":["hi"]}', "'messages.0'"),
    (b'{"messages":[{}]}', "'messages.0.role'"),
    (b'{"messages":[{"role":"king","content":"hi"}]}', "'messages.0.role'"),
    (b'{"messages":[{"role":"user","content":7}]}', "'messages.0.content'"),
    (b'{"messages":[{"role":"user","content":""}]}', "empty"),
    (b'{"messages":[{"role":"user","content":" \\n "}]}', "empty"),
    (ASK.encode() + b',"temperature":"hot"}', "'temperature'"),
    (ASK.encode() + b',"temperature":9}', "'temperature'"),
    (ASK.encode() + b',"temperature":true}', "'temperature'"),
    (ASK.encode() + b',"max_tokens":0}', "'max_tokens'"),
    (ASK.encode() + b',"max_tokens":1.5}', "'max_tokens'"),
    (ASK.encode() + b',"model":7}', "'model'"),
    (ASK.encode() + b',"model":{}}', "'model'"),
    (ASK.encode() + b',"provider":5}', "'provider'"),
    (ASK.encode() + b',"stream":"yes"}', "'stream'"),
]


async def _newest(client: httpx.AsyncClient) -> str:
    """The conversation that was stored last: ids sort by time, the list by what ended last."""
    params = {"origin": "all", "limit": "200"}
    items = (await client.get("/api/conversations", params=params)).json()["items"]
    return max((row["id"] for row in items), default="")


@pytest.mark.parametrize("path", ["/chat/completions/stream", "/chat/completions"])
@pytest.mark.parametrize(("body", "said"), BODIES, ids=[str(n) for n in range(len(BODIES))])
async def test_a_malformed_body_is_answered_with_what_is_wrong_in_it(
    client: httpx.AsyncClient, path: str, body: bytes, said: str
) -> None:
    before = await _newest(client)
    reply = await client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400, reply.text
    assert reply.headers["content-type"] == PROBLEM
    problem = reply.json()
    assert said in problem["detail"], problem
    assert (problem["status"], problem["code"]) == (400, "bad_request")
    assert await _newest(client) == before


async def test_ten_megabytes_are_too_large(client: httpx.AsyncClient) -> None:
    head = {"Content-Type": "application/json"}
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 10_000_000}]}).encode()
    reply = await client.post("/chat/completions/stream", content=body, headers=head)
    assert reply.status_code == 413
    assert reply.headers["content-type"] == PROBLEM
    assert "8388608 bytes" in reply.json()["detail"]

    async def fragments() -> Any:
        for _ in range(100):
            yield b"x" * 100_000

    reply = await client.post("/chat/completions/stream", content=fragments(), headers=head)
    assert reply.status_code == 413
    assert reply.json()["code"] == "too_large"


@pytest.mark.parametrize("media", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_is_not_said_to_be_json_is_refused(
    client: httpx.AsyncClient, media: str | None
) -> None:
    head = {"Content-Type": media} if media else {}
    reply = await client.post("/chat/completions/stream", content=ASK + "}", headers=head)
    assert reply.status_code == 415
    assert "Content-Type: application/json" in reply.json()["advice"]


UNKNOWN = [
    ("GET", "/api/conversations/{}", None),
    ("PATCH", "/api/conversations/{}", {"title": "x"}),
    ("DELETE", "/api/conversations/{}", None),
    ("POST", "/api/conversations/{}/restore", None),
    ("GET", "/api/conversations/{}/export", None),
    ("POST", "/api/conversations/{}/generations", {"text": "hi"}),
    ("GET", "/api/generations/{}", None),
    ("GET", "/api/generations/{}/events", None),
    ("PATCH", "/api/generations/{}", {"temperature": 1.0}),
    ("POST", "/api/generations/{}/stop", None),
    ("POST", "/api/generations/{}/continue", {}),
    ("GET", "/api/messages/{}/parts/0", None),
    ("GET", "/api/analytics/generations/{}", None),
    ("POST", "/api/providers/{}/check", None),
]


@pytest.mark.parametrize(
    "unknown", ["g_unknown", "%00", "a%00b", "%ff", "..%2f..", "x" * 3000, "'"]
)
@pytest.mark.parametrize(("method", "path", "body"), UNKNOWN)
async def test_an_unknown_id_is_a_404(
    client: httpx.AsyncClient, method: str, path: str, body: Any, unknown: str
) -> None:
    reply = await client.request(method, path.format(unknown), json=body)
    assert reply.status_code == 404, reply.text
    assert reply.headers["content-type"] == PROBLEM
    assert reply.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/conversations?limit=0", 400),
        ("/api/conversations?limit=many", 400),
        ("/api/conversations?cursor=x", 400),
        ("/api/conversations?cursor=1:99999999999999999999999:x", 400),
        ("/api/conversations?origin=mars", 400),
        ("/api/conversations?q=" + "x" * 501, 400),
        ("/api/conversations?q=%00", 200),
        ('/api/conversations?q="*(', 200),
        ("/api/conversations?q=%ff%fe", 200),
        ("/api/conversations?q=AND OR NOT NEAR(", 200),
        ("/api/nothing", 404),
        ("/api/messages/m_x/parts/x", 400),
        ("/api/messages/m_x/parts/-1", 404),
        ("/api/messages/m_x/parts/99999999999999999999999", 404),
        ("/api/analytics/summary?days=0", 400),
        ("/api/analytics/summary?days=99999999999", 400),
    ],
)
async def test_an_odd_address_gets_a_clear_answer(
    client: httpx.AsyncClient, path: str, status: int
) -> None:
    reply = await client.get(path)
    assert reply.status_code == status, reply.text
    if status != 200:
        assert reply.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/conversations", {"GET", "POST"}),
        ("GET", "/chat/completions/stream", {"POST"}),
        ("POST", "/healthz", {"GET"}),
        ("POST", "/some/page", {"GET", "HEAD"}),
    ],
)
async def test_a_method_that_an_address_does_not_take_is_a_405_that_names_those_it_does(
    client: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    reply = await client.request(method, path)
    assert reply.status_code == 405
    assert {word.strip() for word in reply.headers["allow"].split(",")} <= allowed
    assert reply.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(
    "body",
    [
        {"text": "a", "parts": [{"type": "text", "text": "b"}]},
        {"text": ""},
        {"parts": []},
        {"parts": [{"type": "song"}]},
        {"parts": [{"type": "image", "media_type": "image/svg+xml", "data": "AAAA"}]},
        {"parts": [{"type": "image", "media_type": "image/png", "data": "not base64!"}]},
        {"text": "a", "models": []},
        {"text": "a", "models": ["x"] * 9},
        {"text": "a", "options": {"temperature": 3}},
        {"text": "a", "options": {"seed": 2**70}},
        {"text": 5},
        {"text": "a", "model": "no slash and unknown"},
        {},
    ],
)
async def test_a_send_that_makes_no_sense_starts_nothing(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    conversation = (await client.post("/api/conversations", json={})).json()["id"]
    reply = await client.post(f"/api/conversations/{conversation}/generations", json=body)
    assert reply.status_code == (404 if "model" in body else 400), reply.text
    assert reply.json()["detail"]
    assert (await client.get(f"/api/conversations/{conversation}")).json()["messages"] == []


async def test_a_parent_of_another_conversation_is_unknown(client: httpx.AsyncClient) -> None:
    one = (await client.post("/api/conversations", json={})).json()["id"]
    other = (await client.post("/api/conversations", json={})).json()["id"]
    made = (await client.post(f"/api/conversations/{one}/generations", json={"text": "hi"})).json()
    body = {"text": "hi", "parent": made["parent"]}
    reply = await client.post(f"/api/conversations/{other}/generations", json=body)
    assert reply.status_code == 404
    reply = await client.patch(f"/api/conversations/{other}", json={"leaf": made["parent"]})
    assert reply.status_code == 404


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
async def test_a_key_must_be_short_and_printable(client: httpx.AsyncClient, key: str) -> None:
    conversation = (await client.post("/api/conversations", json={})).json()["id"]
    reply = await client.post(
        f"/api/conversations/{conversation}/generations",
        json={"text": "hi"},
        headers={"Idempotency-Key": key},
    )
    assert reply.status_code == 400
    assert "Idempotency-Key" in reply.json()["detail"]


async def test_an_error_never_repeats_what_was_sent(client: httpx.AsyncClient) -> None:
    secret = "my-innermost-thought"
    body = {"messages": [{"role": secret, "content": secret}], "temperature": secret}
    reply = await client.post("/chat/completions", json=body)
    assert reply.status_code == 400
    assert secret not in reply.text


async def test_the_server_survives_and_logs_no_traceback(shared: Server) -> None:
    assert shared.alive
    assert shared.call("GET", "/readyz").status == 200
    assert "Traceback" not in shared.output()
