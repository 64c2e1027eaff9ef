"""Conversations as files: out and in again, and from the exports of others."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.test_native import _ask, _ended

EXAMPLES = Path(__file__).parent / "exports"


async def _import(client: httpx.AsyncClient, document: Any) -> list[dict[str, Any]]:
    reply = await client.post("/api/import", json=document)
    assert reply.status_code == 201, reply.text
    ids = reply.json()["conversations"]
    assert reply.json()["imported"] == len(ids)
    return [(await client.get(f"/api/conversations/{conversation}")).json() for conversation in ids]


def _shape(conversation: dict[str, Any]) -> list[Any]:
    """A tree without ids: for every message its parent's index, and its text."""
    place = {message["id"]: n for n, message in enumerate(conversation["messages"])}
    return [
        (
            place.get(message["parent"]),
            message["role"],
            [part.get("text") for part in message["parts"]],
            message["model"],
            message["status"],
        )
        for message in conversation["messages"]
    ]


async def _grown(client: httpx.AsyncClient) -> str:
    """A conversation with two answers to one question, and an edited question."""
    first = await _ask(client, text="Count, please: ünï \U0001f600")
    await _ended(client, first["id"])
    conversation = str(first["conversation"])
    path = f"/api/conversations/{conversation}/generations"
    again = await client.post(path, json={"model": "scripted/count-3"})
    await _ended(client, again.json()["id"])
    edited = await _ask(client, conversation=conversation, text="Edited", parent=None)
    await _ended(client, edited["id"])
    await client.patch(
        f"/api/conversations/{conversation}", json={"title": "Trees", "pinned": True}
    )
    await client.patch(f"/api/conversations/{conversation}", json={"leaf": again.json()["message"]})
    return conversation


async def test_an_export_that_is_imported_is_the_same_tree(client: httpx.AsyncClient) -> None:
    conversation = await _grown(client)
    before = (await client.get(f"/api/conversations/{conversation}")).json()
    reply = await client.get(f"/api/conversations/{conversation}/export")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-disposition"] == "attachment; filename*=UTF-8''Trees.json"
    document = reply.json()
    assert (document["format"], document["version"]) == ("grantha", 1)
    (after,) = await _import(client, document)
    assert after["id"] != before["id"]
    assert {m["id"] for m in after["messages"]}.isdisjoint(m["id"] for m in before["messages"])
    assert _shape(after) == _shape(before)
    for name in ("title", "pinned", "system_prompt", "options", "model"):
        assert after[name] == before[name]
    tips = [
        [m["id"] for m in conversation["messages"]].index(conversation["leaf"])
        for conversation in (before, after)
    ]
    assert tips[0] == tips[1]
    ends = [[m["end"] for m in conversation["messages"]] for conversation in (before, after)]
    assert ends[0] == ends[1]
    second = (await client.get(f"/api/conversations/{after['id']}/export")).json()
    assert _without_ids(second) == _without_ids(document)
    for done in (before, after):
        await client.delete(f"/api/conversations/{done['id']}")


def _without_ids(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True)
    for n, message in enumerate(document["conversations"][0]["messages"]):
        text = text.replace(message["id"], f"message {n}")
    return text


async def test_an_image_travels_inside_the_file(client: httpx.AsyncClient) -> None:
    image = {"type": "image", "media_type": "image/png", "data": "iVBORw0KGgo="}
    made = await client.post("/api/conversations", json={})
    conversation = made.json()["id"]
    await client.post(
        f"/api/conversations/{conversation}/generations",
        json={"parts": [image], "model": "scripted/hello"},
    )
    document = (await client.get(f"/api/conversations/{conversation}/export")).json()
    assert document["conversations"][0]["messages"][0]["parts"] == [image]
    (after,) = await _import(client, document)
    reply = await client.get(after["messages"][0]["parts"][0]["url"])
    assert reply.content == b"\x89PNG\r\n\x1a\n"


async def test_images_by_url_and_pdfs_travel_inside_the_file(client: httpx.AsyncClient) -> None:
    (made,) = await _import(client, _own({**_MESSAGE, "parts": [_PICTURE, _PAPER]}))
    picture, paper = made["messages"][0]["parts"]
    assert (picture["url"], picture["call_id"]) == (_PICTURE["url"], "call_1")
    assert (await client.get(paper["url"])).content == b"%PDF-1.4\n"
    export = f"/api/conversations/{made['id']}/export"
    document = (await client.get(export)).json()
    assert document["conversations"][0]["messages"][0]["parts"] == [_PICTURE, _PAPER]
    markdown = (await client.get(export, params={"format": "markdown"})).text
    assert "*An image: <https://pictures.example/a.png>.*\n\n**a.pdf**\n" in markdown


