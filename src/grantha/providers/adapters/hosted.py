"""What every provider over HTTP has in common: an endpoint, the pool, facts, and a cached list of models.

An adapter adds how a call becomes an `UpstreamRequest` and how the vendor's list is read. It never
retries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from grantha import trace_context
from grantha.chat import Call, Capabilities
from grantha.embedding import EmbeddingCall, EmbeddingParser, Embeddings, joined
from grantha.errors import KeyRejected, MalformedReply, RequestRefused, Unsupported
from grantha.events import UpstreamEvent
from grantha.providers.base import READY, ModelCard, Readiness, Upstream
from grantha.providers.endpoint import Endpoint, raise_if_unusable
from grantha.providers.http import BodyDecoder, ErrorResponse, HttpPool, UpstreamRequest
from grantha.providers.model_listing import ModelListCache
from grantha.providers.refused_options import RefusedOptions, notices
from grantha.wire.lenient_json import InvalidJson
from grantha.wire.signatures import keep_own_signatures, signature_owner
from grantha.wire.upstream.decoder import Decoder
from grantha.wire.upstream.vendor_errors import ErrorFactory

ModelFacts = Callable[[str], Capabilities]


@dataclass(frozen=True, slots=True)
class EmbeddingDialect:
    """How one host is asked for embeddings: the path below its base URL, the request, its reply, and how
    many inputs a request may have. `takes_tokens`: they may be tokens instead of texts.
    """

    path: str
    encode: Callable[[EmbeddingCall], bytes]
    parse: EmbeddingParser
    batch: int
    takes_tokens: bool = False


class HttpProvider:
    """See `grantha.providers.base.Provider`. `facts` returns the known facts about a model by its own id.

    `list_path` is below the endpoint's base URL; None: the host lists no models.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        http: HttpPool,
        facts: ModelFacts,
        *,
        list_path: str | None = "models",
    ) -> None:
        self.name = endpoint.name
        self._endpoint = endpoint
        self._http = http
        self._facts = facts
        self._list_path = list_path
        self._refused = RefusedOptions()
        self._never_streamed: set[str] = set()  # models that this account may not stream
        known = [*endpoint.overrides]
        if list_path is None and endpoint.default_model:
            known.append(endpoint.default_model)
        self._model_list = ModelListCache(
            self._fetch_models, [self._card(m) for m in dict.fromkeys(known)]
        )

    async def open(self, call: Call, resume: str | None = None) -> Upstream:
        """Sends the call and returns once the reply has begun; raises `ProviderError`.

        Where nothing can be resumed, `resume` is ignored and a new call is made.
        """
        raise_if_unusable(self.name, self.readiness())
        return await self._send(
            keep_own_signatures(call, signature_owner(self.name, call.model)), resume
        )

    def readiness(self) -> Readiness:
        """Whether address and key are set."""
        return self._endpoint.readiness()

    async def models(self) -> Sequence[ModelCard]:
        """From the vendor's own listing, cached; else the default one and those of the settings."""
        if self._list_path is None or self.readiness() != READY:
            return self._model_list.cards
        return await self._model_list.get()

    def capabilities(self, model: str) -> Capabilities:
        """The facts about a model, including those learnt from this host's refusals."""
        facts, lacking = self._facts(model), self._refused.lacking(model)
        if model in self._never_streamed:
            lacking["stream"] = False
        return replace(facts, **lacking) if lacking else facts

    async def aclose(self) -> None:
        """Closes nothing: the pool belongs to the registry."""

    async def build_request(
        self, call: Call, error_factory: ErrorFactory, *, stream: bool
    ) -> UpstreamRequest:
        """The request of a call, and what reads its reply."""
        raise NotImplementedError

    async def headers(self) -> Mapping[str, str]:
        """The headers of every request; configured ones replace ours, whatever their case."""
        configured = self._endpoint.headers
        replaced = {name.lower() for name in configured}
        trace = trace_context.current.get() if self._endpoint.joins_traces else None
        ours = {**JSON_HEADERS, **await self.auth_headers(), **(trace.headers() if trace else {})}
        return {**{k: v for k, v in ours.items() if k.lower() not in replaced}, **configured}

    async def auth_headers(self) -> Mapping[str, str]:
        """The headers that hold the key: a bearer token, unless the vendor has its own."""
        return {"Authorization": f"Bearer {self._endpoint.key}"} if self._endpoint.key else {}

    def forget_credentials(self) -> bool:
        """Drops credentials that may have ended early and can be renewed; False: there are none."""
        return False

    def model_names(self, listed: Any) -> Iterable[str]:
        """The models' own ids in the vendor's list.

        A list of another shape may raise `LookupError`, `TypeError`, `AttributeError`.
        """
        rows = listed.get("data") or listed.get("models") if isinstance(listed, Mapping) else listed
        for row in rows if isinstance(rows, list) else ():
            name = row.get("id") if isinstance(row, Mapping) else None
            if isinstance(name, str) and name:
                yield name

    def model_titles(self, listed: Any) -> Iterable[tuple[Any, Any]]:
        """The models' own ids with the names that the vendor gives them; None, or an id, is no name.

        Raises what `model_names` raises.
        """
        rows = listed.get("data") or listed.get("models") if isinstance(listed, Mapping) else listed
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, Mapping):
                yield row.get("id"), row.get("display_name") or row.get("name")

    async def _send(self, call: Call, resume: str | None) -> Upstream:  # noqa: ARG002 - see `open`
        try:
            return await self._send_once(call)
        except KeyRejected:
            if not self.forget_credentials():
                raise
        return await self._send_once(call)

    async def _embed(self, call: EmbeddingCall, dialect: EmbeddingDialect) -> Embeddings:
        """The embeddings of a call, by as many requests as the host needs, one after another."""
        raise_if_unusable(self.name, self.readiness())
        if not dialect.takes_tokens and len(call.texts) < len(call.inputs):
            raise texts_only(self.name)
        return joined([await self._embed_once(c, dialect) for c in call.batches(dialect.batch)])

    async def _embed_once(self, call: EmbeddingCall, dialect: EmbeddingDialect) -> Embeddings:
        error_factory = self._endpoint.error_factory(call)
        try:
            raw = await self._post(dialect.path, dialect.encode(call), error_factory)
            return dialect.parse(raw, len(call.inputs))
        except InvalidJson as error:
            raise error_factory.malformed(str(error)) from error
        except MalformedReply as error:
            if error.native != "404":
                raise
            raise Unsupported(
                f"{self._endpoint.title} has no embeddings at the address that was called",
                advice="Choose a model of another provider.",
                provider=self.name,
            ) from error

    async def _post(self, path: str, body: bytes, error_factory: ErrorFactory) -> bytes:
        url = self._endpoint.url(path)
        try:
            return await self._http.fetch_bytes(url, await self.headers(), error_factory, body=body)
        except KeyRejected:
            if not self.forget_credentials():
                raise
        return await self._http.fetch_bytes(url, await self.headers(), error_factory, body=body)

    async def _send_once(self, call: Call) -> Upstream:
        while True:
            facts = self.capabilities(call.model)
            request = await self.build_request(
                call, self._endpoint.error_factory(call), stream=facts.stream
            )
            left_out = notices(self.name, call.model, call.options, request.body)
            try:
                return await self._http.open(replace(request, notices=left_out))
            except RequestRefused as error:
                cause = error.__cause__
                # Each refusal is learnt once, so this loop ends.
                if not (isinstance(cause, ErrorResponse) and self._learn(call, request, cause)):
                    raise

    def _learn(self, call: Call, request: UpstreamRequest, refusal: ErrorResponse) -> bool:
        """Whether a refusal was learnt from, so that the call can be sent again."""
        report = refusal.report
        if report.param == "stream" or "verified to stream" in report.message:
            known = call.model in self._never_streamed
            self._never_streamed.add(call.model)
            return not known
        return self._refused.learn(call.model, request.body, report)

    async def _upstream_request(
        self,
        call: Call,
        path: str,
        body: bytes,
        error_factory: ErrorFactory,
        *,
        parse_body: Callable[[bytes], list[UpstreamEvent]],
        decoder: Decoder | None,
    ) -> UpstreamRequest:
        """A request with this host's headers; with no `decoder` the reply is one JSON body."""
        return UpstreamRequest(
            self._endpoint.url(path),
            self._admissible(call.model, body),
            error_factory,
            decoder or BodyDecoder(parse_body, error_factory),
            parse_body,
            await self.headers(),
        )

    def _admissible(self, model: str, body: bytes) -> bytes:
        """A body without the options that this model has refused."""
        return self._refused.apply(model, body)

    async def _fetch_models(self) -> Sequence[ModelCard]:
        listed, error_factory = await self._listed(), self._endpoint.error_factory()
        try:
            offered = [n for n in self.model_names(listed) if not error_factory.holds_secret(n)]
            names = dict.fromkeys([*self._endpoint.overrides, *offered])
            given = {name: _title(title) for name, title in self.model_titles(listed)}
        except (LookupError, TypeError, AttributeError) as error:
            raise error_factory.malformed("its list of models has another shape") from error
        titles = {
            name: title for name, title in given.items() if not error_factory.holds_secret(title)
        }
        return [self._card(name, titles.get(name, "")) for name in names]

    async def _listed(self) -> Any:
        url = self._endpoint.url(self._list_path or "")
        return await self._http.fetch(url, await self.headers(), self._endpoint.error_factory())

    def _card(self, model: str, title: str = "") -> ModelCard:
        return ModelCard(f"{self.name}/{model}", title or model, self.name, self._facts(model))


JSON_HEADERS = {"Content-Type": "application/json"}
_LONGEST_TITLE = 100  # characters


def _title(title: Any) -> str:
    """A vendor's name for a model on one line; empty if it is none."""
    return " ".join(title.split())[:_LONGEST_TITLE] if isinstance(title, str) else ""


def texts_only(provider: str) -> Unsupported:
    """The error for tokens where only texts are taken: each vocabulary numbers them differently."""
    return Unsupported(
        f"{provider} takes texts, not tokens",
        advice="Send the texts; LangChain does so with check_embedding_ctx_length=False.",
        provider=provider,
    )
