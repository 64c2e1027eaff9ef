"""How this Grantha was installed, by the traces that installers leave, and how to upgrade it.

Runs nothing. An installation that Grantha can't upgrade gets advice instead.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_CONTAINER_MARKS = (Path("/run/.containerenv"), Path("/.dockerenv"))


@dataclass(frozen=True, slots=True)
class Installation:
    """`command` upgrades it; empty if only the user can, as `advice` says."""

    kind: str
    command: tuple[str, ...] = ()
    advice: str = ""


def this_installation(variables: Mapping[str, str], prefix: Path | None = None) -> Installation:
    """The installation of the running program; `prefix` is its environment."""
    prefix = prefix or Path(sys.prefix)
    folder = _editable_folder()
    if folder is not None:
        return Installation(f"a working copy in {folder}", (), "Run `git pull`, then `make run`.")
    if (prefix / "uv-receipt.toml").is_file():
        return Installation("a tool of uv", (_uv(variables), "tool", "upgrade", "grantha"))
    if (prefix / "pipx_metadata.json").is_file():
        return Installation("an application of pipx", ("pipx", "upgrade", "grantha"))
    if _is_uv_cache(prefix):
        return Installation("run by uvx", (), "Start it with `uvx grantha@latest`.")
    if any(mark.exists() for mark in _CONTAINER_MARKS) and prefix == Path(sys.base_prefix):
        return Installation("a container", (), "Start a container of the newer image.")
    if find_spec("pip") is not None:
        python = str(prefix / "bin" / "python")
        return Installation(
            f"by pip in {prefix}", (python, "-m", "pip", "install", "--upgrade", _requirement())
        )
    if shutil.which("uv"):
        command = ("uv", "pip", "install", "--python", str(prefix), "--upgrade", _requirement())
        return Installation(f"by uv in {prefix}", command)
    return Installation(
        f"in {prefix}, which has no pip", (), f"Install {_requirement()} there again."
    )


def _editable_folder() -> Path | None:
    try:
        text = metadata.distribution("grantha").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    found = json.loads(text) if text else {}
    if not found.get("dir_info", {}).get("editable"):
        return None
    return Path(url2pathname(urlsplit(found["url"]).path))


def _requirement() -> str:
    """The package with the extras whose packages are all here, so that they are renewed together."""
    try:
        found = metadata.distribution("grantha")
    except metadata.PackageNotFoundError:
        return "grantha"
    extras = [
        extra
        for extra in found.metadata.get_all("Provides-Extra") or ()
        if _has_all(found.requires or (), extra)
    ]
    return f"grantha[{','.join(extras)}]" if extras else "grantha"


def _has_all(requires: list[str] | tuple[()], extra: str) -> bool:
    marked = f"extra == '{extra}'"
    wanted = [line for line in requires if marked in line.replace('"', "'")]
    return bool(wanted) and all(_is_installed(line) for line in wanted)


def _is_installed(requirement: str) -> bool:
    name = requirement.strip()
    for end in " <>=!~;[(":
        name = name.partition(end)[0]
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _is_uv_cache(prefix: Path) -> bool:
    return any(part.startswith(("archive-v", "environments-v")) for part in prefix.parts)


def _uv(variables: Mapping[str, str]) -> str:
    return variables.get("UV") or "uv"
