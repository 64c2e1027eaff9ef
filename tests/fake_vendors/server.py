"""A vendor on this machine: a real HTTP server that answers in one dialect, and with whatever
fault is planned.

What it will do next is a queue of plans; with none left it answers. It keeps every request it was
sent.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fake_vendors.wire_samples import WireSample

ANSWER = ("Hello", " wörld", " 🙂 twice", " twice", ".")

Plan = Callable[["FakeVendor", web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class FakeVendor:
    """Speaks the dialect of `sample` on a free port; `url` is known once it is started."""

    def __init__(self, sample: WireSample) -> None:
        self.sample = sample
        self.plans: deque[Plan] = deque()
        self.seen: list[Seen] = []
        self.gone = asyncio.Event()  # a client closed its connection in mid-reply
        self.begun = asyncio.Event()  # a reply has begun
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request at all."""
        raw = await request.read()
        body = json.loads(raw) if raw else None
        self.seen.append(
            Seen(request.method, request.path, dict(request.query), dict(request.headers), body)
        )
        if request.method == "GET":
            return web.json_response(self.sample.listing)
        plan = self.plans.popleft() if self.plans else answer()
        return await plan(self, request)

    @property
    def calls(self) -> list[Seen]:
        """The requests that ask for an answer."""
        return [seen for seen in self.seen if seen.method == "POST"]

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """A begun event stream."""
        response = web.StreamResponse(headers={"content-type": self.sample.content_type})
        await response.prepare(request)
        self.begun.set()
        return response


@asynccontextmanager
async def fake_vendor(
    sample: WireSample, kind: type[FakeVendor] = FakeVendor, tls: ssl.SSLContext | None = None
) -> AsyncIterator[FakeVendor]:
    """A vendor on a free port, stopped at the end."""
    vendor = kind(sample)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", vendor.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        host, port = runner.addresses[0][:2]
        vendor.url = f"http://{host}:{port}"
        yield vendor
    finally:
        await runner.cleanup()


def answer(*texts: str, size: int = 0) -> Plan:
    """The texts as a complete stream, `size` bytes a write (0: an event a write)."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        response = await vendor.stream(request)
        chunks = vendor.sample.answer(texts or ANSWER)
        whole = b"".join(chunks)
        if size:
            chunks = [whole[i : i + size] for i in range(0, len(whole), size)]
        for chunk in chunks:
            await response.write(chunk)
            if size:
                await asyncio.sleep(0)
        await response.write_eof()
        return response

    return plan


def whole(*texts: str) -> Plan:
    """A JSON reply, though a stream was asked for."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        return web.json_response(vendor.sample.whole("".join(texts or ANSWER)))

    return plan


def truncated() -> Plan:
    """A clean end of the body before the dialect's own end."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        response = await vendor.stream(request)
        await response.write(b"".join(vendor.sample.begin(ANSWER[:2])))
        await response.write_eof()
        return response

    return plan


def overloaded_after() -> Plan:
    """Text, then the dialect's own way to tell an overload."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        response = await vendor.stream(request)
        await response.write(b"".join(vendor.sample.begin(ANSWER[:2])) + vendor.sample.overload)
        await response.write_eof()
        return response

    return plan


def reset_after() -> Plan:
    """Text, then the connection is reset."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        response = await vendor.stream(request)
        await response.write(b"".join(vendor.sample.begin(ANSWER[:2])))
        assert request.transport is not None
        request.transport.abort()
        return response

    return plan


def hang_up() -> Plan:
    """The connection is closed without a word."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return plan


def silence(*, after: bool) -> Plan:
    """Nothing for ever: before the first byte, or after some text. Notes when the client goes."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        try:
            if after:
                response = await vendor.stream(request)
                await response.write(b"".join(vendor.sample.begin(ANSWER[:2])))
            vendor.begun.set()
            await asyncio.Event().wait()
        finally:
            vendor.gone.set()
        raise AssertionError("an event that nobody sets")

    return plan


def status(code: int, body: Any = None, **headers: str) -> Plan:
    """A refusal, in the dialect's own shape unless a body is given."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        shown = vendor.sample.refusal(code) if body is None else body
        return web.json_response(shown, status=code, headers=headers)

    return plan


def redirect(to: str) -> Plan:
    """To another host."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"location": to})

    return plan


def web_page() -> Plan:
    """What a wrong base URL answers."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>Log in</html>", content_type="text/html")

    return plan
