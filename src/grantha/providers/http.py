"""All HTTP calls to upstreams: a shared pool, deadlines, and the translation of errors.

Owns sockets; knows no dialect: a decoder and an error factory are passed in. A redirect is
never followed, since that would carry the key to another host. Closing an upstream closes its
socket at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from grantha import errors
from grantha.config import Timeouts
from grantha.errors import GranthaError, ProviderError
from grantha.events import ProviderNotice, UpstreamEvent, UsageSeen
from grantha.providers.proxy import Proxies, connection_error
from grantha.wire.lenient_json import InvalidJson, loads
from grantha.wire.upstream.decoder import Decoder
from grantha.wire.upstream.vendor_errors import (
    ErrorFactory,
    ErrorReport,
    parse_error_report,
    parse_retry_after,
)

if TYPE_CHECKING:
    import aiohttp

ERROR_BODY_LIMIT = 64 * 1024  # bytes of an error's body that are read
BODY_LIMIT = 64 * 1024 * 1024  # bytes of a reply that isn't streamed, or of which no event comes
TRAILING_USAGE_SECONDS = 2.0  # seconds that usage may come after the finish reason
DRAIN_SECONDS = 0.02  # seconds to see the end of the body, so that the connection can be used again
USER_AGENT = "grantha"
# How web servers themselves report a missing path; a vendor that lacks a model reports it in JSON.
_PAGE_TYPES = frozenset({"text/html", "text/plain"})
_FASTAPI_NOT_FOUND = "Not Found"


class ErrorResponse(Exception):
    """The cause chained to the error of a refused request: what the vendor reported."""

    def __init__(self, status: int, report: ErrorReport) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.report = report


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One request, and what reads its reply. `parse_body` decodes a reply that came as one JSON body.

    `notices` are the first events, once the reply has begun.
    """

    url: str
    body: bytes
    error_factory: ErrorFactory
    decoder: Decoder
    parse_body: Callable[[bytes], list[UpstreamEvent]]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"
    notices: Sequence[ProviderNotice] = ()


