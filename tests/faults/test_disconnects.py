"""A thousand disconnects and changes of transport lose, double and reorder nothing."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.faults.log_follower import TRANSPORTS, LogFollower
from tests.scripts import counted
from tests.server import MakeServer

pytestmark = pytest.mark.faults
_CUTS = 34  # of each of thirty readers


async def test_a_thousand_disconnects_over_four_transports_lose_and_double_nothing(
    server_factory: MakeServer,
) -> None:
    server = server_factory({"GRANTHA_FLUSH_MS": "4", "GRANTHA_TITLES": "0"}).start()
    count = 15_000
    body = {"gate": "gate", "steps": [{"repeat": "w{n} ", "count": count}]}
    model = server.script("gated", body)
    conversations = [server.ask(model)["id"] for _ in range(5)]
    followers = [
        LogFollower(server, conversation, random.Random(f"{conversation}{number}"))
        for conversation in conversations
        for number in range(6)
    ]

    async def write_until_all_were_cut() -> None:
        allowed = 0
        while any(follower.cuts < _CUTS for follower in followers):
            allowed += 4
            server.allow("gate", allowed)
            await asyncio.sleep(0.01)  # the pace of a quick model
        server.allow("gate")

    async with asyncio.timeout(240):
        writing = asyncio.create_task(write_until_all_were_cut())
        await asyncio.gather(
            writing, *(follower.follow(TRANSPORTS, cuts=_CUTS) for follower in followers)
        )
    assert sum(follower.cuts for follower in followers) >= 1000
    assert {follower.text for follower in followers} == {counted(count)}
    assert {follower.end.ending for follower in followers} == {"done"}
    assert all(follower.seams == [] for follower in followers)
