"""Decides who may call: host, origin, token, size and time, checked before anything else.

Pure ASGI, so that it costs the token path one function call. Rules (`docs/protocol.md`):

- `Host` must be one of ours: a page that rebinds its name to 127.0.0.1 sends its own.
- A browser's `Origin` must be ours or allowed; without one, `Sec-Fetch-Site` mustn't be cross-site,
  save for a navigation to the page.
- With a token set, every path needs it that the route table doesn't call public: as a bearer token or
  by the cookie of a login. Wrong ones are logged and slowed down. Once a login has ended, so do the
  streams and sockets that it opened.
- A body has a largest size and a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grantha import trace_context
from grantha.api.access import Access, WrongToken
from grantha.api.http.problems import error_response, problem
from grantha.api.logins import Login
from grantha.api.route_rule import RouteRule, Rules, remember_rule
from grantha.api.wrong_tokens import WrongTokens
from grantha.config import Settings
from grantha.errors import BadRequest, Forbidden, GranthaError, TooLarge, TooSlow
from grantha.trace_context import parse_trace_context

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
DIRECT = "grantha.send"  # key in the scope
_SIGNED_OUT = 4401  # closes a socket whose login has ended
_CLOSE_TIMEOUT = 1.0  # seconds for a client that doesn't read to take that
_HOST = re.compile(r"(?:[A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SecurityMiddleware:
    """Wraps the app."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        rules: Rules,
        access: Access,
        wrong_tokens: WrongTokens,
    ) -> None:
        self._app = app
        self._access = access
        self._wrong_tokens = wrong_tokens
        self._rules = rules
        self._origins = frozenset(origin.rstrip("/") for origin in settings.cors_origins)
        self._hosts = _hosts(settings)
        self._body_timeout = settings.body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rejects with a problem (or a closed WebSocket), or passes the request on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        rule = self._rules.find(scope["path"])
        remember_rule(scope, rule)
        try:
            login = self._check(scope, headers, rule)
        except GranthaError as error:
            if isinstance(error, WrongToken):
                await self._wrong_tokens.refuse(scope, error.given)
            await _reject(scope, receive, send, error)
            return
        trace_context.current.set(
            parse_trace_context(headers.get("traceparent"), headers.get("tracestate"))
        )
        if login is not None:
            of_login = _LoginConnection(login, scope, receive, send)
            receive, send = of_login.receive, of_login.send
        if scope["type"] == "http" and scope["method"] not in _SAFE_METHODS:
            receive = _LimitedBody(receive, rule, self._body_timeout)
        # Only the start of a reply needs what the layers above add: a stream's bytes bypass them.
        scope[DIRECT] = send
        await self._app(scope, receive, _with_security_headers(send))

    def _check(self, scope: Scope, headers: Headers, rule: RouteRule) -> Login | None:
        host = _only_host(headers)
        self._check_host(host)
        self._check_origin(scope, headers, host, rule)
        login = None if rule.public else self._access.check(headers)
        length = headers.get("content-length")
        if length is not None and length.isdigit() and int(length) > rule.max_body:
            raise _too_large(rule)
        return login

    def _check_host(self, host: str) -> None:
        if self._hosts is not None and _host_name(host) not in self._hosts:
            raise Forbidden(
                f"This server isn't {host[:80]!r}.",
                advice="Call it by its own name, or add that name to GRANTHA_ALLOWED_HOSTS.",
            )

    def _check_origin(self, scope: Scope, headers: Headers, host: str, rule: RouteRule) -> None:
        origin = headers.get("origin")
        if origin is not None:
            if origin in self._origins or "*" in self._origins or _is_same_origin(origin, host):
                return
            raise Forbidden(
                f"Pages of {origin[:80]!r} may not call this server.",
                advice="Add that origin to GRANTHA_CORS_ORIGINS if you trust it.",
            )
        site = headers.get("sec-fetch-site", "none")
        if site in {"none", "same-origin"}:
            return
        navigates = headers.get("sec-fetch-mode") == "navigate"
        if navigates and scope.get("method") == "GET" and not rule.in_api:
            return
        raise Forbidden("Pages of another site may not call this server.")


