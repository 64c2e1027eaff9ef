"""Clients that disconnect: whose answers are stopped, and whose are written to their end."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any, Self

import pytest
from pydantic import ValidationError

from grantha.api.answers import abandon_after
from grantha.config import Settings
from tests.compat_clients.conftest import CompatServer
from tests.server import until

TEXT = "abcdef"
SHOWN = 3  # characters that are written before the client disconnects
_MESSAGES = [{"role": "user", "content": "Go"}]
_UI = [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "Go"}]}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": _MESSAGES},
    "/v1/responses": {"input": "Go"},
    "/v1/messages": {"messages": _MESSAGES, "max_tokens": 100},
    "/ollama/api/chat": {"messages": _MESSAGES},
    "/ollama/api/generate": {"prompt": "Go"},
    "/chat/completions": {"messages": _MESSAGES},
}
DETACHED: dict[str, dict[str, Any]] = {
    "/ai-sdk/chat": {"id": "a chat", "messages": _UI},
    "/v1/responses": {"input": "Go", "background": True},
}
_names = itertools.count()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompatServer]:
    """A server that stops an answer as soon as its last reader has left."""
    made = CompatServer(tmp_path_factory.mktemp("impatient"), {"GRANTHA_ABANDON_AFTER": "0"})
    made.start()
    yield made
    made.close()


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [True, False])
def test_the_answer_to_a_client_that_left_is_stopped(
    impatient: CompatServer, path: str, stream: bool
) -> None:
    model, allow = impatient.gated(TEXT)
    allow(SHOWN)
    with _Client(impatient, path, {**BODIES[path], "model": model, "stream": stream}):
        generation = _written(impatient, model)
    ended = impatient.ended(generation)
    assert (ended["status"], ended["text"]) == ("stopped", TEXT[:SHOWN])
    assert "abandoned" in _notices(impatient, generation)


@pytest.mark.parametrize("path", DETACHED)
def test_an_answer_that_can_be_read_later_is_written_to_its_end(
    impatient: CompatServer, path: str
) -> None:
    model, allow = impatient.gated(TEXT)
    allow(SHOWN)
    body = {**DETACHED[path], "model": model, "stream": True, "id": f"chat {next(_names)}"}
    with _Client(impatient, path, body):
        generation = _written(impatient, model)
    until(lambda: _readers(impatient) == 0 or None, "the server to notice that the client left")
    allow("open")
    ended = impatient.ended(generation)
    assert (ended["status"], ended["text"]) == ("done", TEXT)
    assert "abandoned" not in _notices(impatient, generation)


def test_an_answer_that_somebody_else_reads_is_written_on(impatient: CompatServer) -> None:
    model, allow = impatient.gated(TEXT)
    allow(SHOWN)
    path = "/v1/chat/completions"
    with _Client(impatient, path, {**BODIES[path], "model": model, "stream": True}) as client:
        generation = _written(impatient, model)
        events = f"/api/generations/{generation}/events"
        with _Client(impatient, events, None, "Accept: text/event-stream"):
            until(lambda: _readers(impatient) == 2 or None, "the second reader")
            client.close()
            until(lambda: _readers(impatient) == 1 or None, "the first to leave")
            allow("open")
            ended = impatient.ended(generation)
    assert (ended["status"], ended["text"]) == ("done", TEXT)


@pytest.mark.parametrize(
    ("setting", "stored", "seconds"),
    [
        ({}, True, 10.0),
        ({}, False, 0.0),
        ({"abandon_after": 3}, True, 3.0),
        ({"abandon_after": "never"}, True, None),
        ({"abandon_after": "never"}, False, None),
    ],
)
def test_how_long_a_client_may_be_away(
    setting: dict[str, Any], stored: bool, seconds: float | None
) -> None:
    assert abandon_after(Settings(**setting), stored=stored) == seconds


@pytest.mark.parametrize("wrong", ["-1", "inf", "soon"])
def test_a_pause_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        Settings(abandon_after=wrong)


def test_what_is_not_stored_is_stopped_at_once(compat_server: CompatServer) -> None:
    model, allow = compat_server.gated(TEXT)
    allow(SHOWN)
    body = {"input": "Go", "model": model, "store": False, "stream": True}
    with _Client(compat_server, "/v1/responses", body) as client:
        generation = compat_server.located(client.header("location"))
        compat_server.wait_for_text(generation, SHOWN)
    assert compat_server.ended(generation)["status"] == "stopped"


class _Client:
    """A connection with one request on it, closed without a word at the end of a block."""

    def __init__(
        self, server: CompatServer, path: str, body: dict[str, Any] | None, *headers: str
    ) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        sent = b"" if body is None else json.dumps(body).encode()
        head = [
            f"{'GET' if body is None else 'POST'} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            "Content-Type: application/json",
            f"Content-Length: {len(sent)}",
            *headers,
        ]
        self._socket.sendall("\r\n".join([*head, "", ""]).encode() + sent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnects."""
        self._socket.close()

    def header(self, name: str) -> str:
        """A header of the reply."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._socket.recv(4096)
        lines = received.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
        return next(
            line.partition(": ")[2] for line in lines if line.startswith(name.lower() + ":")
        )


def _written(server: CompatServer, model: str) -> str:
    """The newest generation of a model, once it has written what it may."""

    def found() -> str | None:
        items = server.call("GET", "/api/conversations?origin=api&limit=5").expect(200)["items"]
        for item in items:
            shown = server.generation(item["generation"])
            if shown["model"] == model and shown["text"] == TEXT[:SHOWN]:
                return str(shown["id"])
        return None

    return until(found, "the answer to have begun")


def _readers(server: CompatServer) -> int:
    lines = server.call("GET", "/metrics").body.decode().splitlines()
    return sum(
        int(float(line.split()[-1])) for line in lines if line.startswith("grantha_active_readers")
    )


def _notices(server: CompatServer, generation: str) -> list[str]:
    path = f"/api/generations/{generation}/events"
    frames = server.call("GET", path, headers={"Accept": "application/json"}).expect(200)["frames"]
    return [frame["code"] for frame in frames if frame["kind"] == "notice"]
