"""Reading an answer over lines that cut, hold back and refuse, and past a server that dies."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from grantha.client import Client, ServerUnavailable
from grantha.client.attach import ResumingReader
from grantha.client.transports import FALLBACK_ORDER, Transport
from grantha.events import GenerationEnd, PartStart, RecordId, Seam, TextDelta
from tests.client.relay import WELL, Fault, relay
from tests.scripts import counted
from tests.server import DEADLINE, MakeServer, Server, until

COUNT = "scripted/count-400"
TEXT = counted(400)


async def _read(client: Client, generation: str) -> tuple[str, GenerationEnd]:
    text, end = "", None
    async for event in (await client.generation(generation)).events():
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, GenerationEnd):
            end = event
    assert end is not None
    return text, end


@pytest.mark.parametrize("transport", FALLBACK_ORDER, ids=lambda transport: transport.__name__)
async def test_every_transport_gives_the_same_log(shared: Server, transport: Transport) -> None:
    generation = shared.ask("scripted/count-400-at-800")["id"]

    async with Client(shared.url) as client:
        attachment = ResumingReader(client._http, generation, transports=[transport])
        events = [frame.event async for frame in attachment.frames()]

    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == TEXT
    assert [e for e in events if isinstance(e, PartStart)] == [PartStart(0, "text")]
    end = events[-1]
    assert isinstance(end, GenerationEnd)
    assert end.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()


async def test_a_line_that_is_cut_again_and_again_costs_no_word(shared: Server) -> None:
    # Ten words are written when those before have been read, or few cuts would fall into the answer.
    generation = shared.ask(shared.gated_count("cut-again", 400))["id"]
    shared.allow("cut-again.gate", 10)

    def cut_streams(head: bytes) -> Fault:
        return Fault(1500) if b"text/event-stream" in head else WELL

    async with relay(shared.port, cut_streams) as line, Client(line.url) as client:
        text, end = "", None
        async for event in (await client.generation(generation)).events():
            if isinstance(event, TextDelta):
                text += event.text
                shared.allow("cut-again.gate", len(text.split()) + 10)
            elif isinstance(event, GenerationEnd):
                end = event
        attached = sum(b"/events?" in head for head in line.requests)

    assert text == TEXT
    assert end is not None
    assert end.ending == "done"
    assert attached >= 3, "the line was never cut"


@pytest.mark.parametrize(
    ("harmed", "used"),
    [
        ((b"text/event-stream",), 1),
        ((b"text/event-stream", b"Upgrade: websocket"), 2),
    ],
    ids=["a WebSocket", "a long-poll"],
)
async def test_a_stream_that_is_held_back_gives_way_to(
    shared: Server, harmed: tuple[bytes, ...], used: int
) -> None:
    generation = shared.ask(COUNT)["id"]

    def hold_back(head: bytes) -> Fault:
        return Fault(0, "swallow") if any(mark in head for mark in harmed) else WELL

    async with relay(shared.port, hold_back) as line, Client(line.url) as client:
        text, _ = await _read(client, generation)
        works = client._http.transport
        again, _ = await _read(client, generation)

        assert text == again == TEXT
        assert works == client._http.transport == used, "what worked wasn't remembered"


async def test_a_reader_gets_the_rest_after_the_server_was_killed(server: Server) -> None:
    model = server.script(
        "gated",
        {
            "capabilities": {"prefix": True},
            "gate": "pieces",
            "steps": [{"repeat": "w{n} ", "count": 400}],
        },
    )
    server.allow("pieces", 100)
    async with Client(server.url) as client:
        generation = await client.ask("Go", model=model)
        text, seams, killed = "", [], False
        async for event in generation.events():
            if isinstance(event, TextDelta):
                text += event.text
            elif isinstance(event, Seam):
                seams.append(event.reason)
            if len(text.split()) >= 100 and not killed:
                killed = True
                await asyncio.to_thread(server.kill)
                server.allow("pieces")
                server.start(ready=False)

    assert text == TEXT
    assert seams == ["restart"]


async def test_a_server_that_was_never_there_is_reported_at_once(
    server_factory: MakeServer,
) -> None:
    away = server_factory()  # not started

    # A client that retried instead would do so for an hour.
    async with asyncio.timeout(DEADLINE), Client(away.url, retry_timeout=3600.0) as client:
        with pytest.raises(ServerUnavailable, match="doesn't answer") as reported:
            await client.models()

    assert "grantha serve" in reported.value.advice


async def test_a_server_that_stays_away_is_reported_when_patience_ends(server: Server) -> None:
    generation = server.ask("scripted/silent")["id"]

    async with Client(server.url, retry_timeout=0.3) as client:
        events = (await client.generation(generation)).events()
        await anext(events)
        await asyncio.to_thread(server.kill)
        with pytest.raises(ServerUnavailable):
            _ = [event async for event in events]
        assert client.connection_error is not None


async def test_an_answer_whose_records_were_deleted_is_still_read_whole(server: Server) -> None:
    generation = server.ask(COUNT)["id"]
    server.ended(generation)
    server.env["GRANTHA_RECORD_TTL"] = "0"
    server.restart()

    async with Client(server.url) as client:
        await asyncio.to_thread(until, lambda: _is_trimmed(server, generation), "the trim")
        text, end = await _read(client, generation)

    assert text == TEXT
    assert end.ending == "done"


async def test_reading_on_from_the_last_id_gives_nothing(shared: Server) -> None:
    generation = shared.ask(COUNT)["id"]
    last = shared.ended(generation)["last_id"]

    async with Client(shared.url) as client:
        answer = await client.generation(generation)
        events = [event async for event in answer.events(RecordId.parse(last))]

    assert events == []


@pytest.mark.parametrize("transport", FALLBACK_ORDER, ids=lambda transport: transport.__name__)
async def test_reading_on_from_an_id_gives_what_follows(
    shared: Server, transport: Transport
) -> None:
    generation = shared.ask(COUNT)["id"]
    shared.ended(generation)

    async with Client(shared.url) as client:
        records = await (await client.generation(generation)).records()
        half = records[len(records) // 2]
        attachment = ResumingReader(client._http, generation, half.id, [transport])
        rest = [frame async for frame in attachment.frames()]

    assert sum(frame.records for frame in rest) == len(records) - len(records) // 2 - 1
    assert rest[-1].id == records[-1].id


async def test_leaving_early_leaves_no_connection_behind(shared: Server) -> None:
    async with Client(shared.url) as client:
        generation = await client.ask("Go", model="scripted/silent")
        async for event in generation.events():
            if isinstance(event, TextDelta):
                break
        assert (await generation.refresh()).status == "running"
        await generation.stop()


def _is_trimmed(server: Server, generation: str) -> bool:
    path = f"/api/generations/{generation}/events?after=0-0"
    return server.call("GET", path, headers={"Accept": "application/json"}).status == 410