async def test_markdown_holds_the_branch_that_is_shown(client: httpx.AsyncClient) -> None:
    conversation = await _grown(client)
    reply = await client.get(
        f"/api/conversations/{conversation}/export", params={"format": "markdown"}
    )
    assert reply.headers["content-type"] == "text/markdown; charset=utf-8"
    assert reply.text == (
        "# Trees\n\n## User\n\nCount, please: ünï \U0001f600\n\n## scripted/count-3\n\nw0 w1 w2 \n"
    )
    await client.delete(f"/api/conversations/{conversation}")


async def test_a_conversation_that_was_imported_can_be_continued(client: httpx.AsyncClient) -> None:
    (conversation,) = await _import(client, json.loads((EXAMPLES / "claude.json").read_text()))
    made = await _ask(client, conversation=conversation["id"], text="And now?")
    assert (await _ended(client, made["id"]))["status"] == "done"


async def test_a_chatgpt_export_keeps_its_branches(client: httpx.AsyncClient) -> None:
    (conversation,) = await _import(client, json.loads((EXAMPLES / "chatgpt.json").read_text()))
    assert conversation["title"] == "Rivers"
    assert conversation["created_at"] == "2024-05-01T10:00:00.500Z"
    assert _shape(conversation) == [
        (None, "user", ["Name a river."], None, None),
        (0, "assistant", ["The longest in Europe?", "The Volga."], "openai/gpt-4o", "done"),
        (0, "assistant", ["The Rhine."], "openai/gpt-4o", "done"),
        (2, "user", ["[Image, not part of the export]\n\nWhere does it end?"], None, None),
        (3, "assistant", ["In the North Sea."], "openai/gpt-4o", "done"),
    ]
    assert [part["type"] for part in conversation["messages"][1]["parts"]] == ["reasoning", "text"]
    assert conversation["leaf"] == conversation["messages"][4]["id"]


async def test_a_claude_export_keeps_reasoning_and_attachments(client: httpx.AsyncClient) -> None:
    (conversation,) = await _import(client, json.loads((EXAMPLES / "claude.json").read_text()))
    assert conversation["title"] == "A poem"
    assert _shape(conversation) == [
        (None, "user", ["Roses are red", "Go on with this."], None, None),
        (0, "assistant", ["Rhyme with blue.", "Violets are blue."], None, "done"),
        (0, "assistant", ["Violets aren't."], None, "done"),
    ]
    assert conversation["messages"][0]["parts"][0] == {
        "type": "file",
        "name": "poem.txt",
        "media_type": "text/plain",
        "text": "Roses are red",
    }


async def test_a_file_in_which_nothing_is_understood_is_refused(client: httpx.AsyncClient) -> None:
    """danny-avila/LibreChat#7696"""
    said = {"fragments": [{"type": "REQUEST", "content": "Hi"}], "model": "deepseek-chat"}
    mapping = {
        "root": {"id": "root", "parent": None, "children": ["1"], "message": None},
        "1": {"id": "1", "parent": "root", "children": [], "message": said},
    }
    reply = await client.post("/api/import", json=[{"title": "T", "mapping": mapping}])
    assert reply.status_code == 400
    assert reply.json()["detail"] == "The file contains no conversation."


_PICTURE = {
    "type": "image",
    "media_type": "",
    "data": "",
    "url": "https://pictures.example/a.png",
    "call_id": "call_1",
}
_PAPER = {
    "type": "file",
    "name": "a.pdf",
    "media_type": "application/pdf",
    "text": "",
    "data": "JVBERi0xLjQK",
}
_MESSAGE = {"id": "a", "parent": None, "role": "user", "parts": [{"type": "text", "text": "x"}]}


def _zip(**files: Any) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            archive.writestr(name, text)
    return body.getvalue()


def _claude(text: str) -> dict[str, Any]:
    return {"name": text, "chat_messages": [{"sender": "human", "text": text}]}


async def test_an_archive_is_imported_as_it_was_delivered(client: httpx.AsyncClient) -> None:
    numbered = {f"export/conversations-{n:03}.json": [_claude(f"Chat {n}")] for n in (2, 0, 10, 1)}
    beside = {
        "users.json": [{"full_name": "X"}],
        "export/conversations-001.json.png": "x",
        "__MACOSX/export/conversations-000.json": "x",
    }
    reply = await client.post("/api/import", content=_zip(**numbered, **beside))
    assert reply.status_code == 201, reply.text
    found = [
        (await client.get(f"/api/conversations/{one}")).json()["title"]
        for one in reply.json()["conversations"]
    ]
    assert found == ["Chat 0", "Chat 1", "Chat 2", "Chat 10"]
    assert reply.json()["left_out"] == {"images": 0, "files": 0, "tool_calls": 0, "other": 0}


