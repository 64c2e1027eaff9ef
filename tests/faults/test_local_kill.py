"""The built-in model: killed ten times during ten long answers, all ten finish."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from tests.faults.log_follower import LogFollower
from tests.server import MakeServer, Server, until

pytestmark = [pytest.mark.faults, pytest.mark.local_model, pytest.mark.slow]

LOCAL = {"GRANTHA_LOCAL_ENABLED": "1", "GRANTHA_TITLES": "0"}
MODEL = "local/default"


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def ask(server: Server, number: int, tokens: int) -> str:
    question = f"Tell me a long story about the number {number} and all its friends."
    answer = server.ask(MODEL, question, options={"max_tokens": tokens, "temperature": 0.7})
    return str(answer["id"])


async def test_ten_kills_during_ten_local_answers_lose_nothing(server_factory: MakeServer) -> None:
    server = server_factory(LOCAL).start()
    conversations = [ask(server, number, 64) for number in range(10)]
    followers = [LogFollower(server, conversation) for conversation in conversations]
    following = asyncio.gather(*(follower.follow(("sse", "ws")) for follower in followers))
    choice = random.Random(3)
    kills = 0
    async with asyncio.timeout(285):
        while kills < 10 and not following.done():
            await grown(followers, choice.randint(10, 120))
            await asyncio.to_thread(server.restart)
            kills += 1
        await following
    assert kills == 10
    for conversation, follower in zip(conversations, followers, strict=True):
        stored = server.generation(conversation)
        assert (stored["status"], follower.end.ending) == ("done", "done")
        assert stored["end"]["sha256"] == follower.end.sha256
        assert stored["text"] == follower.text != ""
        assert {seam.reason for seam in follower.seams} <= {"restart"}
    assert any(follower.seams for follower in followers)


async def test_a_model_that_dies_in_mid_answer_costs_a_seam_and_no_word(
    server_factory: MakeServer,
) -> None:
    server = server_factory(LOCAL).start()
    follower = LogFollower(server, ask(server, 7, 120))
    following = asyncio.create_task(follower.follow())
    async with asyncio.timeout(120):
        await grown([follower], 60)
        shown = follower.text
        for child in children(server.pid):
            os.kill(child, signal.SIGKILL)
        await following
    assert follower.end.ending == "done"
    assert follower.text.startswith(shown)
    assert [seam.reason for seam in follower.seams] == ["provider-lost"]
    assert server.alive
    until(lambda: server.call("GET", "/readyz").status == 200, "the server to be ready")


async def grown(followers: list[LogFollower], by: int) -> None:
    """Waits until the followers show so many more code points in all, or all have ended."""
    wanted = sum(follower.folded.text_length for follower in followers) + by
    while (  # noqa: ASYNC110  what they show grows as it is read
        sum(follower.folded.text_length for follower in followers) < wanted
        and any(follower.folded.end is None for follower in followers)
    ):
        await asyncio.sleep(0.01)
