"""A request's trace: what counts as one, and which providers take part in it."""

from __future__ import annotations

import pytest

from grantha import trace_context
from grantha.chat import Call, text_message
from grantha.config import ProviderSettings, Settings
from grantha.providers.registry import Registry
from grantha.trace_context import parse_trace_context
from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import fake_vendor

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize("good", [GOOD, f"01-{TRACE}-{PARENT}-00-more-of-it"])
def test_a_valid_header_is_taken_as_it_is(good: str) -> None:
    found = parse_trace_context(good, "a=b,c=d")
    assert found is not None
    assert found.trace_id == TRACE
    assert found.headers() == {"traceparent": good, "tracestate": "a=b,c=d"}


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"{GOOD}\r\nx: y",
        f" {GOOD}",
        f"01-{TRACE}-{PARENT}-01-\n",
    ],
)
def test_an_invalid_header_is_no_trace(bad: str | None) -> None:
    assert parse_trace_context(bad, "a=b") is None


@pytest.mark.parametrize("state", [None, "", "a=\nb", "a=" + "b" * 600, "é=1"])
def test_an_invalid_state_is_left_out(state: str | None) -> None:
    found = parse_trace_context(GOOD, state)
    assert found is not None
    assert found.headers() == {"traceparent": GOOD}


@pytest.mark.parametrize(
    ("name", "joins"),
    [
        ("openai", True),
        ("vllm", True),
        ("mine", True),
        ("ollama", True),
        ("anthropic", False),
        ("google", False),
    ],
)
async def test_servers_of_ones_own_take_part_in_the_trace(name: str, joins: bool) -> None:
    samples = {
        "anthropic": wire_samples.ANTHROPIC,
        "google": wire_samples.GEMINI,
        "ollama": wire_samples.OLLAMA,
    }
    token = trace_context.current.set(parse_trace_context(GOOD, None))
    try:
        async with fake_vendor(samples.get(name, wire_samples.OPENAI_CHAT)) as vendor:
            variables = {f"GRANTHA_{name.upper()}_BASE_URL": vendor.url}
            keys = {f"{key}_API_KEY": "k" for key in ("OPENAI", "ANTHROPIC", "GOOGLE")}
            own = {"mine": ProviderSettings(base_url=vendor.url)} if name == "mine" else {}
            registry = Registry(
                Settings(local_enabled=False, variables={**variables, **keys}, providers=own)
            )
            upstream = await registry.provider(name).open(Call("m", (text_message("user", "Hi"),)))
            async for _ in upstream:
                pass
            await registry.aclose()
            (seen,) = vendor.calls
            assert ("traceparent" in seen.headers) is joins
    finally:
        trace_context.current.reset(token)


def test_a_vendors_own_address_takes_no_part() -> None:
    groq = {"GRANTHA_GROQ_BASE_URL": "https://api.groq.com/openai/v1/"}
    registry = Registry(Settings(local_enabled=False, variables={"OPENAI_API_KEY": "k", **groq}))
    for name in ("openai", "groq", "openrouter", "deepseek"):
        provider = registry.provider(name)
        assert not provider._endpoint.joins_traces  # type: ignore[attr-defined]  # nothing is sent
