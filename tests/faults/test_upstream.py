"""A vendor that resets, hangs, truncates or refuses, over real sockets: never "done", always typed."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest

from tests.faults.log_follower import LogFollower
from tests.faults.resources import peak
from tests.server import DEADLINE, MakeServer, Server, until

pytestmark = pytest.mark.faults

GIGABYTE = 1_000_000_000
TIMEOUTS = "[timeouts]\nconnect = 2.0\nfirst_byte = 2.0\nbetween_chunks = 1.0\n"


class FakeVendor:
    """Speaks as much of OpenAI's Chat Completions as a call needs; the model's name says how it fails."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.closed = asyncio.Event()
        self.reset = asyncio.Event()  # resets the calls of the model "reset", which wait for it
        self.sent = 0  # bytes of an answer without an end
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listens; returns the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def aclose(self) -> None:
        """Stops listening."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            length = int(fields.get("content-length", 0))
            body = json.loads(await reader.readexactly(length) or b"{}")
            self.calls.append(str(body.get("model")))
            await self._answer(str(body.get("model")), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, how: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if how == "busy-once" and self.calls.count(how) == 1:
            writer.write(b"HTTP/1.1 429 Too Many\r\nretry-after: 0\r\ncontent-length: 2\r\n\r\n{}")
            return
        if how == "silent":
            await reader.read()  # until the client gives up
            self.closed.set()
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        )
        writer.write(_fragment("Half an "))
        await writer.drain()
        match how:
            case "reset":
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
                await self.reset.wait()  # a reset takes words along that weren't read before it
                writer.transport.abort()
            case "hang":
                await reader.read()
                self.closed.set()
            case "truncate":
                pass
            case "endless":
                await self._flood(writer, _fragment("x" * 1000) * 64)
            case "endless-comments":
                await self._flood(writer, b": wait\n\n" * 8192)
            case "endless-line":
                await self._flood(writer, b"x" * 65_536)
            case _:
                writer.write(_fragment("answer", "stop") + b"data: [DONE]\n\n")

    async def _flood(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        while self.sent < GIGABYTE:
            writer.write(data)
            await writer.drain()
            self.sent += len(data)


def _fragment(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


@pytest.fixture
async def vendor() -> AsyncIterator[FakeVendor]:
    made = FakeVendor()
    yield made
    await made.aclose()


@pytest.fixture
async def talking(vendor: FakeVendor, server_factory: MakeServer) -> Server:
    """A server whose OpenAI is the vendor."""
    return await _serving(vendor, server_factory, "")


@pytest.fixture
async def impatient(vendor: FakeVendor, server_factory: MakeServer) -> Server:
    """A server that waits for the vendor for seconds only."""
    return await _serving(vendor, server_factory, TIMEOUTS)


async def _serving(vendor: FakeVendor, server_factory: MakeServer, config: str) -> Server:
    port = await vendor.start()
    server = server_factory(
        {
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "GRANTHA_TITLES": "0",
        }
    )
    (server.log.parent / "grantha.toml").write_text(config, encoding="utf-8")
    return await asyncio.to_thread(server.start)


async def answer(server: Server, how: str) -> dict[str, Any]:
    conversation = await asyncio.to_thread(server.ask, f"openai/{how}")
    follower = LogFollower(server, conversation["id"])
    async with asyncio.timeout(DEADLINE):
        await follower.follow()
    return await asyncio.to_thread(server.generation, conversation["id"])


async def test_a_reset_answer_is_failed_typed_and_keeps_its_text(
    talking: Server, vendor: FakeVendor
) -> None:
    conversation = await asyncio.to_thread(talking.ask, "openai/reset")
    await _first_text(talking, conversation["id"])
    vendor.reset.set()
    _cut(await asyncio.to_thread(talking.ended, conversation["id"]), "truncated")


async def test_a_truncated_answer_is_failed_typed_and_keeps_its_text(talking: Server) -> None:
    _cut(await answer(talking, "truncate"), "truncated")


async def test_an_answer_that_hangs_is_failed_typed_and_keeps_its_text(impatient: Server) -> None:
    _cut(await answer(impatient, "hang"), "timed_out")


def _cut(ended: dict[str, Any], code: str) -> None:
    assert (ended["status"], ended["text"]) == ("failed", "Half an ")
    assert ended["error"]["code"] == code
    assert ended["error"]["fault"] == "provider"


async def _first_text(server: Server, generation: str) -> None:
    await asyncio.to_thread(until, lambda: server.generation(generation)["text"], "the first text")


async def test_a_refused_call_is_retried_and_a_successful_one_is_done(
    talking: Server, vendor: FakeVendor
) -> None:
    ended = await answer(talking, "busy-once")
    assert (ended["status"], ended["text"]) == ("done", "Half an answer")
    assert vendor.calls == ["busy-once", "busy-once"]


async def test_a_vendor_that_says_nothing_is_given_up_after_three_tries(
    impatient: Server, vendor: FakeVendor
) -> None:
    ended = await answer(impatient, "silent")
    assert (ended["status"], ended["text"], ended["error"]["code"]) == ("failed", "", "timed_out")
    assert len(vendor.calls) == 3


async def test_stop_closes_the_socket_of_the_vendor(talking: Server, vendor: FakeVendor) -> None:
    conversation = await asyncio.to_thread(talking.ask, "openai/hang")
    await _first_text(talking, conversation["id"])
    receipt = await asyncio.to_thread(
        talking.call, "POST", f"/api/generations/{conversation['id']}/stop"
    )
    assert receipt.expect(200)["stopped"]
    await asyncio.wait_for(vendor.closed.wait(), DEADLINE)
    ended = await asyncio.to_thread(talking.ended, conversation["id"])
    assert (ended["status"], ended["text"]) == ("stopped", "Half an ")


@pytest.mark.parametrize("how", ["endless", "endless-line", "endless-comments"])
async def test_a_gigabyte_from_a_vendor_reaches_neither_disk_nor_memory(
    talking: Server, vendor: FakeVendor, how: str
) -> None:
    before = peak(talking)
    answer = await asyncio.to_thread(talking.ask, f"openai/{how}")
    ended = await asyncio.to_thread(talking.ended, answer["id"])
    if how == "endless":
        assert (ended["status"], ended["end"]["finish_reason"]) == ("done", "length")
        assert 4_190_000 < len(ended["text"]) <= 4 * 1024 * 1024
        assert vendor.calls == [how]
    else:
        assert (ended["status"], ended["text"]) == ("failed", "Half an ")
    assert vendor.sent < GIGABYTE // 4
    assert peak(talking) - before < 160_000_000
    assert sum(file.stat().st_size for file in talking.data_dir.iterdir()) < 60_000_000
