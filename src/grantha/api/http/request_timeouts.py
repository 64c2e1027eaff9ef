"""How long a request may take to arrive: uvicorn's HTTP protocol with one timer per connection.

uvicorn has no such deadline: an idle connection, half a header, a trickling body would stay open for
ever, and headers of any size would be kept. The timer is armed while the first byte, the headers or
the body of a request are awaited, and disarmed once it is complete; between two requests uvicorn's
own keep-alive timer runs. The duration of a reply isn't limited here.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

FLOW = "grantha.flow"  # key in the scope: uvicorn's `FlowControl` of the connection
ABORT = "grantha.abort"  # key in the scope: drops the connection with what the client hasn't read
_MAX_HEADERS = 64 * 1024  # bytes, of a request's headers and of its trailers
_MAX_OVERHEAD = _MAX_HEADERS + 256 * 1024  # with what asyncio reads at once
_HEADER_COST = 32  # bytes counted for each of them: empty ones take memory, too
_MAX_PIPELINED = 64  # requests that wait for the replies before theirs
_GRACE = 2.0  # seconds in which the security middleware may still answer a late body with a 408


class _Refused(Exception):
    """Raised in a parser's callback: uvicorn answers with a 400 and closes the connection."""


def timeout_protocol_for(
    header_timeout: float, body_timeout: float
) -> type[RequestTimeoutProtocol]:
    """The protocol class with these deadlines, in seconds: uvicorn makes the instances itself."""

    class Configured(RequestTimeoutProtocol):
        header_seconds = header_timeout
        body_seconds = body_timeout + _GRACE

    return Configured


class RequestTimeoutProtocol(HttpToolsProtocol):
    """Closes a connection on which a request takes too long, or has too large headers."""

    header_seconds: ClassVar[float]
    body_seconds: ClassVar[float]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # as uvicorn calls it
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited = "headers"
        self._received = 0  # bytes of complete headers, or of trailers
        self._overhead = 0  # bytes that are no body: the parser keeps those of an incomplete header

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._await("headers", self.header_seconds)

    @override
    def data_received(self, data: bytes) -> None:
        if self._awaited == "nothing" and self.timeout_keep_alive_task is not None:
            # uvicorn drops its keep-alive timer at any byte, even one that begins no request.
            self._await("headers", self.header_seconds)
        self._overhead += len(data)
        super().data_received(data)
        if self._overhead > _MAX_OVERHEAD and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")

    @override
    def on_message_begin(self) -> None:
        if self._awaited == "nothing":
            self._await("headers", self.header_seconds)
        super().on_message_begin()
        scope = cast("dict[str, Any]", self.scope)
        scope[FLOW], scope[ABORT] = self.flow, self.transport.abort

    @override
    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + _HEADER_COST)
        # After the body they are trailers. uvicorn would add those to headers that were checked.
        if self._awaited == "headers":
            if name.lower() == b"transfer-encoding":
                self._check_coding(value)
            super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= _MAX_PIPELINED:
            raise _Refused("Too many requests wait on this connection.")
        self._await("body", self.body_seconds)
        if self._upgrades() and self.parser.get_method() != b"GET":
            raise _Refused("Only a GET can open a WebSocket.")
        super().on_headers_complete()

    @override
    def on_body(self, body: bytes) -> None:
        # Chunks of one byte take six.
        self._overhead = max(0, self._overhead - 8 * len(body))
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        # A request for an upgrade gets no reply before that: if none comes, the timer closes it.
        if not self._upgrades():
            self._await("nothing", None)
        super().on_message_complete()

    @override
    def handle_websocket_upgrade(self) -> None:
        self._await("nothing", None)
        super().handle_websocket_upgrade()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._await("nothing", None)
        super().connection_lost(exc)

    def _upgrades(self) -> bool:
        return bool(self.parser.should_upgrade()) and self._should_upgrade()

    def _check_coding(self, value: bytes) -> None:
        # A proxy before us may see another end of the body, and with it a request that isn't there.
        if value.strip().lower() != b"chunked" or self.parser.get_http_version() == "1.0":
            raise _Refused("This transfer coding isn't supported.")

    def _count(self, size: int) -> None:
        self._received += size
        if self._received > _MAX_HEADERS:
            raise _Refused("The headers are too large.")

    def _await(self, what: str, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._awaited, self._received, self._overhead = what, 0, 0
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self.transport.close)