class HttpPool:
    """The pool. Make it anywhere; it opens within the running loop at the first call."""

    def __init__(self, timeouts: Timeouts, variables: Mapping[str, str] | None = None) -> None:
        self.timeouts = timeouts
        self._proxies = Proxies(variables or {})
        self._session: aiohttp.ClientSession | None = None

    async def open(self, request: UpstreamRequest) -> HttpUpstream:
        """Sends the request and returns once the reply has begun; raises `ProviderError`."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        request.error_factory.add_secrets(request.headers)
        response = await self._send(request)
        try:
            decoder = await self._pick_decoder(response, request)
        except BaseException:
            response.close()
            raise
        return HttpUpstream(
            response,
            decoder,
            request.error_factory,
            self.timeouts,
            started,
            notices=request.notices,
        )

    async def fetch(
        self,
        url: str,
        headers: Mapping[str, str],
        error_factory: ErrorFactory,
        *,
        body: bytes | None = None,
    ) -> Any:
        """A small JSON reply, as decoded: for listings and control calls. Raises `ProviderError`."""
        raw = await self.fetch_bytes(url, headers, error_factory, body=body)
        try:
            return loads(raw) if raw else None
        except InvalidJson as error:
            raise error_factory.malformed(str(error)) from error

    async def fetch_bytes(
        self,
        url: str,
        headers: Mapping[str, str],
        error_factory: ErrorFactory,
        *,
        body: bytes | None = None,
    ) -> bytes:
        """A reply's whole body, of at most `BODY_LIMIT` bytes. Raises `ProviderError`."""
        upstream = await self.open(
            UpstreamRequest(
                url,
                body or b"",
                error_factory,
                BodyDecoder(lambda _: [], error_factory),
                lambda _: [],
                headers,
                "GET" if body is None else "POST",
            )
        )
        try:
            return await upstream.read()
        finally:
            await upstream.aclose()

    async def aclose(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, request: UpstreamRequest) -> aiohttp.ClientResponse:
        error_factory = request.error_factory
        try:
            async with asyncio.timeout(self.timeouts.first_byte):
                return await self._open_session().request(
                    request.method,
                    request.url,
                    data=request.body or None,
                    # A compressed stream would come in bursts.
                    headers={"Accept-Encoding": "identity", **request.headers},
                    allow_redirects=False,
                    proxy=self._proxies.for_url(request.url),
                )
        except _connection_failures(ValueError) as error:
            raise connection_error(error, error_factory, request.url) from error

    async def _pick_decoder(
        self, response: aiohttp.ClientResponse, request: UpstreamRequest
    ) -> Decoder:
        status, error_factory = response.status, request.error_factory
        if 300 <= status < 400:
            target = _host_of(response.headers.get("location", ""))
            place = f" to {target}" if error_factory.quotable(target) else ""
            raise errors.MalformedReply(
                f"{error_factory.provider} answered with a redirect{place}, which isn't followed",
                advice="Set the provider's base URL to where it points, if you trust that host.",
                provider=error_factory.provider,
                native=str(status),
            )
        if status >= 400:
            raise await self._response_error(response, error_factory)
        content_type = response.content_type
        if content_type == "text/html":
            raise error_factory.malformed("it is a web page; the base URL may be wrong")
        if content_type == "application/json":
            return BodyDecoder(request.parse_body, error_factory)
        return request.decoder

    async def _response_error(
        self, response: aiohttp.ClientResponse, error_factory: ErrorFactory
    ) -> ProviderError:
        try:
            async with asyncio.timeout(self.timeouts.connect):
                raw = await _read_at_most(response, ERROR_BODY_LIMIT)
            seen = parse_error_report(loads(raw)) or ErrorReport()
        except _connection_failures(InvalidJson):
            seen = ErrorReport()  # the status alone must do
            if response.status == 404 and response.content_type in _PAGE_TYPES:
                return _wrong_address(response, error_factory)
        if response.status == 404 and seen.message == _FASTAPI_NOT_FOUND and seen.code is None:
            return _wrong_address(response, error_factory)
        if seen.code is None:  # AWS has it in a header
            code = response.headers.get("x-amzn-errortype", "").partition(":")[0]
            seen = replace(seen, code=code or None)
        error = error_factory.from_report(
            seen, response.status, parse_retry_after(response.headers)
        )
        error.__cause__ = ErrorResponse(response.status, seen)
        return error

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            # The pool is unbounded: the engine bounds generations, and a wait here would be silent.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=None, sock_connect=self.timeouts.connect, sock_read=None
                ),
                headers={"User-Agent": USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=256 * 1024,
                # Two keys must never mix through a netrc file or an inherited proxy.
                trust_env=False,
            )
        return self._session


