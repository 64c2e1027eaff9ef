"""Images of other hosts, which the page shows after a click."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from grantha.api.answers import run_while_connected
from grantha.api.http.bodies import StrictRoute
from grantha.api.http.page import IMAGE_CSP
from grantha.api.http.problems import error_response
from grantha.api.http.request_timeouts import ABORT
from grantha.api.remote_images import RemoteImage
from grantha.api.state import app_state
from grantha.errors import GranthaError
from grantha.wire.images import MEDIA_TYPES

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["conversations"])
_MAX_URL = 4096  # characters
_SLICE = 64 * 1024  # bytes
_REPLIES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The bytes.",
        "content": {name: {} for name in sorted(MEDIA_TYPES)},
    },
    403: {"description": "Its host is in a private network."},
    413: {"description": "It is too large."},
    502: {"description": "Its host refused it or can't be reached, or it isn't an image."},
    504: {"description": "It took too long to arrive."},
}


@router.get("/remote-images", response_class=Response, responses=_REPLIES)
async def remote_image(
    _request: Request, url: Annotated[str, Query(min_length=1, max_length=_MAX_URL)]
) -> Response:
    """An image from another host, fetched by the server: PNG, JPEG, GIF or WebP of up to 10 MB."""
    return ImageResponse(url)


class ImageResponse(Response):
    """Fetches and sends, for as long as the client is there.

    In slices, so that the image counts as one in memory until the socket has taken nearly all of it.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await run_while_connected(receive, self._reply(scope, receive, send))

    async def _reply(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            images = app_state(HTTPConnection(scope)).images
            async with images.fetched(self._url) as image:
                await _send_in_time(image, images.send_seconds, scope, send)
        except GranthaError as error:
            await error_response(scope, error)(scope, receive, send)


# ---- helpers below -------------------------------------------------------------------------------


async def _send_in_time(image: RemoteImage, seconds: float, scope: Scope, send: Send) -> None:
    try:
        async with asyncio.timeout(seconds):
            await _send(image, send)
    except TimeoutError:
        scope[ABORT]()  # a client that doesn't read would keep others waiting
    except OSError:
        pass  # the client disconnected during a write


async def _send(image: RemoteImage, send: Send) -> None:
    headers = {
        "Content-Type": image.media_type,
        "Content-Length": str(len(image.data)),
        "Cache-Control": "private, max-age=86400",
        "Content-Security-Policy": IMAGE_CSP,
    }
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": raw})
    for start in range(0, len(image.data), _SLICE):
        body = image.data[start : start + _SLICE]
        more = start + _SLICE < len(image.data)
        await send({"type": "http.response.body", "body": body, "more_body": more})
