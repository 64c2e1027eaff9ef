"""Model servers on this machine are found on their usual ports, and never mistaken for others."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grantha.chat import Call, Capabilities, text_message
from grantha.config import Settings, Timeouts
from grantha.embedding import EmbeddingCall
from grantha.errors import Unreachable
from grantha.events import Text
from grantha.providers.adapters.discovered import DiscoveredServer
from grantha.providers.base import READY, Readiness
from grantha.providers.catalog import host_named
from grantha.providers.factory import endpoint_for
from grantha.providers.http import HttpPool
from grantha.providers.registry import Registry
from grantha.providers.scripted.provider import ScriptedProvider
from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import ANSWER, fake_vendor

DEADLINE = 60.0
CALL = Call("m", (text_message("user", "Hello?"),))


def model_list(owner: str) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": owner}]}


def looked_for(url: str, name: str = "vllm") -> tuple[DiscoveredServer, HttpPool]:
    host = host_named(name)
    assert host is not None
    pool = HttpPool(Timeouts())
    endpoint = replace(endpoint_for(host, Settings(port=1)), base_url=url)
    return DiscoveredServer(endpoint, pool, lambda _: Capabilities(), host.owner), pool


@pytest.mark.parametrize(("name", "port"), [("lmstudio", 1234), ("llamacpp", 8080), ("vllm", 8000)])
async def test_usual_ports_are_checked_unless_we_listen_there(name: str, port: int) -> None:
    made = Registry(Settings(local_enabled=False, port=port + 1))
    ours = Registry(Settings(local_enabled=False, port=port))
    assert f"http://127.0.0.1:{port}/v1" in made.provider(name).readiness().reason
    assert ours.provider(name).readiness().state == "off"
    for one in (made, ours):
        await one.aclose()


@pytest.mark.parametrize("name", ["lmstudio", "llamacpp", "vllm"])
async def test_a_server_on_its_usual_port_is_found_and_answers(name: str) -> None:
    host = host_named(name)
    assert host is not None
    assert host.owner is not None
    sample = replace(wire_samples.OPENAI_CHAT, listing=model_list(host.owner))
    async with fake_vendor(sample) as vendor:
        provider, pool = looked_for(vendor.url, name)
        assert provider.readiness().state == "loading"
        assert [card.id for card in await provider.models()] == [f"{name}/m"]
        assert provider.readiness() == READY
        async with asyncio.timeout(DEADLINE):
            upstream = await provider.open(CALL)
            events = [event async for batch in upstream for event in batch]
        assert "".join(event.text for event in events if isinstance(event, Text)) == "".join(ANSWER)
        await pool.aclose()


async def test_another_program_on_the_port_gets_no_prompt() -> None:
    sample = replace(wire_samples.OPENAI_CHAT, listing=model_list("grantha"))
    async with fake_vendor(sample) as vendor:
        provider, pool = looked_for(vendor.url)
        with pytest.raises(Unreachable, match="No vLLM answers at") as caught:
            await provider.open(CALL)
        assert "VLLM_BASE_URL" in str(caught.value.advice)
        with pytest.raises(Unreachable):
            await provider.embed(EmbeddingCall("m", ("Hello?",)))
        assert vendor.calls == []
        await pool.aclose()


class StartedLater(ScriptedProvider):
    """Didn't answer the last time."""

    def readiness(self) -> Readiness:
        return Readiness("unreachable", "Nothing answers", "Start it.")


async def test_a_server_that_did_not_answer_is_called_again(tmp_path: Path) -> None:
    settings = Settings(local_enabled=False, port=1)
    made = Registry(settings, {"scripted": StartedLater(tmp_path)})
    assert "scripted/hello" in [card.id for card in await made.models()]
    await made.aclose()
