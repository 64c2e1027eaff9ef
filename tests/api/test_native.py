"""The native calls: conversations, starting, branching, stopping, changing, continuing."""

import asyncio
import base64
import hashlib
import json
import uuid
from typing import Any

import httpx
import pytest

from tests.api.streams import SseReader, assert_dense, attached, text_of
from tests.scripts import counted
from tests.server import Server

HELLO = "Hello! This answer is read from a script, one word at a time."


async def _conversation(client: httpx.AsyncClient, **body: Any) -> str:
    reply = await client.post("/api/conversations", json=body)
    assert reply.status_code == 201
    return str(reply.json()["id"])


async def _ask(
    client: httpx.AsyncClient, model: str = "scripted/count-20", **body: Any
) -> dict[str, Any]:
    conversation = body.pop("conversation", None) or await _conversation(client)
    sent = {"text": "Go", "model": model, **body}
    reply = await client.post(f"/api/conversations/{conversation}/generations", json=sent)
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def _ended(client: httpx.AsyncClient, generation: str) -> dict[str, Any]:
    async with attached(client, generation) as stream:
        await stream.rest()
    found: dict[str, Any] = (await client.get(f"/api/generations/{generation}")).json()
    assert found["status"] != "running"
    return found


# ---- starting -----------------------------------------------------------------------------------


async def test_a_send_makes_a_generation_and_says_where_its_events_are(
    client: httpx.AsyncClient,
) -> None:
    conversation = await _conversation(client)
    reply = await client.post(
        f"/api/conversations/{conversation}/generations",
        json={"text": "Go", "model": "scripted/count-20"},
    )
    made = reply.json()
    assert reply.status_code == 201
    assert reply.headers["location"] == f"/api/generations/{made['id']}/events"
    assert made["conversation"] == conversation
    assert made["model"] == "scripted/count-20"
    ended = await _ended(client, made["id"])
    assert ended["status"] == "done"
    assert ended["text"] == counted(20)
    assert ended["end"]["sha256"] == hashlib.sha256(counted(20).encode()).hexdigest()
    assert ended["end"]["text_length"] == len(counted(20))


async def test_a_send_is_answered_while_its_generation_is_running(
    client: httpx.AsyncClient,
) -> None:
    path = f"/api/conversations/{await _conversation(client)}/generations"
    made = await client.post(path, json={"text": "Go", "model": "scripted/silent"})
    assert (made.status_code, made.json()["status"]) == (201, "running")


