"""Vendors that break off, over HTTP: how often they are called, and how the answer ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from typing_extensions import override

from grantha.engine.call_budget import DEFAULT_LIMITS
from grantha.providers.base import Provider
from grantha.providers.registry import Registry
from tests.engine.conftest import MakeRig
from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import FakeVendor, fake_vendor
from tests.fake_vendors.wire_samples import WireSample
from tests.providers.test_adapters import registry
from tests.wire.recorded import ROOT


class Broken(FakeVendor):
    """Answers every call with the same bytes, then ends the body."""

    body = b""

    @override
    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The body, whatever the request."""
        await request.read()
        self.begun.set()
        self.counted += 1
        return web.Response(body=self.body, content_type=self.sample.content_type)

    def __init__(self, sample: WireSample) -> None:
        super().__init__(sample)
        self.counted = 0


@asynccontextmanager
async def broken(
    sample: WireSample, body: bytes, name: str, **variables: str
) -> AsyncIterator[tuple[Broken, Mapping[str, Provider]]]:
    """Such a vendor, and its provider."""
    async with fake_vendor(sample, Broken) as vendor:
        assert isinstance(vendor, Broken)
        vendor.body = body
        made: Registry = registry(vendor.url, name, **variables)
        try:
            yield vendor, {name: made.provider(name)}
        finally:
            await made.aclose()


async def test_a_vendor_that_breaks_off_after_each_word_is_not_called_for_ever(
    make_rig: MakeRig,
) -> None:
    word = (
        b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m",'
        b'"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
    )
    async with broken(wire_samples.OPENAI_CHAT, word, "mistral", MISTRAL_API_KEY="k") as (
        vendor,
        providers,
    ):
        rig = await make_rig(providers=providers)
        answer = await rig.ended(await rig.ask("mistral/mistral-small-latest"))
        assert (answer.ending, answer.error["code"]) == ("failed", "truncated")
        assert 1 < vendor.counted <= DEFAULT_LIMITS.calls
        assert answer.text == "Hi" * vendor.counted


async def test_an_error_after_as_many_words_as_tokens_are_allowed_is_no_end(
    make_rig: MakeRig,
) -> None:
    body = (ROOT / "openai-chat" / "filtered-by-an-error.sse").read_bytes()
    async with broken(wire_samples.OPENAI_CHAT, body, "openai", OPENAI_API_KEY="k") as (
        vendor,
        providers,
    ):
        rig = await make_rig(providers=providers)
        answer = await rig.ended(await rig.ask("openai/gpt-4o", max_tokens=5))
        assert (answer.ending, answer.error["code"]) == ("failed", "content_blocked")
        assert answer.text == "abcdefgh"
        assert vendor.counted == 1
