"""Amazon Bedrock's Converse API, signed with a bearer key or, by botocore, with AWS credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from typing_extensions import override

from grantha.chat import Call
from grantha.errors import Unsupported
from grantha.events import UpstreamEvent
from grantha.providers.base import READY, Readiness
from grantha.providers.hosted import JSON, Facts, Hosted
from grantha.providers.http import Exchange, Http, WholeDecoder
from grantha.providers.site import Site
from grantha.wire.bedrock import bedrock_decoder, bedrock_reply, encode_request
from grantha.wire.faults import Faults

BEARER = "AWS_BEARER_TOKEN_BEDROCK"
REGION = "us-east-1"


class Bedrock(Hosted):
    """One region of Bedrock."""

    def __init__(self, site: Site, http: Http, facts: Facts) -> None:
        self._region = region_of(site.variables)
        base = site.base_url or f"https://bedrock-runtime.{self._region}.amazonaws.com"
        super().__init__(replace(site, base_url=base), http, facts, list_path=None)

    @override
    def readiness(self) -> Readiness:
        """A bearer key, or an access key with its secret and what signs with it."""
        variables = self._site.variables
        state = super().readiness()
        if state != READY or variables.get(BEARER):
            return state
        if not variables.get("AWS_SECRET_ACCESS_KEY"):
            return Readiness(
                "missing-key",
                "Amazon Bedrock needs a secret to its access key",
                "Set AWS_SECRET_ACCESS_KEY, then start Grantha again.",
                "AWS_SECRET_ACCESS_KEY",
            )
        return READY

    @override
    async def exchange(self, call: Call, faults: Faults, *, stream: bool) -> Exchange:
        """A conversation, signed."""

        def whole(body: bytes) -> list[UpstreamEvent]:
            return bedrock_reply(body, faults)

        method = "converse-stream" if stream else "converse"
        # A model's id can be an ARN, with slashes and colons that belong to it.
        url = self._site.url(f"model/{quote(call.model, safe='')}/{method}")
        body = encode_request(call, self.capabilities(call.model))
        return Exchange(
            url,
            body,
            faults,
            bedrock_decoder(faults, call.prefix) if stream else WholeDecoder(whole, faults),
            whole,
            self._signed(url, body),
        )

    def _signed(self, url: str, body: bytes) -> Mapping[str, str]:
        bearer = self._site.variables.get(BEARER)
        if bearer:
            return {**JSON, "Authorization": f"Bearer {bearer}", **self._site.headers}
        try:
            # botocore has no types, and is too large to be loaded unused.
            from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
            from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
            from botocore.credentials import Credentials  # type: ignore[import-untyped]
        except ImportError as error:
            raise Unsupported(
                "Signing with AWS keys needs the package botocore, which isn't installed",
                advice=f"Install grantha[bedrock], or set {BEARER}.",
                provider=self.name,
            ) from error
        variables = self._site.variables
        keys = Credentials(
            variables.get("AWS_ACCESS_KEY_ID", ""),
            variables.get("AWS_SECRET_ACCESS_KEY", ""),
            variables.get("AWS_SESSION_TOKEN"),
        )
        request = AWSRequest("POST", url, {**JSON, **self._site.headers}, body)
        SigV4Auth(keys, "bedrock", self._region).add_auth(request)
        return dict(request.headers.items())


def region_of(variables: Mapping[str, str]) -> str:
    """The region set for AWS's own tools."""
    return variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or REGION
