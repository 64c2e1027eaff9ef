"""Documents as text over HTTP: what comes back is ready to be sent."""

from __future__ import annotations

import http.client
import json
from urllib.parse import quote

import httpx
import pytest

from tests.documents import samples
from tests.server import Server


async def test_a_document_comes_back_as_a_part_that_can_be_sent(client: httpx.AsyncClient) -> None:
    reply = await client.post(
        "/api/documents/text?name=" + quote("Protokoll März.pdf"),
        content=samples.pdf(["The cord is cut."]),
    )
    assert reply.json() == {
        "type": "file",
        "name": "Protokoll März.pdf",
        "media_type": "application/pdf",
        "text": "[Page 1]\n\nThe cord is cut.",
        "pages": 1,
        "truncated": False,
    }
    part = {name: reply.json()[name] for name in ("type", "name", "media_type", "text")}
    made = await client.post("/api/conversations", json={})
    body = {"model": "scripted/hello", "parts": [part, {"type": "text", "text": "What is cut?"}]}
    begun = await client.post(f"/api/conversations/{made.json()['id']}/generations", json=body)
    assert begun.status_code == 201


async def test_a_document_that_cannot_be_read_is_named_with_what_to_do(
    client: httpx.AsyncClient,
) -> None:
    reply = await client.post("/api/documents/text?name=scan.pdf", content=samples.pdf([""]))
    problem = reply.json()
    assert (reply.status_code, problem["code"]) == (400, "bad_request")
    assert problem["detail"] == "scan.pdf has no text."
    assert "pictures" in problem["advice"]


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/api/documents/text?name=a", "Send less, or raise GRANTHA_MAX_DOCUMENT."),
        ("/api/import", "Send less, or raise GRANTHA_MAX_IMPORT."),
        ("/api/conversations", "Send less, or raise GRANTHA_MAX_BODY."),
        ("/api/login", None),
    ],
)
def test_a_body_that_is_too_large_names_the_setting_that_bounds_it(
    shared: Server, path: str, advice: str | None
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared.port)
    connection.putrequest("POST", path)
    connection.putheader("Content-Length", str(1 << 40))
    connection.endheaders()
    reply = connection.getresponse()
    problem = json.loads(reply.read())
    connection.close()
    assert (reply.status, problem.get("advice")) == (413, advice)
