"""How records reach a client: Server-Sent Events, one live WebSocket, or long-poll. One log, one id.

Each transport is a function `(calls, generation, after)` that yields batches of decoded frames; an empty
batch says only that the server is there. It returns when the connection ends, raises `ServerAway` when
that broke, and `Over` when the log has ended and holds nothing newer. Refuses to judge what it carries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import aiohttp

from grantha.chat import JsonObject
from grantha.client.http_client import Calls
from grantha.client.problems import TrimmedLog, error_from
from grantha.errors import NotFound
from grantha.events import RecordId
from grantha.wire.lenient_json import InvalidJson, loads
from grantha.wire.ndjson import LineDecoder
from grantha.wire.sse import SseDecoder

EventBatch: TypeAlias = list[JsonObject]
Transport: TypeAlias = Callable[[Calls, str, RecordId], AsyncGenerator[EventBatch, None]]

PRIME = 3.0  # seconds: a primed stream that says nothing by then is held back on the way
HEARTBEATS = 2.5  # a connection silent for so many of them is dead
POLL_WAIT = 25  # seconds that the server holds a long-poll
_LATE = 10.0  # seconds beyond that


class Over(Exception):
    """The log has ended and there is nothing newer."""


async def sse(calls: Calls, generation: str, after: RecordId) -> AsyncGenerator[EventBatch, None]:
    """One event stream."""
    async with _attached(calls, generation, after, "text/event-stream", PRIME) as reply:
        _expect(calls, reply, "text/event-stream")
        decoder, silence = SseDecoder(), PRIME
        while True:
            async with asyncio.timeout(silence):
                chunk = await reply.content.readany()
            if not chunk:
                return
            batch = [_decoded(calls, payload) for payload in decoder.feed(chunk)]
            silence = _silence(batch, silence)
            yield batch


async def websocket(
    calls: Calls, generation: str, after: RecordId
) -> AsyncGenerator[EventBatch, None]:
    """One subscription on the live socket."""
    async with calls.socket(PRIME) as socket:
        word = {"type": "subscribe", "generation": generation, "after": str(after)}
        await socket.send_json(word)
        silence, ended = PRIME, False
        while True:
            message = await socket.receive(timeout=silence)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            body = _decoded(calls, message.data)
            match body["type"]:
                case "hello":
                    silence = _silence([body], silence)
                case "subscribed":
                    ended = body["status"] != "running"
                case "heartbeat" if ended:
                    raise Over
                case "frame" if body["generation"] == generation:
                    yield [body["frame"]]
                    continue
                case "gone":
                    await _gone(calls, generation, after, body["code"])
                case "error" if body.get("generation", generation) == generation:
                    raise error_from(500, body["error"])
                case _:
                    pass
            yield []


async def long_poll(
    calls: Calls, generation: str, after: RecordId
) -> AsyncGenerator[EventBatch, None]:
    """Request after request, each answered by the next batch. Works through any proxy."""
    while True:
        async with _attached(
            *(calls, generation, after, "application/x-ndjson", POLL_WAIT + _LATE),
            wait=str(POLL_WAIT),
        ) as reply:
            _expect(calls, reply, "application/x-ndjson")
            lines = LineDecoder()
            async with asyncio.timeout(_LATE):
                found = lines.feed(await reply.read()) + lines.finish()
            batch = [_decoded(calls, line) for line in found]
        if batch:
            after = RecordId.parse(batch[-1]["id"])
        yield batch


# The order of falling back: the next one is tried where one gives nothing at all.
ORDER: tuple[Transport, ...] = (sse, websocket, long_poll)


# ---- helpers below -------------------------------------------------------------------------------


def _attached(
    calls: Calls, generation: str, after: RecordId, accept: str, head: float, **params: str
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    path = f"/api/generations/{generation}/events"
    headers = {"Accept": accept, "Cache-Control": "no-cache"}
    return calls.reply("GET", path, None, headers, {"after": str(after), **params}, head=head)


def _expect(calls: Calls, reply: aiohttp.ClientResponse, media_type: str) -> None:
    if reply.status == 204:
        raise Over
    if reply.content_type != media_type:
        raise calls.away(f"answered with {reply.content_type!r} instead of {media_type!r}")


def _decoded(calls: Calls, payload: bytes | str) -> Any:
    try:
        body = loads(payload)
    except InvalidJson as error:
        raise calls.away("sent a record that isn't JSON") from error
    if not isinstance(body, dict):
        raise calls.away("sent a record that isn't an object")
    return body


def _silence(batch: EventBatch, silence: float) -> float:
    for body in batch:
        if "heartbeat" in body:
            return float(body["heartbeat"]) * HEARTBEATS
    return silence


async def _gone(calls: Calls, generation: str, after: RecordId, code: str) -> None:
    """Raises what the socket only names: the snapshot of a trimmed log comes over HTTP."""
    if code != "trimmed":
        raise NotFound(f"There is no generation {generation!r}.")
    snapshot = await calls.json("GET", f"/api/generations/{generation}")
    raise TrimmedLog(f"The records of {generation} after {after} were deleted.", snapshot=snapshot)
