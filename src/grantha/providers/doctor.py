"""Checks whether a provider can really be used: key, address, one streamed word, and how long it
took.

Spends at most a few tokens. Never raises: failures are results.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from grantha.chat import Call, Options, text_message
from grantha.errors import GranthaError
from grantha.events import Reasoning, Text
from grantha.providers.base import Provider
from grantha.providers.registry import Registry

CheckState = Literal["works", "not-set-up", "fails"]

DEADLINE = 60.0  # seconds for one streamed word
QUESTION = "Reply with the one word: ready"


@dataclass(frozen=True, slots=True)
class ProviderCheck:
    """The result for one provider. `ttft_ms` is from the call to the first text or reasoning."""

    provider: str
    state: CheckState
    model: str | None = None
    ttft_ms: float | None = None
    message: str = ""
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, without absent members."""
        body: dict[str, Any] = {"provider": self.provider, "state": self.state}
        for name in ("model", "ttft_ms", "message", "advice"):
            value = getattr(self, name)
            if value not in {None, ""}:
                body[name] = value
        return body


async def check_all(registry: Registry) -> list[ProviderCheck]:
    """Every provider of a registry; those with credentials are checked concurrently."""
    return list(
        await asyncio.gather(*(check_named(registry, c.name) for c in registry.providers()))
    )


async def check(provider: Provider, model: str) -> ProviderCheck:
    """One provider by one of its models."""
    readiness = provider.readiness()
    if readiness.state in {"missing-key", "off"}:
        return ProviderCheck(
            provider.name, "not-set-up", None, None, readiness.reason, readiness.advice
        )
    started = time.perf_counter()
    try:
        async with asyncio.timeout(DEADLINE):
            answered = await _first_word(provider, model)
    except GranthaError as error:
        return ProviderCheck(provider.name, "fails", model, None, error.message, error.advice)
    except TimeoutError:
        return ProviderCheck(provider.name, "fails", model, None, f"No word within {DEADLINE:g} s")
    if answered is None:
        return ProviderCheck(provider.name, "fails", model, None, "The answer held no text")
    return ProviderCheck(provider.name, "works", model, round((answered - started) * 1000, 1))


async def check_named(registry: Registry, name: str) -> ProviderCheck:
    """A provider by name, through its default model or the first it offers."""
    try:
        provider = registry.provider(name)
        model = await _model_of(registry, provider)
    except GranthaError as error:
        return ProviderCheck(name, "not-set-up", None, None, error.message, error.advice)
    if model is None and provider.readiness().state in {"ready", "loading"}:
        return ProviderCheck(name, "fails", None, None, f"{name} lists no models")
    return await check(provider, model or "")


async def _model_of(registry: Registry, provider: Provider) -> str | None:
    """Its default, if it is offered; else the first one offered."""
    if provider.readiness().state not in {"ready", "loading"}:
        return None
    offered: Sequence[str] = [card.id for card in await provider.models()]
    try:
        wanted: str | None = registry.default_model(provider.name)
    except GranthaError:
        wanted = None
    if wanted is not None and (wanted in offered or not offered):
        return wanted.partition("/")[2]
    return offered[0].partition("/")[2] if offered else None


async def _first_word(provider: Provider, model: str) -> float | None:
    call = Call(model, (text_message("user", QUESTION),), Options(max_tokens=16))
    upstream = await provider.open(call)
    try:
        async for batch in upstream:
            if any(isinstance(event, Text | Reasoning) and event.text for event in batch):
                return time.perf_counter()
    finally:
        await upstream.aclose()
    return None