class HttpUpstream:
    """One reply in flight. See `grantha.providers.base.Upstream`."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        decoder: Decoder,
        error_factory: ErrorFactory,
        timeouts: Timeouts,
        started: float,
        *,
        notices: Sequence[ProviderNotice] = (),
    ) -> None:
        self._response = response
        self._notices = notices
        self._decoder = decoder
        self._error_factory = error_factory
        self._loop = asyncio.get_running_loop()
        self._last_read = started
        self._limit = timeouts.first_byte
        self._chunk_limit = timeouts.between_chunks
        self._timed_out = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._start_idle_timer()

    @property
    def complete(self) -> bool:
        """Whether nothing more of the answer can come."""
        return (
            self._decoder.answer_complete or self._decoder.done or self._decoder.failure is not None
        )

    @property
    def resume_token(self) -> str | None:
        """What the decoder has found, for dialects that can resume."""
        return self._decoder.resume_token

    async def __aiter__(self) -> AsyncIterator[Sequence[UpstreamEvent]]:
        decoder, loop = self._decoder, self._loop
        read_any = self._response.content.readany
        answer_complete = False
        held_back = 0  # bytes since the last event but usage: decoders keep what isn't complete yet
        if self._notices:
            yield self._notices
        while True:
            try:
                chunk = await read_any()
            except _connection_failures() as error:
                self._on_connection_error(error)
                break
            if not chunk:
                break
            self._last_read = loop.time()
            self._limit = self._chunk_limit
            events = decoder.feed(chunk)
            answers = any(not isinstance(event, UsageSeen) for event in events)
            held_back = 0 if answers else held_back + len(chunk)
            if held_back > BODY_LIMIT and decoder.failure is None:
                await self.aclose()
                raise self._error_factory.malformed(f"{BODY_LIMIT} bytes of it hold no answer")
            if events:
                yield events
            if decoder.failure is not None:
                await self.aclose()
                raise decoder.failure
            if decoder.done:
                await self._drain_body()
                break
            if decoder.answer_complete and not answer_complete:
                answer_complete = True
                self._chunk_limit = min(self._chunk_limit, TRAILING_USAGE_SECONDS)
                self._limit = self._chunk_limit
                self._start_idle_timer()
        self._stop_idle_timer()
        yield decoder.finish()

    async def read(self) -> bytes:
        """All bytes of a small reply; raises like the iteration."""
        chunks: list[bytes] = []
        size = 0
        while chunk := await self._chunk():
            chunks.append(chunk)
            size += len(chunk)
            if size > BODY_LIMIT:
                raise self._error_factory.malformed(f"it is larger than {BODY_LIMIT} bytes")
        return b"".join(chunks)

    async def aclose(self) -> bool:
        """Closes the socket at once. HTTP can't confirm a stop: always False."""
        self._closed = True
        self._stop_idle_timer()
        self._response.close()
        return False

    async def _chunk(self) -> bytes:
        """The next bytes of a small reply, empty at its end; raises `ProviderError`."""
        try:
            chunk = await self._response.content.readany()
        except _connection_failures() as error:
            self._on_connection_error(error)
            return b""
        self._last_read = self._loop.time()
        self._limit = self._chunk_limit
        return chunk

    def _on_connection_error(self, error: Exception) -> None:
        """Raises the error for a socket's failure; returns if the answer was complete anyway."""
        self._stop_idle_timer()
        if self._decoder.answer_complete and not self._closed:
            return  # only its trailing usage was lost
        if self._timed_out:
            raise self._idle_timeout() from error
        broken = self._error_factory.truncated()
        broken.native = type(error).__name__
        raise broken from error

    def _idle_timeout(self) -> GranthaError:
        return errors.TimedOut(
            f"{self._error_factory.provider} was silent for {self._limit:g} s",
            advice="Try again, or raise the timeout in the settings.",
            provider=self._error_factory.provider,
        )

    async def _drain_body(self) -> None:
        if self._response.content.is_eof():
            return
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while await self._response.content.readany():
                    pass
        except _connection_failures():
            self._response.close()

    def _start_idle_timer(self) -> None:
        """Checks whether the upstream has been silent too long: one timer, not one per chunk."""
        self._stop_idle_timer()
        left = self._last_read + self._limit - self._loop.time()
        if left <= 0:
            self._timed_out = True
            self._response.close()
        else:
            # The limit may shrink after the first byte: look again by then.
            self._timer = self._loop.call_later(
                min(left, self._chunk_limit), self._start_idle_timer
            )

    def _stop_idle_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class BodyDecoder:
    """Collects a reply that comes as one JSON body, and decodes it at its end."""

    answer_complete = False
    done = False
    resume_token: str | None = None

    def __init__(
        self, parse_body: Callable[[bytes], list[UpstreamEvent]], error_factory: ErrorFactory
    ) -> None:
        self._parse_body = parse_body
        self._error_factory = error_factory
        self._chunks: list[bytes] = []
        self._size = 0
        self.failure: GranthaError | None = None

    def feed(self, chunk: bytes) -> list[UpstreamEvent]:
        """Nothing yet."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > BODY_LIMIT:
            self.failure = self._error_factory.malformed(f"it is larger than {BODY_LIMIT} bytes")
        return []

    def finish(self) -> list[UpstreamEvent]:
        """All events of the body; raises `ProviderError`."""
        if self.failure is not None:
            raise self.failure
        return self._parse_body(b"".join(self._chunks))


def _connection_failures(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """The error that a socket's failure becomes; only looked up after a failure."""
    import aiohttp

    # OSError includes TimeoutError.
    return (aiohttp.ClientError, OSError, *more)


def _host_of(url: str) -> str:
    """Host and port of an address, empty if it has none; never its user's name and password."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _wrong_address(response: aiohttp.ClientResponse, error_factory: ErrorFactory) -> ProviderError:
    who, url = error_factory.provider, response.url
    lacks_version = not any(part.startswith("v") and part[1:2].isdigit() for part in url.parts)
    return errors.MalformedReply(
        f"{who} ({url.host}:{url.port}) has nothing at the address that was called (HTTP 404)",
        advice=f"Check the base URL of {who}"
        + ("; it probably has to end in /v1." if lacks_version else "."),
        provider=who,
        native="404",
    )


async def _read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while size < limit and (chunk := await response.content.readany()):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)[:limit]
