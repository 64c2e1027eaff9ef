"""What every provider promises, shown against vendor-shaped servers over real HTTP. A new adapter
joins `ADAPTERS`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from grantha import errors
from grantha.chat import Call, Options, text_message
from grantha.config import Settings, Timeouts
from grantha.errors import GranthaError
from grantha.events import Finished, Text, UpstreamEvent, UsageSeen
from grantha.providers.base import Provider, Upstream
from grantha.providers.registry import Registry
from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import (
    ANSWER,
    FakeVendor,
    answer,
    fake_vendor,
    hang_up,
    overloaded_after,
    redirect,
    reset_after,
    silence,
    status,
    truncated,
    web_page,
    whole,
)
from tests.fake_vendors.tls import self_signed
from tests.fake_vendors.wire_samples import WireSample

KEY = "planted-key-0123456789"
QUESTION = "What is the planted question about, my friend?"
DEADLINE = 60.0


@dataclass(frozen=True)
class Adapter:
    """One provider against one shape. `path` is appended to the vendor's address."""

    name: str
    sample: WireSample
    key: str
    path: str = ""
    lists: bool = True
    more: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def variables(self, url: str) -> dict[str, str]:
        """The environment that points it to a vendor."""
        address = f"GRANTHA_{self.name.upper().replace('-', '_')}_BASE_URL"
        return {self.key: KEY, address: url + self.path, **self.more}


ADAPTERS = [
    Adapter("openai", wire_samples.OPENAI_CHAT, "OPENAI_API_KEY", "/v1"),
    Adapter("openai-responses", wire_samples.OPENAI_RESPONSES, "OPENAI_API_KEY", "/v1"),
    Adapter("anthropic", wire_samples.ANTHROPIC, "ANTHROPIC_API_KEY"),
    Adapter("google", wire_samples.GEMINI, "GOOGLE_API_KEY", "/v1beta"),
    Adapter("vertex", wire_samples.GEMINI, "GOOGLE_CLOUD_ACCESS_TOKEN", "/v1/p", lists=False),
    Adapter("ollama", wire_samples.OLLAMA, "OLLAMA_API_KEY"),
    Adapter("bedrock", wire_samples.BEDROCK, "AWS_BEARER_TOKEN_BEDROCK"),
    Adapter("azure", wire_samples.OPENAI_CHAT, "AZURE_OPENAI_API_KEY"),
    *(
        Adapter(name, wire_samples.OPENAI_CHAT, f"{name.upper()}_API_KEY", "/v1")
        for name in (
            "openrouter", "dashscope", "deepseek", "groq", "mistral", "xai", "together", "moonshot",
            "vllm", "llamacpp", "litellm",
        )
    ),
    Adapter("lmstudio", wire_samples.OPENAI_CHAT, "LM_STUDIO_API_KEY", "/v1"),
]  # fmt: skip
# One of each dialect, for what doesn't differ between hosts.
DIALECTS = [a for a in ADAPTERS if a.name == "openai" or a.sample is not wire_samples.OPENAI_CHAT]

every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=str)
every_dialect = pytest.mark.parametrize("adapter", DIALECTS, ids=str)


@asynccontextmanager
async def reaching(
    adapter: Adapter, timeouts: Timeouts | None = None
) -> AsyncIterator[tuple[Provider, FakeVendor]]:
    """The provider as the registry makes it, and the vendor it reaches."""
    async with fake_vendor(adapter.sample) as vendor:
        settings = Settings(
            local_enabled=False,
            variables=adapter.variables(vendor.url),
            timeouts=timeouts or Timeouts(first_byte=DEADLINE, between_chunks=DEADLINE),
        )
        registry = Registry(settings)
        try:
            provider, _ = registry.resolve(f"{adapter.name}/m")
            yield provider, vendor
        finally:
            await registry.aclose()


def a_call(**options: object) -> Call:
    messages = (text_message("system", "Be brief."), text_message("user", QUESTION))
    return Call("m", messages, Options.from_json(options))


async def read(upstream: Upstream) -> tuple[list[UpstreamEvent], GranthaError | None]:
    """Everything up to the end, and the error that ended it."""
    events: list[UpstreamEvent] = []
    try:
        async with asyncio.timeout(DEADLINE):
            async for batch in upstream:
                events += batch
    except GranthaError as error:
        return events, error
    finally:
        await upstream.aclose()
    return events, None


