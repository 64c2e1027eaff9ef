"""Reads whole answers, from the first record to the end, even after their records have been trimmed.

Every endpoint that replies with a log from its beginning uses this, so that a send repeated much later
with the same key gets the same answer everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive

from grantha.config import Settings
from grantha.engine.reader import Reader
from grantha.errors import Trimmed
from grantha.events import GenerationEnd
from grantha.fold import Fold
from grantha.storage.base import GenerationRow

F = TypeVar("F", bound=Fold)
T = TypeVar("T")
NO_REPLY: Final = Response(status_code=499)  # for a client that has gone; nothing of it is sent


def location(row: GenerationRow) -> dict[str, str]:
    """The headers that name the generation, for clients of OpenAI and Anthropic as their request id."""
    return {
        "Location": f"/api/generations/{row.id}/events",
        "x-request-id": row.id,
        "request-id": row.id,
    }


def abandon_after(settings: Settings, *, stored: bool = True) -> float | None:
    """How many seconds a generation without readers continues for a plain request; None is no limit.

    No client can come back to an answer that isn't stored.
    """
    after = settings.abandon_after
    return after if after is None or stored else 0.0


async def fold_while_connected(
    request: Request, reader: Reader, folded: F
) -> tuple[F, GenerationEnd] | None:
    """As `fold_to_end`; None once the client has gone, to whom nothing can be sent any more."""
    watching = asyncio.create_task(_close_at_disconnect(request.receive, reader))
    try:
        return await fold_to_end(reader, folded)
    except Trimmed:
        if reader.closed:
            return None
        raise
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def run_while_connected(
    receive: Receive, work: Coroutine[Any, Any, T], *, body_read: asyncio.Event | None = None
) -> T | None:
    """What the work returns; it is cancelled, and this is None, once the client has gone.

    Work that reads the request's body itself sets `body_read` after it: until then, nothing else receives.
    """
    task = asyncio.ensure_future(work)
    watching = asyncio.create_task(_wait_for_disconnect(receive, body_read))
    try:
        await asyncio.wait({task, watching}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        for each in (task, watching):
            each.cancel()
        await asyncio.gather(task, watching, return_exceptions=True)


async def fold_to_end(reader: Reader, folded: F) -> tuple[F, GenerationEnd]:
    """All that a reader gives, folded, and the end. Raises `Trimmed` if it was deleted meanwhile."""
    async for frame in reader:
        folded.apply(frame.event)
    if folded.end is None:
        raise Trimmed("The records of this answer have been deleted.")
    return folded, folded.end


async def _close_at_disconnect(receive: Receive, reader: Reader) -> None:
    await _wait_for_disconnect(receive)
    reader.close()


async def _wait_for_disconnect(receive: Receive, body_read: asyncio.Event | None = None) -> None:
    if body_read is not None:
        await body_read.wait()
    # The framework doesn't stop a handler when its client disconnects.
    while (await receive())["type"] != "http.disconnect":
        pass
