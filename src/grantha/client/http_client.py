"""HTTP to one server: address, token, connection pool, and requests with safe retries.

A request is retried only where that can't do something twice: it has an idempotency key, is idempotent,
or never reached the server. A server that never answered is an immediate error; one that did is retried
for `retry_timeout` seconds. Every aiohttp error is translated here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from grantha.chat import JsonObject
from grantha.client.errors import (
    PROBLEM_JSON,
    ServerUnavailable,
    TlsFailed,
    UnexpectedResponse,
    error_from,
)
from grantha.errors import BadRequest, GranthaError, ShuttingDown
from grantha.tls_errors import describe_tls_error
from grantha.wire.lenient_json import InvalidJson, dumps, loads

CONNECT = 10.0  # seconds to connect
REQUEST_TIMEOUT = 60.0  # seconds for a whole response
FILE_TIMEOUT = 600.0  # the same where the body or the response is a file
_MAX_PAUSE = 2.0  # seconds between two attempts
_PROXY_STATUSES = frozenset({502, 503, 504})  # what proxies answer while the server is down
_IDEMPOTENT = frozenset({"GET", "PATCH"})
_CLOSE_TIMEOUT = 1.0  # seconds for the closing handshake of a WebSocket
_MAX_MESSAGE = 64 * 1024 * 1024  # bytes of one WebSocket message


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response whose body has been read."""

    status: int
    media_type: str
    body: bytes

    def json(self) -> Any:
        """The decoded body; raises `UnexpectedResponse`."""
        try:
            return loads(self.body)
        except InvalidJson as error:
            raise UnexpectedResponse(f"The response is {self.media_type!r}, not JSON.") from error


class Backoff:
    """Exponential pauses between attempts, until `http.retry_timeout` has passed without a response."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._attempts = 0
        self._since: float | None = None

    def received(self) -> None:
        """The server responded: the retry timeout starts again."""
        self._since = self._http.connection_error = None

    def progressed(self) -> None:
        """New records arrived: the next pause is short again."""
        self.received()
        self._attempts = 0

    async def wait(self, error: GranthaError) -> None:
        """Waits before the next attempt, or raises the error once the retry timeout has passed."""
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        if now - self._since >= self._http.retry_timeout:
            raise error
        self._http.connection_error = error
        longest = min(_MAX_PAUSE, 0.1 * 2**self._attempts)
        self._attempts = min(self._attempts + 1, 10)
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311  jitter, not cryptography


class HttpClient:
    """Usable from `open` until `aclose`. `url` may have a path, for a server behind a prefix."""

    def __init__(self, url: str, token: str | None, retry_timeout: float) -> None:
        self.url = url.rstrip("/")
        self.retry_timeout = retry_timeout
        self.reached = False  # whether this server has ever answered
        self.connection_error: GranthaError | None = (
            None  # why requests are being retried right now
        )
        self.transport = 0  # index in FALLBACK_ORDER of the transport that works
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None
        if not self.url.startswith(("http://", "https://")):
            raise BadRequest(
                f"{url!r} isn't the address of a server.", advice="Write http://host:port."
            )

    def open(self) -> None:
        """Creates the connection pool; doesn't connect yet."""
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
        )

    async def aclose(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def json(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        params: Mapping[str, str] | None = None,
        key: str | None = None,
        idempotent: bool = False,
    ) -> Any:
        """A request with a JSON body and response. `key` is its `Idempotency-Key`."""
        found = await self.request(
            method, path, body, params=params, key=key, idempotent=idempotent
        )
        return found.json() if found.body else None

    async def request(
        self,
        method: str,
        path: str,
        body: JsonObject | bytes | None = None,
        *,
        params: Mapping[str, str] | None = None,
        key: str | None = None,
        idempotent: bool = False,
        timeout: float = REQUEST_TIMEOUT,
    ) -> HttpResponse:
        """A request whose response is read whole; an error status raises the error it describes."""
        headers = {"Accept": "application/json, */*;q=0.5"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        can_retry = idempotent or key is not None or method in _IDEMPOTENT
        backoff = Backoff(self)
        sent = body if isinstance(body, bytes) or body is None else dumps(body)
        while True:
            try:
                async with asyncio.timeout(timeout):
                    async with self.stream(method, path, sent, headers, params) as response:
                        found = await response.read()
                backoff.received()
                return HttpResponse(response.status, response.content_type, found)
            except TimeoutError as error:
                raise self.unavailable("didn't finish its response") from error
            except ShuttingDown as error:
                await backoff.wait(error)
            except ServerUnavailable as error:
                if not self.reached or (error.sent and not can_retry):
                    raise
                await backoff.wait(error)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        *,
        header_timeout: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One attempt; the response's headers must arrive within `header_timeout` seconds.

        Errors while the body is read are translated too.
        """
        with _TranslatedErrors(self):
            async with asyncio.timeout(header_timeout):
                response = await self._open_session().request(
                    method, self.url + path, data=body, headers=headers, params=params
                )
            async with response:
                if response.status >= 400:
                    raise await self._error_from_response(response)
                self.reached = True
                yield response

    @asynccontextmanager
    async def socket(
        self, header_timeout: float
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse[bool]]:
        """The live WebSocket, opened within `header_timeout` seconds."""
        with _TranslatedErrors(self):
            async with asyncio.timeout(header_timeout):
                socket = await self._open_session().ws_connect(
                    self.url + "/api/live",
                    max_msg_size=_MAX_MESSAGE,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_TIMEOUT),
                )
            async with socket:
                self.reached = True
                yield socket

    def unavailable(self, what: str, *, sent: bool = True) -> ServerUnavailable:
        """The error for this server being unreachable. `what` completes "The server at URL …"."""
        return ServerUnavailable(
            f"The server at {self.url} {what}.",
            advice=""
            if self.reached
            else "Start it with `grantha serve`, or set its address with --url.",
            sent=sent,
        )

    async def _error_from_response(self, response: aiohttp.ClientResponse) -> GranthaError:
        if response.content_type != PROBLEM_JSON:
            if response.status in _PROXY_STATUSES:
                return self.unavailable(f"can't be reached through its proxy ({response.status})")
            return UnexpectedResponse(
                f"{self.url} answered {response.status} with {response.content_type!r}."
            )
        self.reached = True
        try:
            body = loads(await response.read())
        except InvalidJson:
            body = {}
        return error_from(response.status, body)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise BadRequest("The client isn't open.", advice="Use `async with Client(…)`.")
        return self._session


class _TranslatedErrors:
    """Translates socket and aiohttp errors into `ServerUnavailable`."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case aiohttp.ClientSSLError():
                cause = getattr(error, "certificate_error", error.__cause__)
                what, advice = describe_tls_error(cause)
                raise TlsFailed(f"The server at {self._http.url} {what}.", advice=advice) from error
            case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
                raise self._http.unavailable("doesn't answer", sent=False) from error
            case aiohttp.InvalidURL():
                raise BadRequest(f"{self._http.url!r} isn't the address of a server.") from error
            case TimeoutError():
                raise self._http.unavailable("stopped responding") from error
            case aiohttp.WSServerHandshakeError():
                raise self._http.unavailable(f"refused a WebSocket ({error.status})") from error
            case aiohttp.ClientError() | OSError():
                raise self._http.unavailable(
                    "closed the connection in the middle of a response"
                ) from error
            case _:
                pass
