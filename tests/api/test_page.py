"""The files of the built page: how they are packed, how long they are kept, and what isn't one."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import brotli  # type: ignore[import-untyped]  # it has no types
import httpx
import pytest

from grantha.api.http.page import Page

SCRIPT = "/_app/immutable/start.abc.js"
TEXT = b"export const words = 'the same words and the same words';"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a small page with a pre-compressed script."""
    script = tmp_path / SCRIPT.lstrip("/")
    script.parent.mkdir(parents=True)
    script.write_bytes(TEXT)
    script.with_name("start.abc.js.br").write_bytes(brotli.compress(TEXT))
    script.with_name("start.abc.js.gz").write_bytes(gzip.compress(TEXT))
    (tmp_path / "index.html").write_text("<!doctype html><title>Page</title>")
    (tmp_path / "icon.png").write_bytes(b"png")
    transport = httpx.ASGITransport(app=Page(tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0.1, gzip", "gzip"),
        ("br;q=0, gzip;q=0", None),
        ("", None),
    ],
)
async def test_a_file_goes_out_in_the_coding_that_is_most_welcome(
    site: httpx.AsyncClient, accept: str, coding: str | None
) -> None:
    reply = await site.get(SCRIPT, headers={"Accept-Encoding": accept})
    assert reply.headers.get("content-encoding") == coding
    assert reply.headers["vary"] == "Accept-Encoding"
    assert "javascript" in reply.headers["content-type"]
    assert reply.content == TEXT  # unpacked by the client
    if coding is not None:
        assert int(reply.headers["content-length"]) != len(TEXT)


async def test_files_with_a_hash_are_immutable_and_the_entry_point_is_revalidated(
    site: httpx.AsyncClient,
) -> None:
    assert "immutable" in (await site.get(SCRIPT)).headers["cache-control"]
    for path in ("/", "/c/c_1", "/icon.png"):
        assert (await site.get(path)).headers["cache-control"] == "no-cache"


async def test_a_file_that_was_not_packed_goes_out_as_it_is(site: httpx.AsyncClient) -> None:
    reply = await site.get("/icon.png", headers={"Accept-Encoding": "br, gzip"})
    assert "content-encoding" not in reply.headers
    assert reply.content == b"png"


@pytest.mark.parametrize("path", ["/_app/immutable/gone.js", "/nothing.txt", "/../secret.txt"])
async def test_what_is_no_file_of_the_page_is_not_found(site: httpx.AsyncClient, path: str) -> None:
    assert (await site.get(path)).status_code == 404