async def test_the_same_key_again_joins_the_first_send(client: httpx.AsyncClient) -> None:
    conversation = await _conversation(client)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    path = f"/api/conversations/{conversation}/generations"
    body = {"text": "Go", "model": "scripted/count-20"}
    first = await client.post(path, json=body, headers=key)
    again = await client.post(path, json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["location"] == first.headers["location"]
    assert len((await client.get(f"/api/conversations/{conversation}")).json()["messages"]) == 2


async def test_the_same_key_with_another_body_is_a_conflict(client: httpx.AsyncClient) -> None:
    conversation = await _conversation(client)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    path = f"/api/conversations/{conversation}/generations"
    await client.post(path, json={"text": "Go"}, headers=key)
    other = await client.post(path, json={"text": "Something else"}, headers=key)
    assert other.status_code == 409
    assert other.json()["code"] == "conflict"
    assert len((await client.get(f"/api/conversations/{conversation}")).json()["messages"]) == 2


async def test_sends_with_one_key_at_the_same_time_make_one_generation(
    client: httpx.AsyncClient,
) -> None:
    conversation = await _conversation(client)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    path = f"/api/conversations/{conversation}/generations"
    replies = await asyncio.gather(
        *(client.post(path, json={"text": "Go"}, headers=key) for _ in range(8))
    )
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert sorted(reply.status_code for reply in replies) == [200] * 7 + [201]


async def test_a_send_that_accepts_event_streams_tails_its_own_answer(
    client: httpx.AsyncClient,
) -> None:
    conversation = await _conversation(client)
    async with client.stream(
        "POST",
        f"/api/conversations/{conversation}/generations",
        json={"text": "Go", "model": "scripted/count-20"},
        headers={"Accept": "text/event-stream"},
    ) as reply:
        assert reply.status_code == 201
        assert reply.headers["location"].endswith("/events")
        blocks = await SseReader(reply).rest()
    assert blocks[0].id == "0-0"
    assert blocks[0].data is None
    assert blocks[1].data["kind"] == "hello"
    frames = [block.data for block in blocks[2:]]
    assert [frames[0]["kind"], frames[-1]["kind"]] == ["open", "generation-end"]
    assert text_of(frames) == counted(20)


async def test_several_models_answer_side_by_side(client: httpx.AsyncClient) -> None:
    conversation = await _conversation(client)
    reply = await client.post(
        f"/api/conversations/{conversation}/generations",
        json={"text": "Go", "models": ["scripted/count-5", "scripted/count-7"]},
    )
    made = reply.json()["generations"]
    assert reply.status_code == 201
    assert [g["model"] for g in made] == ["scripted/count-5", "scripted/count-7"]
    assert len({g["parent"] for g in made}) == 1
    texts = [(await _ended(client, g["id"]))["text"] for g in made]
    assert texts == [counted(5), counted(7)]
    assert (await client.get(f"/api/conversations/{conversation}")).json()["leaf"] == made[0][
        "message"
    ]


async def test_several_models_cannot_be_tailed_and_start_nothing_then(
    client: httpx.AsyncClient,
) -> None:
    conversation = await _conversation(client)
    reply = await client.post(
        f"/api/conversations/{conversation}/generations",
        json={"text": "Go", "models": ["scripted/count-5", "scripted/count-7"]},
        headers={"Accept": "text/event-stream"},
    )
    assert reply.status_code == 400
    assert (await client.get(f"/api/conversations/{conversation}")).json()["messages"] == []


async def test_the_conversation_gives_model_options_and_prompt_when_none_are_named(
    client: httpx.AsyncClient,
) -> None:
    conversation = await _conversation(
        client, model="scripted/count-3", options={"temperature": 0.5}, system_prompt="Be brief."
    )
    reply = await client.post(f"/api/conversations/{conversation}/generations", json={"text": "Go"})
    assert reply.json()["model"] == "scripted/count-3"
    assert reply.json()["options"] == {"temperature": 0.5}


# ---- the tree -----------------------------------------------------------------------------------


async def test_answering_again_makes_a_sibling_under_the_same_question(
    client: httpx.AsyncClient,
) -> None:
    first = await _ask(client)
    await _ended(client, first["id"])
    path = f"/api/conversations/{first['conversation']}/generations"
    again = await client.post(path, json={"model": "scripted/count-3"})
    assert again.status_code == 201
    assert again.json()["parent"] == first["parent"]
    assert again.json()["message"] != first["message"]
    named = await client.post(path, json={"parent": first["parent"], "model": "scripted/count-3"})
    assert named.json()["parent"] == first["parent"]
    for made in (again, named):
        await _ended(client, made.json()["id"])
    tree = (await client.get(f"/api/conversations/{first['conversation']}")).json()
    answers = [m for m in tree["messages"] if m["role"] == "assistant"]
    assert [m["parent"] for m in answers] == [first["parent"]] * 3


async def test_an_edited_question_hangs_under_the_same_parent(client: httpx.AsyncClient) -> None:
    first = await _ask(client)
    await _ended(client, first["id"])
    edited = await _ask(
        client, conversation=first["conversation"], text="Another question", parent=None
    )
    await _ended(client, edited["id"])
    tree = (await client.get(f"/api/conversations/{first['conversation']}")).json()
    questions = [m for m in tree["messages"] if m["role"] == "user"]
    assert [m["parent"] for m in questions] == [None, None]
    assert tree["leaf"] == edited["message"]


async def test_a_second_question_hangs_under_the_leaf(client: httpx.AsyncClient) -> None:
    first = await _ask(client)
    await _ended(client, first["id"])
    second = await _ask(client, conversation=first["conversation"], text="And then?")
    tree = (await client.get(f"/api/conversations/{first['conversation']}")).json()
    question = next(m for m in tree["messages"] if m["id"] == second["parent"])
    assert question["parent"] == first["message"]
    turned = await client.patch(
        f"/api/conversations/{first['conversation']}", json={"leaf": first["message"]}
    )
    assert turned.json()["leaf"] == first["message"]


async def test_a_question_while_the_answer_before_is_written_is_a_conflict(
    client: httpx.AsyncClient,
) -> None:
    first = await _ask(client, "scripted/silent")
    reply = await client.post(
        f"/api/conversations/{first['conversation']}/generations", json={"text": "Hurry"}
    )
    assert reply.status_code == 409
    await client.post(f"/api/generations/{first['id']}/stop")


# ---- conversations ------------------------------------------------------------------------------


async def test_a_conversation_is_listed_found_changed_deleted_and_restored(
    client: httpx.AsyncClient,
) -> None:
    word = "w" + uuid.uuid4().hex
    conversation = await _conversation(client, title=f"About {word}")
    rows = (await client.get("/api/conversations", params={"q": word})).json()["items"]
    assert [row["id"] for row in rows] == [conversation]
    changed = await client.patch(
        f"/api/conversations/{conversation}", json={"title": "Renamed", "pinned": True}
    )
    assert (changed.json()["title"], changed.json()["pinned"]) == ("Renamed", True)
    listed = (await client.get("/api/conversations")).json()["items"]
    pinned = [row["pinned"] for row in listed]
    assert pinned == sorted(pinned, reverse=True)  # others may have pinned theirs
    assert conversation in [row["id"] for row in listed if row["pinned"]]
    assert (await client.delete(f"/api/conversations/{conversation}")).status_code == 204
    assert (await client.get(f"/api/conversations/{conversation}")).status_code == 404
    back = await client.post(f"/api/conversations/{conversation}/restore")
    assert (back.status_code, back.json()["title"]) == (200, "Renamed")
    await client.delete(f"/api/conversations/{conversation}")


async def test_a_list_is_read_page_by_page(client: httpx.AsyncClient) -> None:
    made = {await _conversation(client) for _ in range(5)}
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/api/conversations", params=params)).json()
        seen += [row["id"] for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


async def test_a_search_finds_words_of_messages_and_marks_them(client: httpx.AsyncClient) -> None:
    word = "q" + uuid.uuid4().hex
    made = await _ask(client, text=f"Do you know {word}?")
    rows = (await client.get("/api/conversations", params={"q": word})).json()["items"]
    assert [row["id"] for row in rows] == [made["conversation"]]
    assert f"\x02{word}\x03" in rows[0]["snippet"]


async def test_an_image_is_kept_and_given_back_byte_by_byte(client: httpx.AsyncClient) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    data = base64.b64encode(picture).decode()
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "media_type": "image/png", "data": data},
    ]
    conversation = await _conversation(client)
    await client.post(f"/api/conversations/{conversation}/generations", json={"parts": parts})
    tree = (await client.get(f"/api/conversations/{conversation}")).json()
    part = tree["messages"][0]["parts"][1]
    assert part["type"] == "image"
    assert "data" not in part
    reply = await client.get(part["url"])
    assert reply.content == picture
    assert reply.headers["content-type"] == "image/png"
    assert "sandbox" in reply.headers["content-security-policy"]