_ARCHIVE = _zip(**{"conversations.json": [_claude("Hi")]})


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (_zip(**{"chat.html": "x"}), 400, "holds no conversations.json"),
        (_ARCHIVE[:-30], 400, "archive is damaged"),
        (_ARCHIVE.replace(b"\x00\x00conversations", b"\x01\x00conversations"), 400, "archive"),
        (_zip(**{"conversations.json": "{"}), 400, "conversations.json in the archive: The file"),
        (_zip(**{"conversations.json": " " * 70_000_000}), 413, "at most 67,108,864 are read"),
        (
            _zip(**{"conversations-0.json": [_claude("Hi")], "conversations-1.json": [{}]}),
            400,
            "conversations-1.json in the archive: The file isn't an export",
        ),
    ],
    ids=["others", "cut", "changed", "no JSON", "large", "second"],
)
async def test_an_archive_that_cannot_be_read_stores_nothing(
    client: httpx.AsyncClient, body: bytes, status: int, reason: str
) -> None:
    before = await _newest(client)
    reply = await client.post("/api/import", content=body)
    assert reply.status_code == status, reply.text
    assert reason in reply.json()["detail"]
    assert await _newest(client) == before


def _own(*messages: Any, **more: Any) -> dict[str, Any]:
    return {
        "format": "grantha",
        "version": 1,
        "conversations": [{"title": "x", "messages": list(messages), **more}],
    }


def _image(media_type: str, data: str) -> dict[str, Any]:
    part = {"type": "image", "media_type": media_type, "data": data}
    return _own({**_MESSAGE, "parts": [part]})


_END: dict[str, Any] = {
    "ending": "done",
    "finish_reason": "stop",
    "native_finish_reason": None,
    "usage": None,
    "timings": {},
    "text_length": 1,
    "sha256": "0" * 64,
}


# As development versions wrote seams: the mode was called "how".
_SEAM_WITHOUT_MODE: dict[str, Any] = {
    "reason": "restart",
    "how": "prefix",
    "model": "scripted/hello",
    "options": {},
    "text_length": 1,
}


