"""One server as a client reaches it: address, token, connections, and calls that are safely repeated.

A call is repeated only where that can't do something twice: it has an idempotency key, changes
nothing, or never left this machine. A server that was never reached is an error at once; one that
was is waited for, `patience` seconds long. Every aiohttp error is translated here.
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
from grantha.client.problems import PROBLEM, ServerAway, StrangeReply, error_from
from grantha.errors import BadRequest, GranthaError, ShuttingDown
from grantha.wire.lenient_json import InvalidJson, dumps, loads

CONNECT = 10.0  # seconds to connect
CALL = 60.0  # seconds for a whole reply
FILE = 600.0  # the same where the reply or the body is a file
_LONGEST_PAUSE = 2.0  # seconds between two tries
_BETWEEN = frozenset({502, 503, 504})  # what proxies say while a server is away
_REPEATABLE = frozenset({"GET", "PATCH"})
_CLOSING = 1.0  # seconds for the server to say goodbye on a WebSocket
_MOST_MESSAGE = 64 * 1024 * 1024  # bytes of one WebSocket message


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, read whole."""

    status: int
    media_type: str
    body: bytes

    def json(self) -> Any:
        """The body decoded; raises `StrangeReply`."""
        try:
            return loads(self.body)
        except InvalidJson as error:
            raise StrangeReply(f"A reply isn't JSON but {self.media_type!r}.") from error


class Patience:
    """Pauses between tries, longer each time; over after `calls.patience` without a word."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._tries = 0
        self._since: float | None = None

    def heard(self) -> None:
        """The server is there."""
        self._since = self._calls.trouble = None

    def moved(self) -> None:
        """Something new came: the next pause is short again."""
        self.heard()
        self._tries = 0

    async def pause(self, error: GranthaError) -> None:
        """Waits before the next try, or raises the error when patience is over."""
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        if now - self._since >= self._calls.patience:
            raise error
        self._calls.trouble = error
        longest = min(_LONGEST_PAUSE, 0.1 * 2**self._tries)
        self._tries = min(self._tries + 1, 10)
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311  a crowd spreads out


class Calls:
    """Open from `open` until `aclose`. `url` may hold a path, for a server behind a prefix."""

    def __init__(self, url: str, token: str | None, patience: float) -> None:
        self.url = url.rstrip("/")
        self.patience = patience
        self.reached = False  # did this server ever answer us?
        self.trouble: GranthaError | None = None  # what we are waiting out at the moment
        self.transport = 0  # place in the order of transports of the one that works
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None
        if not self.url.startswith(("http://", "https://")):
            raise BadRequest(
                f"{url!r} isn't the address of a server.", advice="Write http://host:port."
            )

    def open(self) -> None:
        """Makes the pool; connects nowhere yet."""
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
        repeat: bool = False,
    ) -> Any:
        """A call with a JSON body and reply. `key` is its `Idempotency-Key`."""
        found = await self.whole(method, path, body, params=params, key=key, repeat=repeat)
        return found.json() if found.body else None

    async def whole(
        self,
        method: str,
        path: str,
        body: JsonObject | bytes | None = None,
        *,
        params: Mapping[str, str] | None = None,
        key: str | None = None,
        repeat: bool = False,
        limit: float = CALL,
    ) -> Reply:
        """A call whose reply is read whole; an error status raises what its problem says."""
        headers = {"Accept": "application/json, */*;q=0.5"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        repeatable = repeat or key is not None or method in _REPEATABLE
        patience = Patience(self)
        sent = body if isinstance(body, bytes) or body is None else dumps(body)
        while True:
            try:
                async with asyncio.timeout(limit):
                    async with self.reply(method, path, sent, headers, params) as reply:
                        found = await reply.read()
                patience.heard()
                return Reply(reply.status, reply.content_type, found)
            except TimeoutError as error:
                raise self.away("didn't finish its reply") from error
            except ShuttingDown as error:
                await patience.pause(error)
            except ServerAway as error:
                if not self.reached or (error.sent and not repeatable):
                    raise
                await patience.pause(error)

    @asynccontextmanager
    async def reply(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        *,
        head: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One try of one call; its head must come within `head` seconds.

        Errors while the reply is read are translated too.
        """
        with _Translated(self):
            async with asyncio.timeout(head):
                reply = await self._pool().request(
                    method, self.url + path, data=body, headers=headers, params=params
                )
            async with reply:
                if reply.status >= 400:
                    raise await self._refusal(reply)
                self.reached = True
                yield reply

    @asynccontextmanager
    async def socket(self, head: float) -> AsyncIterator[aiohttp.ClientWebSocketResponse[bool]]:
        """The live WebSocket, open within `head` seconds."""
        with _Translated(self):
            async with asyncio.timeout(head):
                socket = await self._pool().ws_connect(
                    self.url + "/api/live",
                    max_msg_size=_MOST_MESSAGE,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSING),
                )
            async with socket:
                self.reached = True
                yield socket

    def away(self, what: str, *, sent: bool = True) -> ServerAway:
        """The error that says that this server is away."""
        return ServerAway(
            f"The server at {self.url} {what}.",
            advice="" if self.reached else "Start one with `grantha serve`, or name its address.",
            sent=sent,
        )

    async def _refusal(self, reply: aiohttp.ClientResponse) -> GranthaError:
        if reply.content_type != PROBLEM:
            if reply.status in _BETWEEN:
                return self.away(f"can't be reached through its proxy ({reply.status})")
            return StrangeReply(f"{self.url} answered {reply.status} with {reply.content_type!r}.")
        self.reached = True
        try:
            body = loads(await reply.read())
        except InvalidJson:
            body = {}
        return error_from(reply.status, body)

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise BadRequest("The client isn't open.", advice="Use `async with Client(…)`.")
        return self._session


class _Translated:
    """Turns the errors of sockets and of aiohttp into `ServerAway`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
                raise self._calls.away("doesn't answer", sent=False) from error
            case aiohttp.InvalidURL():
                raise BadRequest(f"{self._calls.url!r} isn't the address of a server.") from error
            case TimeoutError():
                raise self._calls.away("has gone silent") from error
            case aiohttp.WSServerHandshakeError():
                raise self._calls.away(f"refused a WebSocket ({error.status})") from error
            case aiohttp.ClientError() | OSError():
                raise self._calls.away("went away in the middle of a reply") from error
            case _:
                pass
