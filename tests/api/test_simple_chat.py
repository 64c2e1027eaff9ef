"""The simple chat endpoint: lines of content, done, model and provider, on each of its transports."""

import json
from typing import Any

import aiohttp
import httpx
import pytest
from hypothesis import given

from grantha.api.compat.simple_chat_view import SimpleChatView
from grantha.api.schemas.responses import SimpleChatLine
from grantha.chat import Options
from grantha.events import Frame, GenerationEnd, Record, RecordId
from grantha.storage.base import GenerationRow
from tests.api.streams import SseEvent, SseReader
from tests.scripts import counted
from tests.server import DEADLINE, Server, until
from tests.wire.compat.logs import frames_of, logs

HELLO = "Hello! This answer is read from a script, one word at a time."
JOKE = {"messages": [{"role": "user", "content": "Tell me a joke"}]}


async def _blocks(client: httpx.AsyncClient, body: Any, path: str = "") -> list[SseEvent]:
    async with client.stream("POST", f"/chat/completions{path}", json=body) as reply:
        assert reply.status_code == 200, await reply.aread()
        assert reply.headers["content-type"].startswith("text/event-stream")
        return await SseReader(reply).rest()


async def test_a_body_of_messages_alone_is_enough(client: httpx.AsyncClient) -> None:
    blocks = await _blocks(client, JOKE, "/stream")
    lines = [block.data for block in blocks]
    assert "".join(line["content"] for line in lines) == HELLO
    for line in lines[:-1]:
        assert line == {
            "content": line["content"],
            "done": False,
            "model": "hello",
            "provider": "scripted",
        }
    last = lines[-1]
    assert (last["content"], last["done"]) == ("", True)
    assert (last["model"], last["provider"]) == ("hello", "scripted")
    assert last["finish_reason"] == "stop"
    assert "error" not in last


async def test_every_line_has_an_id_that_the_native_events_go_on_from(
    client: httpx.AsyncClient,
) -> None:
    async with client.stream("POST", "/chat/completions/stream", json=JOKE) as reply:
        location = reply.headers["location"]
        blocks = await SseReader(reply).rest()
    assert all(block.id for block in blocks)
    params = {"after": str(blocks[3].id)}
    rest = await client.get(location, params=params, headers={"Accept": "application/json"})
    text = "".join(f.get("text", "") for f in rest.json()["frames"])
    assert "".join(b.data["content"] for b in blocks[:4]) + text == HELLO
    whole = await client.get(location.removesuffix("/events"))
    assert whole.json()["text"] == HELLO


@given(records=logs())
def test_every_line_is_what_its_model_would_write(records: list[Record]) -> None:
    row = GenerationRow(
        "g_1", "c_1", "m_1", None, "scripted/a/b", Options(), "running", RecordId(1, 0), 0, 0
    )
    view = SimpleChatView(row)
    for frames in frames_of(records):
        for line in filter(None, map(view.line, frames)):
            model = SimpleChatLine(**json.loads(line))
            assert not model.model_extra
            assert model.json_bytes().decode() == line


def test_a_line_of_an_answer_that_is_not_whole_always_has_an_error() -> None:
    row = GenerationRow(
        "g_1", "c_1", "m_1", None, "scripted/a", Options(), "interrupted", RecordId(1, 0), 0, 0
    )
    end = GenerationEnd("interrupted", None, None, None, {}, 0, "")
    line = json.loads(SimpleChatView(row).line(Frame(RecordId(1, 1), 0, end)) or "")
    assert (line["done"], line["error"]["code"]) == (True, "interrupted")


@pytest.mark.parametrize(
    "named",
    [
        {"model": "count-3", "provider": "scripted"},
        {"model": "scripted/count-3"},
        {"model": "scripted/count-3", "provider": ""},
        {"model": "scripted/count-3", "temperature": 0.7, "max_tokens": 50, "stream": True},
    ],
)
async def test_a_model_is_named_with_its_provider_or_whole(
    client: httpx.AsyncClient, named: dict[str, Any]
) -> None:
    blocks = await _blocks(client, {**JOKE, **named}, "/stream")
    assert "".join(block.data["content"] for block in blocks) == "w0 w1 w2 "
    assert (blocks[0].data["model"], blocks[0].data["provider"]) == ("count-3", "scripted")