class _LoginConnection:
    """`receive` and `send` of a request that a login's cookie let in, until that login ends.

    Then the app sees that the client has disconnected, which is how every stream and socket ends.
    """

    def __init__(self, login: Login, scope: Scope, receive: Receive, send: Send) -> None:
        self._ended = login.ended
        self._receive = receive
        self._send = send
        self._socket = scope["type"] == "websocket"

    async def receive(self) -> Message:
        """The next message, or a disconnect once the login has ended."""
        if not self._ended.is_set():
            message = asyncio.ensure_future(self._receive())
            ended = asyncio.ensure_future(self._ended.wait())
            try:
                await asyncio.wait({message, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not self._ended.is_set():
                    return message.result()
            finally:
                message.cancel()
                ended.cancel()
        if not self._socket:
            return {"type": "http.disconnect"}
        with contextlib.suppress(TimeoutError, OSError, RuntimeError):  # the client may be gone
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._send(
                    {"type": "websocket.close", "code": _SIGNED_OUT, "reason": "Signed out."}
                )
        return {"type": "websocket.disconnect", "code": _SIGNED_OUT, "reason": "Signed out."}

    async def send(self, message: Message) -> None:
        """Passes a message on. Raises `OSError` on a socket whose login has ended."""
        if self._socket and self._ended.is_set():
            raise OSError("The login has ended.")
        await self._send(message)


class _LimitedBody:
    """A `receive` that counts the body and gives it a deadline, until it is complete."""

    def __init__(self, receive: Receive, rule: RouteRule, timeout: float) -> None:
        self._receive = receive
        self._rule = rule
        self._left = rule.max_body
        self._deadline = asyncio.get_running_loop().time() + timeout
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise TooSlow(
                "The body took too long to arrive.", advice="Send it again, without pauses."
            ) from error
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _too_large(self._rule)
        self._complete = not message.get("more_body", False)
        return message


def _hosts(settings: Settings) -> frozenset[str] | None:
    """Host names that are ours, lower case; None (any) for a public server with a token."""
    if settings.allowed_hosts:
        return frozenset({*map(str.lower, settings.allowed_hosts), *LOOPBACK})
    if settings.host in LOOPBACK:
        return LOOPBACK
    # Behind a token a rebinding page gains nothing: it has neither the token nor the cookie.
    return None


def _only_host(headers: Headers) -> str:
    """The `Host` header. Raises `BadRequest` unless there is one, and it is a host and perhaps a port.

    What two programs read differently, such as `localhost:1@evil`, would pass a check of names.
    """
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        raise BadRequest(
            "The Host header isn't the name of one host.",
            advice="Send it once, as host or host:port.",
        )
    return hosts[0]


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _is_same_origin(origin: str, host: str) -> bool:
    try:
        return bool(host) and urlsplit(origin).netloc == host
    except ValueError:
        return False  # not an origin at all


def _too_large(rule: RouteRule) -> TooLarge:
    advice = f"Send less, or raise {rule.max_body_setting}." if rule.max_body_setting else ""
    return TooLarge(f"The body is larger than {rule.max_body} bytes.", advice=advice)


def _with_security_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return with_headers


_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


async def _reject(scope: Scope, receive: Receive, send: Send, error: GranthaError) -> None:
    if scope["type"] == "http":
        await error_response(scope, error)(scope, receive, _with_security_headers(send))
        return
    await receive()
    # Instead of accepting, the upgrade is answered with the problem, where the server can do that.
    if "websocket.http.response" in scope.get("extensions", {}):
        reply = problem(error)
        start = {"status": reply.status_code, "headers": reply.raw_headers}
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": reply.body})
        return
    await send({"type": "websocket.close", "code": 4403, "reason": error.message[:120]})
