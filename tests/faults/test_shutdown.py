"""An orderly stop: nothing begins any more, and what has begun ends or is handed over."""

import asyncio
import json

import aiohttp
import httpx
import pytest

from tests.image_host import serving_images
from tests.scripts import counted
from tests.server import DEADLINE, MakeServer, Server, until

pytestmark = pytest.mark.faults
BODY = {"model": "scripted/hello", "messages": [{"role": "user", "content": "Hi"}]}


def gated(server: Server) -> str:
    """The id of an answer that ends once its gate is open."""
    steps = [{"text": "one "}, {"gate": "go"}, {"text": "two"}]
    model = server.script("gated", {"steps": steps})
    generation = str(server.ask(model)["id"])
    until(lambda: server.generation(generation)["text"] == "one ", "the first words")
    return generation


async def test_while_answers_end_nothing_new_begins(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_DRAIN": "30"}).start()
    generation = gated(server)
    conversation = server.conversation()
    server.terminate(wait=False)
    until(lambda: server.call("GET", "/readyz").status == 503, "the stop to be noticed")
    ready = server.call("GET", "/readyz").json()
    assert (ready["status"], ready["running"], ready["storage"]["ok"]) == ("stopping", 1, True)
    native = (f"/api/conversations/{conversation}/generations", {"text": "Hi", **BODY})
    for path, body in (
        native,
        ("/chat/completions", BODY),
        ("/v1/chat/completions", BODY),
        ("/v1/messages", {**BODY, "max_tokens": 9}),
        ("/v1/responses", {"model": "scripted/hello", "input": "Hi"}),
        ("/ollama/api/chat", BODY),
    ):
        refused = server.call("POST", path, body)
        assert refused.status == 503, (path, refused.body)
        assert refused.headers.get("retry-after") == "1", (path, refused.headers)
        assert b"stopping" in refused.body
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.ws_url}/ws/chat") as socket,
    ):
        await socket.send_json(BODY)
        line = json.loads(await socket.receive_str(timeout=DEADLINE))
        assert (line["done"], line["error"]["code"]) == (True, "shutting_down")
    server.allow("go")
    until(lambda: not server.alive, "the server to end", hint=server.output)
    server.start()
    ended = server.generation(generation)
    assert (ended["status"], ended["text"], ended["seams"]) == ("done", "one two", [])


async def test_every_answer_that_was_accepted_before_the_stop_is_whole(
    server_factory: MakeServer,
) -> None:
    server = server_factory({"GRANTHA_DRAIN": "30"}).start()
    body = {**BODY, "model": "scripted/count-40-at-200", "stream": True}
    statuses: list[int] = []
    cut: list[str] = []

    async def send_all(client: httpx.AsyncClient) -> None:
        while True:
            begun = False
            try:
                async with client.stream("POST", "/v1/chat/completions", json=body) as reply:
                    begun = True
                    statuses.append(reply.status_code)
                    data = await reply.aread()
            except httpx.TransportError as error:
                if begun:
                    cut.append(repr(error))
                return  # it has ended
            if reply.status_code == 503:
                assert json.loads(data)["error"]["code"] == "shutting_down"
                await asyncio.sleep(0.05)
                continue
            assert reply.status_code == 200, data
            *chunks, last = [x[5:] for x in data.decode().splitlines() if x.startswith("data:")]
            assert last.strip() == "[DONE]"
            deltas = [json.loads(chunk)["choices"][0]["delta"] for chunk in chunks]
            assert "".join(delta.get("content") or "" for delta in deltas) == counted(40)

    limits = httpx.Limits(max_connections=100, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=DEADLINE) as client:
        clients = [asyncio.create_task(send_all(client)) for _ in range(24)]
        await asyncio.to_thread(until, lambda: statuses.count(200) > 60, "some answers")
        server.terminate(wait=False)
        await asyncio.gather(*clients)
    assert set(statuses) <= {200, 503}
    assert cut == []
    await asyncio.to_thread(until, lambda: not server.alive, "the server to end")
    assert "Traceback" not in server.output()
    server.start()
    rows = server.call("GET", "/api/conversations?origin=api&limit=200").expect(200)["items"]
    assert {row["status"] for row in rows} == {"done"}


async def test_a_request_cut_while_it_waits_for_others_gets_503(
    server_factory: MakeServer,
) -> None:
    server = server_factory({"GRANTHA_IMAGE_NETWORKS": "127.0.0.1"}).start()
    with serving_images() as host:
        async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE) as client:
            image = {"url": f"{host.url}/held"}
            loading = asyncio.create_task(client.get("/api/remote-images", params=image))
            await asyncio.to_thread(until, lambda: bool(host.requests), "the image to be loaded")
            server.terminate(wait=False)
            reply = await loading
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
        assert reply.json()["code"] == "shutting_down"
        await asyncio.to_thread(until, lambda: not server.alive, "the server to end")
    assert "Traceback" not in server.output()