async def test_empty_names_are_those_of_the_default(client: httpx.AsyncClient) -> None:
    blocks = await _blocks(client, {**JOKE, "model": "", "provider": ""}, "/stream")
    assert "".join(block.data["content"] for block in blocks) == HELLO


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ({"provider": "nobody"}, "unknown_provider"),
        ({"model": "scripted/no-such-script"}, "unknown_model"),
        ({"model": "gpt-4o", "provider": "openai"}, "missing_key"),
        ({"model": "scripted/failing"}, "content_blocked"),
    ],
)
async def test_an_error_travels_inside_the_stream(
    client: httpx.AsyncClient, named: dict[str, Any], code: str
) -> None:
    blocks = await _blocks(client, {**JOKE, **named}, "/stream")
    last = blocks[-1].data
    assert (last["content"], last["done"]) == ("", True)
    assert last["error"]["message"]
    assert last["error"]["code"] == code
    assert not any("error" in block.data for block in blocks[:-1])


async def test_a_missing_key_is_named_by_its_variable(client: httpx.AsyncClient) -> None:
    blocks = await _blocks(client, {**JOKE, "model": "gpt-4o", "provider": "openai"}, "/stream")
    assert "OPENAI_API_KEY" in json.dumps(blocks[-1].data["error"])


@pytest.mark.parametrize("path", ["/chat/completions", "/chat/completion"])
async def test_without_streaming_the_answer_is_one_reply(
    client: httpx.AsyncClient, path: str
) -> None:
    reply = await client.post(path, json={**JOKE, "model": "scripted/count-3"})
    assert reply.status_code == 200
    body = reply.json()
    assert body["content"] == "w0 w1 w2 "
    assert body["role"] == "assistant"
    assert (body["model"], body["provider"]) == ("count-3", "scripted")
    assert body["finish_reason"] == "stop"
    assert body["usage"]["output_tokens"] == 3
    assert reply.headers["location"] == f"/api/generations/{body['generation']}/events"


async def test_the_plain_endpoint_streams_on_request(client: httpx.AsyncClient) -> None:
    body = {**JOKE, "model": "scripted/count-3", "stream": True}
    blocks = await _blocks(client, body)
    assert "".join(block.data["content"] for block in blocks) == "w0 w1 w2 "


@pytest.mark.parametrize(
    ("named", "status", "code"),
    [
        ({"provider": "nobody"}, 404, "unknown_provider"),
        ({"model": "gpt-4o", "provider": "openai"}, 503, "missing_key"),
    ],
)
async def test_without_streaming_an_error_is_a_problem(
    client: httpx.AsyncClient, named: dict[str, Any], status: int, code: str
) -> None:
    reply = await client.post("/chat/completions", json={**JOKE, **named})
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == code


async def test_a_repeated_send_with_one_key_gets_the_same_answer(
    client: httpx.AsyncClient,
) -> None:
    head = {"Idempotency-Key": "joke-1"}
    body = {**JOKE, "model": "scripted/count-3"}
    first = await client.post("/chat/completions", json=body, headers=head)
    again = await client.post("/chat/completions", json=body, headers=head)
    assert first.json() == again.json()


