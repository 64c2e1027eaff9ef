"""Every host that speaks OpenAI Chat Completions. What differs between them is data, in
`Site.profile`.

Two refusals teach it something for the rest of its life, per model, and the call is sent once
more: an account that may not stream gets whole replies, and a model that names its output limit
the other way gets that name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from grantha.chat import Call, Capabilities
from grantha.errors import ProviderError, RequestRefused
from grantha.providers.base import READY, ModelCard, Readiness
from grantha.providers.http import Exchange, Http, HttpRefusal, HttpUpstream, WholeDecoder
from grantha.providers.listing import Listing
from grantha.providers.site import Site
from grantha.wire.openai_chat import DialectProfile, chat_decoder, chat_reply
from grantha.wire.openai_chat_request import encode_request

Facts = Callable[[str], Capabilities]


class OpenAIChat:
    """See `grantha.providers.base.Provider`. `facts` tells what is known of a model by its own id.

    Paths are below the site's base URL; `list_path` None: the host lists no models; calls that go
    on from a prefix may have a path of their own.
    """

    def __init__(
        self,
        site: Site,
        http: Http,
        facts: Facts,
        *,
        path: str = "chat/completions",
        list_path: str | None = "models",
        prefix_path: str | None = None,
    ) -> None:
        self.name = site.name
        self._site = site
        self._http = http
        self._facts = facts
        self._path = path
        self._list_path = list_path
        self._prefix_path = prefix_path or path
        self._whole_only: set[str] = set()
        self._profiles: dict[str, DialectProfile] = {}
        self._listing = Listing(self._fetch_models, [self._card(m) for m in site.overrides])

    async def open(
        self,
        call: Call,
        resume: str | None = None,  # noqa: ARG002 - nothing can be resumed in this dialect
    ) -> HttpUpstream:
        """Sends the call, once more if a refusal taught how it wants to be asked."""
        self._site.require()
        try:
            return await self._send(call)
        except RequestRefused as error:
            if not self._learned(call.model, error):
                raise
        return await self._send(call)

    def readiness(self) -> Readiness:
        """Whether the key is there."""
        return self._site.readiness()

    async def models(self) -> Sequence[ModelCard]:
        """From the host's own listing, cached."""
        if self._list_path is None or self.readiness() != READY:
            return self._listing.cards
        return await self._listing.get()

    def capabilities(self, model: str) -> Capabilities:
        """Facts, with what this host's replies have taught."""
        facts = self._facts(model)
        return replace(facts, stream=False) if model in self._whole_only else facts

    async def aclose(self) -> None:
        """Nothing of its own: the pool belongs to the registry."""

    async def _send(self, call: Call) -> HttpUpstream:
        profile = self._profiles.get(call.model, self._site.profile)
        facts = self.capabilities(call.model)
        faults = self._site.faults(call)
        continued = bool(call.prefix)

        def whole(body: bytes) -> list[Any]:
            return chat_reply(body, profile, faults, continued=continued)

        decoder = (
            chat_decoder(profile, faults, continued=continued)
            if facts.stream
            else WholeDecoder(whole, faults)
        )
        body = encode_request(call, profile, facts, stream=facts.stream)
        url = self._site.url(self._prefix_path if continued else self._path)
        return await self._http.open(Exchange(url, body, faults, decoder, whole, self._headers()))

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", **self._site.headers}
        if self._site.key and not any(name.lower() == "authorization" for name in headers):
            headers["Authorization"] = f"Bearer {self._site.key}"
        return headers

    def _learned(self, model: str, error: ProviderError) -> bool:
        cause = error.__cause__
        if not isinstance(cause, HttpRefusal):
            return False
        param, words = cause.report.param, cause.report.words
        if (param == "stream" or "verified to stream" in words) and model not in self._whole_only:
            self._whole_only.add(model)
            return True
        profile = self._profiles.get(model, self._site.profile)
        if param == profile.max_tokens and cause.report.code == "unsupported_parameter":
            first_time = model not in self._profiles
            self._profiles[model] = (
                replace(profile, max_tokens="max_completion_tokens")
                if param == "max_tokens"
                else replace(profile, max_tokens="max_tokens")
            )
            return first_time
        return False

    async def _fetch_models(self) -> Sequence[ModelCard]:
        listed = await self._http.fetch(
            self._site.url(self._list_path or ""), self._headers(), self._site.faults()
        )
        rows = listed.get("data") or listed.get("models") if isinstance(listed, Mapping) else listed
        ids = [row.get("id") for row in rows or () if isinstance(row, Mapping)]
        names = dict.fromkeys(
            [*self._site.overrides, *(i for i in ids if isinstance(i, str) and i)]
        )
        return [self._card(name) for name in names]

    def _card(self, model: str) -> ModelCard:
        return ModelCard(f"{self.name}/{model}", model, self.name, self._facts(model))
