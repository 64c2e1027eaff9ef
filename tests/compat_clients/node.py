"""Runs a script of `js/` with the project's node and its own packages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "js"
NODE = Path(sys.prefix) / "node" / "bin" / "node"
DEADLINE = 120.0  # seconds


def run(script: str, *arguments: str) -> Any:
    """What the script prints, decoded; its words are the failure if it ends badly."""
    assert (HERE / "node_modules").is_dir(), "run `make test-unit`, which installs it"
    done = subprocess.run(
        [str(NODE), script, *arguments],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
