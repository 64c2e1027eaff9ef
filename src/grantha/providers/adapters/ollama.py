"""Ollama, found automatically on its usual port.

Whether it runs is checked when models are listed, and by each call. So a machine without it pays
nothing, and one where it is started later needs no restart. Which models can't think is learnt
from their refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from typing_extensions import override

from grantha.chat import Call
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.errors import RequestRefused
from grantha.events import UpstreamEvent
from grantha.providers.adapters.hosted import EmbeddingDialect, HttpProvider, ModelFacts
from grantha.providers.base import ModelCard, Readiness, Upstream
from grantha.providers.endpoint import Endpoint
from grantha.providers.http import ErrorResponse, HttpPool, UpstreamRequest
from grantha.wire.upstream.embeddings import ollama_body, parse_ollama
from grantha.wire.upstream.ollama_decoder import ollama_decoder, parse_ollama_body
from grantha.wire.upstream.ollama_request import encode_request
from grantha.wire.upstream.vendor_errors import ErrorFactory

NO_THINKING = "does not support thinking"
EMBEDDINGS = EmbeddingDialect("api/embed", ollama_body, parse_ollama, batch=256)


class Ollama(HttpProvider):
    """A local or remote Ollama."""

    def __init__(self, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> None:
        super().__init__(endpoint, http, facts, list_path="api/tags")
        self._thoughtless: set[str] = set()

    @override
    def readiness(self) -> Readiness:
        """Loading until the first check; then whether the last check succeeded."""
        if not self._model_list.fetched:
            return Readiness("loading", f"Looking for Ollama at {self._endpoint.address}")
        if self._model_list.failure is not None:
            return Readiness(
                "unreachable",
                f"Nothing answers at {self._endpoint.address}",
                "Start Ollama, or set OLLAMA_HOST to its address.",
            )
        return super().readiness()

    @override
    async def models(self) -> Sequence[ModelCard]:
        """The models that were pulled; fetched even if Ollama wasn't running before."""
        return await self._model_list.get()

    @override
    async def build_request(
        self, call: Call, error_factory: ErrorFactory, *, stream: bool
    ) -> UpstreamRequest:
        """A chat."""
        continued = bool(call.prefix)
        facts = self.capabilities(call.model)
        unopened = facts.unopened_thinking

        def parse_body(body: bytes) -> list[UpstreamEvent]:
            return parse_ollama_body(body, error_factory, continued=continued, unopened=unopened)

        return await self._upstream_request(
            call,
            "api/chat",
            encode_request(call, facts, stream=stream),
            error_factory,
            parse_body=parse_body,
            decoder=ollama_decoder(error_factory, continued=continued, unopened=unopened)
            if stream
            else None,
        )

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """See `grantha.providers.base.Embeds`."""
        return await self._embed(call, EMBEDDINGS)

    @override
    async def _send(self, call: Call, resume: str | None) -> Upstream:
        if call.model in self._thoughtless:
            return await super()._send(_without_thinking(call), resume)
        try:
            return await super()._send(call, resume)
        except RequestRefused as error:
            cause = error.__cause__
            if not (isinstance(cause, ErrorResponse) and NO_THINKING in cause.report.message):
                raise
        self._thoughtless.add(call.model)
        return await super()._send(_without_thinking(call), resume)

    @override
    def model_names(self, listed: Any) -> Iterable[str]:
        """The names with their tags."""
        rows = listed.get("models") if isinstance(listed, Mapping) else None
        for row in rows if isinstance(rows, list) else ():
            name = row.get("model") or row.get("name")
            if isinstance(name, str):
                yield name


def _without_thinking(call: Call) -> Call:
    return replace(call, options=replace(call.options, reasoning_effort=None))


def normalize_base_url(host: str) -> str:
    """A base URL from what people write into OLLAMA_HOST: a host, a port, or a URL."""
    host = host.strip().rstrip("/")
    if host.startswith(":"):
        host = f"127.0.0.1{host}"
    if "://" not in host:
        host = f"http://{host}"
    scheme, _, rest = host.partition("://")
    name, slash, path = rest.partition("/")
    # 0.0.0.0 is where a server listens; a client can't call that everywhere.
    name = name.replace("0.0.0.0", "127.0.0.1")
    if ":" not in name.rpartition("]")[2] and scheme == "http":
        name = f"{name}:11434"
    return f"{scheme}://{name}{slash}{path}"
