"""uvicorn's WebSocket protocol, with bounds on what a client that sends and never reads makes it keep.

Messages need none: uvicorn stops reading while one waits, and a send waits for the client. But control
frames and fragments are handled below that.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import frames

_MAX_FRAGMENTS = 1024  # of one message, before they are joined: each takes 40 bytes besides its own


class SocketProtocol(WebSocketsSansIOProtocol):
    """While writes wait, only the last ping is remembered, which RFC 6455 (5.5.3) allows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # as uvicorn calls it
        super().__init__(*args, **kwargs)
        self._pong = b""

    @override
    def handle_ping(self) -> None:
        pongs = self.conn.data_to_send()  # of all pings that came together, at the first of them
        if self.writable.is_set():
            self.transport.write(b"".join(pongs))
        elif pongs:
            self._pong = pongs[-1]

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if self._pong and not self.close_sent:
            self.transport.write(self._pong)
        self._pong = b""

    @override
    def handle_cont(self, event: frames.Frame) -> None:
        if len(self.frames) >= _MAX_FRAGMENTS:
            self.frames = [b"".join(self.frames)]
        super().handle_cont(event)
