"""The list of answers that are running, of all conversations."""

from __future__ import annotations

from typing import Any

import httpx

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
