"""uvicorn's WebSocket protocol, with bounds on what small frames cost.

uvicorn stops reading while a message waits for the app, and a send waits for the client. But what was read
at once is parsed at once, which may be 40,000 messages, and control frames and fragments are handled below
the level of messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import frames

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent

_SLICE = 2048  # bytes parsed in one turn of the event loop: 340 messages, which take it some 10 ms
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_MAX_FRAGMENTS = 1024  # of one message, before they are joined: each takes 40 bytes besides its own


class SocketProtocol(WebSocketsSansIOProtocol):
    """Parses in slices, and the next one only once the app has taken the messages of the one before.

    While writes wait, only the last ping is remembered, which RFC 6455 (5.5.3) allows.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # as uvicorn calls it
        super().__init__(*args, **kwargs)
        self._unparsed = bytearray()
        self._pong = b""

    @override
    def data_received(self, data: bytes) -> None:
        self._unparsed += data
        self._parse()

    def _parse(self) -> None:
        if self.transport.is_closing():
            self._unparsed.clear()
            return
        data = bytes(self._unparsed[:_SLICE])
        del self._unparsed[:_SLICE]
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # What isn't a handshake for websockets, such as one with a long address, gives no event:
            # without this, nothing would ever answer or close it.
            self.transport.write(_BAD_REQUEST)
            self.transport.close()
            return
        if self.queue.empty() or self.close_sent:
            self._continue()
        elif self._unparsed:
            self._pause()

    @override
    async def receive(self) -> ASGIReceiveEvent:
        message = await self.queue.get()
        if self.queue.empty():
            self._continue()
        return message

    def _continue(self) -> None:
        """Nothing that was parsed waits any more."""
        if self._unparsed:
            self._pause()
            self.loop.call_soon(self._parse)
        elif self.read_paused and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()

    def _pause(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

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
