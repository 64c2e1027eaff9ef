"""Access tokens for Google Cloud, kept until shortly before they end.

Takes what `GOOGLE_APPLICATION_CREDENTIALS` points to: a service account's file (signed with the
package pyjwt) or a person's own (`gcloud auth application-default login`, which needs no
signing); or a ready token in `GOOGLE_CLOUD_ACCESS_TOKEN`. Knows no other way, such as a metadata
server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from grantha.errors import KeyRejected, MissingKey, ProviderError, Unsupported
from grantha.providers.http import Http
from grantha.providers.site import Site
from grantha.wire.loose import NotJson, loads

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME = 3600  # seconds a signed claim asks for
EARLY = 120.0  # seconds before its end that a token is replaced
READY_TOKEN = "GOOGLE_CLOUD_ACCESS_TOKEN"  # noqa: S105 - a variable's name
FILE = "GOOGLE_APPLICATION_CREDENTIALS"


class Tokens:
    """The token of one site."""

    def __init__(self, site: Site, http: Http) -> None:
        self._site = site
        self._http = http
        self._token = ""
        self._until = 0.0
        self._lock: asyncio.Lock | None = None

    async def get(self) -> str:
        """A token that is good for a while. Raises `MissingKey`, `Unsupported`, `ProviderError`."""
        ready = self._site.variables.get(READY_TOKEN)
        if ready:
            return ready
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._until:
                granted = await self._granted()
                self._token = str(granted["access_token"])
                self._until = loop.time() + float(granted.get("expires_in", LIFETIME)) - EARLY
            return self._token

    async def _granted(self) -> Mapping[str, Any]:
        credentials = await asyncio.to_thread(self._credentials)
        url = str(credentials.get("token_uri") or TOKEN_URL)
        if credentials.get("type") == "authorized_user":
            names = ("client_id", "client_secret", "refresh_token")
            form = {name: credentials.get(name, "") for name in names}
            form["grant_type"] = "refresh_token"
        else:
            form = {"grant_type": GRANT, "assertion": self._assertion(credentials, url)}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        try:
            granted = await self._http.fetch(url, headers, self._site.faults(), body=body)
        except ProviderError as error:
            if error.retryable:
                raise
            raise KeyRejected(
                "Google doesn't accept the credentials",
                advice=f"Check the file that {FILE} names.",
                provider=self._site.name,
            ) from error
        if not isinstance(granted, Mapping) or "access_token" not in granted:
            raise self._site.faults().malformed("it holds no access token")
        return granted

    def _credentials(self) -> Mapping[str, Any]:
        path = Path(self._site.variables.get(FILE, ""))
        try:
            credentials = loads(path.read_bytes())
        except (OSError, NotJson) as error:
            raise MissingKey(
                f"The file that {FILE} names can't be read",
                advice="Point it to a service account's JSON file.",
                provider=self._site.name,
            ) from error
        if not isinstance(credentials, Mapping):
            raise MissingKey(f"The file that {FILE} names holds no credentials")
        return credentials

    def _assertion(self, credentials: Mapping[str, Any], audience: str) -> str:
        try:
            import jwt
        except ImportError as error:
            raise Unsupported(
                "A service account's file needs the package pyjwt, which isn't installed",
                advice=f"Install grantha[vertex], or set {READY_TOKEN}.",
                provider=self._site.name,
            ) from error
        now = int(time.time())
        claim = {
            "iss": credentials.get("client_email"),
            "scope": SCOPE,
            "aud": audience,
            "iat": now,
            "exp": now + LIFETIME,
        }
        key, key_id = credentials.get("private_key"), credentials.get("private_key_id")
        try:
            return jwt.encode(claim, str(key), "RS256", headers={"kid": str(key_id)})
        except (jwt.PyJWTError, ValueError) as error:
            raise MissingKey(
                f"The file that {FILE} names holds no usable private key",
                advice="Point it to a service account's JSON file.",
                provider=self._site.name,
            ) from error
