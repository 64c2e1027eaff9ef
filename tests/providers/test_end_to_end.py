"""Providers from the outside: a real server, vendor-shaped upstreams, keys that stay inside."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import (
    ANSWER,
    FakeVendor,
    answer,
    fake_vendor,
    silence,
    status,
    truncated,
)
from tests.server import Server

OPENAI_KEY = "planted-openai-key-0123456789"
ANTHROPIC_KEY = "planted-anthropic-key-0123456789"


def a_server(folder: Path, first: FakeVendor, second: FakeVendor) -> Server:
    """A server that has both vendors' keys, the second one behind the first."""
    (folder / "grantha.toml").write_text(
        '[fallbacks]\n"openai/m" = ["anthropic/m"]\n', encoding="utf-8"
    )
    return Server(
        folder,
        {
            "OPENAI_API_KEY": OPENAI_KEY,
            "GRANTHA_OPENAI_BASE_URL": f"{first.url}/v1",
            "ANTHROPIC_API_KEY": ANTHROPIC_KEY,
            "GRANTHA_ANTHROPIC_BASE_URL": second.url,
            "GRANTHA_LOG_LEVEL": "debug",
        },
    )


def everything_in(folder: Path) -> bytes:
    """Every file's bytes: the database, the log."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def in_thread(call: Any, *args: Any, **named: Any) -> Any:
    """The server's plain calls block, and the vendors live on this loop."""
    return await asyncio.to_thread(call, *args, **named)


async def test_an_answer_that_loses_its_provider_continues_with_another(tmp_path: Path) -> None:
    async with (
        fake_vendor(wire_samples.OPENAI_CHAT) as first,
        fake_vendor(wire_samples.ANTHROPIC) as second,
    ):
        server = a_server(tmp_path, first, second)
        first.plans.append(truncated())
        second.plans.append(answer(" and the rest."))
        try:
            await in_thread(server.start)
            begun = await in_thread(server.ask, "openai/m", "Tell me")
            ended = await in_thread(server.ended, begun["id"])
        finally:
            await in_thread(server.close)
        assert ended["status"] == "done", ended
        assert ended["text"] == "".join(ANSWER[:2]) + " and the rest."
        assert [(s["reason"], s["changes"]["model"]) for s in ended["seams"]] == [
            ("fallback", ["openai/m", "anthropic/m"])
        ]
        assert "".join(ANSWER[:2]) in str(second.calls[0].body["messages"])


async def test_stopping_an_answer_closes_the_vendor_s_connection(tmp_path: Path) -> None:
    async with (
        fake_vendor(wire_samples.OPENAI_CHAT) as first,
        fake_vendor(wire_samples.ANTHROPIC) as second,
    ):
        server = a_server(tmp_path, first, second)
        second.plans.append(silence(after=True))
        try:
            await in_thread(server.start)
            begun = await in_thread(server.ask, "anthropic/m", "Tell me")
            await asyncio.wait_for(second.begun.wait(), 60)
            stop = f"/api/generations/{begun['id']}/stop"
            assert (await in_thread(server.call, "POST", stop)).status == 200
            await asyncio.wait_for(second.gone.wait(), 60)
            ended = await in_thread(server.ended, begun["id"])
        finally:
            await in_thread(server.close)
        assert ended["status"] == "stopped"


async def test_a_client_that_leaves_ends_its_request_for_embeddings_at_the_vendor(
    tmp_path: Path,
) -> None:
    async with (
        fake_vendor(wire_samples.OPENAI_CHAT) as first,
        fake_vendor(wire_samples.ANTHROPIC) as second,
    ):
        server = a_server(tmp_path, first, second)
        first.plans.append(silence(after=False))
        body = json.dumps({"model": "openai/m", "input": "Hello"}).encode()
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            await in_thread(server.start)
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(head.encode() + body)
            await asyncio.wait_for(first.begun.wait(), 60)
            writer.close()
            await writer.wait_closed()
            await asyncio.wait_for(first.gone.wait(), 60)
        finally:
            await in_thread(server.close)
        assert [seen.path for seen in first.calls] == ["/v1/embeddings"]


async def test_no_key_gets_into_replies_logs_or_the_database(tmp_path: Path) -> None:
    async with (
        fake_vendor(wire_samples.OPENAI_CHAT) as first,
        fake_vendor(wire_samples.ANTHROPIC) as second,
    ):
        server = a_server(tmp_path, first, second)
        reported = {"error": {"message": f"Bad key {OPENAI_KEY}", "code": OPENAI_KEY}}
        first.plans.append(status(400, reported))
        second.plans.append(status(401, {"error": {"message": f"Bad key {ANTHROPIC_KEY}"}}))
        replies: list[str] = []
        try:
            await in_thread(server.start)
            for model in ("openai/m", "anthropic/m"):
                begun = await in_thread(server.ask, model, "Tell me")
                replies.append(str(await in_thread(server.ended, begun["id"])))
            for path in ("/api/models", "/api/providers", "/healthz", "/readyz", "/metrics"):
                reply = await in_thread(server.call, "GET", path)
                replies.append(reply.body.decode())
        finally:
            await in_thread(server.close)
        kept = await in_thread(everything_in, tmp_path)
        for key in (OPENAI_KEY, ANTHROPIC_KEY):
            assert key not in "\n".join(replies)
            assert key.encode() not in kept
        assert "key_rejected" in replies[1]
