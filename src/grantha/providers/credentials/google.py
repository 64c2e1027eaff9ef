"""Access tokens for Google Cloud, kept until shortly before they expire.

| looked for, in this order | what becomes of it |
|---|---|
| `GOOGLE_CLOUD_ACCESS_TOKEN` | is the token |
| the file that `GOOGLE_APPLICATION_CREDENTIALS` names, else gcloud's own | exchanged for tokens |
| Google's machines | their metadata server gives tokens |

The files are a service account's (signed with the package pyjwt) or a user's own (`gcloud auth
application-default login`, which needs no signing). Source: Google's "How Application Default
Credentials works" and "Access and use metadata".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from grantha.errors import KeyRejected, MissingKey, ProviderError, Unsupported
from grantha.providers.base import READY, Readiness
from grantha.providers.cloud_detection import METADATA_HOST, home_file, on_google
from grantha.providers.endpoint import Endpoint
from grantha.providers.http import HttpPool
from grantha.wire.lenient_json import InvalidJson, loads

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME = 3600  # requested lifetime of a token, in seconds
REFRESH_MARGIN = 120.0  # seconds before its end that a token is replaced
TOKEN_VARIABLE = "GOOGLE_CLOUD_ACCESS_TOKEN"  # noqa: S105 - a variable's name
FILE = "GOOGLE_APPLICATION_CREDENTIALS"
GCLOUD_FILE = "application_default_credentials.json"
METADATA = {"Metadata-Flavor": "Google"}  # without it, the metadata server refuses


class GoogleTokens:
    """The token of one endpoint."""

    def __init__(self, endpoint: Endpoint, http: HttpPool) -> None:
        self._endpoint = endpoint
        self._http = http
        self._on_google = on_google(endpoint.variables)
        self._headers: Mapping[str, str] = {}
        self._until = 0.0
        self._lock = asyncio.Lock()

    def readiness(self) -> Readiness:
        """Whether a token can be requested. Sends no request: the credentials may still be refused."""
        if self._endpoint.key or self._file() is not None or self._on_google:
            return READY
        return Readiness(
            "missing-key",
            f"{self._endpoint.title} needs Google credentials, and this server has none",
            f"Set {FILE} or {TOKEN_VARIABLE}, or run `gcloud auth application-default login` (keys are"
            f" made at {self._endpoint.key_page}), then start Grantha again.",
            FILE,
        )

    async def headers(self) -> Mapping[str, str]:
        """Headers with a token that stays valid for a while.

        Raises `MissingKey`, `Unsupported` or another `ProviderError`.
        """
        if self._endpoint.key:
            return _bearer(self._endpoint.key)
        async with self._lock:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._until:
                path = self._file()
                if path is None:
                    granted = await self._from_metadata()
                    project = None
                else:
                    credentials = await asyncio.to_thread(self._credentials, path)
                    granted = await self._exchange_credentials(credentials)
                    project = credentials.get("quota_project_id")
                self._headers = _bearer(str(granted["access_token"]), project)
                self._until = loop.time() + _lifetime(granted) - REFRESH_MARGIN
            return self._headers

    def forget_credentials(self) -> bool:
        """Drops the token, to be requested again; False if there was none."""
        kept = self._until > 0.0
        self._until = 0.0
        return kept

    def _file(self) -> Path | None:
        """The credentials' file. One that a variable names may be missing: reading it reports that."""
        variables = self._endpoint.variables
        named = variables.get(FILE)
        if named:
            return Path(named)
        folder = variables.get("CLOUDSDK_CONFIG")
        if folder:
            path = Path(folder, GCLOUD_FILE)
            return path if path.is_file() else None
        return home_file(variables, FILE, ".config", "gcloud", GCLOUD_FILE)

    async def _from_metadata(self) -> Mapping[str, Any]:
        host = self._endpoint.variables.get(METADATA_HOST) or "metadata.google.internal"
        url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
        try:
            granted = await self._http.fetch(url, METADATA, self._endpoint.error_factory())
        except ProviderError as error:
            if error.retryable:
                raise
            raise KeyRejected(
                "This machine's service account gives no token",
                advice=f"Give the machine a service account, or set {FILE}.",
                provider=self._endpoint.name,
            ) from error
        return self._require_token(granted)

    async def _exchange_credentials(self, credentials: Mapping[str, Any]) -> Mapping[str, Any]:
        url = str(credentials.get("token_uri") or TOKEN_URL)
        kind = credentials.get("type")
        if kind == "authorized_user":
            names = ("client_id", "client_secret", "refresh_token")
            form = {name: credentials.get(name, "") for name in names}
            form["grant_type"] = "refresh_token"
        elif kind == "service_account":
            form = {"grant_type": JWT_GRANT, "assertion": self._assertion(credentials, url)}
        else:
            raise Unsupported(
                f"Google credentials of the type {str(kind)!r} can't be used",
                advice="Use a service account's file, or a user's own.",
                provider=self._endpoint.name,
            )
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        error_factory = self._endpoint.error_factory()
        secret = ("client_secret", "refresh_token", "assertion")
        error_factory.add_secret(*(str(form[name]) for name in secret if name in form))
        try:
            granted = await self._http.fetch(url, headers, error_factory, body=body)
        except ProviderError as error:
            if error.retryable:
                raise
            raise KeyRejected(
                "Google doesn't accept the credentials",
                advice=f"Check the file that {FILE} names, or log in with gcloud again.",
                provider=self._endpoint.name,
            ) from error
        return self._require_token(granted)

    def _require_token(self, granted: Any) -> Mapping[str, Any]:
        if not isinstance(granted, Mapping) or "access_token" not in granted:
            raise self._endpoint.error_factory().malformed("it holds no access token")
        return granted

    def _credentials(self, path: Path) -> Mapping[str, Any]:
        try:
            credentials = loads(path.read_bytes())
        except (OSError, InvalidJson) as error:
            raise MissingKey(
                f"The file that {FILE} names can't be read",
                advice="Point it to a service account's JSON file.",
                provider=self._endpoint.name,
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
                advice=f"Install grantha[vertex], or set {TOKEN_VARIABLE}.",
                provider=self._endpoint.name,
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
                provider=self._endpoint.name,
            ) from error


def _lifetime(granted: Mapping[str, Any]) -> float:
    """Seconds for which a token holds; the usual time for what isn't a number of seconds."""
    given = granted.get("expires_in")
    return min(given, LIFETIME) if isinstance(given, int | float) and given > 0 else LIFETIME


def _bearer(token: str, project: object = None) -> Mapping[str, str]:
    headers = {"Authorization": f"Bearer {token}"}
    # A user's own credentials belong to no project; this one is charged for quota.
    return {**headers, "x-goog-user-project": str(project)} if project else headers
