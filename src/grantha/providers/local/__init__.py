"""Models that run on this machine: GGUF files, each in a supervised child process of its own.

The child imports this package too, so nothing heavy is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from grantha.config import Settings
    from grantha.providers.local.provider import LocalProvider


def create(settings: Settings) -> LocalProvider:
    """The local provider. Starts no child and opens no file."""
    from grantha.providers.local.provider import LocalProvider

    return LocalProvider(settings)


def fetch_builtin(data_dir: Path) -> Path:
    """Puts the built-in model into the data folder; see `grantha.providers.local.fetch`. Blocks."""
    from grantha.providers.local.fetch import fetch

    return fetch(data_dir)