# ---- stop, change, continue ---------------------------------------------------------------------


async def test_stop_keeps_the_text_and_gives_a_receipt(client: httpx.AsyncClient) -> None:
    made = await _ask(client, "scripted/count-100000-at-100")
    async with attached(client, made["id"]) as stream:
        while (block := await stream.next()) and not (
            block.data and block.data["kind"] == "text-delta"
        ):
            pass
        receipt = (await client.post(f"/api/generations/{made['id']}/stop")).json()
        frames = await stream.frames()
    assert receipt["stopped"] is True
    assert receipt["status"] == "stopped"
    assert receipt["confirmed"] is True
    assert receipt["deltas"] >= 1
    assert receipt["closed_ms"] >= 0
    assert frames[-1]["ending"] == "stopped"
    ended = (await client.get(f"/api/generations/{made['id']}")).json()
    assert counted(100000).startswith(ended["text"])
    assert ended["text"]
    again = (await client.post(f"/api/generations/{made['id']}/stop")).json()
    assert again["stopped"] is False
    assert again["status"] == "stopped"


async def test_a_change_applies_at_once_and_leaves_a_seam(client: httpx.AsyncClient) -> None:
    made = await _ask(client, "scripted/count-100000-at-200", options={"temperature": 0.2})
    async with attached(client, made["id"]) as stream:
        while (block := await stream.next()) and not (
            block.data and block.data["kind"] == "text-delta"
        ):
            pass
        changed = await client.patch(f"/api/generations/{made['id']}", json={"temperature": 1.5})
        assert changed.json() == {
            "applied": True,
            "mode": "prefix",
            "model": "scripted/count-100000-at-200",
            "options": {"temperature": 1.5},
        }
        while (block := await stream.next()) and block.data["kind"] != "seam":
            pass
        assert block is not None
        assert block.data["reason"] == "options"
        assert block.data["changes"] == {"temperature": [0.2, 1.5]}
        await client.post(f"/api/generations/{made['id']}/stop")
    ended = await _ended(client, made["id"])
    assert counted(100000).startswith(ended["text"])
    assert ended["options"] == {"temperature": 0.2}


