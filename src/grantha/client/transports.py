"""The transports: Server-Sent Events, a WebSocket, and long-polling, all over the same log and ids.

Each transport is a function `(http, generation, after)` that yields batches of decoded frames; an empty
batch is a heartbeat. It returns when the connection ends, raises `ServerUnavailable` when the connection
breaks, and `LogEnded` when the log has ended and has nothing newer. Frames are verified by the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import aiohttp

from grantha.chat import JsonObject
from grantha.client.errors import TrimmedLog, error_from
from grantha.client.http_client import HttpClient
from grantha.errors import NotFound
from grantha.events import RecordId
from grantha.wire.lenient_json import InvalidJson, loads
from grantha.wire.ndjson import LineDecoder
from grantha.wire.sse import SseDecoder

RecordBatch: TypeAlias = list[JsonObject]
Transport: TypeAlias = Callable[[HttpClient, str, RecordId], AsyncGenerator[RecordBatch, None]]

FIRST_BYTE = (
    3.0  # seconds; streams send their first byte immediately: a later one was buffered by a proxy
)
MISSED_HEARTBEATS = 2.5  # after so many heartbeats of silence a connection is dead
POLL_WAIT = 25  # seconds that the server holds a long-poll
_GRACE = 10.0  # seconds on top of that


class LogEnded(Exception):
    """The log has ended and there is nothing newer."""


async def sse(
    http: HttpClient, generation: str, after: RecordId
) -> AsyncGenerator[RecordBatch, None]:
    """One event stream."""
    async with _open_events(http, generation, after, "text/event-stream", FIRST_BYTE) as reply:
        _check_media_type(http, reply, "text/event-stream")
        decoder, silence = SseDecoder(), FIRST_BYTE
        while True:
            async with asyncio.timeout(silence):
                chunk = await reply.content.readany()
            if not chunk:
                return
            batch = [_decode(http, payload) for payload in decoder.feed(chunk)]
            silence = _silence_limit(batch, silence)
            yield batch


async def websocket(
    http: HttpClient, generation: str, after: RecordId
) -> AsyncGenerator[RecordBatch, None]:
    """One subscription on the live socket."""
    async with http.socket(FIRST_BYTE) as socket:
        command = {"type": "subscribe", "generation": generation, "after": str(after)}
        await socket.send_json(command)
        silence, ended = FIRST_BYTE, False
        while True:
            message = await socket.receive(timeout=silence)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            body = _decode(http, message.data)
            match body["type"]:
                case "hello":
                    silence = _silence_limit([body], silence)
                case "subscribed":
                    ended = body["status"] != "running"
                case "heartbeat" if ended:
                    raise LogEnded
                case "frame" if body["generation"] == generation:
                    yield [body["frame"]]
                    continue
                case "gone":
                    await _raise_gone(http, generation, after, body["code"])
                case "error" if body.get("generation", generation) == generation:
                    raise error_from(500, body["error"])
                case _:
                    pass
            yield []


async def long_poll(
    http: HttpClient, generation: str, after: RecordId
) -> AsyncGenerator[RecordBatch, None]:
    """Repeated requests, each answered with the next batch. Works through any proxy."""
    while True:
        async with _open_events(
            *(http, generation, after, "application/x-ndjson", POLL_WAIT + _GRACE),
            wait=str(POLL_WAIT),
        ) as reply:
            _check_media_type(http, reply, "application/x-ndjson")
            lines = LineDecoder()
            async with asyncio.timeout(_GRACE):
                found = lines.feed(await reply.read()) + lines.finish()
            batch = [_decode(http, line) for line in found]
        if batch:
            after = RecordId.parse(batch[-1]["id"])
        yield batch


# The next transport is tried when one delivers nothing at all.
FALLBACK_ORDER: tuple[Transport, ...] = (sse, websocket, long_poll)


# ---- helpers below -------------------------------------------------------------------------------


def _open_events(
    http: HttpClient,
    generation: str,
    after: RecordId,
    accept: str,
    header_timeout: float,
    **params: str,
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    path = f"/api/generations/{generation}/events"
    headers = {"Accept": accept, "Cache-Control": "no-cache"}
    return http.stream(
        "GET", path, None, headers, {"after": str(after), **params}, header_timeout=header_timeout
    )


def _check_media_type(http: HttpClient, reply: aiohttp.ClientResponse, media_type: str) -> None:
    if reply.status == 204:
        raise LogEnded
    if reply.content_type != media_type:
        raise http.unavailable(f"responded with {reply.content_type!r} instead of {media_type!r}")


def _decode(http: HttpClient, payload: bytes | str) -> Any:
    try:
        body = loads(payload)
    except InvalidJson as error:
        raise http.unavailable("sent a record that isn't JSON") from error
    if not isinstance(body, dict):
        raise http.unavailable("sent a record that isn't an object")
    return body


def _silence_limit(batch: RecordBatch, silence: float) -> float:
    for body in batch:
        if "heartbeat" in body:
            return float(body["heartbeat"]) * MISSED_HEARTBEATS
    return silence


async def _raise_gone(http: HttpClient, generation: str, after: RecordId, code: str) -> None:
    """Raises the error; the snapshot of a trimmed log is fetched over HTTP."""
    if code != "trimmed":
        raise NotFound(f"There is no generation {generation!r}.")
    snapshot = await http.json("GET", f"/api/generations/{generation}")
    raise TrimmedLog(f"The records of {generation} after {after} were deleted.", snapshot=snapshot)
