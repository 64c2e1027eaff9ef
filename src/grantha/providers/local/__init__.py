"""Models that run on this machine: GGUF files, each in its own supervised child process.

The child imports this package too, so nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grantha.config import Settings
    from grantha.providers.local.downloads import LocalDownloads
    from grantha.providers.local.provider import LocalProvider


def create(settings: Settings) -> LocalProvider:
    """The local provider. Starts no child and opens no file."""
    from grantha.providers.local.provider import LocalProvider

    return LocalProvider(settings)


def create_downloads(settings: Settings, changed: Callable[[], None]) -> LocalDownloads:
    """What downloads further models. Starts nothing.

    `changed` is called when a model was added or the download's state has changed.
    """
    from grantha.providers.local.downloads import LocalDownloads

    return LocalDownloads(settings, changed)
