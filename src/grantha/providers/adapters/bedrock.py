"""Amazon Bedrock's Converse API, with a bearer key or signed with AWS credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from typing_extensions import override

from grantha.chat import Call
from grantha.events import UpstreamEvent
from grantha.providers.adapters.hosted import JSON_HEADERS, HttpProvider, ModelFacts
from grantha.providers.base import READY, Readiness
from grantha.providers.credentials.aws import AwsCredentials
from grantha.providers.endpoint import Endpoint
from grantha.providers.http import BodyDecoder, HttpPool, UpstreamRequest
from grantha.wire.upstream.bedrock_decoder import bedrock_decoder, parse_bedrock_body
from grantha.wire.upstream.bedrock_request import encode_request
from grantha.wire.upstream.vendor_errors import ErrorFactory

REGION = "us-east-1"
MODELS = "foundation-models?byOutputModality=TEXT"
PROFILES = "inference-profiles?maxResults=1000"


class Bedrock(HttpProvider):
    """One region of Bedrock: the one set for AWS's own tools, else the one of the profile."""

    def __init__(self, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> None:
        self._region = region_of(endpoint.variables)
        self._credentials = AwsCredentials(endpoint)
        super().__init__(endpoint, http, facts, list_path=MODELS)

    @override
    def readiness(self) -> Readiness:
        """A bearer key, or credentials to sign with."""
        return READY if self._endpoint.key else self._credentials.readiness()

    @override
    async def build_request(
        self, call: Call, error_factory: ErrorFactory, *, stream: bool
    ) -> UpstreamRequest:
        """A conversation, signed."""

        def parse_body(body: bytes) -> list[UpstreamEvent]:
            return parse_bedrock_body(body, error_factory)

        method = "converse-stream" if stream else "converse"
        # A model's id can be an ARN, with slashes and colons that belong to it.
        path = f"model/{quote(call.model, safe='')}/{method}"
        body = self._admissible(call.model, encode_request(call, self.capabilities(call.model)))
        url, headers = await self._addressed("bedrock-runtime", "POST", path, body)
        return UpstreamRequest(
            url,
            body,
            error_factory,
            bedrock_decoder(error_factory, call.prefix)
            if stream
            else BodyDecoder(parse_body, error_factory),
            parse_body,
            headers,
        )

    @override
    def forget_credentials(self) -> bool:
        """Temporary credentials and those read from a file."""
        return self._credentials.forget_credentials()

    @override
    def model_names(self, listed: Any) -> Iterable[str]:
        """Models that can be called as they are, then the profiles that others are called by."""
        models, profiles = listed
        streamed = {
            model["modelId"]: model["inferenceTypesSupported"]
            for model in models["modelSummaries"]
            if model.get("responseStreamingSupported")
        }
        yield from (name for name, ways in streamed.items() if "ON_DEMAND" in ways)
        for profile in profiles["inferenceProfileSummaries"]:
            # The ARNs name other regions; the model's id is what follows the slash.
            called = {model["modelArn"].rpartition("/")[2] for model in profile["models"]}
            if called & streamed.keys():
                yield profile["inferenceProfileId"]

    @override
    def model_titles(self, listed: Any) -> Iterable[tuple[Any, Any]]:
        """Amazon's names of models and profiles."""
        models, profiles = listed
        for model in models["modelSummaries"]:
            yield model["modelId"], model.get("modelName")
        for profile in profiles["inferenceProfileSummaries"]:
            yield profile["inferenceProfileId"], profile.get("inferenceProfileName")

    @override
    async def _listed(self) -> Any:
        return await asyncio.gather(self._got(MODELS), self._got(PROFILES))

    async def _got(self, path: str) -> Any:
        url, headers = await self._addressed("bedrock", "GET", path, b"")
        return await self._http.fetch(url, headers, self._endpoint.error_factory())

    async def _addressed(
        self, service: str, method: str, path: str, body: bytes
    ) -> tuple[str, Mapping[str, str]]:
        """Where a request goes and its headers: a profile can name the region of both."""
        endpoint = self._endpoint
        headers = {**JSON_HEADERS, **endpoint.headers}
        keys = None if endpoint.key else await self._credentials.get()
        region = self._region or (keys and keys.region) or REGION
        if not endpoint.base_url:
            endpoint = replace(endpoint, base_url=f"https://{service}.{region}.amazonaws.com")
        url = endpoint.url(path)
        if keys is None:
            return url, {"Authorization": f"Bearer {endpoint.key}", **headers}
        return url, keys.sign(method, url, body, headers, region)


def region_of(variables: Mapping[str, str]) -> str | None:
    """The region set for AWS's own tools."""
    return variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")
