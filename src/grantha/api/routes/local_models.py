"""Models for this machine: what is installed and could be, and the one download that is going on."""

from __future__ import annotations

import dataclasses

from fastapi import APIRouter, Request
from starlette.requests import HTTPConnection
from starlette.responses import Response

from grantha.api.http.bodies import StrictRoute
from grantha.api.openapi.description import failures, response_doc
from grantha.api.schemas.requests import DownloadBody
from grantha.api.schemas.responses import (
    DownloadReply,
    InstalledModelReply,
    LocalModelList,
    LocalModelReply,
)
from grantha.api.state import app_state
from grantha.errors import BadRequest, Unsupported
from grantha.providers.model_downloads import DownloadStatus, ModelDownloads

router = APIRouter(
    prefix="/api/local-models",
    route_class=StrictRoute,
    tags=["models"],
    responses=failures("404", "409", "422", "507"),
)


@router.get("", responses=response_doc(200, LocalModelList, "Installed or not."))
async def local_models(request: Request) -> Response:
    """What is installed, the curated list, and how far the download is."""
    found = await _downloads(request).offers()
    return LocalModelList(
        items=[LocalModelReply(**dataclasses.asdict(model)) for model in found.models],
        installed=[InstalledModelReply(**dataclasses.asdict(model)) for model in found.installed],
        download=_reply(found.download) if found.download is not None else None,
        free=found.free,
        memory=found.memory,
        engine=found.engine,
    ).response()


@router.post(
    "/download", status_code=202, responses=response_doc(202, DownloadReply, "It is running.")
)
async def start(body: DownloadBody, request: Request) -> Response:
    """Starts a download, which goes on without the caller; one at a time."""
    downloads = _downloads(request)
    if body.name is not None and body.url is None and body.sha256 is None:
        status = await downloads.start_curated(body.name)
    elif body.url is not None and body.name is None:
        status = await downloads.start_url(body.url, body.sha256)
    else:
        raise BadRequest(
            "Send the 'name' of a listed model, or a 'url' and, if known, its 'sha256'."
        )
    return _reply(status).response(202)


@router.post(
    "/download/resume",
    status_code=202,
    responses=response_doc(202, DownloadReply, "It is running."),
)
async def resume(request: Request) -> Response:
    """Resumes a paused or failed download where it ended."""
    return _reply(await _downloads(request).resume()).response(202)


@router.post(
    "/download/pause", responses=response_doc(200, DownloadReply, "The download is paused.")
)
async def pause(request: Request) -> Response:
    """Pauses the download; what has arrived is kept."""
    return _reply(await _downloads(request).pause()).response()


@router.delete("/download", status_code=204)
async def remove(request: Request) -> Response:
    """Stops the download and removes what has arrived; a finished model stays."""
    await _downloads(request).remove()
    return Response(status_code=204)


@router.delete("/installed/{name}", status_code=204)
async def delete_installed(name: str, request: Request) -> Response:
    """Deletes an installed model from the disk; answers that it is writing are finished."""
    await _downloads(request).delete_installed(name)
    return Response(status_code=204)


# ---- helpers below -------------------------------------------------------------------------------


def _downloads(connection: HTTPConnection) -> ModelDownloads:
    found = app_state(connection).downloads
    if found is None:
        raise Unsupported(
            "Local models are switched off on this server.",
            advice="Set GRANTHA_LOCAL_ENABLED=1, then start Grantha again.",
        )
    return found


def _reply(status: DownloadStatus) -> DownloadReply:
    return DownloadReply(**{f.name: getattr(status, f.name) for f in dataclasses.fields(status)})