def said(events: Sequence[UpstreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


@every_adapter
async def test_an_answer_arrives_whole_with_its_usage_and_its_end(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, _):
        events, error = await read(await provider.open(a_call()))
    assert error is None
    assert said(events) == "".join(ANSWER)
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "stop"
    usage = [event.usage for event in events if isinstance(event, UsageSeen)][-1]
    assert (usage.input_tokens, usage.output_tokens) == (7, 5)


@every_adapter
async def test_the_vendor_gets_the_conversation_the_options_and_the_key(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        await read(await provider.open(a_call(temperature=0.5, max_tokens=64)))
    sent = vendor.calls[0]
    assert QUESTION in str(sent.body)
    assert "0.5" in str(sent.body)
    assert "64" in str(sent.body)
    assert any(KEY in value for value in sent.headers.values())
    assert KEY not in sent.path + str(sent.query) + str(sent.body)


@every_dialect
async def test_a_reply_that_drips_byte_by_byte_is_the_same(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(answer(size=1))
        events, error = await read(await provider.open(a_call()))
    assert error is None
    assert said(events) == "".join(ANSWER)


@every_dialect
async def test_a_chunk_of_a_mebibyte_is_read(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(answer("ß" * 524288))
        events, error = await read(await provider.open(a_call()))
    assert error is None
    assert said(events) == "ß" * 524288


@every_dialect
async def test_a_reply_that_is_not_streamed_is_read_too(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(whole())
        events, error = await read(await provider.open(a_call()))
    assert error is None
    assert said(events) == "".join(ANSWER)


@every_adapter
async def test_a_reply_without_its_end_is_truncated(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(truncated())
        events, error = await read(await provider.open(a_call()))
    assert isinstance(error, errors.Truncated)
    assert said(events) == "".join(ANSWER[:2])
    assert not any(isinstance(event, Finished) for event in events)


@every_dialect
async def test_an_overload_after_200_keeps_the_text_before_it(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(overloaded_after())
        events, error = await read(await provider.open(a_call()))
    assert isinstance(error, errors.Overloaded)
    assert error.retryable
    assert said(events) == "".join(ANSWER[:2])


@every_dialect
async def test_a_reset_in_the_middle_is_truncation(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(reset_after())
        upstream = await provider.open(a_call())
        _, error = await read(upstream)
    assert isinstance(error, errors.Truncated)


@every_dialect
async def test_a_connection_closed_without_a_word_is_unreachable(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(hang_up())
        with pytest.raises(errors.Unreachable):
            await provider.open(a_call())


@every_dialect
async def test_silence_before_the_first_byte_has_its_own_limit(adapter: Adapter) -> None:
    timeouts = Timeouts(first_byte=0.5, between_chunks=DEADLINE)
    async with reaching(adapter, timeouts) as (provider, vendor):
        vendor.plans.append(silence(after=False))
        with pytest.raises(errors.TimedOut):
            await provider.open(a_call())
        await asyncio.wait_for(vendor.gone.wait(), DEADLINE)


@every_dialect
async def test_silence_in_the_middle_has_its_own_limit(adapter: Adapter) -> None:
    timeouts = Timeouts(first_byte=DEADLINE, between_chunks=0.5)
    async with reaching(adapter, timeouts) as (provider, vendor):
        vendor.plans.append(silence(after=True))
        events, error = await read(await provider.open(a_call()))
        await asyncio.wait_for(vendor.gone.wait(), DEADLINE)
    assert isinstance(error, errors.TimedOut)
    assert said(events) == "".join(ANSWER[:2])


@every_dialect
async def test_closing_an_upstream_ends_the_vendor_s_work(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(silence(after=True))
        upstream = await provider.open(a_call())
        async for batch in upstream:
            if any(isinstance(event, Text) for event in batch):
                break
        assert await upstream.aclose() is False
        assert await upstream.aclose() is False
        await asyncio.wait_for(vendor.gone.wait(), DEADLINE)


@every_dialect
async def test_cancelling_the_call_closes_the_connection(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(silence(after=False))
        opening = asyncio.create_task(provider.open(a_call()))
        await asyncio.wait_for(vendor.begun.wait(), DEADLINE)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await asyncio.wait_for(vendor.gone.wait(), DEADLINE)


@every_dialect
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (400, errors.RequestRefused),
        (401, errors.KeyRejected),
        (402, errors.QuotaExhausted),
        (403, errors.AccessDenied),
        (404, errors.ModelNotFound),
        (429, errors.RateLimited),
        (500, errors.ProviderFailed),
        (503, errors.Overloaded),
        (529, errors.Overloaded),
    ],
)
async def test_a_refusal_s_status_decides_its_class(
    adapter: Adapter, code: int, expected: type[GranthaError]
) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(status(code))
        with pytest.raises(expected) as caught:
            await provider.open(a_call())
    assert caught.value.provider == adapter.name
    assert type(caught.value) is expected


@every_dialect
async def test_a_rate_limit_says_how_long_to_wait(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(status(429, **{"retry-after": "7"}))
        with pytest.raises(errors.RateLimited) as caught:
            await provider.open(a_call())
    assert caught.value.retry_after == 7.0


@every_dialect
async def test_an_error_without_a_body_still_has_its_class(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(status(503, "no object"))
        with pytest.raises(errors.Overloaded):
            await provider.open(a_call())


@every_dialect
async def test_a_redirect_is_reported_and_never_followed(adapter: Adapter) -> None:
    async with fake_vendor(adapter.sample) as elsewhere, reaching(adapter) as (provider, vendor):
        vendor.plans.append(redirect(f"{elsewhere.url}/steal"))
        with pytest.raises(errors.MalformedReply, match="redirect"):
            await provider.open(a_call())
        assert elsewhere.seen == []


@every_dialect
async def test_a_web_page_in_place_of_an_answer_is_reported(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.plans.append(web_page())
        with pytest.raises(errors.MalformedReply, match="web page"):
            await provider.open(a_call())


@every_dialect
@pytest.mark.parametrize("certified", [False, True], ids=["no TLS at all", "an unknown signer"])
async def test_a_host_without_trusted_tls_is_unreachable(
    adapter: Adapter, certified: bool, tmp_path: Path
) -> None:
    async with fake_vendor(
        adapter.sample, tls=self_signed(tmp_path) if certified else None
    ) as vendor:
        url = vendor.url.replace("http://", "https://")
        registry = Registry(Settings(local_enabled=False, variables=adapter.variables(url)))
        provider, _ = registry.resolve(f"{adapter.name}/m")
        with pytest.raises(errors.Unreachable) as caught:
            await provider.open(a_call())
        await registry.aclose()
    assert caught.value.native == "tls"
    assert vendor.seen == []


@every_dialect
async def test_nobody_listening_is_unreachable(adapter: Adapter, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    registry = Registry(Settings(local_enabled=False, variables=adapter.variables(url)))
    provider, _ = registry.resolve(f"{adapter.name}/m")
    with pytest.raises(errors.Unreachable, match="can't be reached"):
        await provider.open(a_call())
    await registry.aclose()


@every_adapter
async def test_models_come_from_the_vendor_s_own_list(adapter: Adapter) -> None:
    async with reaching(adapter) as (provider, vendor):
        cards = await provider.models()
        requested = len(vendor.seen)
        again = await provider.models()
    ids = [card.id for card in cards]
    assert ids == [f"{adapter.name}/{m}" for m in ("m", "m2") if adapter.lists] or not requested
    assert bool(requested) == adapter.lists
    assert again == cards
    assert len(vendor.seen) == requested


@every_dialect
@pytest.mark.parametrize("listing", [[1], {"models": [7]}, {"data": "no"}, "no", {"models": 1}])
async def test_a_list_of_another_shape_offers_nothing_and_breaks_nothing(
    adapter: Adapter, listing: object
) -> None:
    async with reaching(adapter) as (provider, vendor):
        vendor.sample = replace(adapter.sample, listing=listing)
        cards = await provider.models()
    assert [card.id for card in cards if not card.id.endswith("gemini-2.5-flash")] == []


@every_dialect
async def test_neither_key_nor_conversation_gets_into_errors_and_logs(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    async with reaching(adapter) as (provider, vendor):
        for code in (400, 401, 403, 404, 429, 500):
            reported = f"Bad key {KEY} for question {QUESTION}"
            vendor.plans.append(status(code, {"error": {"message": reported, "code": KEY}}))
            with pytest.raises(GranthaError) as caught:
                await provider.open(a_call())
            shown += [str(caught.value), repr(caught.value), str(caught.value.to_json())]
        vendor.plans.append(redirect(f"http://{KEY}:x@{KEY}.example/{KEY}"))
        with pytest.raises(errors.MalformedReply) as redirected:
            await provider.open(a_call())
        shown.append(repr(redirected.value))
        shown += [repr(provider), repr(vars(provider)), str(provider.readiness())]
    everything = "\n".join([*shown, caplog.text])
    assert KEY not in everything
    assert QUESTION not in everything
