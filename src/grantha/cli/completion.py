"""What the shell offers after Tab. Asks the server, if there is one, and never says a word otherwise."""

from __future__ import annotations

import asyncio

from grantha.cli.runner import address
from grantha.config import load_settings
from grantha.errors import GranthaError

_PATIENCE = 1.0  # seconds: a shell that hangs on Tab is worse than no offer


def model_ids(incomplete: str) -> list[str]:
    """Ids of models that start like this."""
    try:
        found = asyncio.run(_models())
    except (GranthaError, TimeoutError):
        return []
    return [model for model in found if model.startswith(incomplete)]


async def _models() -> list[str]:
    from grantha.client import Client

    settings = load_settings()
    async with asyncio.timeout(_PATIENCE), Client(address(settings), settings.token) as client:
        return [model.id for model in (await client.models()).items]
