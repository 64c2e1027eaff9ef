"""What both WebSockets share: reading text messages until the client has gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocket, WebSocketDisconnect


async def receive_all(socket: WebSocket, take: Callable[[str], Awaitable[None]]) -> None:
    """Gives each text message to `take`, in order, and returns once the client closes.

    A binary message ends it as well, and so does a reply that `take` can't send any more.
    """
    try:
        while True:
            await take(await socket.receive_text())
    except (WebSocketDisconnect, RuntimeError, KeyError):
        pass  # starlette raises KeyError for a binary message, RuntimeError for a closed socket
