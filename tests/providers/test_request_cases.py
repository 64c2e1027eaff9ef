"""Requests that vendors refuse: each as a client sends it, and what must reach the vendor instead.

A vendor here refuses what the real one refuses, with its message. Sources of the rules are named in
`docs/providers.md`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from grantha import errors
from grantha.chat import Call
from grantha.engine.tool_pairs import with_tool_results
from grantha.events import ProviderNotice, UpstreamEvent
from grantha.providers.registry import Registry
from grantha.wire.compat import openai_chat_view
from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import ANSWER, FakeVendor, Plan, answer, fake_vendor, status
from tests.fake_vendors.wire_samples import WireSample
from tests.providers.test_adapters import read, registry, said

Json = dict[str, Any]
ASK: Json = {"role": "user", "content": "What is the weather?"}
CALLED: Json = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ],
}
THOUGHT: Json = {**CALLED, "reasoning_content": "I should call f."}
RESULT: Json = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
TOOLS: Json = {
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
}
KEYS = {
    "openai": {"OPENAI_API_KEY": "k"},
    "openai-responses": {"OPENAI_API_KEY": "k"},
    "anthropic": {"ANTHROPIC_API_KEY": "k"},
    "google": {"GOOGLE_API_KEY": "k"},
    "bedrock": {"AWS_BEARER_TOKEN_BEDROCK": "k"},
    "deepseek": {"DEEPSEEK_API_KEY": "k"},
    "moonshot": {"MOONSHOT_API_KEY": "k"},
    "mistral": {"MISTRAL_API_KEY": "k"},
}
SAMPLES: dict[str, WireSample] = {
    "openai-responses": wire_samples.OPENAI_RESPONSES,
    "anthropic": wire_samples.ANTHROPIC,
    "google": wire_samples.GEMINI,
    "bedrock": wire_samples.BEDROCK,
}


@dataclass(frozen=True)
class Case:
    """`refuses` returns why a vendor refuses a body, or nothing; `dropped` are the options left out."""

    model: str
    request: Json
    refuses: Callable[[Json], str | None]
    reported: tuple[str, ...] = ()
    error: Json = field(default_factory=dict)
    calls: int = 1


def calls_without(name: str) -> Callable[[Json], str | None]:
    """A rule on messages that call tools."""

    def check(body: Json) -> str | None:
        lacking = any(name not in m for m in body["messages"] if m.get("tool_calls"))
        return (
            f"The `{name}` in the thinking mode must be passed back to the API."
            if lacking
            else None
        )

    return check


def holding(*path: str, says: str) -> Callable[[Json], str | None]:
    """A rule on one member."""

    def check(body: Json) -> str | None:
        inner: Any = body
        for step in path:
            inner = inner.get(step) if isinstance(inner, dict) else None
        return None if inner is None else says

    return check


def unpaired(body: Json) -> str | None:
    for index, message in enumerate(body["messages"]):
        uses = [b["id"] for b in message["content"] if b["type"] == "tool_use"]
        after = body["messages"][index + 1]["content"] if uses else []
        if uses != [b.get("tool_use_id") for b in after][: len(uses)]:
            return "`tool_use` ids were found without `tool_result` blocks immediately after"
    return None


def tools_undefined(body: Json) -> str | None:
    blocks = [block for message in body["messages"] for block in message["content"]]
    used = any("toolUse" in block or "toolResult" in block for block in blocks)
    wrong = used and "toolConfig" not in body
    return "The toolConfig field must be defined when using toolUse." if wrong else None


def both_sampled(body: Json) -> str | None:
    both = {"temperature", "topP"} <= body.get("inferenceConfig", {}).keys()
    return "`temperature` and `top_p` cannot both be specified for this model." if both else None


def over_budget(body: Json) -> str | None:
    budget = body["thinking"]["budget_tokens"]
    if body["max_tokens"] > 32000:
        return f"max_tokens: {body['max_tokens']} > 32000"
    if not 1024 <= budget < body["max_tokens"]:
        return "budget_tokens must be at least 1024 and less than max_tokens"
    return None


def effort_unknown(body: Json) -> str | None:
    effort = body.get("reasoning_effort")
    return None if effort in {None, "none", "high"} else "reasoning_effort: not one of none, high"


CASES: dict[str, Case] = {
    "20-deepseek-tool-loop": Case(
        "deepseek/deepseek-v4-pro",
        {"messages": [ASK, THOUGHT, RESULT], **TOOLS},
        calls_without("reasoning_content"),
    ),
    "20-deepseek-without-thought": Case(
        "deepseek/deepseek-v4-pro",
        {"messages": [ASK, CALLED, RESULT], **TOOLS},
        calls_without("reasoning_content"),
    ),
    "20b-moonshot-tool-loop": Case(
        "moonshot/kimi-k2.5",
        {"messages": [ASK, CALLED, RESULT], **TOOLS},
        calls_without("reasoning_content"),
    ),
    "21-kimi-temperature": Case(
        "moonshot/kimi-k2.5",
        {"messages": [ASK], "temperature": 0.6, "top_p": 0.8},
        holding("temperature", says="invalid temperature: only 1 is allowed for this model"),
        reported=("temperature", "top_p"),
    ),
    "21-kimi-of-another-name": Case(
        "moonshot/some-model",
        {"messages": [ASK], "temperature": 0.6},
        holding("temperature", says="invalid temperature: only 1 is allowed for this model"),
        reported=("temperature",),
        calls=2,
    ),
    "22-dangling-call": Case(
        "anthropic/claude-sonnet-4-6",
        {"messages": [ASK, THOUGHT, {"role": "user", "content": "And without it?"}], **TOOLS},
        unpaired,
    ),
    "23-bedrock-tool-history": Case(
        "bedrock/us.anthropic.claude-sonnet-4-6-v1:0",
        {"messages": [ASK, CALLED, RESULT, ASK], **TOOLS, "tool_choice": "none"},
        tools_undefined,
    ),
    "23-bedrock-without-tools": Case(
        "bedrock/us.anthropic.claude-sonnet-4-6-v1:0",
        {"messages": [ASK, CALLED, RESULT, ASK]},
        tools_undefined,
    ),
    "24-bedrock-both-sampling": Case(
        "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        {"messages": [ASK], "temperature": 0.3, "top_p": 0.9},
        both_sampled,
        reported=("top_p",),
    ),
    "26-top-k": Case(
        "anthropic/claude-opus-4-8",
        {"messages": [ASK], "top_k": 5},
        holding("top_k", says="`top_k` is deprecated for this model."),
        reported=("top_k",),
    ),
    "26-top-k-while-thinking": Case(
        "anthropic/claude-sonnet-4-5",
        {"messages": [ASK], "top_k": 5, "reasoning_effort": "low"},
        holding("top_k", says="`top_k` must be unset when `thinking` is enabled."),
        reported=("top_k",),
    ),
    "27-opus-4-1-budget": Case(
        "anthropic/claude-opus-4-1",
        {"messages": [ASK], "reasoning_effort": "high", "max_tokens": 20000},
        over_budget,
    ),
    "27-opus-4-1-budget-without-a-limit": Case(
        "anthropic/claude-opus-4-1",
        {"messages": [ASK], "reasoning_effort": "high"},
        over_budget,
    ),
    "27-opus-4-1-budget-beside-a-full-answer": Case(
        "anthropic/claude-opus-4-1",
        {"messages": [ASK], "reasoning_effort": "high", "max_tokens": 32000},
        over_budget,
    ),
    "29-gpt5-stop": Case(
        "openai/gpt-5-mini",
        {"messages": [ASK], "stop": ["END"]},
        holding("stop", says="Unsupported parameter: 'stop' is not supported with this model."),
        reported=("stop",),
        error={"param": "stop", "code": "unsupported_parameter"},
        calls=2,
    ),
    "30-responses-verbosity": Case(
        "openai-responses/gpt-5.2",
        {"messages": [ASK], "verbosity": "low"},
        holding("verbosity", says="Unknown parameter: 'verbosity'."),
    ),
    "31-responses-summary": Case(
        "openai-responses/gpt-5.2",
        {"messages": [ASK], "reasoning_effort": "low"},
        holding(
            "reasoning",
            "summary",
            says="Your organization must be verified to generate reasoning summaries.",
        ),
        error={"param": "reasoning.summary", "code": "unsupported_value"},
        calls=2,
    ),
    "32-responses-chat-temperature": Case(
        "openai-responses/gpt-5.3-chat-latest",
        {"messages": [ASK], "temperature": 0.3},
        holding("temperature", says="Unsupported parameter: 'temperature'"),
        reported=("temperature",),
    ),
    "32-responses-temperature-of-another-name": Case(
        "openai-responses/some-model",
        {"messages": [ASK], "temperature": 0.3},
        holding("temperature", says="Unsupported parameter: 'temperature'"),
        reported=("temperature",),
        error={"param": "temperature", "code": "unsupported_value"},
        calls=2,
    ),
    "34-gemini-penalty": Case(
        "google/gemini-3.6-flash",
        {"messages": [ASK], "presence_penalty": 0.2},
        holding(
            "generationConfig", "presencePenalty", says="Penalty is not enabled for this model"
        ),
        reported=("presence_penalty",),
    ),
    "34-gemma-penalty": Case(
        "google/gemma-4-31b-it",
        {"messages": [ASK], "presence_penalty": 0.2},
        holding(
            "generationConfig", "presencePenalty", says="Penalty is not enabled for this model"
        ),
        reported=("presence_penalty",),
        calls=2,
    ),
    "36-magistral-effort": Case(
        "mistral/magistral-medium-latest",
        {"messages": [ASK], "reasoning_effort": "low"},
        effort_unknown,
    ),
    "36-mistral-small-effort": Case(
        "mistral/mistral-small-latest",
        {"messages": [ASK], "reasoning_effort": "low"},
        effort_unknown,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_vendor_gets_what_it_takes(name: str, bare: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    host = case.model.partition("/")[0]
    async with vendor_of(host) as (vendor, made):
        for times in (1, 2):  # the second request succeeds directly
            vendor.plans.extend([enforcing(case)] * 4)
            events = await requested(made, case)
            vendor.plans.clear()
            assert said(events) == "".join(ANSWER)
            reported = [e.details["option"] for e in events if isinstance(e, ProviderNotice)]
            assert tuple(reported) == case.reported
            assert len(vendor.calls) == case.calls + times - 1


async def test_an_effort_is_sent_to_the_models_of_mistral_that_can_think() -> None:
    for name in ("36-magistral-effort", "36-mistral-small-effort"):
        async with vendor_of("mistral") as (vendor, made):
            await requested(made, CASES[name])
            assert vendor.calls[0].body["reasoning_effort"] == "high"


async def test_verbosity_stands_where_the_responses_api_has_it() -> None:
    async with vendor_of("openai-responses") as (vendor, made):
        await requested(made, CASES["30-responses-verbosity"])
        assert vendor.calls[0].body["text"] == {"verbosity": "low"}


async def test_an_effort_that_is_not_offered_becomes_the_nearest_one() -> None:
    says = (
        "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. "
        "Supported values are: 'low', 'medium', and 'high'."
    )
    case = Case(
        "openai/gpt-5-mini",
        {"messages": [ASK], "reasoning_effort": "minimal"},
        lambda body: says if body.get("reasoning_effort") == "minimal" else None,
        error={"param": "reasoning_effort", "code": "unsupported_value"},
    )
    async with vendor_of("openai") as (vendor, made):
        vendor.plans.extend([enforcing(case)] * 2)
        await requested(made, case)
        assert [call.body["reasoning_effort"] for call in vendor.calls] == ["minimal", "low"]


async def test_a_limit_that_is_too_high_becomes_the_one_that_is_named() -> None:
    says = "max_tokens is too large: 200000. This model supports at most 16384 completion tokens."
    case = Case(
        "openai/some-model",
        {"messages": [ASK], "max_tokens": 200000},
        lambda body: says if body["max_completion_tokens"] > 16384 else None,
        error={"param": "max_completion_tokens", "code": "invalid_value"},
    )
    async with vendor_of("openai") as (vendor, made):
        vendor.plans.extend([enforcing(case)] * 2)
        await requested(made, case)
        assert [call.body["max_completion_tokens"] for call in vendor.calls] == [200000, 16384]


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("temperature: range: 0..1", {}),
        ("Invalid value: must be less than or equal to 2.", {"param": "temperature"}),
        ("Invalid schema for function 'f'", {"param": "tools[0].function.parameters"}),
        ("Invalid 'messages[0].content': empty", {"param": "messages[0].content"}),
        ("This request can't be answered.", {}),
    ],
)
async def test_nothing_is_learnt_from_a_mistake_of_the_caller(says: str, error: Json) -> None:
    request = {"messages": [ASK], "temperature": 1.7, **TOOLS}
    case = Case("openai/some-model", request, lambda _: says, error=error)
    async with vendor_of("openai") as (vendor, made):
        vendor.plans.append(enforcing(case))
        with pytest.raises(errors.RequestRefused):
            await requested(made, case)
        assert len(vendor.calls) == 1
        assert made.resolve("openai/some-model")[0].capabilities("some-model").temperature


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("openai", "Unrecognized request argument supplied: top_k"),
        ("mistral", "body.top_k: Extra inputs are not permitted"),
        ("deepseek", "property 'top_k' is unsupported"),
        ("moonshot", "`top_k` is not supported with this model"),
        ("anthropic", "top_k: Extra inputs are not permitted"),
        ("google", "Invalid JSON payload received. Unknown name \"topK\" at 'generation_config'"),
    ],
)
def test_an_option_is_found_in_each_vendors_message(host: str, says: str) -> None:
    from grantha.providers.refused_options import RefusedOptions
    from grantha.wire.lenient_json import dumps, loads
    from grantha.wire.upstream.vendor_errors import ErrorReport

    inner: Json = {"topK": 5, "temperature": 1} if host == "google" else {}
    body: Json = {"generationConfig": inner} if inner else {"top_k": 5, "temperature": 1}
    refused = RefusedOptions()
    assert refused.learn("m", dumps(body), ErrorReport(message=says))
    left = loads(refused.apply("m", dumps(body)))
    assert left == ({"generationConfig": {"temperature": 1}} if inner else {"temperature": 1})
    assert refused.apply("other", dumps(body)) == dumps(body)


@asynccontextmanager
async def vendor_of(host: str) -> AsyncIterator[tuple[FakeVendor, Registry]]:
    """A vendor on this machine, and providers that know it."""
    async with fake_vendor(SAMPLES.get(host, wire_samples.OPENAI_CHAT)) as vendor:
        made = registry(vendor.url, host, **KEYS[host])
        try:
            yield vendor, made
        finally:
            await made.aclose()


async def requested(made: Registry, case: Case) -> list[UpstreamEvent]:
    """The reply to a request, as the Chat Completions API gets it."""
    parsed = openai_chat_view.parse_request({**case.request, "model": case.model})
    provider, name = made.resolve(case.model)
    call = Call(name, with_tool_results(parsed.messages), parsed.options)
    async with asyncio.timeout(60):
        return await read(await provider.open(call))


def enforcing(case: Case) -> Plan:
    """A vendor that keeps its rule."""

    async def plan(vendor: FakeVendor, request: web.Request) -> web.StreamResponse:
        says = case.refuses(vendor.calls[-1].body)
        if says is None:
            return await answer()(vendor, request)
        error = {"message": says, "type": "invalid_request_error", **case.error}
        aws = vendor.sample.dialect == "bedrock"
        return await status(400, {"message": says} if aws else {"error": error})(vendor, request)

    return plan
