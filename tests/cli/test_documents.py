"""The commands of docs/cli.md and docs/tutorial.md, run as they stand in one shell each."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.blocks import blocks
from tests.cli.command import environ
from tests.server import MakeServer, Server

TIMEOUT = 240.0  # seconds for a whole document


def test_every_command_of_the_reference_runs(shared: Server, tmp_path: Path) -> None:
    said = _run("cli.md", shared.url, tmp_path, {**environ(shared), "GRANTHA_SCRIPTED": "1"})

    assert "HELLO! THIS ANSWER" in said
    assert "scripted/hello" in said
    assert "Grantha serves on" in said


@pytest.mark.slow
def test_the_tutorial_runs_from_a_server_to_a_backup(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    server = server_factory()  # never started: the tutorial does that itself
    said = _run("tutorial.md", server.url, tmp_path, environ(server))

    assert "exit code 124" in said  # timeout's own, when it had to press Ctrl-C
    assert '"temperature":[0.2,0.9]' in said.replace(" ", "")
    assert "300 answer.txt" in said
    assert '"done": true' in said or '"done":true' in said
    assert "It was a dark and stormy night." in said
    assert (tmp_path / "grantha-backup.db").stat().st_size > 0


def _run(document: str, url: str, folder: Path, env: Mapping[str, str]) -> str:
    """All output of a document's commands; the test fails at the first that fails."""
    program = folder / "bin" / "grantha"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m grantha "$@"\n')
    program.chmod(0o755)
    script = "\n".join(["set -e", *blocks(document, "sh", url)])
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env={**env, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=TIMEOUT)
    finally:
        # What the document left in the background belongs to this process group, and to nothing else.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, said
    return said
