"""Google's models: AI Studio with a key, and Vertex AI with an access token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import override

from grantha.chat import Call
from grantha.events import UpstreamEvent
from grantha.providers.adapters.hosted import JSON, Facts, Hosted
from grantha.providers.base import Readiness
from grantha.providers.credentials.google import Tokens
from grantha.providers.endpoint import Site
from grantha.providers.http import Exchange, Http, WholeDecoder
from grantha.wire.lenient_json import dumps
from grantha.wire.upstream.anthropic_decoder import anthropic_decoder, anthropic_reply
from grantha.wire.upstream.anthropic_request import encode_request as encode_anthropic
from grantha.wire.upstream.gemini_decoder import gemini_decoder, gemini_reply
from grantha.wire.upstream.gemini_request import encode_request
from grantha.wire.upstream.vendor_errors import ErrorFactory

VERTEX_ANTHROPIC = "vertex-2023-10-16"


class Gemini(Hosted):
    """Google AI Studio."""

    @override
    async def exchange(self, call: Call, error_factory: ErrorFactory, *, stream: bool) -> Exchange:
        """A generated content."""
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"

        def whole(body: bytes) -> list[UpstreamEvent]:
            return gemini_reply(body, error_factory)

        return Exchange(
            self._site.url(f"{self._model_path(call.model)}:{method}"),
            encode_request(call, self.capabilities(call.model)),
            error_factory,
            gemini_decoder(error_factory) if stream else WholeDecoder(whole, error_factory),
            whole,
            await self.headers(),
        )

    @override
    async def headers(self) -> Mapping[str, str]:
        """The key in Google's own header: in the URL it would end up in logs."""
        return {**JSON, "x-goog-api-key": self._site.key or "", **self._site.headers}

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

    The site's base URL ends with `projects/…/locations/…`. Tokens are refreshed before they end.
    """

    def __init__(self, site: Site, http: Http, facts: Facts) -> None:
        super().__init__(site, http, facts, list_path=None)
        self._tokens = Tokens(site, http)

    @override
    def readiness(self) -> Readiness:
        """Whether the project is named and there are credentials."""
        state = self._site.readiness()
        return state if state.state == "off" else self._tokens.readiness()

    @override
    async def exchange(self, call: Call, error_factory: ErrorFactory, *, stream: bool) -> Exchange:
        """A generated content, or a message."""
        if not call.model.startswith("claude-"):
            return await super().exchange(call, error_factory, stream=stream)

        def whole(body: bytes) -> list[UpstreamEvent]:
            return anthropic_reply(body, error_factory, call.prefix)

        body = encode_anthropic(call, self.capabilities(call.model), stream=stream)
        del body["model"]
        body["anthropic_version"] = VERTEX_ANTHROPIC
        method = "streamRawPredict" if stream else "rawPredict"
        return Exchange(
            self._site.url(f"publishers/anthropic/models/{call.model}:{method}"),
            dumps(body),
            error_factory,
            anthropic_decoder(error_factory, call.prefix)
            if stream
            else WholeDecoder(whole, error_factory),
            whole,
            await self.headers(),
        )

    @override
    async def headers(self) -> Mapping[str, str]:
        """A fresh access token."""
        return {**JSON, **await self._tokens.headers(), **self._site.headers}

    @override
    def forget(self) -> bool:
        """A token that was taken back before its end."""
        return self._tokens.forget()

    @override
    def _model_path(self, model: str) -> str:
        return f"publishers/google/models/{model}"
