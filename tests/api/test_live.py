"""`WS /api/live`: many answers and all news on one socket; every tab sees what another does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import aiohttp
import httpx
import pytest
from pydantic import Field, TypeAdapter
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from grantha.api.schemas.live_messages import LiveClientMessage, LiveMessage
from tests.api.streams import SseReader, assert_dense, text_of
from tests.scripts import counted
from tests.server import DEADLINE, MakeServer, Server

WORDS = counted(60)
MESSAGE: TypeAdapter[LiveMessage] = TypeAdapter(Annotated[LiveMessage, Field(discriminator="type")])
CLIENT_MESSAGE: TypeAdapter[LiveClientMessage] = TypeAdapter(LiveClientMessage)


class Tab:
    """One socket: sends words, waits for the message that fits."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seen: list[dict[str, Any]] = []

    async def say(self, **word: Any) -> None:
        CLIENT_MESSAGE.validate_python(word, extra="forbid")
        await self.socket.send_str(json.dumps(word))

    async def next(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.socket.receive_json(timeout=DEADLINE)
        MESSAGE.validate_python(message, extra="forbid")  # as described, and nothing else
        self.seen.append(message)
        return message

    async def until(self, **fields: Any) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE):
            while True:
                message = await self.next()
                if all(message.get(name) == value for name, value in fields.items()):
                    return message

    async def frames_of(self, generation: str) -> list[dict[str, Any]]:
        """Its frames, up to its end."""
        frames: list[dict[str, Any]] = []
        async with asyncio.timeout(DEADLINE):
            while not frames or not _is_last(frames[-1]):
                message = await self.next()
                if message["type"] == "frame" and message["generation"] == generation:
                    frames.append(message["frame"])
        return frames


def _is_last(frame: dict[str, Any]) -> bool:
    ended = frame["kind"] == "snapshot" and frame["status"] != "running"
    return bool(ended or frame["kind"] == "generation-end")


@asynccontextmanager
async def tab(server: Server) -> AsyncIterator[Tab]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.ws_url}/api/live") as socket,
    ):
        made = Tab(socket)
        hello = await made.next()
        assert (hello["type"], hello["protocol"]) == ("hello", 1)
        assert hello["heartbeat"] > 0
        assert hello["instance_id"]
        yield made


async def test_a_subscription_begins_with_a_snapshot_and_ends_with_the_end(shared: Server) -> None:
    made = shared.ask(shared.gated_count("snapshot-first", 60))
    async with tab(shared) as one:
        await one.say(type="subscribe", generation=made["id"], after=None)
        await one.until(type="subscribed")
        shared.allow("snapshot-first.gate")
        await one.frames_of(made["id"])
    frames = [message["frame"] for message in one.seen if message["type"] == "frame"]
    assert frames[0]["kind"] == "snapshot"
    assert_dense(frames[1:], frames[0]["id"])
    assert text_of(frames) == WORDS


@pytest.mark.parametrize("cut", [1, 3, 6, 20])
async def test_a_subscription_resumes_after_an_id_of_any_transport(
    shared: Server, cut: int
) -> None:
    made = shared.ask("scripted/count-60-at-300")
    path = f"{shared.url}/api/generations/{made['id']}/events"
    frames: list[dict[str, Any]] = []
    async with httpx.AsyncClient(verify=False, timeout=DEADLINE) as client:
        params = {"after": "0-0"}
        async with client.stream("GET", path, params=params) as reply:
            stream = SseReader(reply)
            while len(frames) < cut and (block := await stream.next()):
                if block.id and block.data and not _is_last(block.data):
                    frames.append(block.data)
    async with tab(shared) as one:
        await one.say(type="subscribe", generation=made["id"], after=frames[-1]["id"])
        frames += await one.frames_of(made["id"])
    assert_dense(frames, "0-0")
    assert text_of(frames) == WORDS


async def test_one_socket_reads_many_answers(shared: Server) -> None:
    made = [shared.ask("scripted/count-60-at-300")["id"] for _ in range(5)]
    async with tab(shared) as one:
        for generation in made:
            await one.say(type="subscribe", generation=generation)
        ended: set[str] = set()
        async with asyncio.timeout(DEADLINE):
            while len(ended) < 5:
                message = await one.next()
                if message["type"] == "frame" and _is_last(message["frame"]):
                    ended.add(message["generation"])
    for generation in made:
        frames = [
            m["frame"] for m in one.seen if m["type"] == "frame" and m["generation"] == generation
        ]
        assert_dense(frames[1:], frames[0]["id"])
        assert text_of(frames) == WORDS


async def test_one_socket_reads_at_most_256_answers(server_factory: MakeServer) -> None:
    server = server_factory().start()
    asking = [asyncio.to_thread(server.ask, "scripted/silent") for _ in range(257)]
    *made, last = [str(row["id"]) for row in await asyncio.gather(*asking)]
    async with tab(server) as one:
        for generation in made:
            await one.say(type="subscribe", generation=generation)
            await one.until(type="subscribed", generation=generation)
        await one.say(type="subscribe", generation=last)
        refused = await one.until(type="error")
        assert "at most 256" in refused["error"]["message"]
        await one.say(type="subscribe", generation=made[0])  # again is no further one
        await one.until(type="subscribed", generation=made[0])
        await one.say(type="unsubscribe", generation=made[0])
        await one.say(type="subscribe", generation=last)
        await one.until(type="subscribed", generation=last)


