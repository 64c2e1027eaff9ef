"""Blocking work in threads, for tasks that may be cancelled in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def run_to_completion(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Runs work in a thread. A cancellation waits for its end: it holds a file that is used next."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *given, **named))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
