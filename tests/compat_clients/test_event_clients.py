"""`httpx-sse` and the `eventsource` package read the native events."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

from tests.compat_clients import node
from tests.compat_clients.conftest import TEXT, CompatServer
from tests.server import DEADLINE


def text_of(frames: list[dict[str, Any]]) -> str:
    """The text of frames; a snapshot's parts come in its own text."""
    return "".join(f.get("text", "") for f in frames if f["kind"] in {"snapshot", "text-delta"})


def assert_whole(frames: list[dict[str, Any]]) -> None:
    assert text_of(frames) == TEXT
    assert frames[-1]["kind"] == "generation-end"
    assert frames[-1]["sha256"] == hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.mark.client("httpx-sse", "streams", "resuming")
def test_httpx_sse_reads_a_log_and_comes_back_with_its_last_id(compat_server: CompatServer) -> None:
    model, allow = compat_server.gated()
    allow(6)
    generation = compat_server.ask(model)["id"]
    address = f"{compat_server.url}/api/generations/{generation}/events"
    frames: list[dict[str, Any]] = []
    last = ""
    with httpx.Client(timeout=DEADLINE) as client:
        with connect_sse(client, "GET", address) as source:
            for event in source.iter_sse():
                if event.data:
                    frames.append(event.json())
                    last = event.id
                if len(text_of(frames)) == 6:
                    break
        allow("open")
        with connect_sse(client, "GET", address, headers={"Last-Event-ID": last}) as source:
            frames += [event.json() for event in source.iter_sse() if event.data]
    assert_whole(frames)


@pytest.mark.client("eventsource (JavaScript)", "streams", "resuming")
def test_eventsource_comes_back_by_its_last_id_until_nothing_more_can_come(
    compat_server: CompatServer,
) -> None:
    model, allow = compat_server.gated()
    allow(6)
    generation = compat_server.ask(model)["id"]
    gate = compat_server.scripts / f"{model.partition('/')[2]}.gate"
    address = f"{compat_server.url}/api/generations/{generation}/events"

    found = node.run("events.mjs", address, str(gate), "6")

    frames = found["frames"]
    assert_whole(frames)
    first, *later = found["lastEventIds"]
    assert first is None
    assert later[-1] == frames[-1]["lastEventId"] == frames[-1]["id"]
    assert (len(later), found["code"]) == (2, 204), "after the cut, and after the end"
