"""Amazon Bedrock's Converse API, with a bearer key or signed with AWS credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from typing_extensions import override

from grantha.chat import Call
from grantha.events import UpstreamEvent
from grantha.providers.aws_keys import KeyChain
from grantha.providers.base import READY, Readiness
from grantha.providers.hosted import JSON, Facts, Hosted
from grantha.providers.http import Exchange, Http, WholeDecoder
from grantha.providers.site import Site
from grantha.wire.bedrock import bedrock_decoder, bedrock_reply, encode_request
from grantha.wire.faults import Faults

REGION = "us-east-1"


class Bedrock(Hosted):
    """One region of Bedrock: the one set for AWS's own tools, else the one of the profile."""

    def __init__(self, site: Site, http: Http, facts: Facts) -> None:
        self._region = region_of(site.variables)
        self._moved = bool(site.base_url)
        self._chain = KeyChain(site)
        base = site.base_url or _address(self._region or REGION)
        super().__init__(replace(site, base_url=base), http, facts, list_path=None)

    @override
    def readiness(self) -> Readiness:
        """A bearer key, or credentials to sign with."""
        return READY if self._site.key else self._chain.readiness()

    @override
    async def exchange(self, call: Call, faults: Faults, *, stream: bool) -> Exchange:
        """A conversation, signed."""

        def whole(body: bytes) -> list[UpstreamEvent]:
            return bedrock_reply(body, faults)

        method = "converse-stream" if stream else "converse"
        # A model's id can be an ARN, with slashes and colons that belong to it.
        path = f"model/{quote(call.model, safe='')}/{method}"
        body = encode_request(call, self.capabilities(call.model))
        url, headers = await self._addressed(path, body)
        return Exchange(
            url,
            body,
            faults,
            bedrock_decoder(faults, call.prefix) if stream else WholeDecoder(whole, faults),
            whole,
            headers,
        )

    async def _addressed(self, path: str, body: bytes) -> tuple[str, Mapping[str, str]]:
        """Where the request goes and its headers: a profile can name the region of both."""
        headers = {**JSON, **self._site.headers}
        if self._site.key:
            return self._site.url(path), {"Authorization": f"Bearer {self._site.key}", **headers}
        keys = await self._chain.get()
        region = self._region or keys.region or REGION
        site = self._site if self._moved else replace(self._site, base_url=_address(region))
        url = site.url(path)
        return url, keys.sign(url, body, headers, region)


def region_of(variables: Mapping[str, str]) -> str | None:
    """The region set for AWS's own tools."""
    return variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")


def _address(region: str) -> str:
    return f"https://bedrock-runtime.{region}.amazonaws.com"
