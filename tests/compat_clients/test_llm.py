"""Simon Willison's `llm`, told of Grantha by its own configuration of OpenAI-compatible models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compat_clients.conftest import TEXT, CompatServer

DEADLINE = 120.0  # seconds
pytestmark = pytest.mark.slow  # it takes seconds to start


@pytest.fixture
def llm(tmp_path: Path, compat_server: CompatServer) -> list[str]:
    """The command, in a folder of its own that names two models."""
    models = "".join(
        f"- model_id: {name}\n  model_name: scripted/{name}\n  api_base: {compat_server.url}/v1\n"
        for name in ("everything", "nobody")
    )
    (tmp_path / "extra-openai-models.yaml").write_text(models)
    return [sys.executable, "-m", "llm"]


def run(llm: list[str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command run to its end, knowing nothing of the developer's own set-up."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("LLM_")}
    own = {"LLM_USER_PATH": str(folder), "LLM_LOAD_PLUGINS": "", "OPENAI_API_KEY": "any"}
    return subprocess.run(
        [*llm, *arguments],
        env={**plain, **own},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.parametrize("more", [(), ("--no-stream",)])
@pytest.mark.client("llm", "whole replies", "streams")
def test_it_prints_the_answer(
    llm: list[str], tmp_path: Path, compat_server: CompatServer, more: tuple[str, ...]
) -> None:
    done = run(llm, tmp_path, "prompt", "-m", "everything", "--no-log", *more, "Hi")
    assert done.returncode == 0, done.stderr
    assert done.stdout == TEXT + "\n"
    compat_server.assert_said(compat_server.newest(), TEXT)


@pytest.mark.client("llm", "errors")
def test_it_tells_an_error_and_fails(llm: list[str], tmp_path: Path) -> None:
    done = run(llm, tmp_path, "prompt", "-m", "nobody", "--no-log", "Hi")
    assert done.returncode != 0
    assert "has no model" in done.stderr
