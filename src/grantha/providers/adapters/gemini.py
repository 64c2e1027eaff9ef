"""Google's models: AI Studio with a key, and Vertex AI with an access token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import override

from grantha.chat import MAX_COUNT, Call
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.errors import Unsupported
from grantha.events import UpstreamEvent
from grantha.providers.adapters.hosted import EmbeddingDialect, HttpProvider, ModelFacts
from grantha.providers.base import Readiness
from grantha.providers.credentials.google import GoogleTokens
from grantha.providers.endpoint import Endpoint, raise_if_unusable
from grantha.providers.http import HttpPool, UpstreamRequest
from grantha.wire.lenient_json import InvalidJson, dumps, loads
from grantha.wire.signatures import keep_own_signatures, signature_owner
from grantha.wire.upstream import embeddings
from grantha.wire.upstream.anthropic_decoder import anthropic_decoder, parse_anthropic_body
from grantha.wire.upstream.anthropic_request import encode_request as encode_anthropic
from grantha.wire.upstream.gemini_decoder import gemini_decoder, parse_gemini_body
from grantha.wire.upstream.gemini_request import encode_request
from grantha.wire.upstream.vendor_errors import ErrorFactory

VERTEX_ANTHROPIC = "vertex-2023-10-16"
EMBEDDING_BATCH = 100  # inputs of one request
_COUNTED = ("contents", "systemInstruction", "tools", "generationConfig")


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

    async def count_tokens(self, call: Call) -> int:
        """As Google counts, which costs nothing. Raises like `open`."""
        raise_if_unusable(self.name, self.readiness())
        error_factory = self._endpoint.error_factory(call)
        owned = keep_own_signatures(call, signature_owner(self.name, call.model))
        request = loads(encode_request(owned, self.capabilities(call.model)))
        path = self._model_path(call.model)
        body = dumps(self._counted_body(path, request))
        raw = await self._post(f"{path}:countTokens", body, error_factory)
        try:
            reply = loads(raw)
        except InvalidJson as error:
            raise error_factory.malformed(str(error)) from error
        count = reply.get("totalTokens") if isinstance(reply, Mapping) else None
        if not isinstance(count, int) or not 0 <= count <= MAX_COUNT:
            raise error_factory.malformed("it holds no count")
        return count

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """See `grantha.providers.base.Embeds`."""
        path = self._model_path(call.model)
        return await self._embed(
            call,
            EmbeddingDialect(
                f"{path}:batchEmbedContents",
                lambda part: embeddings.gemini_body(part, path),
                embeddings.parse_gemini,
                EMBEDDING_BATCH,
            ),
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

    @override
    def model_titles(self, listed: Any) -> Iterable[tuple[Any, Any]]:
        """Google's display names."""
        rows = listed.get("models") if isinstance(listed, Mapping) else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row.get("name"), str):
                yield row["name"].removeprefix("models/"), row.get("displayName")

    def _model_path(self, model: str) -> str:
        return f"models/{model.removeprefix('models/')}"

    def _counted_body(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        # Contents alone would leave out system text and tools, which count as well.
        return {"generateContentRequest": {"model": path, **request}}


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
    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """Gemini's models by `embedContent`, older ones by `predict`."""
        path = self._model_path(call.model)
        if "gemini" not in call.model:
            return await self._embed(
                call,
                EmbeddingDialect(
                    f"{path}:predict",
                    embeddings.vertex_predict_body,
                    embeddings.parse_vertex_predict,
                    EMBEDDING_BATCH,
                ),
            )
        batch = len(call.inputs) > 1
        method = "batchEmbedContents" if batch else "embedContent"
        return await self._embed(
            call,
            EmbeddingDialect(
                f"{path}:{method}",
                lambda part: embeddings.vertex_body(part, batch=batch),
                embeddings.parse_gemini,
                EMBEDDING_BATCH,
            ),
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
    async def count_tokens(self, call: Call) -> int:
        """Gemini's models only. Raises `Unsupported` for others."""
        if call.model.startswith("claude-"):
            raise Unsupported("Vertex AI counts the tokens of Gemini's models only")
        return await super().count_tokens(call)

    @override
    def _model_path(self, model: str) -> str:
        return f"publishers/google/models/{model}"

    @override
    def _counted_body(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        return {name: request[name] for name in _COUNTED if name in request}
