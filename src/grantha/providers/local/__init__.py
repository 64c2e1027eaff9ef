"""Models that run on this machine: GGUF files, each in its own supervised child process.

The child imports this package too, so nothing heavy is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grantha.config import Settings
    from grantha.providers.local.provider import LocalProvider


def create(settings: Settings) -> LocalProvider:
    """The local provider. Starts no child and opens no file."""
    from grantha.providers.local.provider import LocalProvider

    return LocalProvider(settings)
