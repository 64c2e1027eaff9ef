"""AWS credentials: from our variables as they are, else from where botocore finds them.

botocore knows shared files and their profiles, assumed roles, web identities, SSO's cache, containers and
instances. It reads its files and the process's own environment, and it blocks; so it runs in a thread,
and only when there are no credentials yet or they expire soon. It is loaded when first used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from grantha.errors import (
    GranthaError,
    KeyRejected,
    MissingKey,
    ProviderFailed,
    TimedOut,
    Unreachable,
)
from grantha.providers.base import READY, Readiness
from grantha.providers.cloud_detection import home_file, on_amazon
from grantha.providers.endpoint import Endpoint

DEADLINE = 60.0  # seconds for botocore to find or refresh credentials
KEY, SECRET, SESSION = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
BEARER = "AWS_BEARER_TOKEN_BEDROCK"
PROFILE = "AWS_PROFILE"
# Each names a source of credentials for botocore, and is only set on purpose.
_NAMED = (
    PROFILE,
    "AWS_DEFAULT_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


@dataclass(frozen=True, slots=True, repr=False)
class SigningKeys:
    """What signs requests now; `region` is the profile's own, if it has one."""

    frozen: Any  # botocore's, which has no types
    region: str | None = None

    def sign(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], region: str
    ) -> dict[str, str]:
        """The headers of a request to Bedrock, signed (Signature Version 4)."""
        from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
        from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]

        request = AWSRequest(method, url, headers, body)
        SigV4Auth(self.frozen, "bedrock", region).add_auth(request)
        return dict(request.headers.items())


class AwsCredentials:
    """The credentials of one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._on_amazon = on_amazon(endpoint.variables)
        self._lock = asyncio.Lock()
        self._source: Any = None  # botocore's credentials, which know when they expire
        self._keys: SigningKeys | None = None

    def readiness(self) -> Readiness:
        """Whether there are credentials to sign with. Sends no request: they may still be refused."""
        variables, title = self._endpoint.variables, self._endpoint.title
        if variables.get(KEY):
            if not variables.get(SECRET):
                return _missing(
                    f"{title} needs a secret to its access key", f"Set {SECRET}", SECRET
                )
        elif not self._has_credential_chain():
            return _missing(
                f"{title} needs a key or AWS credentials, and this server has neither",
                f"Set {BEARER}, {PROFILE}, or {KEY} with {SECRET}"
                f" (keys are made at {self._endpoint.key_page})",
                BEARER,
            )
        if find_spec("botocore") is None:
            return Readiness(
                "off",
                "Signing with AWS credentials needs the package botocore, which isn't installed",
                f"Install grantha[bedrock], or set {BEARER}.",
            )
        return READY

    async def get(self) -> SigningKeys:
        """Keys that stay valid for a while. Raises `MissingKey` or another `ProviderError`."""
        async with self._lock:
            if self._keys is None or self._ends_soon():
                try:
                    async with asyncio.timeout(DEADLINE):
                        self._keys = await asyncio.to_thread(self._found)
                except TimeoutError as error:
                    raise TimedOut(
                        f"No AWS credentials arrived within {DEADLINE:g} s",
                        provider=self._endpoint.name,
                    ) from error
            return self._keys

    def forget_credentials(self) -> bool:
        """Drops the credentials, to be looked up again; False for keys that can't have changed."""
        kept = self._keys is not None and not self._endpoint.variables.get(KEY)
        self._keys = self._source = None
        return kept

    def _has_credential_chain(self) -> bool:
        variables = self._endpoint.variables
        if any(variables.get(name) for name in _NAMED):
            return True
        # Many users have such files for other purposes. A region means that AWS is meant to be used.
        if not (variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")):
            return False
        files = (
            home_file(variables, "AWS_SHARED_CREDENTIALS_FILE", ".aws", "credentials"),
            home_file(variables, "AWS_CONFIG_FILE", ".aws", "config"),
        )
        return any(files) or self._on_amazon

    def _ends_soon(self) -> bool:
        refresh_needed = getattr(self._source, "refresh_needed", None)
        return refresh_needed is not None and bool(refresh_needed())

    def _found(self) -> SigningKeys:
        from botocore import exceptions as aws  # type: ignore[import-untyped]

        try:
            return self._from_variables() or self._from_botocore()
        except aws.ProfileNotFound as error:
            raise MissingKey(
                f"There is no AWS profile {self._profile()!r}",
                advice=f"Set {PROFILE} to one that the AWS configuration has.",
                provider=self._endpoint.name,
            ) from error
        except (aws.BotoCoreError, aws.ClientError) as error:
            raise self._aws_error(error) from error

    def _from_variables(self) -> SigningKeys | None:
        from botocore.credentials import Credentials  # type: ignore[import-untyped]

        variables = self._endpoint.variables
        key = variables.get(KEY)
        if not key:
            return None
        return SigningKeys(Credentials(key, variables.get(SECRET, ""), variables.get(SESSION)))

    def _from_botocore(self) -> SigningKeys:
        from botocore.session import Session  # type: ignore[import-untyped]

        session = Session(profile=self._profile())
        self._source = self._source or session.get_credentials()
        if self._source is None:
            raise MissingKey(
                "AWS has no credentials for this server",
                advice=f"Check {PROFILE} and the AWS configuration, or the role of this machine.",
                provider=self._endpoint.name,
            )
        return SigningKeys(
            self._source.get_frozen_credentials(), session.get_config_variable("region")
        )

    def _profile(self) -> str | None:
        variables = self._endpoint.variables
        return variables.get(PROFILE) or variables.get("AWS_DEFAULT_PROFILE")

    def _aws_error(self, error: Exception) -> GranthaError:
        from botocore import exceptions as aws

        name = self._endpoint.name
        if isinstance(error, aws.HTTPClientError):
            return Unreachable("AWS's address for credentials can't be reached", provider=name)
        if isinstance(error, aws.MetadataRetrievalError | aws.CredentialRetrievalError):
            return ProviderFailed(
                "This machine's AWS credentials are unavailable now", provider=name
            )
        # botocore's words can name accounts and roles: they go into the log, not to people's pages.
        said = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
        return KeyRejected(
            f"AWS gives no credentials ({said})",
            advice=f"Check {PROFILE} and the AWS configuration, or run `aws sso login` again.",
            provider=name,
            native=said,
        )


def _missing(reason: str, what_to_do: str, variable: str) -> Readiness:
    return Readiness("missing-key", reason, f"{what_to_do}, then start Grantha again.", variable)
