"""Answers the requests that are cut when the server stops: uvicorn would send them a plain 500.

Answers of models have ended or were handed over by then. What is left waits for somebody else, such as a
provider that lists its models.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grantha.api.http.problems import error_response
from grantha.errors import ShuttingDown


class CutRequests:
    """Wraps the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; a cancelled one that hasn't been answered gets a 503."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            if started:
                raise
            error = ShuttingDown("The server is stopping.", retry_after=1.0)
            await error_response(scope, error)(scope, receive, send)