async def test_after_unsubscribing_nothing_more_comes(shared: Server) -> None:
    made = shared.ask("scripted/count-100000-at-100")
    async with tab(shared) as one:
        await one.say(type="subscribe", generation=made["id"])
        await one.until(type="frame")
        await one.say(type="unsubscribe", generation=made["id"])
        await one.say(type="ping")
        await one.until(type="pong")
        await one.say(type="stop", generation=made["id"])
        await one.until(type="stopped")
        after = one.seen[[m["type"] for m in one.seen].index("pong") :]
        assert not any(message["type"] == "frame" for message in after)


async def test_a_stop_over_the_socket_gives_the_receipt(shared: Server) -> None:
    made = shared.ask("scripted/count-100000-at-100")
    async with tab(shared) as one:
        await one.say(type="subscribe", generation=made["id"])
        await one.until(type="frame")
        await one.say(type="stop", generation=made["id"])
        receipt = await one.until(type="stopped")
        assert receipt["generation"] == made["id"]
        assert (receipt["stopped"], receipt["status"]) == (True, "stopped")
        assert receipt["confirmed"] is True
        await one.say(type="stop", generation=made["id"])
        assert (await one.until(type="stopped"))["stopped"] is False


async def test_two_tabs_see_what_the_other_does(shared: Server) -> None:
    async with tab(shared) as one, tab(shared) as two:
        stored = shared.conversation(title="Seen by both")
        for each in (one, two):
            news = await each.until(type="change", change="conversation", conversation=stored)
            assert news["row"]["title"] == "Seen by both"
        shared.call("PATCH", f"/api/conversations/{stored}", {"title": "Renamed"}).expect(200)
        for each in (one, two):
            while (await each.until(type="change", conversation=stored))["row"][
                "title"
            ] != "Renamed":
                pass
        made = shared.ask("scripted/count-5", conversation=stored)
        for each in (one, two):
            while True:
                news = await each.until(type="change", change="generation", generation=made["id"])
                if news["row"]["status"] == "done":
                    break
        shared.call("DELETE", f"/api/conversations/{stored}")
        for each in (one, two):
            await each.until(type="change", change="conversation-deleted", conversation=stored)


async def test_what_is_unknown_is_gone(shared: Server) -> None:
    async with tab(shared) as one:
        await one.say(type="subscribe", generation="g_unknown")
        assert (await one.until(type="gone"))["code"] == "not_found"
        made = shared.ask("scripted/count-3")
        await one.say(type="subscribe", generation=made["id"], after="9-9")
        assert (await one.until(type="gone"))["code"] == "trimmed"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "isn't JSON"),
        ("[]", "an object with a 'type'"),
        ("null", "an object with a 'type'"),
        ("{}", "an object with a 'type'"),
        ('{"type": 5}', "an object with a 'type'"),
        ('{"type": "dance"}', "no message of type 'dance'"),
        ('{"type": "stop", "generation": "g_unknown"}', "no generation 'g_unknown'"),
        ('{"type": "stop"}', "'generation': Field required"),
        ('{"type": "unsubscribe", "generation": null}', "'generation': Input should be"),
        ('{"type": "stop", "generation": "\\ud800"}', "half of a surrogate pair"),
        ('{"type": "subscribe", "generation": "\\ud800"}', "half of a surrogate pair"),
        ('{"type": "subscribe", "generation": "g_\\u0000"}', "NUL"),
        ('{"type": "subscribe", "generation": "x", "after": "no id"}', "'no id' isn't a record id"),
        ('{"type": "subscribe", "generation": "x", "after": 5}', "'after': Input should be"),
        ('{"type": "subscribe", "generation": {"a": "b"}, "after": {}}', "'generation'"),
        ("[" * 3000, "nested"),
        ("x" * 20_000, "too long"),
    ],
)
async def test_what_it_cannot_read_is_an_error_and_it_stays_open(
    shared: Server, text: str, reason: str
) -> None:
    async with tab(shared) as one:
        await one.socket.send_str(text)
        message = await one.until(type="error")
        assert reason in message["error"]["message"]
        await one.say(type="ping")
        await one.until(type="pong")


async def test_a_quiet_socket_beats(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_HEARTBEAT": "0.1"}).start()
    async with tab(server) as one:
        await one.until(type="heartbeat")
        await one.until(type="heartbeat")
    made = server.ask("scripted/silent")
    async with (
        httpx.AsyncClient(base_url=server.url, verify=False, timeout=DEADLINE) as client,
        client.stream("GET", f"/api/generations/{made['id']}/events?after=0-0") as reply,
    ):
        text = ""
        async for fragment in reply.aiter_text():
            text += fragment
            if text.count(": hb\n\n") >= 2:
                break


@pytest.mark.parametrize("path", ["/api/live", "/ws/chat"])
def test_text_that_is_no_utf_8_closes_the_socket_and_leaves_no_trace(
    shared: Server, path: str
) -> None:
    before = shared.output().count("Traceback")
    with connect(f"{shared.ws_url}{path}", open_timeout=DEADLINE) as connection:
        connection.socket.sendall(b"\x81\x82\0\0\0\0\xff\xfe")  # a frame of text, its mask zeros
        with pytest.raises(ConnectionClosed) as closed:
            list(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1007
    assert shared.output().count("Traceback") == before