async def test_a_change_of_an_ended_answer_is_a_conflict(client: httpx.AsyncClient) -> None:
    made = await _ask(client)
    await _ended(client, made["id"])
    reply = await client.patch(f"/api/generations/{made['id']}", json={"temperature": 1.0})
    assert reply.status_code == 409


async def test_a_change_that_the_model_cannot_take_says_why(
    client: httpx.AsyncClient, shared: Server
) -> None:
    model = shared.script(
        "rigid", {"capabilities": {"temperature": False}, "steps": [{"text": "a"}, {"hang": True}]}
    )
    made = await _ask(client, model)
    reply = await client.patch(f"/api/generations/{made['id']}", json={"temperature": 1.0})
    assert reply.status_code == 422
    assert reply.json()["code"] == "unsupported"
    assert reply.json()["applied"] is False
    assert "temperature" in reply.json()["reason"]
    await client.post(f"/api/generations/{made['id']}/stop")


async def test_a_stopped_answer_is_continued_on_the_same_message(
    client: httpx.AsyncClient, shared: Server
) -> None:
    made = await _ask(client, shared.gated_count("stopped", 300))
    shared.allow("stopped.gate", 20)
    async with attached(client, made["id"], after="0-0") as stream:
        while (block := await stream.next()) and not (
            block.data and block.data["kind"] == "text-delta"
        ):
            pass
    await client.post(f"/api/generations/{made['id']}/stop")
    before = await _ended(client, made["id"])
    shared.allow("stopped.gate")
    reply = await client.post(f"/api/generations/{made['id']}/continue", json={})
    assert reply.status_code == 201
    assert reply.json()["message"] == made["message"]
    assert reply.json()["id"] != made["id"]
    after = await _ended(client, reply.json()["id"])
    assert after["text"] == counted(300)
    assert after["text"].startswith(before["text"])
    assert [seam["reason"] for seam in after["seams"]] == ["continued"]
    assert after["end"]["sha256"] == hashlib.sha256(after["text"].encode()).hexdigest()