async def test_an_api_answer_is_kept_as_a_conversation_of_its_own(
    client: httpx.AsyncClient,
) -> None:
    body = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "Two"},
            {"role": "user", "content": [{"type": "text", "text": "Three"}]},
        ],
        "model": "scripted/count-3",
    }
    reply = (await client.post("/chat/completions", json=body)).json()
    made = (await client.get(f"/api/generations/{reply['generation']}")).json()
    conversation = (await client.get(f"/api/conversations/{made['conversation']}")).json()
    assert conversation["origin"] == "api"
    assert [m["role"] for m in conversation["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert conversation["messages"][3]["parts"] == [{"type": "text", "text": "Three"}]


# ---- WebSocket ----------------------------------------------------------------------------------


async def _lines(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    while not lines or not lines[-1]["done"]:
        lines.append(json.loads(await socket.receive_str(timeout=DEADLINE)))
    return lines


async def test_a_socket_answers_one_body_after_another(shared: Server) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        for count in (3, 5):
            await socket.send_json({**JOKE, "model": f"scripted/count-{count}"})
            lines = await _lines(socket)
            text = "".join(line["content"] for line in lines)
            assert text == counted(count)
            assert all(line["id"] for line in lines)
            assert {"content", "done", "model", "provider", "id"} == set(lines[0])


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        "",
        "[" * 2000,
        "x" * 5000,
        '"\\u0000"',
        '{"messages": []}',
        '{"messages": "x"}',
        '{"messages": [{"role": "user", "content": "\\ud800"}]}',
    ],
)
async def test_what_a_socket_cannot_read_is_an_error_line_and_it_stays_open(
    shared: Server, text: str
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        await socket.send_str(text)
        (line,) = await _lines(socket)
        assert line["error"]["code"] == "bad_request"
        assert line["error"]["message"]
        await socket.send_json({**JOKE, "model": "scripted/count-3"})
        assert (await _lines(socket))[-1]["done"]


async def test_a_socket_can_stop_what_it_reads(shared: Server) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        await socket.send_json({**JOKE, "model": "scripted/count-100000-at-100"})
        await socket.receive_str(timeout=DEADLINE)
        await socket.send_json({"type": "stop"})
        last = (await _lines(socket))[-1]
        assert last["ending"] == "stopped"


async def test_a_stop_right_behind_its_body_stops_the_answer(shared: Server) -> None:
    model = shared.gated_count("stopped-early", 3)  # its gate is never opened
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        await socket.send_json({**JOKE, "model": model})
        await socket.send_json({"type": "stop"})
        assert (await _lines(socket))[-1]["ending"] == "stopped"
        await socket.send_json({**JOKE, "model": "scripted/count-3"})
        assert (await _lines(socket))[-1]["finish_reason"] == "stop"


async def test_a_stop_where_nothing_is_to_be_answered_is_an_error_line(shared: Server) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        await socket.send_json({"type": "stop"})
        assert (await _lines(socket))[-1]["error"]["code"] == "bad_request"


async def test_a_stop_with_further_members_is_a_body_and_stops_nothing(shared: Server) -> None:
    model = shared.gated_count("no-stop", 3)
    shared.allow("no-stop.gate", 1)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        await socket.send_json({**JOKE, "model": model})
        await socket.receive_str(timeout=DEADLINE)
        await socket.send_json({"type": "stop", "messages": []})
        shared.allow("no-stop.gate")
        assert (await _lines(socket))[-1]["finish_reason"] == "stop"
        assert (await _lines(socket))[-1]["error"]["code"] == "bad_request"


async def test_a_socket_that_closes_leaves_the_answer_running(
    shared: Server, client: httpx.AsyncClient
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        question = {"messages": [{"role": "user", "content": "Are you still there?"}]}
        await socket.send_json({**question, "model": "scripted/count-50-at-100"})
        first = json.loads(await socket.receive_str(timeout=DEADLINE))
        assert first["content"]
    rows = (await client.get("/api/conversations", params={"origin": "api"})).json()["items"]
    (row,) = [row for row in rows if row["title"] == "Are you still there?"]
    ended = shared.ended(row["generation"])
    assert ended["status"] == "done"
    assert ended["text"] == counted(50)


async def test_a_body_is_stored_and_answered_although_its_sender_left_at_once(
    shared: Server,
) -> None:
    async with aiohttp.ClientSession() as session:
        for number in range(20):
            async with session.ws_connect(f"{shared.ws_url}/ws/chat") as socket:
                body = {"messages": [{"role": "user", "content": f"gone {number}"}]}
                await socket.send_str(json.dumps({**body, "model": "scripted/hello"}))

    def gone() -> list[str]:
        rows = shared.call("GET", "/api/conversations?origin=all&limit=200").expect(200)["items"]
        return [row["status"] for row in rows if row["title"].startswith("gone ")]

    assert until(lambda: gone() == ["done"] * 20, "all of them to end")


# ---- clients that expect other messages ---------------------------------------------------------


async def _session(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, Any]]:
    """The messages up to the end of a session's answer."""
    messages: list[dict[str, Any]] = []
    while not messages or not messages[-1]["data"].get("done"):
        messages.append(json.loads(await socket.receive_str(timeout=DEADLINE)))
    return messages


@pytest.mark.parametrize(
    "message",
    [
        {"type": "chat_stream_start", "data": JOKE},
        {"type": "chat_message", "data": {"content": "Tell me a joke"}},
    ],
)
async def test_a_session_gets_its_answer_in_messages_that_name_it(
    shared: Server, message: dict[str, Any]
) -> None:
    data = {**message["data"], "session_id": 's"1', "model": "scripted/count-3"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        await socket.send_json({**message, "data": data})
        messages = await _session(socket)
    assert {(m["type"], m["data"]["session_id"]) for m in messages} == {("chat_stream", 's"1')}
    assert "".join(m["data"]["content"] for m in messages) == counted(3)
    last = messages[-1]["data"]
    assert (last["model"], last["provider"]) == ("count-3", "scripted")
    assert "error" not in last


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"model": "scripted/failing"}, "content_blocked"),  # after it has begun
        ({"model": "gpt-4o", "provider": "openai"}, "missing_key"),
        ({"messages": []}, "bad_request"),
    ],
)
async def test_an_error_of_a_session_is_text_with_details_beside_it(
    shared: Server, data: dict[str, Any], code: str
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        body = {**JOKE, **data, "session_id": "s1"}
        await socket.send_json({"type": "chat_stream_start", "data": body})
        messages = await _session(socket)
    error, last = messages[-2:]
    assert (error["type"], last["type"]) == ("error", "chat_stream")
    assert isinstance(error["data"]["message"], str)
    assert last["data"]["error"] == error["data"]["message"]
    assert last["data"]["details"]["code"] == code
    assert last["data"]["details"]["message"] in last["data"]["error"]


async def test_a_session_is_stopped_by_its_name_alone(shared: Server) -> None:
    model = shared.gated_count("stopped-session", 3)  # its gate is never opened
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        for name, answering in (("s1", "scripted/count-3"), ("s2", model), ("s3", model)):
            data = {**JOKE, "session_id": name, "model": answering}
            await socket.send_json({"type": "chat_stream_start", "data": data})
        # The third isn't reached before the second, nor stopped with it.
        await socket.send_json({"type": "chat_stream_stop", "data": {"session_id": "s3"}})
        assert (await _session(socket))[-1]["data"]["ending"] == "done"
        await socket.send_json({"type": "chat_stream_stop", "data": {"session_id": "s2"}})
        endings = [(await _session(socket))[-1]["data"] for _ in range(2)]
    assert [(e["session_id"], e["ending"]) for e in endings] == [
        ("s2", "stopped"),
        ("s3", "stopped"),
    ]


async def test_a_ping_is_answered_while_an_answer_is_written(shared: Server) -> None:
    model = shared.gated_count("pinged", 3)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        await socket.send_json({**JOKE, "model": model})
        await socket.send_json({"type": "ping", "timestamp": 12})
        pong = await socket.receive_json(timeout=DEADLINE)
        assert pong == {"type": "pong", "timestamp": 12}
        shared.allow("pinged.gate")
        assert (await _lines(socket))[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("model", "text"),
    [("scripted/count-3", counted(3)), ("scripted/no-such-script", "no-such-script")],
)
async def test_a_body_of_a_repository_gets_bare_text_and_the_end_of_the_connection(
    shared: Server, model: str, text: str
) -> None:
    body = {**JOKE, "repo_url": "https://example.org/a/b", "type": "github", "model": model}
    received = ""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{shared.ws_url}/ws/chat") as socket,
    ):
        await socket.send_json(body)
        async for message in socket:
            received += message.data
    assert socket.close_code == 1000
    if model == "scripted/count-3":
        assert received == text
    else:
        assert received.strip().startswith("Error: ")
        assert text in received
