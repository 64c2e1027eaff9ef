"""Reads text messages from a WebSocket until the client disconnects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocket, WebSocketDisconnect


async def receive_all(socket: WebSocket, take: Callable[[str], Awaitable[None]]) -> None:
    """Passes each text message to `take`, in order, and returns once the client closes.

    A binary message ends it as well, and so does a failed send in `take`.
    """
    try:
        while True:
            await take(await socket.receive_text())
    except (WebSocketDisconnect, RuntimeError, KeyError):
        pass  # starlette raises KeyError for a binary message, RuntimeError for a closed socket
