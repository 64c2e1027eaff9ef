"""Every host that speaks OpenAI Chat Completions. What differs between them is in `Endpoint.profile`.

A model with the other name for its output limit gets that name after its first refusal; what else
refusals teach is common to all dialects (`providers.refused_options`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from typing_extensions import override

from grantha.chat import Call
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.errors import ProviderError, ProviderFailed
from grantha.events import Text, UpstreamEvent
from grantha.providers.adapters.hosted import EmbeddingDialect, HttpProvider, ModelFacts
from grantha.providers.base import Upstream
from grantha.providers.endpoint import Endpoint
from grantha.providers.http import ErrorResponse, HttpPool, UpstreamRequest
from grantha.wire.upstream.embeddings import openai_body, parse_openai
from grantha.wire.upstream.openai_chat_decoder import chat_decoder, parse_chat_body
from grantha.wire.upstream.openai_chat_profile import DialectProfile
from grantha.wire.upstream.openai_chat_request import encode_request
from grantha.wire.upstream.vendor_errors import ErrorFactory

CHAT_PATH = "chat/completions"
UNSUPPORTED = {"unsupported_parameter", "unsupported_value"}


def embedding_dialect(profile: DialectProfile, path: str = "embeddings") -> EmbeddingDialect:
    """How a host of this profile is asked for embeddings."""

    def encode(call: EmbeddingCall) -> bytes:
        return openai_body(call, dimensions=profile.dimensions, packed=profile.packed_embeddings)

    return EmbeddingDialect(path, encode, parse_openai, profile.embedding_batch, takes_tokens=True)


class OpenAIChat(HttpProvider):
    """Paths are below the endpoint's base URL and may hold `{model}`; calls that continue a prefix
    may have a path of their own.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        http: HttpPool,
        facts: ModelFacts,
        *,
        path: str = CHAT_PATH,
        prefix_path: str | None = None,
        list_path: str | None = "models",
    ) -> None:
        self._path = path
        self._prefix_path = prefix_path or path
        self._profiles: dict[str, DialectProfile] = {}
        super().__init__(endpoint, http, facts, list_path=list_path)

    @override
    async def build_request(
        self, call: Call, error_factory: ErrorFactory, *, stream: bool
    ) -> UpstreamRequest:
        """A chat completion."""
        facts = self.capabilities(call.model)
        profile = self._profiles.get(call.model, self._endpoint.profile)
        if facts.unopened_thinking:
            profile = replace(profile, unopened_thinking=True)
        continued = bool(call.prefix)

        def parse_body(body: bytes) -> list[UpstreamEvent]:
            return parse_chat_body(body, profile, error_factory, continued=continued)

        path = self._prefix_path if continued else self._path
        return await self._upstream_request(
            call,
            path.format(model=call.model),
            encode_request(call, profile, facts, stream=stream),
            error_factory,
            parse_body=parse_body,
            decoder=chat_decoder(profile, error_factory, continued=continued) if stream else None,
        )

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """See `grantha.providers.base.Embeds`."""
        path = self._path.format(model=call.model).replace(CHAT_PATH, "embeddings")
        return await self._embed(call, embedding_dialect(self._endpoint.profile, path))

    @override
    async def _send(self, call: Call, resume: str | None) -> Upstream:
        try:
            return await super()._send(call, resume)
        except ProviderFailed as error:
            cause = error.__cause__
            if isinstance(cause, ErrorResponse) and cause.report.failed_generation:
                return _FailedGeneration(cause.report.failed_generation, error)
            raise

    @override
    def _learn(self, call: Call, request: UpstreamRequest, refusal: ErrorResponse) -> bool:
        model, report = call.model, refusal.report
        profile = self._profiles.get(model, self._endpoint.profile)
        if report.param == profile.max_tokens and report.code in UNSUPPORTED:
            known = model in self._profiles
            self._profiles[model] = (
                replace(profile, max_tokens="max_completion_tokens")
                if report.param == "max_tokens"
                else replace(profile, max_tokens="max_tokens")
            )
            return not known
        return super()._learn(call, request, refusal)


class _FailedGeneration:
    """The text that a model wrote before its host rejected it, then the error."""

    resume_token: str | None = None

    def __init__(self, text: str, error: ProviderError) -> None:
        self._text = text
        self._error = error

    async def __aiter__(self) -> AsyncIterator[Sequence[UpstreamEvent]]:
        yield [Text(self._text)]
        raise self._error

    async def aclose(self) -> bool:
        """The reply is over."""
        return False


class AzureOpenAI(OpenAIChat):
    """Azure has its own header for the key; the deployment's name is the model."""

    @override
    async def auth_headers(self) -> Mapping[str, str]:
        """The key as `api-key`."""
        return {"api-key": self._endpoint.key or ""}
