"""Work for a client that waits: it is given up once the client has gone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request

from grantha.api.answers import NO_REPLY, run_while_connected
from grantha.api.compat.base import native_providers
from grantha.api.routes.documents import document_text
from grantha.documents.converter import DocumentConverter


class Client:
    """What a server receives from a client, message by message."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def receive(self) -> dict[str, Any]:
        """The next message."""
        return await self._messages.get()

    def send(self, body: bytes, *, more: bool = False) -> None:
        """A chunk of the body."""
        self._messages.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leave(self) -> None:
        """Closes the connection."""
        self._messages.put_nowait({"type": "http.disconnect"})


async def test_work_gives_its_result_and_raises_its_error() -> None:
    async def fail() -> None:
        raise ValueError("no")

    assert await run_while_connected(Client().receive, asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="no"):
        await run_while_connected(Client().receive, fail())


async def test_work_is_cancelled_when_the_client_leaves() -> None:
    client, cancelled = Client(), asyncio.Event()

    async def work() -> bool:
        client.leave()
        try:
            return await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert await run_while_connected(client.receive, work()) is None
    assert cancelled.is_set()


async def test_the_body_is_left_to_the_work_that_reads_it() -> None:
    client, body_read = Client(), asyncio.Event()
    for _ in range(3):
        client.send(b"x", more=True)

    async def work() -> list[str]:
        found = []
        for _ in range(3):
            await asyncio.sleep(0)
            found.append((await client.receive())["type"])
        body_read.set()
        return found

    found = await run_while_connected(client.receive, work(), body_read=body_read)
    assert found == ["http.request"] * 3


async def test_a_document_is_no_longer_read_when_its_client_has_left() -> None:
    converter = DocumentConverter(1000, {}, program="tests.documents.waiting_child")
    app = SimpleNamespace(state=SimpleNamespace(app_state=SimpleNamespace(documents=converter)))
    client = Client()
    client.send(b"%PDF-", more=True)
    client.send(b"1.4")
    client.leave()
    request = Request({"type": "http", "app": app, "headers": []}, client.receive)
    assert await document_text(request, "a.pdf") is NO_REPLY


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("/v1/chat/completions", "openai"),
        ("/v1/responses", "openai-responses"),
        ("/v1/responses/input_tokens", "openai-responses"),
        ("/v1/messages", "anthropic"),
        ("/v1/messages/count_tokens", "anthropic"),
        ("/v1/models/gemini-3-pro:countTokens", "google"),
        ("/v1beta/models/gemini-3-pro:generateContent", "google"),
        ("/ollama/api/show", "local"),
        ("/ollama/api/embed", "local"),
        ("/ollama/v1/chat/completions", "local"),
        ("/ai-sdk/chat", None),
    ],
)
def test_a_bare_name_means_the_vendor_of_the_path(path: str, first: str | None) -> None:
    assert next(iter(native_providers(path)), None) == first
