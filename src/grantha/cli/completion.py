"""Shell completion. Completes from a running server; without one, completes nothing."""

from __future__ import annotations

import asyncio

from grantha.cli.runner import server_url
from grantha.config import load_settings
from grantha.errors import GranthaError

_TIMEOUT = 1.0  # seconds; a shell that hangs on Tab is worse than no completion


def model_ids(incomplete: str) -> list[str]:
    """Ids of models with this prefix."""
    try:
        found = asyncio.run(_models())
    except (GranthaError, TimeoutError):
        return []
    return [model for model in found if model.startswith(incomplete)]


async def _models() -> list[str]:
    from grantha.client import Client

    settings = load_settings()
    async with asyncio.timeout(_TIMEOUT), Client(server_url(settings), settings.token) as client:
        return [model.id for model in (await client.models()).items]
