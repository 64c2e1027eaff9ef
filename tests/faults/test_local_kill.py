"""The built-in model: killed ten times during ten long answers, all ten finish."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from tests.faults.page import Page
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
    talks = [ask(server, number, 64) for number in range(10)]
    pages = [Page(server, talk) for talk in talks]
    following = asyncio.gather(*(page.follow(("sse", "ws")) for page in pages))
    choice = random.Random(3)
    kills = 0
    async with asyncio.timeout(285):
        while kills < 10 and not following.done():
            await grown(pages, choice.randint(10, 120))
            await asyncio.to_thread(server.restart)
            kills += 1
        await following
    assert kills == 10
    for talk, page in zip(talks, pages, strict=True):
        stored = server.generation(talk)
        assert (stored["status"], page.end.ending) == ("done", "done")
        assert stored["end"]["sha256"] == page.end.sha256
        assert stored["text"] == page.text != ""
        assert {seam.reason for seam in page.seams} <= {"restart"}
    assert any(page.seams for page in pages)


async def test_a_model_that_dies_in_mid_answer_costs_a_seam_and_no_word(
    server_factory: MakeServer,
) -> None:
    server = server_factory(LOCAL).start()
    page = Page(server, ask(server, 7, 120))
    following = asyncio.create_task(page.follow())
    async with asyncio.timeout(120):
        await grown([page], 60)
        shown = page.text
        for child in children(server.pid):
            os.kill(child, signal.SIGKILL)
        await following
    assert page.end.ending == "done"
    assert page.text.startswith(shown)
    assert [seam.reason for seam in page.seams] == ["provider-lost"]
    assert server.alive
    until(lambda: server.call("GET", "/readyz").status == 200, "the server to be ready")


async def grown(pages: list[Page], by: int) -> None:
    """Waits until the pages show so many more code points in all, or all have ended."""
    wanted = sum(page.folded.text_length for page in pages) + by
    while (  # noqa: ASYNC110  what they show grows as it is read
        sum(page.folded.text_length for page in pages) < wanted
        and any(page.folded.end is None for page in pages)
    ):
        await asyncio.sleep(0.01)