async def test_a_failed_answer_keeps_its_text_and_says_what_happened(
    client: httpx.AsyncClient,
) -> None:
    made = await _ask(client, "scripted/failing")
    ended = await _ended(client, made["id"])
    assert ended["status"] == "failed"
    assert ended["error"]["code"]
    assert ended["error"]["message"]
    assert ended["text"]


# ---- reading ------------------------------------------------------------------------------------


async def test_a_stream_begins_with_an_id_a_pause_and_a_hello(client: httpx.AsyncClient) -> None:
    made = await _ask(client)
    async with attached(client, made["id"], after="0-0") as stream:
        assert stream.reply.headers["content-type"].startswith("text/event-stream")
        assert stream.reply.headers["cache-control"] == "no-cache, no-transform"
        assert stream.reply.headers["x-accel-buffering"] == "no"
        first = await stream.next()
        assert first is not None
        assert (first.id, first.data) == ("0-0", None)
        assert first.retry is not None
        assert 0 < first.retry < 10_000
        hello = await stream.next()
        assert hello is not None
        assert hello.id is None
        assert hello.data["kind"] == "hello"
        assert hello.data["protocol"] == 1
        assert hello.data["generation"] == made["id"]
        frames = await stream.frames()
    assert_dense(frames, "0-0")
    assert text_of(frames) == counted(20)


async def test_without_a_cursor_a_snapshot_comes_first(client: httpx.AsyncClient) -> None:
    made = await _ask(client, "scripted/count-60-at-300")
    async with attached(client, made["id"]) as stream:
        frames = await stream.frames()
    assert frames[0]["kind"] == "snapshot"
    assert frames[0]["generation"] == made["id"]
    assert_dense(frames[1:], frames[0]["id"])
    assert text_of(frames) == counted(60)
    async with attached(client, made["id"]) as stream:
        late = await stream.frames()
    assert [frame["kind"] for frame in late] == ["snapshot"]
    assert late[0]["text"] == counted(60)
    assert late[0]["status"] == "done"
    assert late[0]["end"]["text_length"] == len(counted(60))


async def test_the_header_wins_over_the_query(client: httpx.AsyncClient) -> None:
    made = await _ask(client)
    await _ended(client, made["id"])
    async with attached(client, made["id"], after="1-1", **{"Last-Event-ID": "1-3"}) as stream:
        frames = await stream.frames()
    assert_dense(frames, "1-3")
    async with attached(client, made["id"], **{"Last-Event-ID": "1-4"}) as stream:
        frames = await stream.frames()
    assert_dense(frames, "1-4")


async def test_nothing_newer_is_204_and_an_unknown_generation_404(
    client: httpx.AsyncClient,
) -> None:
    made = await _ask(client)
    ended = await _ended(client, made["id"])
    path = f"/api/generations/{made['id']}/events"
    for accept in ("text/event-stream", "application/x-ndjson", "application/json"):
        head = {"Accept": accept}
        reply = await client.get(path, params={"after": ended["last_id"]}, headers=head)
        assert reply.status_code == 204
        reply = await client.get("/api/generations/g_unknown/events", headers=head)
        assert reply.status_code == 404
        assert reply.json()["code"] == "not_found"


async def test_an_id_that_was_never_given_out_gets_the_snapshot(client: httpx.AsyncClient) -> None:
    made = await _ask(client, "scripted/silent")
    reply = await client.get(f"/api/generations/{made['id']}/events", params={"after": "7-99"})
    assert reply.status_code == 410
    assert reply.json()["snapshot"]["id"] == made["id"]
    await client.post(f"/api/generations/{made['id']}/stop")


async def test_what_is_no_id_is_refused(client: httpx.AsyncClient) -> None:
    made = await _ask(client)
    for wrong in ("x", "1", "1-", "-1-2", "1-2-3", "1-99999999999999999999", "\u0661-\u0662"):
        reply = await client.get(f"/api/generations/{made['id']}/events", params={"after": wrong})
        assert reply.status_code == 400, wrong
        assert reply.json()["code"] == "bad_request"


