"""What single adapters do beyond the common contract."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from grantha import errors
from grantha.chat import Call, Message, Options, ReasoningPart, TextPart, text_message
from grantha.config import ProviderSettings, Settings
from grantha.errors import GranthaError
from grantha.events import Finished, Reasoning, Text, UpstreamEvent
from grantha.providers.adapters.ollama import normalize_base_url
from grantha.providers.base import Provider, Upstream
from grantha.providers.doctor import check, check_all
from grantha.providers.registry import Registry
from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import (
    ANSWER,
    FakeVendor,
    answer,
    fake_vendor,
    silence,
    status,
    whole,
)

DEADLINE = 60.0
QUESTION = (text_message("user", "Hello?"),)


def registry(url: str, name: str, **variables: str) -> Registry:
    address = f"GRANTHA_{name.upper().replace('-', '_')}_BASE_URL"
    return Registry(Settings(local_enabled=False, variables={address: url, **variables}))


async def read(upstream: Upstream) -> list[UpstreamEvent]:
    async with asyncio.timeout(DEADLINE):
        return [event async for batch in upstream for event in batch]


async def collect(upstream: Upstream, events: list[UpstreamEvent]) -> None:
    async for batch in upstream:
        events += batch


def said(events: list[UpstreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def refusal(param: str, code: str) -> dict[str, Any]:
    message = f"Unsupported: '{param}' can't be used here."
    return {"error": {"message": message, "param": param, "code": code}}


# ---- OpenAI Chat Completions


async def test_an_account_that_may_not_stream_gets_whole_replies_from_then_on() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = registry(vendor.url, "openai", OPENAI_API_KEY="k")
        provider, _ = made.resolve("openai/m")
        vendor.plans.extend([status(400, refusal("stream", "unsupported_value")), whole(), whole()])
        for _ in range(2):
            assert said(await read(await provider.open(Call("m", QUESTION)))) == "".join(ANSWER)
        assert [seen.body["stream"] for seen in vendor.calls] == [True, False, False]
        assert not provider.capabilities("m").stream
        assert provider.capabilities("other").stream
        await made.aclose()


async def test_a_model_that_names_its_limit_the_other_way_gets_that_name() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = registry(vendor.url, "openai", OPENAI_API_KEY="k")
        provider, _ = made.resolve("openai/m")
        vendor.plans.append(status(400, refusal("max_completion_tokens", "unsupported_parameter")))
        call = Call("m", QUESTION, Options(max_tokens=5))
        for _ in range(2):
            assert said(await read(await provider.open(call))) == "".join(ANSWER)
        names = [sorted(k for k in seen.body if k.startswith("max")) for seen in vendor.calls]
        assert names == [["max_completion_tokens"], ["max_tokens"], ["max_tokens"]]
        await made.aclose()


async def test_a_model_that_refuses_options_never_gets_them_again() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = registry(vendor.url, "openai", OPENAI_API_KEY="k")
        provider, _ = made.resolve("openai/m")
        for option in ("temperature", "top_p"):
            vendor.plans.append(status(400, refusal(option, "unsupported_value")))
        call = Call("m", QUESTION, Options(temperature=0.5, top_p=0.5))
        for _ in range(2):
            assert said(await read(await provider.open(call))) == "".join(ANSWER)
        sent = [sorted({"temperature", "top_p"} & seen.body.keys()) for seen in vendor.calls]
        assert sent == [["temperature", "top_p"], ["top_p"], [], []]
        facts = provider.capabilities("m")
        assert (facts.temperature, facts.top_p) == (False, False)
        await made.aclose()


async def test_a_refusal_that_names_no_option_is_not_sent_again() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = registry(vendor.url, "openai", OPENAI_API_KEY="k")
        provider, _ = made.resolve("openai/m")
        vendor.plans.append(status(400, refusal("tools", "unsupported_value")))
        with pytest.raises(errors.RequestRefused, match="'tools' can't be used"):
            await provider.open(Call("m", QUESTION))
        assert len(vendor.calls) == 1
        await made.aclose()


async def test_the_text_of_a_failed_tool_call_is_kept() -> None:
    body = {
        "error": {
            "message": "Failed to call a function.",
            "code": "tool_use_failed",
            "failed_generation": "<function=x>",
        }
    }
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = registry(vendor.url, "groq", GROQ_API_KEY="k")
        provider, _ = made.resolve("groq/m")
        vendor.plans.append(status(400, body))
        upstream = await provider.open(Call("m", QUESTION))
        events: list[UpstreamEvent] = []
        with pytest.raises(errors.ProviderFailed):
            await collect(upstream, events)
        assert said(events) == "<function=x>"
        await made.aclose()


async def test_a_prefix_at_deepseek_goes_to_its_beta_address() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = registry(vendor.url, "deepseek", DEEPSEEK_API_KEY="k")
        provider, _ = made.resolve("deepseek/m")
        await read(await provider.open(Call("m", QUESTION, prefix="So far")))
        await read(await provider.open(Call("m", QUESTION)))
        assert [seen.path for seen in vendor.calls] == [
            "/beta/chat/completions",
            "/chat/completions",
        ]
        assert vendor.calls[0].body["messages"][-1]["prefix"] is True
        await made.aclose()


async def test_azure_uses_dated_paths_when_a_version_is_set() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        version = {"AZURE_OPENAI_API_VERSION": "2024-10-21"}
        made = registry(vendor.url, "azure", AZURE_OPENAI_API_KEY="k", **version)
        await read(await made.resolve("azure/dep")[0].open(Call("dep", QUESTION)))
        seen = vendor.calls[0]
        assert seen.path == "/openai/deployments/dep/chat/completions"
        assert seen.query == {"api-version": "2024-10-21"}
        assert seen.headers["api-key"] == "k"
        await made.aclose()


@pytest.mark.parametrize("dialect", ["openai-chat", "ollama"])
async def test_reasoning_that_the_template_opens_is_no_part_of_the_answer(dialect: str) -> None:
    sample = wire_samples.OLLAMA if dialect == "ollama" else wire_samples.OPENAI_CHAT
    async with fake_vendor(sample) as vendor:
        house = ProviderSettings(
            dialect=dialect, base_url=vendor.url, models={"r1": {"unopened_thinking": True}}
        )
        made = Registry(Settings(local_enabled=False, providers={"house": house}))
        for model, reasoning, text in (
            ("r1", "2 and 2 is 4.", "It is 4."),
            ("other", "", "2 and 2 is 4.\n</think>\n\nIt is 4."),
        ):
            vendor.plans.append(answer("2 and 2 is 4.\n</th", "ink>\n\nIt is 4."))
            events = await read(await made.resolve(f"house/{model}")[0].open(Call(model, QUESTION)))
            thought = "".join(event.text for event in events if isinstance(event, Reasoning))
            assert (thought, said(events)) == (reasoning, text)
        await made.aclose()


async def test_further_headers_of_the_settings_are_sent() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        house = ProviderSettings(base_url=vendor.url, headers={"X-Team": "blue"})
        made = Registry(Settings(local_enabled=False, providers={"house": house}))
        await read(await made.resolve("house/m")[0].open(Call("m", QUESTION)))
        assert vendor.calls[0].headers["X-Team"] == "blue"
        assert "Authorization" not in vendor.calls[0].headers
        await made.aclose()


async def test_a_proxy_of_the_environment_is_used_except_where_it_says_no() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as proxy:
        variables = {"http_proxy": proxy.url, "NO_PROXY": ".inside.example"}
        made = registry("http://vendor.example/v1", "openai", OPENAI_API_KEY="k", **variables)
        provider, _ = made.resolve("openai/m")
        assert said(await read(await provider.open(Call("m", QUESTION)))) == "".join(ANSWER)
        assert proxy.calls[0].headers["Host"] == "vendor.example"
        await made.aclose()
        inside = registry("http://a.inside.example", "openai", OPENAI_API_KEY="k", **variables)
        with pytest.raises(errors.Unreachable):
            await inside.resolve("openai/m")[0].open(Call("m", QUESTION))
        assert len(proxy.calls) == 1
        await inside.aclose()


async def test_a_proxy_that_refuses_or_is_not_there_is_named_as_the_cause(
    unused_tcp_port: int,
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for proxy, reported in ((port, "HTTP 407"), (unused_tcp_port, "can't be reached")):
        variables = {"HTTPS_PROXY": f"http://user:planted-word@127.0.0.1:{proxy}"}
        made = registry("https://vendor.example/v1", "openai", OPENAI_API_KEY="k", **variables)
        with pytest.raises(errors.Unreachable, match=reported) as caught:
            await made.resolve("openai/m")[0].open(Call("m", QUESTION))
        assert caught.value.native == "proxy"
        assert "planted-word" not in caught.value.message + caught.value.advice
        await made.aclose()
    server.close()
    await server.wait_closed()


# ---- OpenAI Responses


async def test_a_background_response_is_resumed_after_its_last_event_and_cancelled_there() -> None:
    cancelled = asyncio.Event()

    class BackgroundVendor(FakeVendor):
        async def handle(self, request: web.Request) -> web.StreamResponse:
            if request.path.endswith("/cancel"):
                cancelled.set()
                return web.json_response({"id": "r1", "status": "cancelled"})
            if request.method == "GET":
                assert dict(request.query) == {"stream": "true", "starting_after": "2"}
                response = await self.stream(request)
                await response.write(b"".join(self.sample.answer(ANSWER)[3:]))
                await response.write_eof()
                return response
            return await super().handle(request)

    call = Call("m", QUESTION, Options(extra={"background": True}))
    async with fake_vendor(wire_samples.OPENAI_RESPONSES, BackgroundVendor) as vendor:
        made = registry(vendor.url, "openai-responses", OPENAI_API_KEY="k")
        provider, _ = made.resolve("openai-responses/m")
        vendor.plans.append(silence(after=True))
        upstream = await provider.open(call)
        received = ""
        async for batch in upstream:
            received += said(list(batch))
            if received == "".join(ANSWER[:2]):
                break
        token = upstream.resume_token
        assert token == "r1:2"
        resumed = await read(await provider.open(call, token))
        assert received + said(resumed) == "".join(ANSWER)
        assert isinstance(resumed[-1], Finished)
        assert await upstream.aclose() is True
        assert cancelled.is_set()
        assert vendor.calls[0].body["store"] is True
        await made.aclose()


async def test_a_plain_response_is_neither_stored_nor_resumable() -> None:
    async with fake_vendor(wire_samples.OPENAI_RESPONSES) as vendor:
        made = registry(vendor.url, "openai-responses", OPENAI_API_KEY="k")
        provider, _ = made.resolve("openai-responses/m")
        upstream = await provider.open(Call("m", QUESTION))
        await read(upstream)
        assert upstream.resume_token is None
        assert vendor.calls[0].body["store"] is False
        await made.aclose()


# ---- Google


async def test_a_signature_returns_unchanged_to_the_model_that_made_it_only() -> None:
    async with fake_vendor(wire_samples.GEMINI) as vendor:
        made = registry(vendor.url, "google", GOOGLE_API_KEY="k")
        provider = made.provider("google")
        signed = {**wire_samples.GEMINI.whole("Hi.")["candidates"][0], "finishReason": "STOP"}
        signed["content"]["parts"][0]["thoughtSignature"] = "c2lnbmVk"
        vendor.plans.append(status(200, {"candidates": [signed]}))
        events = await read(await provider.open(Call("gemini-a", QUESTION)))
        proofs = [event.signature for event in events if isinstance(event, Reasoning)]
        said_before = Message("assistant", (TextPart("Hi."), ReasoningPart("", proofs[0])))
        for model in ("gemini-a", "gemini-b"):
            await read(await provider.open(Call(model, (*QUESTION, said_before))))
        assert ['"c2lnbmVk"' in json.dumps(seen.body) for seen in vendor.calls[1:]] == [True, False]
        await made.aclose()


async def test_claude_at_vertex_speaks_anthropic_s_dialect() -> None:
    async with fake_vendor(wire_samples.ANTHROPIC) as vendor:
        made = registry(vendor.url, "vertex", GOOGLE_CLOUD_ACCESS_TOKEN="t")
        provider, _ = made.resolve("vertex/claude-sonnet-4-5")
        events = await read(await provider.open(Call("claude-sonnet-4-5", QUESTION)))
        assert said(events) == "".join(ANSWER)
        seen = vendor.calls[0]
        assert seen.path == "/publishers/anthropic/models/claude-sonnet-4-5:streamRawPredict"
        assert seen.body["anthropic_version"] == "vertex-2023-10-16"
        assert "model" not in seen.body
        await made.aclose()


# ---- Ollama


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("0.0.0.0:11434", "http://127.0.0.1:11434"),
        (":5000", "http://127.0.0.1:5000"),
        ("box", "http://box:11434"),
        ("box:5000/", "http://box:5000"),
        ("https://box.example", "https://box.example"),
        ("https://box.example/ollama", "https://box.example/ollama"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_whatever_is_written_into_ollama_host_becomes_an_address(written: str, meant: str) -> None:
    assert normalize_base_url(written) == meant


async def test_a_password_in_an_address_is_never_shown(unused_tcp_port: int) -> None:
    made = registry(f"http://me:planted-password@127.0.0.1:{unused_tcp_port}", "ollama")
    provider = made.provider("ollama")
    shown = [provider.readiness().reason]
    await provider.models()
    shown.append(provider.readiness().reason)
    assert all(f"http://127.0.0.1:{unused_tcp_port}" in reason for reason in shown)
    with pytest.raises(GranthaError) as caught:
        await provider.open(Call("m", QUESTION))
    assert "planted" not in repr(caught.value) + "".join(shown)
    await made.aclose()


async def test_a_model_whose_name_holds_the_key_isn_t_listed() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        key = "planted-key-0123456789"
        made = registry(vendor.url, "openai", OPENAI_API_KEY=key)
        names = ["m", f"your key was {key}"]
        vendor.sample = replace(vendor.sample, listing={"data": [{"id": name} for name in names]})
        assert [card.name for card in await made.provider("openai").models()] == ["m"]
        await made.aclose()


async def test_models_have_the_names_that_their_vendor_gives_them() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        key = "planted-key-0123456789"
        made = registry(vendor.url, "openai", OPENAI_API_KEY=key)
        rows = [
            {"id": "a", "display_name": "A  Model\n1", "name": "other"},
            {"id": "b", "name": "B Model"},
            {"id": "c", "name": 7},
            {"id": "d", "name": f"For {key}"},
            {"id": "e", "name": "E" * 101},
        ]
        vendor.sample = replace(vendor.sample, listing={"data": rows})
        names = [card.name for card in await made.provider("openai").models()]
        assert names == ["A Model 1", "B Model", "c", "d", "E" * 100]
        await made.aclose()


@pytest.mark.parametrize(
    ("sample", "provider", "listing"),
    [
        (wire_samples.ANTHROPIC, "anthropic", {"data": [{"id": "m", "display_name": "Mo Del 4"}]}),
        (
            wire_samples.GEMINI,
            "google",
            {"models": [{"name": "models/m", "displayName": "Mo Del 4"}, {"name": "models/n"}]},
        ),
        (wire_samples.OLLAMA, "ollama", {"models": [{"name": "m", "model": "m"}]}),
    ],
)
async def test_each_dialect_reads_its_own_names(
    sample: wire_samples.WireSample, provider: str, listing: dict[str, Any]
) -> None:
    keys = {"anthropic": "ANTHROPIC_API_KEY", "google": "GEMINI_API_KEY"}
    async with fake_vendor(replace(sample, listing=listing)) as vendor:
        variables = {keys[provider]: "planted-key"} if provider in keys else {}
        made = registry(vendor.url, provider, **variables)
        names = {card.id: card.name for card in await made.provider(provider).models()}
        assert names[f"{provider}/m"] == ("m" if provider == "ollama" else "Mo Del 4")
        assert names.get("google/n", "n") == "n"
        await made.aclose()


async def test_an_ollama_model_that_can_t_think_is_called_without_thinking() -> None:
    async with fake_vendor(wire_samples.OLLAMA) as vendor:
        made = registry(vendor.url, "ollama")
        provider, _ = made.resolve("ollama/m")
        vendor.plans.append(status(400, {"error": '"m" does not support thinking'}))
        call = Call("m", QUESTION, Options(reasoning_effort="high"))
        for _ in range(2):
            assert said(await read(await provider.open(call))) == "".join(ANSWER)
        assert ["think" in seen.body for seen in vendor.calls] == [True, False, False]
        await made.aclose()


async def test_ollama_is_looked_for_and_then_missing_until_it_answers(unused_tcp_port: int) -> None:
    made = registry(f"http://127.0.0.1:{unused_tcp_port}", "ollama")
    provider = made.provider("ollama")
    assert provider.readiness().state == "loading"
    assert await provider.models() == []
    assert provider.readiness().state == "unreachable"
    assert "OLLAMA_HOST" in provider.readiness().advice
    await made.aclose()


# ---- listings, prices, doctor


async def test_a_listing_that_fails_leaves_the_configured_models() -> None:
    class FailingVendor(FakeVendor):
        async def handle(self, request: web.Request) -> web.StreamResponse:
            return web.json_response({}, status=500)

    async with fake_vendor(wire_samples.OPENAI_CHAT, FailingVendor) as vendor:
        house = ProviderSettings(base_url=vendor.url, models={"mine": {"tools": True}})
        made = Registry(Settings(local_enabled=False, providers={"house": house}))
        cards = await made.provider("house").models()
        assert [card.id for card in cards] == ["house/mine"]
        await made.aclose()


async def test_the_doctor_says_what_works_and_what_to_do_about_the_rest() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        variables = {"OPENAI_API_KEY": "k", "XAI_API_KEY": "k"}
        urls = {"GRANTHA_OPENAI_BASE_URL": vendor.url, "GRANTHA_XAI_BASE_URL": vendor.url}
        off = {name: ProviderSettings(enabled=False) for name in ("ollama", "openai-responses")}
        settings = Settings(
            local_enabled=False, scripted=True, variables={**variables, **urls}, providers=off
        )
        made = Registry(settings)
        vendor.plans.append(answer())
        vendor.plans.append(status(401))
        found = {checkup.provider: checkup for checkup in await check_all(made)}
        assert {found["openai"].state, found["xai"].state} == {"works", "fails"}
        works, fails = sorted((found["openai"], found["xai"]), key=lambda c: c.state, reverse=True)
        assert works.ttft_ms is not None
        assert works.to_json()["model"] == "m"
        assert "key" in fails.message
        assert found["anthropic"].state == "not-set-up"
        assert "ANTHROPIC_API_KEY" in found["anthropic"].advice
        await made.aclose()


async def test_the_doctor_reports_an_answer_without_text() -> None:
    async with fake_vendor(wire_samples.OPENAI_CHAT) as vendor:
        made = registry(vendor.url, "openai", OPENAI_API_KEY="k")
        provider: Provider = made.provider("openai")
        vendor.plans.append(answer(""))
        checkup = await check(provider, "m")
        assert (checkup.state, checkup.message) == ("fails", "The answer held no text")
        await made.aclose()
