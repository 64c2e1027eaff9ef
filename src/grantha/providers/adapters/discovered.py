"""Model servers on this machine, discovered on their usual ports.

Whether one runs is found out when models are listed, as with Ollama: a machine without it pays nothing,
and one where it is started later needs no restart. Other programs use these ports too, so only a list
whose models name the right owner counts, and no prompt is sent anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from typing_extensions import override

from grantha.chat import Call
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.errors import Unreachable
from grantha.providers.adapters.hosted import ModelFacts
from grantha.providers.adapters.openai_chat import OpenAIChat
from grantha.providers.base import READY, ModelCard, Readiness, Upstream
from grantha.providers.endpoint import Endpoint
from grantha.providers.http import HttpPool
from grantha.providers.model_listing import ModelListCache

LIST_DEADLINE = 1.0  # seconds; what listens there may be a program that never answers


class DiscoveredServer(OpenAIChat):
    """`owner` is what the server calls the owner of its models; without one, any list will do."""

    def __init__(
        self, endpoint: Endpoint, http: HttpPool, facts: ModelFacts, owner: str | None
    ) -> None:
        super().__init__(endpoint, http, facts)
        self._owner = owner
        self._model_list = ModelListCache(self._fetch_models, deadline=LIST_DEADLINE)

    @override
    async def open(self, call: Call, resume: str | None = None) -> Upstream:
        """Checks what listens there before the first prompt is sent. Raises `ProviderError`."""
        await self._check_server()
        return await super().open(call, resume)

    @override
    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """Checks what listens there, as `open` does."""
        await self._check_server()
        return await super().embed(call)

    @override
    def readiness(self) -> Readiness:
        """`loading` until the first check; then whether it answered the last one."""
        title, address = self._endpoint.title, self._endpoint.address
        if not self._model_list.fetched:
            return Readiness("loading", f"Looking for {title} at {address}")
        if self._model_list.failure is not None:
            return Readiness(
                "unreachable",
                f"No {title} answers at {address}",
                f"Start {title}, or set {self._endpoint.url_variable} to where it runs.",
            )
        return super().readiness()

    @override
    async def models(self) -> Sequence[ModelCard]:
        """The models that it has loaded; requested again even if it was missing before."""
        return await self._model_list.get()

    @override
    def model_names(self, listed: Any) -> Iterable[str]:
        """The names, if the list is such a server's; else raises `LookupError`."""
        rows = listed["data"]
        if self._owner is not None:
            owners = {row["owned_by"] for row in rows if isinstance(row, Mapping)}
            if owners != {self._owner}:
                raise LookupError(f"Not a list of {self._endpoint.title}")
        return super().model_names(listed)

    async def _check_server(self) -> None:
        await self._model_list.get()
        readiness = self.readiness()
        if readiness != READY:
            raise Unreachable(readiness.reason, advice=readiness.advice, provider=self.name)