async def test_a_long_poll_gives_lines_and_then_waits(client: httpx.AsyncClient) -> None:
    made = await _ask(client, "scripted/count-40-at-200")
    path = f"/api/generations/{made['id']}/events"
    lines: list[dict[str, Any]] = []
    last: str | None = None
    while True:
        params = {"after": last} if last else {}
        reply = await client.get(path, params=params, headers={"Accept": "application/x-ndjson"})
        if reply.status_code == 204:
            break
        assert reply.headers["content-type"].startswith("application/x-ndjson")
        found = [json.loads(line) for line in reply.text.splitlines()]
        if last is None:
            assert [line["kind"] for line in found[:2]] == ["hello", "snapshot"]
            found = found[1:]
        lines += found
        last = lines[-1]["id"]
    assert lines[0]["kind"] == "snapshot"
    assert_dense(lines[1:], lines[0]["id"])
    assert text_of(lines) == counted(40)
    assert lines[-1]["kind"] in {"generation-end", "snapshot"}


async def test_a_long_poll_without_news_ends_empty_after_its_wait(
    client: httpx.AsyncClient,
) -> None:
    made = await _ask(client, "scripted/silent")
    path = f"/api/generations/{made['id']}/events"
    poll = {"Accept": "application/x-ndjson"}
    last = "0-0"
    while lines := (
        await client.get(path, params={"after": last, "wait": "0.2"}, headers=poll)
    ).text.splitlines():
        last = json.loads(lines[-1])["id"]
    reply = await client.get(path, params={"after": last, "wait": "0.01"}, headers=poll)
    assert (reply.status_code, reply.content) == (200, b"")
    await client.post(f"/api/generations/{made['id']}/stop")


async def test_a_catch_up_gives_all_frames_as_one_json(client: httpx.AsyncClient) -> None:
    made = await _ask(client)
    ended = await _ended(client, made["id"])
    reply = await client.get(
        f"/api/generations/{made['id']}/events", headers={"Accept": "application/json"}
    )
    body = reply.json()
    assert body["status"] == "done"
    assert body["last_id"] == ended["last_id"]
    assert_dense(body["frames"], "0-0")
    assert text_of(body["frames"]) == counted(20)


@pytest.mark.parametrize("cut", [1, 2, 5, 17, 40, 63])
async def test_the_transport_can_change_at_any_record(client: httpx.AsyncClient, cut: int) -> None:
    made = await _ask(client, "scripted/count-60-at-600")
    path = f"/api/generations/{made['id']}/events"
    got: list[dict[str, Any]] = []
    async with attached(client, made["id"], after="0-0") as stream:
        while len(got) < cut and (block := await stream.next()):
            if block.id and block.data:
                got.append(block.data)
    while got[-1]["kind"] != "generation-end":
        params = {"after": got[-1]["id"]}
        reply = await client.get(path, params=params, headers={"Accept": "application/x-ndjson"})
        got += [json.loads(line) for line in reply.text.splitlines()]
        if got[-1]["kind"] == "generation-end":
            break
        params = {"after": got[-1]["id"]}
        reply = await client.get(path, params=params, headers={"Accept": "application/json"})
        got += reply.json()["frames"] if reply.status_code == 200 else []
    assert_dense(got, "0-0")
    assert text_of(got) == counted(60)


async def test_ten_readers_of_one_answer_get_the_same_frames(client: httpx.AsyncClient) -> None:
    made = await _ask(client, "scripted/count-50-at-200")

    async def read() -> str:
        async with attached(client, made["id"]) as stream:
            return text_of(await stream.frames())

    assert set(await asyncio.gather(*(read() for _ in range(10)))) == {counted(50)}


async def test_a_reader_that_goes_away_changes_nothing(client: httpx.AsyncClient) -> None:
    made = await _ask(client, "scripted/count-50-at-200")
    async with attached(client, made["id"]) as stream:
        await stream.next()
    ended = await _ended(client, made["id"])
    assert (ended["status"], ended["text"]) == ("done", counted(50))
