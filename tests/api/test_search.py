"""The search over HTTP: pages, hits, filters, invalid parameters."""

import uuid

import httpx
import pytest

from tests.api.test_native import _ask


async def test_a_search_gives_messages_page_by_page(client: httpx.AsyncClient) -> None:
    word = "q" + uuid.uuid4().hex
    titled = await client.post("/api/conversations", json={"title": f"About {word.upper()}"})
    made = [await _ask(client, text=f"{number}: {word} 潮汐表") for number in range(3)]
    params = {"q": f"{word} -nothing", "limit": "3"}
    first = (await client.get("/api/search", params=params)).json()
    second = (
        await client.get("/api/search", params={**params, "cursor": first["next_cursor"]})
    ).json()
    hits = [*first["items"], *second["items"]]
    assert [hit["conversation"] for hit in hits] == [
        titled.json()["id"],
        *(one["conversation"] for one in reversed(made)),
    ]
    assert [hit["message"] for hit in hits] == [None, *(one["parent"] for one in reversed(made))]
    assert second["next_cursor"] is None
    assert hits[1]["snippet"] == f"2: \x02{word}\x03 潮汐表"
    of_the_model = {"q": f"{word} 汐表", "model": made[0]["model"], "role": "user"}
    found = (await client.get("/api/search", params=of_the_model)).json()["items"]
    assert len(found) == 3
    later = {**params, "since": "9000-01-01T00:00:00Z"}
    assert (await client.get("/api/search", params=later)).json()["items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"since": "2026-01-01"},
        {"role": "system"},
        {"limit": "0"},
        {"cursor": "x"},
        {"q": "x" * 501},
    ],
    ids=str,
)
async def test_a_search_refuses_invalid_parameters(
    client: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    reply = await client.get("/api/search", params={"q": "tide", **wrong})
    assert reply.status_code in {400, 422}