def _answer(**more: Any) -> dict[str, Any]:
    return _own({**_MESSAGE, "role": "assistant", "status": "done", **more})


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "isn't an export"),
        ([], "isn't an export"),
        ([{"mapping": {}}], "no conversation"),
        ({"mapping": {}}, "no conversation"),
        ([{"mapping": {"a": {"parent": []}, "b": {"parent": {}}}}], "no conversation"),
        ({"format": "grantha", "version": 2}, "version is '2'"),
        ({"format": "grantha", "version": 1}, "conversations isn't a list"),
        ({"format": "grantha", "version": 1, "conversations": []}, "no conversation"),
        (_own("x"), "conversations.0.messages.0 isn't an object"),
        (_own({**_MESSAGE, "role": "king"}), "conversations.0.messages.0.role is none of"),
        (
            _own({**_MESSAGE, "parts": [{"type": "song"}]}),
            "parts.0.type isn't a known kind of part",
        ),
        (_own({**_MESSAGE, "parts": [{"type": "text"}]}), "parts.0.text isn't text"),
        (_own({**_MESSAGE, "created_at": "soon"}), "messages.0.created_at isn't a time"),
        (_own({**_MESSAGE, "created_at": 1e300}), "messages.0.created_at isn't a time"),
        (_own({**_MESSAGE, "created_at": "0001-01-01T00:00:00+14:00"}), "between 1970 and 9999"),
        (_own({**_MESSAGE, "created_at": -1}), "between 1970 and 9999"),
        (_own({**_MESSAGE, "created_at": 253402300799.9999}), "between 1970 and 9999"),
        (_own(_MESSAGE, created_at=10**400), "created_at isn't a time"),
        (_own({**_MESSAGE, "parent": "b"}), "aren't connected to the first"),
        (_own({**_MESSAGE, "parent": "a"}), "aren't connected to the first"),
        (_own(_MESSAGE, _MESSAGE), "two messages with the same id"),
        (_own(_MESSAGE, options=3), "conversations.0.options isn't an object"),
        (_own(_MESSAGE, options={"temperature": "hot"}), "options isn't valid (temperature"),
        (_own(_MESSAGE, options={"stop": {"a": 1}}), "options isn't valid (stop"),
        (_own(_MESSAGE, options={"max_tokens": 1.5}), "options isn't valid (max_tokens"),
        (_own(_MESSAGE, options={"tools": ["x"]}), "options isn't valid (tools"),
        (_own(_MESSAGE, options={"extra": ["x"]}), "options isn't valid (extra"),
        (_own(_MESSAGE, model="x" * 301), "conversations.0.model"),
        (_own(_MESSAGE, system_prompt="x" * 200_001), "conversations.0.system_prompt"),
        (_image("image/png", "aGVsbG8="), "parts.0 can't be used"),
        (_image("image/png", "\u00e9"), "parts.0 can't be used"),
        (_image("text/html", "PGgxPmhpPC9oMT4="), "parts.0 can't be used"),
        (_image("image/png\r\nX: 1", "aGVsbG8="), "parts.0 can't be used"),
        (
            _own({**_MESSAGE, "parts": [{**_PICTURE, "url": "javascript:alert(1)"}]}),
            "parts.0.url isn't an http or https URL",
        ),
        (
            _own({**_MESSAGE, "parts": [{**_PAPER, "data": "?"}]}),
            "parts.0.data isn't valid base64",
        ),
        (_answer(end={"ending": "done"}), "end isn't valid (finish_reason"),
        (_answer(end={**_END, "timings": {"duration_ms": "long"}}), "end isn't valid (duration_ms"),
        (_answer(end={**_END, "error": {"code": 5}}), "end isn't valid (code"),
        (_answer(seams=[{"reason": "options"}]), "seams.0 isn't valid"),
        (_answer(seams=[_SEAM_WITHOUT_MODE]), "seams.0 isn't valid (mode: Field required)"),
        (_answer(citations=[{"part": "x"}]), "citations.0 isn't valid"),
        ([{"mapping": {"a": {"parent": "b"}, "b": {"parent": "a"}}}], "has a cycle"),
        ([{"mapping": {"a": {"message": {"author": {"role": "user"}, "content": 1}}}}], "content"),
        ([{"chat_messages": [{"sender": "dog"}]}], "sender is neither"),
    ],
)
async def test_a_file_that_cannot_be_read_says_where_and_stores_nothing(
    client: httpx.AsyncClient, document: Any, said: str
) -> None:
    before = await _newest(client)
    reply = await client.post("/api/import", json=document)
    assert reply.status_code == 400, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert said in reply.json()["detail"]
    assert await _newest(client) == before


async def _newest(client: httpx.AsyncClient) -> str:
    """The conversation that was stored last: ids sort by time, the list by the times in files."""
    ids = [""]
    params = {"origin": "all", "limit": "200"}
    while True:
        page = (await client.get("/api/conversations", params=params)).json()
        ids += [row["id"] for row in page["items"]]
        if page["next_cursor"] is None:
            return max(ids)
        params["cursor"] = page["next_cursor"]


async def test_an_image_has_the_type_of_its_bytes(client: httpx.AsyncClient) -> None:
    (after,) = await _import(client, _image("text/html", "iVBORw0KGgo="))
    part = after["messages"][0]["parts"][0]
    assert part["media_type"] == "image/png"
    assert (await client.get(part["url"])).headers["content-type"] == "image/png"


async def test_nothing_of_a_file_stays_that_is_wrong_at_its_end(client: httpx.AsyncClient) -> None:
    before = await _newest(client)
    good = _own(_MESSAGE)["conversations"] * 1000
    wrong = {"format": "grantha", "version": 1, "conversations": [*good, {"messages": 3}]}
    reply = await client.post("/api/import", json=wrong)
    assert reply.json()["detail"].endswith("conversations.1000.messages isn't a list.")
    cut = json.dumps(wrong)[:-30]
    head = {"Content-Type": "application/json"}
    assert (await client.post("/api/import", content=cut, headers=head)).status_code == 400
    assert await _newest(client) == before


async def test_characters_that_nothing_can_store_are_replaced(client: httpx.AsyncClient) -> None:
    text = '{"type": "text", "text": "a\\u0000b\\ud800c"}'
    body = json.dumps(_own(_MESSAGE)).replace('{"type": "text", "text": "x"}', text)
    head = {"Content-Type": "application/json"}
    reply = await client.post("/api/import", content=body, headers=head)
    assert reply.status_code == 201
    conversation = (
        await client.get(f"/api/conversations/{reply.json()['conversations'][0]}")
    ).json()
    assert conversation["messages"][0]["parts"] == [{"type": "text", "text": "a\ufffdb\ufffdc"}]
