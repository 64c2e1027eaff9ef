"""The protocol by which the engine uses a provider, and the cards of its models.

A provider owns a key, a base URL and a client. It translates vendor and socket errors once, into
`grantha.errors`. It never retries, never falls back, never stores: that is the engine's job.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from grantha.chat import Call, Capabilities
from grantha.embedding import EmbeddingCall, Embeddings
from grantha.events import UpstreamEvent

ProviderState = Literal["ready", "loading", "missing-key", "unreachable", "off"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether something can be used now and, if not, why and what to do.

    `variable` names the environment variable that is missing; `progress` is 0..1 while loading.
    """

    state: ProviderState
    reason: str = ""
    advice: str = ""
    variable: str | None = None
    progress: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Only what is set."""
        body: dict[str, Any] = {"state": self.state}
        for name in ("reason", "advice", "variable", "progress"):
            value = getattr(self, name)
            if value not in ("", None):
                body[name] = value
        return body


READY = Readiness("ready")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model that is offered: `id` is `provider/model`."""

    id: str
    name: str
    provider: str
    capabilities: Capabilities = field(default_factory=Capabilities)
    readiness: Readiness = READY


class Upstream(Protocol):
    """One call in flight. Iterated once, by one task; closed by its opener.

    Yields batches: all events of one socket read together, so that many deltas cost one wake-up.
    Ends normally only after a `Finished`; anything else raises a `ProviderError`
    (`Truncated` when the reply ends without its terminal sign).
    """

    @property
    def resume_token(self) -> str | None:
        """Names this reply at the provider, where it can be resumed there."""
        ...

    def __aiter__(self) -> AsyncIterator[Sequence[UpstreamEvent]]: ...

    async def aclose(self) -> bool:
        """Ends the call at once; idempotent. True if the provider confirmed that it stopped."""
        ...


class Provider(Protocol):
    """Something that serves models."""

    name: str

    async def open(self, call: Call, resume: str | None = None) -> Upstream:
        """Sends the call and returns once the reply has begun; raises `ProviderError`.

        Cancelling the awaiting task closes the connection. With `resume` (a token of an earlier
        Upstream) the reply continues where that one broke off.
        """
        ...

    def readiness(self) -> Readiness:
        """Whether calls can be made now; never blocks."""
        ...

    async def models(self) -> Sequence[ModelCard]:
        """The models offered, from the vendor's own listing where it has one (cached)."""
        ...

    def capabilities(self, model: str) -> Capabilities:
        """Facts about a model by its own id; never blocks, a guess where nothing is known."""
        ...

    async def aclose(self) -> None:
        """Closes connections and child processes."""
        ...


@runtime_checkable
class HasAliases(Protocol):
    """A provider whose models can be named in more than one way."""

    def canonical_name(self, model: str) -> str:
        """The model's canonical name; an unknown name is returned unchanged. Never blocks."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A provider that can count a call's input tokens without answering it."""

    async def count_tokens(self, call: Call) -> int:
        """As the provider itself counts, never a guess. Raises like `open`."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """A provider that can turn texts into vectors."""

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        """One vector for each input, in their order. Raises `Unsupported` for a model that has none, else
        like `open`.
        """
        ...


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory: `id` is `provider/model`, `size` its file's in bytes, `idle` the seconds after
    which it is unloaded unless it is used.
    """

    id: str
    size: int
    context_length: int
    idle: float


@runtime_checkable
class LoadsModelFiles(Protocol):
    """A provider that holds files of models in memory."""

    def loaded_models(self) -> Sequence[LoadedModel]:
        """Those that are in memory now; never blocks."""
        ...

    def unload_removed(self) -> None:
        """Unloads models whose files are gone, each after its last running answer; never blocks."""
        ...


@runtime_checkable
class HasModelList(Protocol):
    """A provider that can say for sure which models it has, such as files on this machine."""

    def has_model(self, model: str) -> bool:
        """Whether a model with this id exists; never blocks."""
        ...
