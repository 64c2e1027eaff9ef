"""Start to ready, idle memory, and what is installed, without the local model.

`python -m bench.startup` starts the server a few times on new and on used data folders.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from bench import table
from bench.machine import memory_kb
from bench.rig import grantha, upstream


def program(source: Path | None, repeat: int) -> list[list[object]]:
    """Rows: what, value."""
    fresh, used, memory = [], [], []
    with upstream() as host, tempfile.TemporaryDirectory(prefix="grantha-bench-") as folder:
        with grantha(host.port, source):
            pass  # compiles what an installation has compiled already
        for _ in range(repeat):
            with grantha(host.port, source) as running:
                fresh.append(running.ready_s)
            with grantha(host.port, source, {"GRANTHA_DATA_DIR": folder}) as running:
                used.append(running.ready_s)
                time.sleep(4)
                memory.append(memory_kb(running.pids) / 1024)
    return [
        ["start to ready, first start, s", table.median(fresh)],
        ["start to ready, later, s", table.median(used)],
        ["idle memory, MB", table.median(memory)],
        ["installed, MB (package and what it requires)", _installed_mb()],
    ]


def _installed_mb() -> float:
    """Sizes of the distributions that a plain installation brings, bytecode left out."""
    seen: set[str] = set()
    waiting, total = ["grantha"], 0
    while waiting:
        name = re.split(r"[^A-Za-z0-9._-]", waiting.pop(), maxsplit=1)[0].lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        total += _size(found)
        waiting += [r for r in found.requires or () if not _left_out(r)]
    page = Path(__file__).resolve().parents[1] / "src" / "grantha"
    own = sum(f.stat().st_size for f in page.rglob("*") if f.is_file() and f.suffix != ".pyc")
    return (total + own) / 1e6


def _size(found: metadata.Distribution) -> int:
    files = [Path(str(found.locate_file(f))) for f in found.files or () if f.suffix != ".pyc"]
    return sum(f.stat().st_size for f in files if f.is_file())


def _left_out(requirement: str) -> bool:
    """Whether a requirement's marker keeps it out of a plain installation on this machine."""
    if "extra ==" in requirement:
        return "standard" not in requirement
    if ";" not in requirement:
        return False
    script = (
        "import sys, json; from packaging.requirements import Requirement as R; "
        "m = R(json.loads(sys.argv[1])).marker; sys.exit(0 if m is None or m.evaluate() else 1)"
    )
    command = [sys.executable, "-c", script, json.dumps(requirement)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 1


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    table.show("Start and size", ["what", "value"], program(given.source, given.repeat))


if __name__ == "__main__":
    main()
