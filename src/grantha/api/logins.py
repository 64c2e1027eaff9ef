"""The page's logins: who holds a cookie that the server gave out for its access token.

A cookie is a random value. The store has an HMAC of it under the access token, so that neither a copy
of the database nor a cookie from before a change of the token opens anything. All logins are in memory
as well: looking one up costs no query, and what was logged out stays out while the disk is full.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from grantha.storage.base import LOCAL_SUBJECT, LoginRow, Store

COOKIE = "grantha_token"
LOGIN_SECONDS = 365 * 24 * 3600  # after which a person has to sign in again
MAX_LOGINS = 1000  # the oldest are logged out first


@dataclass(eq=False, slots=True)
class Login:
    """One browser. `ended` is set once it has logged out: its open connections wait for that."""

    row: LoginRow
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Logins:
    """Made once for a server. `token` is None where none is needed; then there are no logins."""

    def __init__(
        self,
        token: str | None,
        store: Store,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._secret = (token or "").encode()
        self._store = store
        self._now = now_ms
        self._by_key: dict[str, Login] = {}  # the oldest first

    async def load(self) -> None:
        """Reads the logins from the store; called once it is open."""
        self._by_key = {row.key: Login(row) for row in await self._store.logins()}

    async def add(self) -> str:
        """Logs a browser in and returns the value of its cookie. Raises what the store raises."""
        value = secrets.token_urlsafe(32)
        now = self._now()
        row = LoginRow(self._key(value), LOCAL_SUBJECT, now, now + LOGIN_SECONDS * 1000)
        dropped = [login for login in self._by_key.values() if login.row.expires_at <= now]
        kept = [login for login in self._by_key.values() if login.row.expires_at > now]
        dropped += kept[: max(0, len(kept) + 1 - MAX_LOGINS)]
        await self._store.change_logins([row], [login.row.key for login in dropped])
        for login in dropped:
            login.ended.set()
            self._by_key.pop(login.row.key, None)
        self._by_key[row.key] = Login(row)
        return value

    def find(self, cookie: str) -> Login | None:
        """The login that a cookie belongs to; None for a wrong one, and once it has ended.

        Does the same work for every wrong cookie: what is looked up is its HMAC.
        """
        login = self._by_key.get(self._key(cookie))
        if login is None or login.ended.is_set() or login.row.expires_at <= self._now():
            return None
        return login

    async def end(self, cookie: str) -> None:
        """Logs out: at once in this process, on return also after a restart.

        Raises what the store raises; calling it again tries again. Unknown cookies are ignored.
        """
        login = self._by_key.get(self._key(cookie))
        if login is None:
            return
        login.ended.set()
        # It stays known until it is out of the store: else a second try would find nothing to delete.
        await self._store.change_logins([], [login.row.key])
        self._by_key.pop(login.row.key, None)

    def _key(self, cookie: str) -> str:
        return hmac.digest(self._secret, b"login " + cookie.encode(), hashlib.sha256).hex()


def cookie_of(headers: Headers) -> str:
    """The login cookie of a request, or an empty string."""
    # Not SimpleCookie: it stops at the first cookie that it can't read, and those of every other
    # server on this host come along.
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
