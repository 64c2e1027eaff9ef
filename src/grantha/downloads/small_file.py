"""Small files from URLs that nobody here chose: fetched into memory, bounded, without credentials.

The URL comes from a text, perhaps written by a model. So every address is checked, that of each redirect
too, and no cookie, referrer or password is sent: neither the URL's nor those of this machine's netrc.
A compressed reply is refused, because its size doesn't tell what it unpacks to.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import aiohttp
import aiohttp.abc
from typing_extensions import override
from yarl import URL

from grantha.downloads.egress import Egress, RefusedAddress, environment_proxy
from grantha.errors import (
    BadRequest,
    Forbidden,
    GranthaError,
    MalformedReply,
    ProviderFailed,
    RequestRefused,
    TooLarge,
    Unreachable,
)
from grantha.tls_errors import describe_tls_error

MAX_URL = 4096  # characters
HEAD = 64  # bytes that `check_head` gets
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LOOKUPS = 4  # names that are looked up at the same time: a lookup can't be cancelled


class SmallFiles:
    """Fetches files of up to `max_size` bytes. `accept` is sent as the `Accept` header.

    `close` it in the end. How long a file may take is the caller's to say.
    """

    def __init__(self, egress: Egress, accept: str, max_size: int) -> None:
        self._egress = egress
        self._accept = accept
        self._max_size = max_size
        # Threads of its own: slow name servers must not occupy those of the event loop.
        self._lookups = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="grantha-lookup")
        self._context: ssl.SSLContext | None = None

    def close(self) -> None:
        """Gives its threads back, without waiting for them."""
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def fetch(self, url: str, check_head: Callable[[bytes], object]) -> bytes:
        """The file. `check_head` gets its first `HEAD` bytes, or all of a shorter one, and may raise.

        Raises `BadRequest` for what is no URL, `Forbidden` for a private address, `TooLarge`,
        `Unreachable`, `RequestRefused` and `ProviderFailed` for an error status, and `MalformedReply`.
        """
        target = _checked(url)
        try:
            async with self._session(await self._tls()) as session:
                for _ in range(_MAX_REDIRECTS + 1):
                    found = await self._get(session, target, check_head)
                    if isinstance(found, bytes):
                        return found
                    target = found
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failure(error, target) from error
        raise MalformedReply(f"{target.host} redirects too often")

    async def _get(
        self, session: aiohttp.ClientSession, url: URL, check_head: Callable[[bytes], object]
    ) -> bytes | URL:
        """The file, or where it is instead."""
        proxy = environment_proxy(url.scheme, url.host or "")
        if proxy is not None:
            await self._check_behind_proxy(url)
        address, auth = _without_password(proxy)
        async with session.get(url, allow_redirects=False, proxy=address, proxy_auth=auth) as reply:
            location = reply.headers.get("Location")
            if reply.status in _REDIRECTS and location is not None:
                return _redirected(url, location)
            if reply.status != 200:
                kind = ProviderFailed if reply.status >= 500 else RequestRefused
                raise kind(f"{url.host} refused the file (HTTP {reply.status})")
            if reply.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise MalformedReply(f"{url.host} sent the file compressed")
            return await self._read(reply, check_head)

    async def _read(
        self, reply: aiohttp.ClientResponse, check_head: Callable[[bytes], object]
    ) -> bytes:
        body, checked = bytearray(), False
        too_large = TooLarge(
            f"The file is larger than {self._max_size // 1024**2} MB", advice="Open it on its site."
        )
        if (reply.content_length or 0) > self._max_size:
            raise too_large
        async for block in reply.content.iter_any():
            body += block
            if len(body) > self._max_size:
                raise too_large
            if not checked and len(body) >= HEAD:
                check_head(bytes(body[:HEAD]))
                checked = True
        if not checked:
            check_head(bytes(body))
        return bytes(body)

    async def _check_behind_proxy(self, url: URL) -> None:
        """The proxy connects to whatever it is told, so what can be known here is checked before.

        A name that only the proxy can look up is left to it. Raises `RefusedAddress`.
        """
        await asyncio.get_running_loop().run_in_executor(
            self._lookups, self._egress.resolve_proxies
        )
        try:
            found = await self._resolve(url.host or "", url.port or 0, socket.AF_UNSPEC)
        except OSError:
            return
        if not all(self._egress.allows(one["host"]) for one in found):
            raise RefusedAddress

    def _session(self, tls: ssl.SSLContext) -> aiohttp.ClientSession:
        resolver = _Resolver(self._resolve)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=tls, socket_factory=self._egress.open_socket, resolver=resolver
            ),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={
                "User-Agent": "grantha",
                "Accept": self._accept,
                "Accept-Encoding": "identity",
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # it would send the passwords of the netrc, too
        )

    async def _tls(self) -> ssl.SSLContext:
        if self._context is None:  # reading the authorities takes 20 ms and more
            self._context = await asyncio.to_thread(ssl.create_default_context)
        return self._context

    async def _resolve(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> list[aiohttp.abc.ResolveResult]:
        rows = await asyncio.get_running_loop().run_in_executor(
            self._lookups,
            partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM),
        )
        return [
            aiohttp.abc.ResolveResult(
                hostname=host,
                host=str(place[0]),
                port=port,
                family=found,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, protocol, _, place in rows
        ]


class _Resolver(aiohttp.abc.AbstractResolver):
    """aiohttp's interface to a lookup."""

    def __init__(self, resolve: Callable[..., Any]) -> None:
        self._resolve = resolve

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        found: list[aiohttp.abc.ResolveResult] = await self._resolve(host, port, family)
        return found

    @override
    async def close(self) -> None:
        """Nothing: the threads stay for the next file."""


def _checked(text: str) -> URL:
    """Raises `BadRequest` unless this is the URL of a file on the web, without a name and password."""
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if len(text) > MAX_URL or url.scheme not in {"http", "https"} or not url.host:
        raise BadRequest("That isn't a URL that begins with http:// or https://.")
    if url.raw_user is not None or url.raw_password is not None:
        raise BadRequest("The URL holds a name or a password, which aren't sent.")
    return url


def _redirected(url: URL, location: str) -> URL:
    try:
        return _checked(str(url.join(URL(location))))
    except (BadRequest, ValueError) as error:
        raise MalformedReply(f"{url.host} redirects to an address that isn't followed") from error


def _without_password(proxy: str | None) -> tuple[URL | None, aiohttp.BasicAuth | None]:
    if proxy is None:
        return None, None
    url = URL(proxy)
    if url.user is None:
        return url, None
    return url.with_user(None), aiohttp.BasicAuth(url.user, url.password or "")


def _failure(error: Exception, url: URL) -> GranthaError:
    connecting = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(connecting, RefusedAddress):
        return Forbidden(f"{url.host} is in a private network")
    if isinstance(error, aiohttp.ClientSSLError):
        what, _ = describe_tls_error(getattr(error, "certificate_error", error.__cause__))
        return Unreachable(f"{url.host} {what}")
    if isinstance(error, aiohttp.InvalidURL | UnicodeError):
        return BadRequest("That isn't a URL that can be used.")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unreachable(f"The name {url.host} can't be found")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable(f"{url.host} can't be reached")
    return Unreachable(f"The connection to {url.host} broke")
