"""Answers that are running: their list, and what deleting their conversation does to them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.streams import attached
from tests.server import Server


async def _running(client: httpx.AsyncClient) -> dict[str, Any]:
    reply = await client.get("/api/generations")
    assert reply.status_code == 200
    return {one["id"]: one for one in reply.json()["items"]}


async def test_answers_are_listed_while_they_run(shared: Server, client: httpx.AsyncClient) -> None:
    made = shared.ask(shared.gated_count("listed", 3))
    listed = (await _running(client))[made["id"]]
    assert listed == {
        "id": made["id"],
        "conversation": made["conversation"],
        "title": "Go",
        "origin": "page",
        "message": made["message"],
        "model": "scripted/listed",
        "created_at": made["created_at"],
    }
    shared.allow("listed.gate")
    shared.ended(made["id"])
    assert made["id"] not in await _running(client)


async def test_two_answers_of_one_conversation_are_both_listed(
    shared: Server, client: httpx.AsyncClient
) -> None:
    models = [shared.gated_count("first-of-two", 3), shared.gated_count("second-of-two", 3)]
    conversation = shared.call("POST", "/api/conversations", {}).expect(201)["id"]
    sent = {"text": "Go", "models": models}
    path = f"/api/conversations/{conversation}/generations"
    made = shared.call("POST", path, sent).expect(201)["generations"]
    assert {one["id"] for one in made} <= set(await _running(client))
    for name in ("first-of-two", "second-of-two"):
        shared.allow(f"{name}.gate")


async def test_a_deleted_conversation_has_no_running_answers(
    shared: Server, client: httpx.AsyncClient
) -> None:
    made = shared.ask(shared.gated_count("deleted-while-running", 3))
    deleted = shared.call("DELETE", f"/api/conversations/{made['conversation']}")
    assert deleted.status == 204
    assert made["id"] not in await _running(client)


async def test_deleting_a_conversation_stops_what_is_written_in_it(
    shared: Server, client: httpx.AsyncClient
) -> None:
    made = shared.ask("scripted/silent")
    conversation, generation = made["conversation"], f"/api/generations/{made['id']}"
    async with attached(client, made["id"]) as stream:
        assert (await client.delete(f"/api/conversations/{conversation}")).status_code == 204
        assert (await stream.frames())[-1]["ending"] == "stopped"
    for method, path, body in (
        ("GET", generation, None),
        ("GET", f"{generation}/events", None),
        ("PATCH", generation, {"temperature": 1.0}),
        *(("POST", f"{generation}/{action}", {}) for action in ("stop", "continue")),
        ("GET", f"/api/analytics/generations/{made['id']}", None),
    ):
        reply = await client.request(method, path, json=body)
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found"), (method, path)
    assert (await client.post(f"/api/conversations/{conversation}/restore")).status_code == 200
    assert (await client.get(generation)).json()["status"] == "stopped"
