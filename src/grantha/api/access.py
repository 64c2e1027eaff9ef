"""Checks the access token of a request: in a header, or by the cookie of a login.

A wrong token costs the same work whatever it is: each place is hashed, all are compared, and no
comparison depends on another's result. So the time of a refusal tells nothing about the token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from starlette.datastructures import Headers

from grantha.api.logins import Login, Logins, cookie_of
from grantha.errors import Unauthorized

_HOW_TO_SEND = "Send it as 'Authorization: Bearer …'; the page prompts for it once."


class WrongToken(Unauthorized):
    """A token was sent that isn't ours; `given` is what was sent."""

    def __init__(self, given: str) -> None:
        super().__init__("That isn't this server's access token.", advice=_HOW_TO_SEND)
        self.given = given


class Access:
    """Made once for a server. With `token` None everybody may call."""

    def __init__(self, token: str | None, logins: Logins) -> None:
        self._needed = token is not None
        self._salt = secrets.token_bytes(32)
        self._wanted = self._digest(token or "")
        self._logins = logins

    def check(self, headers: Headers) -> Login | None:
        """The login by whose cookie a request may pass; None if it brings the token itself.

        Raises `WrongToken`, or `Unauthorized` where there is none.
        """
        if not self._needed:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        bearer = given.strip() if scheme.lower() == "bearer" else ""
        # Anthropic's and Google's clients send their key in headers of their own.
        api_key = headers.get("x-api-key") or headers.get("x-goog-api-key", "")
        cookie = cookie_of(headers)
        by_bearer, by_api_key = self.is_token(bearer), self.is_token(api_key)
        login = self._logins.find(cookie)
        if by_bearer or by_api_key:
            return None
        if login is not None:
            return login
        if wrong := bearer or api_key or cookie:
            raise WrongToken(wrong)
        raise Unauthorized("This server requires its access token.", advice=_HOW_TO_SEND)

    def is_token(self, given: str) -> bool:
        """Whether this is the access token."""
        # Of the token itself, a comparison would tell its length.
        return hmac.compare_digest(self._digest(given), self._wanted)

    def _digest(self, given: str) -> bytes:
        return hmac.digest(self._salt, given.encode("utf-8", "surrogatepass"), hashlib.sha256)
