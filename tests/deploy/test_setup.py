"""The steps of `make` do the same again where they were done before."""

import os
import subprocess
import sys
from pathlib import Path

LINK_NODE = Path(__file__).resolve().parents[2] / "tools" / "link-node"
PROGRAMS = ("node", "npm", "npx")
SYSTEM = "/usr/local/bin:/usr/bin:/bin"


def _link(folder: Path, path: str) -> None:
    done = subprocess.run(
        ["sh", str(LINK_NODE)],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _python_only(folder: Path) -> Path:
    """A folder whose `.venv` has the interpreter of the tests, which has the package with Node."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python").chmod(0o755)
    return folder


def test_node_is_linked_again_with_the_links_first_on_the_path(tmp_path: Path) -> None:
    links = _python_only(tmp_path) / ".venv" / "node" / "bin"
    _link(tmp_path, SYSTEM)
    before = {name: (links / name).readlink() for name in PROGRAMS}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in PROGRAMS:
        (elsewhere / name).symlink_to(links / name)
    for first in (str(links), ".venv/node/bin", str(elsewhere)):
        _link(tmp_path, f"{first}:{SYSTEM}")
        assert {name: (links / name).readlink() for name in PROGRAMS} == before
    path = {**os.environ, "PATH": f"{links}:{SYSTEM}"}  # npm's programs look for node there
    for name in PROGRAMS:
        subprocess.run([str(links / name), "--version"], env=path, check=True, capture_output=True)
