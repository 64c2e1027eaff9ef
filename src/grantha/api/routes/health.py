"""Liveness and readiness. Only `/healthz` needs no token; it reveals nothing but that the process runs."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from grantha import __version__
from grantha.api.openapi.description import response_doc
from grantha.api.schemas.responses import HealthReply, ReadyReply, StorageReply
from grantha.api.state import app_state
from grantha.downloads.partial_file import free_space

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=response_doc(200, HealthReply, "Alive."))
async def healthz() -> Response:
    """The process answers."""
    return HealthReply(status="ok").response()


@router.get(
    "/readyz",
    responses={
        **response_doc(200, ReadyReply, "Ready."),
        **response_doc(503, ReadyReply, "Answers can't be stored now, or the server stops."),
    },
)
async def readyz(request: Request) -> Response:
    """Whether answers can be written now, with the durability in force; 503 if not.

    Checked with a small write, at most once a second.
    """
    state = app_state(request)
    health = await state.store.check()
    flushing = state.supervisor.flush_state
    error = health.error or (flushing.failing.message if flushing.failing else None)
    stopping = state.supervisor.closing
    reply = ReadyReply(
        status="stopping" if stopping else "degraded" if error else "ready",
        durability=health.durability,
        storage=StorageReply(
            ok=error is None,
            version=health.version,
            error=error,
            folder=str(state.settings.folder()),
            free=await asyncio.to_thread(free_space, state.settings.folder()),
        ),
        sqlite=health.version.rpartition(" ")[2],
        running=state.supervisor.running,
        flush_window_ms=round(flushing.window * 1000, 1),
        version=__version__,
        requires_token=state.settings.token is not None,
    )
    return reply.response(503 if stopping or error else 200)
