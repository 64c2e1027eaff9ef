"""A send repeated with its key long after: the records are trimmed, and each endpoint has the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server import HttpReply, Server, until

TEXT = "w0 w1 w2 "
MODEL = "scripted/count-3"
ASK = {"messages": [{"role": "user", "content": "Hi"}], "model": MODEL}


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that trims the records of every ended answer when it starts."""
    made = Server(tmp_path_factory.mktemp("forgetful"), {"GRANTHA_RECORD_TTL": "0"}).start()
    yield made
    made.close()


def _twice(
    server: Server, path: str, body: dict[str, Any], key: str, **headers: str
) -> tuple[HttpReply, HttpReply]:
    """The reply to a send, and to the same send once its records are gone."""
    sent = {"Idempotency-Key": key, **headers}
    first = server.call("POST", path, body, sent)
    generation = first.headers["location"].split("/")[3]
    server.ended(generation)
    server.restart()
    events = f"/api/generations/{generation}/events?after=1-0"
    until(lambda: server.call("GET", events).status == 410 or None, "the records to be trimmed")
    return first, server.call("POST", path, body, sent)


def _data(reply: HttpReply) -> list[Any]:
    blocks = [line[6:] for line in reply.body.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(data) for data in blocks if data != "[DONE]"]


def test_the_simple_reply(forgetful: Server) -> None:
    first, again = _twice(forgetful, "/chat/completions", ASK, "simple")
    assert first.expect(200)["content"] == TEXT
    assert again.expect(200) == first.json()


def test_the_simple_stream(forgetful: Server) -> None:
    first, again = _twice(forgetful, "/chat/completions/stream", ASK, "simple-stream")
    assert (first.status, again.status) == (200, 200)
    for reply in (first, again):
        lines = _data(reply)
        assert "".join(line["content"] for line in lines) == TEXT
        assert lines[-1]["done"] is True
    assert _data(again)[-1] == _data(first)[-1]


def test_the_native_send(forgetful: Server) -> None:
    path = f"/api/conversations/{forgetful.conversation()}/generations"
    body = {"text": "Hi", "model": MODEL}
    first, again = _twice(forgetful, path, body, "native")
    assert again.expect(200)["id"] == first.expect(201)["id"]
    assert again.json()["text"] == TEXT


def test_the_native_send_as_a_stream(forgetful: Server) -> None:
    path = f"/api/conversations/{forgetful.conversation()}/generations"
    body = {"text": "Hi", "model": MODEL}
    first, again = _twice(forgetful, path, body, "native-stream", Accept="text/event-stream")
    assert (first.status, again.status) == (201, 200)
    for reply in (first, again):
        hello, opened, *_, end = _data(reply)
        assert (hello["kind"], opened["kind"]) == ("hello", "open")
        assert "".join(f["text"] for f in _data(reply) if f["kind"] == "text-delta") == TEXT
        assert (end["kind"], end["ending"]) == ("generation-end", "done")
    end = _data(again)[-1]
    assert end["sha256"] == _data(first)[-1]["sha256"]
    generation = first.headers["location"].split("/")[3]
    newer = forgetful.call("GET", f"/api/generations/{generation}/events?after={end['id']}")
    assert newer.status == 204


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {}),
        ("/v1/messages", {"max_tokens": 99}),
        ("/ollama/api/chat", {}),
        ("/v1/responses", {"input": "Hi", "messages": None}),
    ],
)
def test_the_compatible_apis(
    forgetful: Server, path: str, body: dict[str, Any], stream: bool
) -> None:
    sent = {**ASK, **body, "stream": stream}
    first, again = _twice(forgetful, path, sent, f"{path}-{stream}")
    assert first.status == again.status == 200
    written = again.body.decode()
    assert all(word in written for word in ("w0", "w1", "w2"))
    if not stream:
        assert written.replace("\n", "") == first.body.decode().replace("\n", "")


def test_the_ai_sdk(forgetful: Server) -> None:
    question = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}
    body = {"id": "sdk", "messages": [question], "model": MODEL}
    for reply in _twice(forgetful, "/ai-sdk/chat", body, "ai-sdk"):
        chunks = _data(reply)
        assert "".join(c["delta"] for c in chunks if c["type"] == "text-delta") == TEXT
        assert (reply.status, chunks[-1]["type"]) == (200, "finish")


def test_a_seam_is_where_it_was(forgetful: Server) -> None:
    """Temperature was changed in mid-answer: the replayed log has the seam between the same words."""
    gate = "seam.gate"
    model = forgetful.script(
        "seamed",
        {"gate": gate, "steps": [{"text": "one two three four", "split": "words"}]},
    )
    forgetful.allow(gate, 2)
    path = f"/api/conversations/{forgetful.conversation()}/generations"
    key = {"Idempotency-Key": "seamed"}
    made = forgetful.call("POST", path, {"text": "Hi", "model": model}, key).expect(201)
    address = f"/api/generations/{made['id']}"
    until(lambda: forgetful.generation(made["id"])["text"] or None, "some text")
    forgetful.call("PATCH", address, {"temperature": 1.5}).expect(200)
    forgetful.allow(gate)
    before = forgetful.ended(made["id"])
    forgetful.restart()
    events = f"{address}/events?after=1-0"
    until(lambda: forgetful.call("GET", events).status == 410 or None, "the records to be trimmed")
    stream = {**key, "Accept": "text/event-stream"}
    frames = _data(forgetful.call("POST", path, {"text": "Hi", "model": model}, stream))
    length = 0
    for frame in frames:
        if frame["kind"] == "seam":
            assert frame["text_length"] == length
        length += len(frame["text"]) if frame["kind"] == "text-delta" else 0
    assert [f["kind"] for f in frames].count("seam") == len(before["seams"]) == 1
    assert forgetful.generation(made["id"]) == before
