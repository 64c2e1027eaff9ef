"""Google's models: AI Studio with a key, and Vertex AI with an access token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import override

from grantha.chat import Call
from grantha.events import UpstreamEvent
from grantha.providers.adapters.hosted import HttpProvider, ModelFacts
from grantha.providers.base import Readiness
from grantha.providers.credentials.google import GoogleTokens
from grantha.providers.endpoint import Endpoint
from grantha.providers.http import HttpPool, UpstreamRequest
from grantha.wire.lenient_json import dumps
from grantha.wire.upstream.anthropic_decoder import anthropic_decoder, parse_anthropic_body
from grantha.wire.upstream.anthropic_request import encode_request as encode_anthropic
from grantha.wire.upstream.gemini_decoder import gemini_decoder, parse_gemini_body
from grantha.wire.upstream.gemini_request import encode_request
from grantha.wire.upstream.vendor_errors import ErrorFactory

VERTEX_ANTHROPIC = "vertex-2023-10-16"


class Gemini(HttpProvider):
    """Google AI Studio."""

    @override
    async def build_request(
        self, call: Call, error_factory: ErrorFactory, *, stream: bool
    ) -> UpstreamRequest:
        """A `generateContent` request."""
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"

        def parse_body(body: bytes) -> list[UpstreamEvent]:
            return parse_gemini_body(body, error_factory)

        return await self._upstream_request(
            call,
            f"{self._model_path(call.model)}:{method}",
            encode_request(call, self.capabilities(call.model)),
            error_factory,
            parse_body=parse_body,
            decoder=gemini_decoder(error_factory) if stream else None,
        )

    @override
    async def auth_headers(self) -> Mapping[str, str]:
        """The key in Google's own header: in the URL it would end up in logs."""
        return {"x-goog-api-key": self._endpoint.key or ""}

    @override
    def model_names(self, listed: Any) -> Iterable[str]:
        """Those that can generate content."""
        rows = listed.get("models") if isinstance(listed, Mapping) else None
        for row in rows if isinstance(rows, list) else ():
            methods = row.get("supportedGenerationMethods") or ["generateContent"]
            if "generateContent" in methods and isinstance(row.get("name"), str):
                yield row["name"].removeprefix("models/")

    def _model_path(self, model: str) -> str:
        return f"models/{model.removeprefix('models/')}"


class Vertex(Gemini):
    """Vertex AI: Gemini and, for models named `claude-…`, Anthropic's messages.

    The endpoint's base URL ends with `projects/…/locations/…`. Tokens are refreshed before they expire.
    """

    def __init__(self, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> None:
        super().__init__(endpoint, http, facts, list_path=None)
        self._tokens = GoogleTokens(endpoint, http)

    @override
    def readiness(self) -> Readiness:
        """Whether the project is named and there are credentials."""
        state = self._endpoint.readiness()
        return state if state.state == "off" else self._tokens.readiness()

    @override
    async def build_request(
        self, call: Call, error_factory: ErrorFactory, *, stream: bool
    ) -> UpstreamRequest:
        """A `generateContent` request, or one for a message."""
        if not call.model.startswith("claude-"):
            return await super().build_request(call, error_factory, stream=stream)

        def parse_body(body: bytes) -> list[UpstreamEvent]:
            return parse_anthropic_body(body, error_factory, call.prefix)

        body = encode_anthropic(call, self.capabilities(call.model), stream=stream)
        del body["model"]
        body["anthropic_version"] = VERTEX_ANTHROPIC
        method = "streamRawPredict" if stream else "rawPredict"
        return await self._upstream_request(
            call,
            f"publishers/anthropic/models/{call.model}:{method}",
            dumps(body),
            error_factory,
            parse_body=parse_body,
            decoder=anthropic_decoder(error_factory, call.prefix) if stream else None,
        )

    @override
    async def auth_headers(self) -> Mapping[str, str]:
        """A fresh access token."""
        return await self._tokens.headers()

    @override
    def forget_credentials(self) -> bool:
        """A token that was revoked early."""
        return self._tokens.forget_credentials()

    @override
    def _model_path(self, model: str) -> str:
        return f"publishers/google/models/{model}"
