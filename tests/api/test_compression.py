"""Streams that are compressed: negotiate, decoded frame by frame while they grow, and padded."""

import asyncio
import shutil
import sys
import zlib
from collections.abc import Callable
from typing import Any

import aiohttp
import brotli  # type: ignore[import-untyped]  # it has no types
import httpx
import pytest

from grantha.api.http.compression import negotiate
from tests.api.streams import attached, text_of
from tests.scripts import counted
from tests.server import MakeServer, Server

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CODINGS = ["gzip", "br", "zstd"]
_PATIENCE = 60.0


def _decoder(coding: str) -> Callable[[bytes], bytes]:
    if coding == "gzip":
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress
    if coding == "br":
        made = brotli.Decompressor()
        return lambda fragment: bytes(made.process(fragment))
    return zstd.ZstdDecompressor().decompress


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("", None),
        ("identity", None),
        ("deflate", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "gzip"),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "br"),
        ("gzip;q=0", None),
        ("gzip;q=0, *", "zstd"),
        ("*;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=nonsense", None),
        (",,;;q", None),
    ],
)
def test_the_coding_is_the_one_that_is_most_welcome(accept: str, coding: str | None) -> None:
    found = negotiate(accept)
    assert (found[0] if found else None) == coding


def _gated(server: Server, name: str) -> str:
    steps = [{"repeat": "word{n} ", "count": 40}]
    return server.script(name, {"gate": f"{name}.gate", "steps": steps})


@pytest.mark.parametrize("coding", CODINGS)
async def test_every_frame_can_be_decoded_when_it_comes(
    shared: Server, client: httpx.AsyncClient, coding: str
) -> None:
    name = f"gated-{coding}"
    made = shared.ask(_gated(shared, name))
    decode, text = _decoder(coding), ""
    path, head = f"/api/generations/{made['id']}/events", {"Accept-Encoding": coding}
    async with client.stream("GET", path, headers=head) as reply:
        assert reply.headers["content-encoding"] == coding
        assert reply.headers["vary"] == "accept-encoding"
        assert reply.headers["cache-control"] == "no-cache, no-transform"
        fragments = reply.aiter_raw()
        for count in range(1, 6):
            shared.allow(f"{name}.gate", count)
            async with asyncio.timeout(_PATIENCE):
                while f"word{count - 1} " not in text:
                    text += decode(await anext(fragments)).decode()
            assert f"word{count} " not in text
        shared.allow(f"{name}.gate")
        async for fragment in fragments:
            text += decode(fragment).decode()
    assert '"kind":"generation-end"' in text
    assert text.endswith("\n\n")


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_client_that_decodes_by_itself_reads_it_live(shared: Server, coding: str) -> None:
    name = f"live-{coding}"
    made = shared.ask(_gated(shared, name))
    url, head = f"{shared.url}/api/generations/{made['id']}/events", {"Accept-Encoding": coding}
    async with aiohttp.ClientSession() as session, session.get(url, headers=head) as reply:
        text = ""
        for count in (1, 2, 3):
            shared.allow(f"{name}.gate", count)
            async with asyncio.timeout(_PATIENCE):
                while f"word{count - 1} " not in text:
                    text += (await reply.content.readany()).decode()
        shared.allow(f"{name}.gate")
        text += (await reply.content.read()).decode()
    assert '"kind":"generation-end"' in text


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't installed")
async def test_curl_decodes_it_live(shared: Server) -> None:
    made = shared.ask(_gated(shared, "curled"))
    url = f"{shared.url}/api/generations/{made['id']}/events"
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sN", "--compressed", url, stdout=asyncio.subprocess.PIPE
    )
    assert curl.stdout is not None
    text = b""
    for count in (1, 2, 3):
        shared.allow("curled.gate", count)
        async with asyncio.timeout(_PATIENCE):
            while f"word{count - 1} ".encode() not in text:
                text += await curl.stdout.readline()
    shared.allow("curled.gate")
    rest, _ = await curl.communicate()
    assert b'"kind":"generation-end"' in text + rest
    assert curl.returncode == 0


async def test_a_compressed_answer_takes_a_fraction_of_the_bytes(
    shared: Server, client: httpx.AsyncClient
) -> None:
    made = shared.ask("scripted/count-300-at-1000")
    sizes: dict[str, int] = {}
    for coding in ("identity", *CODINGS):
        path, head = f"/api/generations/{made['id']}/events?after=0-0", {"Accept-Encoding": coding}
        async with client.stream("GET", path, headers=head) as reply:
            sizes[coding] = sum([len(fragment) async for fragment in reply.aiter_raw()])
    assert all(sizes[coding] < sizes["identity"] / 1.5 for coding in CODINGS), sizes


async def test_without_accept_encoding_nothing_is_compressed(
    shared: Server, client: httpx.AsyncClient
) -> None:
    made = shared.ask("scripted/count-3")
    async with attached(client, made["id"]) as stream:
        assert "content-encoding" not in stream.reply.headers
        await stream.rest()


async def test_padding_makes_every_send_a_multiple_and_changes_no_word(
    server_factory: MakeServer,
) -> None:
    server = server_factory({"GRANTHA_PAD_FRAMES": "256"}).start()
    made = server.ask("scripted/count-30-at-300")
    path = f"/api/generations/{made['id']}/events"
    async with httpx.AsyncClient(base_url=server.url, verify=False, timeout=_PATIENCE) as client:
        async with attached(client, made["id"]) as stream:
            frames = await stream.frames()
        async with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as reply:
            assert "content-encoding" not in reply.headers
            raw = b"".join([fragment async for fragment in reply.aiter_raw()])
    assert text_of(frames) == counted(30)
    assert len(raw) % 256 == 0
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.ws_url}/api/live") as socket,
    ):
        message: Any = await socket.receive(timeout=_PATIENCE)
        assert len(message.data.encode()) % 256 == 0
        assert message.json()["type"] == "hello"


async def test_compression_can_be_turned_off(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_COMPRESSION": "0"}).start()
    made = server.ask("scripted/count-3")
    async with (
        httpx.AsyncClient(base_url=server.url, verify=False, timeout=_PATIENCE) as client,
        client.stream("GET", f"/api/generations/{made['id']}/events") as reply,
    ):
        assert "content-encoding" not in reply.headers
        await reply.aread()
