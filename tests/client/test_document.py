"""Every example of docs/client.md does what it shows."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.blocks import ADDRESS, blocks
from tests.server import DEADLINE, Server

EXAMPLES = blocks("client.md", "python", ADDRESS)
SAID = [
    "Hello! This answer",
    "done Usage",
    "stopped ['options', 'continued']",
    "assistant Hello!",
    "OpenAI needs OPENAI_API_KEY",
]


def test_each_example_has_its_expected_output() -> None:
    assert len(EXAMPLES) == len(SAID)


@pytest.mark.parametrize("number", range(len(SAID)))
def test_an_example_runs_and_says_what_it_should(shared: Server, number: int) -> None:
    example = blocks("client.md", "python", shared.url)[number]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", example],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    # In dev mode asyncio also tells which of its steps took long, which a busy machine makes of any.
    said = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert (done.returncode, said) == (0, [])
    assert SAID[number] in done.stdout
