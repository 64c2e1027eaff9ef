"""OpenAI's Responses API: reasoning summaries and, in the background, replies that can be resumed.

With `background` among a call's extra options the vendor stores the reply: a cut one is resumed
again after its last event, and closing it cancels it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from typing_extensions import override

from grantha.chat import Call
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.errors import ProviderError
from grantha.events import UpstreamEvent
from grantha.providers.adapters.hosted import HttpProvider
from grantha.providers.adapters.openai_chat import embedding_dialect
from grantha.providers.base import Upstream
from grantha.providers.http import HttpUpstream, UpstreamRequest
from grantha.wire.upstream.openai_responses_decoder import parse_responses_body, responses_decoder
from grantha.wire.upstream.openai_responses_request import encode_request
from grantha.wire.upstream.vendor_errors import ErrorFactory

CANCEL = 2.0  # seconds that the vendor has to confirm a stop


class OpenAIResponses(HttpProvider):
    """One response per call."""

    @override
    async def build_request(
        self, call: Call, error_factory: ErrorFactory, *, stream: bool
    ) -> UpstreamRequest:
        """A new response."""

        def parse_body(body: bytes) -> list[UpstreamEvent]:
            return parse_responses_body(body, error_factory)

        background = bool(call.options.extra.get("background"))
        return await self._upstream_request(
            call,
            "responses",
            encode_request(call, self.capabilities(call.model), stream=stream),
            error_factory,
            parse_body=parse_body,
            decoder=responses_decoder(error_factory, background=background) if stream else None,
        )

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """See `grantha.providers.base.Embeds`."""
        return await self._embed(call, embedding_dialect(self._endpoint.profile))

    @override
    async def _send(self, call: Call, resume: str | None) -> Upstream:
        if resume is None:
            upstream = await super()._send(call, resume)
        else:
            upstream = await self._resume(call, resume)
        if call.options.extra.get("background") and isinstance(upstream, HttpUpstream):
            return _BackgroundUpstream(self, upstream)
        return upstream

    async def _resume(self, call: Call, token: str) -> Upstream:
        response, _, sequence = token.rpartition(":")
        error_factory = self._endpoint.error_factory(call)
        url = self._endpoint.url(f"responses/{response}")
        return await self._http.open(
            UpstreamRequest(
                f"{url}?stream=true&starting_after={sequence}",
                b"",
                error_factory,
                responses_decoder(error_factory, background=True, resumed=response),
                lambda body: parse_responses_body(body, error_factory),
                await self.headers(),
                "GET",
            )
        )

    async def cancel(self, token: str) -> bool:
        """Cancels a background response; True if the vendor confirms that it stopped."""
        response = token.rpartition(":")[0]
        try:
            async with asyncio.timeout(CANCEL):
                body = await self._http.fetch(
                    self._endpoint.url(f"responses/{response}/cancel"),
                    await self.headers(),
                    self._endpoint.error_factory(),
                    body=b"{}",
                )
        except (ProviderError, TimeoutError):
            return False
        return isinstance(body, Mapping) and body.get("status") in {"cancelled", "completed"}


class _BackgroundUpstream:
    """A reply that continues at the vendor until it is cancelled there."""

    def __init__(self, provider: OpenAIResponses, upstream: HttpUpstream) -> None:
        self._provider = provider
        self._upstream = upstream
        self._confirmed: bool | None = None

    def __aiter__(self) -> AsyncIterator[Sequence[UpstreamEvent]]:
        return self._upstream.__aiter__()

    @property
    def resume_token(self) -> str | None:
        """Response id and last sequence number."""
        return self._upstream.resume_token

    async def aclose(self) -> bool:
        """Closes the socket and, unless the reply is complete, cancels it at the vendor."""
        await self._upstream.aclose()
        token = self.resume_token
        if self._confirmed is None:
            complete = self._upstream.complete or token is None
            self._confirmed = False if complete else await self._provider.cancel(token or "")
        return self._confirmed
