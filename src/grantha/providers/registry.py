"""All providers of this server, made from settings at start; finds models by
`provider/model`.

Creating the registry opens no connection and sends no request. The one place, beside the composition
root, that names concrete adapters; each is imported when it is first needed. Third parties join
through the entry point group `grantha.providers`: a callable `(settings, http) -> Provider`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec

from grantha.chat import split_model_id
from grantha.config import PLUGINS, Settings
from grantha.errors import GranthaError, UnknownModel, UnknownProvider
from grantha.providers.base import (
    LoadedModel,
    LoadsModelFiles,
    ModelCard,
    Provider,
    Readiness,
)
from grantha.providers.catalog import Host
from grantha.providers.endpoint import raise_if_unusable
from grantha.providers.factory import endpoint_for, hosts_from, make
from grantha.providers.http import HttpPool
from grantha.setting_problems import nearest

LOCAL = "local"
LOCAL_DEFAULT = "local/default"

ProviderFactory = Callable[[Settings, HttpPool], Provider]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProviderCard:
    """One provider in the list: whether it can be used, and why not."""

    name: str
    title: str
    dialect: str
    readiness: Readiness


class Registry:
    """`extra` are further providers by name; they take precedence over all others."""

    def __init__(self, settings: Settings, extra: Mapping[str, Provider] | None = None) -> None:
        self._settings = settings
        self._http = HttpPool(settings.timeouts, settings.variables)
        self._made: dict[str, Provider] = dict(extra or {})
        self._hosts: dict[str, Host] = {host.name: host for host in hosts_from(settings)}
        self._factories: dict[str, ProviderFactory] = {}
        self._titles: dict[str, tuple[str, str]] = {}
        self._add_own()
        self._add_plugins()

    def resolve(self, model_id: str) -> tuple[Provider, str]:
        """The provider and its own id for a model. The answer to a call may still be
        `ModelNotFound`.

        Raises `UnknownProvider`, `UnknownModel` (only where that is sure), and `MissingKey`, which
        names the variable and where to get a key.
        """
        name, model = _split(model_id)
        provider = self.provider(name)
        raise_if_unusable(name, provider.readiness())
        # isinstance() with a protocol takes 20 µs, and this runs for every call.
        has_model: Callable[[str], bool] | None = getattr(provider, "has_model", None)
        if has_model is not None and not has_model(model):
            raise UnknownModel(
                f"{name} has no model {model!r}",
                advice="Look at the list of models.",
                provider=name,
            )
        return provider, model

    def provider(self, name: str) -> Provider:
        """The provider of this name, created on first use. Raises `UnknownProvider`."""
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._make(name)
        return made

    def default_model(self, provider: str | None = None) -> str:
        """The model that answers when none is named: the configured one, else the local one.

        With a provider named, that provider's own default. Raises `UnknownModel` where there is
        none.
        """
        if provider is None:
            return self._canonical_id(self._settings.default_model or LOCAL_DEFAULT)
        configured = self._settings.default_model or ""
        if configured.startswith(f"{provider}/"):
            return configured
        host = self._hosts.get(provider)
        if host is not None and host.default_model is not None:
            return f"{provider}/{host.default_model}"
        if provider == LOCAL:
            return self._canonical_id(LOCAL_DEFAULT)
        self.provider(provider)  # an unknown name raises its own error
        raise UnknownModel(
            f"{provider} has no default model",
            advice="Name one of its models, or set default_model.",
            provider=provider,
        )

    def model_id(self, model: str | None, provider: str | None = None) -> str:
        """`provider/model` from the names that a caller gives: both, one, or neither.

        A bare model's provider is the one that makes it, by the start of its name. Raises
        `UnknownModel`.
        """
        if not model:
            return self.default_model(provider)
        if provider:
            return self._canonical_id(
                model if model.startswith(f"{provider}/") else f"{provider}/{model}"
            )
        head, slash, _ = model.partition("/")
        if slash and self._is_known(head):
            return self._canonical_id(model)
        for host in self._hosts.values():
            if host.model_prefixes and model.startswith(host.model_prefixes):
                return f"{host.name}/{model}"
        raise UnknownModel(f"{model!r} names no provider", advice=self._suggestion(model))

    def providers(self) -> list[ProviderCard]:
        """Every provider, usable or not, and why not. Sends no request."""
        return [self._card(name) for name in self._names()]

    async def models(self) -> list[ModelCard]:
        """The models of every available provider, each list cached and bounded in time.

        One that didn't answer is called again: it may have been started since.
        """
        names = [
            card.name
            for card in self.providers()
            if card.readiness.state in {"ready", "loading", "unreachable"}
        ]
        lists = await asyncio.gather(*(self._models_of(name) for name in names))
        return [card for cards in lists for card in cards]

    def loaded_models(self) -> list[LoadedModel]:
        """The models in this machine's memory, of every provider that loads them itself."""
        loading = [p for p in self._made.values() if isinstance(p, LoadsModelFiles)]
        return [model for provider in loading for model in provider.loaded_models()]

    def unload_removed(self) -> None:
        """Unloads models whose files are gone."""
        for provider in self._made.values():
            if isinstance(provider, LoadsModelFiles):
                provider.unload_removed()

    async def aclose(self) -> None:
        """Closes every provider, then the pool."""
        for provider in self._made.values():
            await provider.aclose()
        await self._http.aclose()

    def _canonical_id(self, model_id: str) -> str:
        """The id without aliases, so that a stored id keeps its meaning."""
        name, model = _split(model_id)
        if not self._is_known(name):
            return model_id
        provider = self.provider(name)
        canonical_name: Callable[[str], str] | None = getattr(provider, "canonical_name", None)
        return f"{name}/{canonical_name(model)}" if canonical_name is not None else model_id

    async def _models_of(self, name: str) -> Sequence[ModelCard]:
        try:
            return await self.provider(name).models()
        except GranthaError as error:
            _log.debug("No models of %s: %s", name, error.message)
            return ()

    def _suggestion(self, model: str) -> str:
        head, slash, rest = model.partition("/")
        near = nearest(head, self._names()) if slash else None
        if near is not None:
            return f"Did you mean {near}/{rest}?"
        return "Write it as provider/model, as the list of models has it."

    def _names(self) -> list[str]:
        names = [LOCAL] if LOCAL in self._factories else []
        names += [*self._hosts, *self._factories, *self._made]
        return list(dict.fromkeys(names))

    def _is_known(self, name: str) -> bool:
        return name in self._made or name in self._hosts or name in self._factories

    def _card(self, name: str) -> ProviderCard:
        title, dialect = self._titles.get(name, (name, name))
        host = self._hosts.get(name)
        if host is not None:
            title, dialect = host.title, host.dialect
        try:
            return ProviderCard(name, title, dialect, self.provider(name).readiness())
        except GranthaError as error:
            return ProviderCard(name, title, dialect, Readiness("off", error.message, error.advice))

    def _make(self, name: str) -> Provider:
        factory = self._factories.get(name)
        if factory is not None:
            return factory(self._settings, self._http)
        host = self._hosts.get(name)
        if host is None:
            raise UnknownProvider(
                f"There is no provider {name!r}",
                advice="Look at the list of providers, or describe it in grantha.toml.",
            )
        return make(host, endpoint_for(host, self._settings), self._http)

    def _add_own(self) -> None:
        if self._settings.local_enabled and find_spec("grantha.providers.local") is not None:
            self._factories[LOCAL] = _local
            self._titles[LOCAL] = ("Local model", LOCAL)
        if self._settings.scripted:
            self._factories["scripted"] = _scripted
            self._titles["scripted"] = ("Scripts", "scripted")

    def _add_plugins(self) -> None:
        for point in metadata.entry_points(group=PLUGINS):
            if point.name in self._hosts or point.name in self._factories:
                _log.warning(
                    "The provider %r of a plugin has a name that is taken; it is left out",
                    point.name,
                )
                continue
            self._factories[point.name] = _plugin(point)
            self._titles[point.name] = (point.name, "plugin")


def _split(model_id: str) -> tuple[str, str]:
    try:
        return split_model_id(model_id)
    except ValueError as error:
        raise UnknownModel(
            f"{model_id!r} names no provider and model", advice="Write it as provider/model."
        ) from error


def _local(settings: Settings, _http: HttpPool) -> Provider:
    create: Callable[[Settings], Provider] = import_module("grantha.providers.local").create
    return create(settings)


def _scripted(settings: Settings, _http: HttpPool) -> Provider:
    from grantha.providers.scripted.provider import ScriptedProvider

    return ScriptedProvider(settings.script_dir)


def _plugin(point: metadata.EntryPoint) -> ProviderFactory:
    def factory(settings: Settings, http: HttpPool) -> Provider:
        # A failing plug-in must not take the server down: its error is reported as this provider's.
        try:
            provider: Provider = point.load()(settings, http)
        except GranthaError:
            raise
        except Exception as error:
            raise UnknownProvider(
                f"The plugin provider {point.name!r} can't be started: {type(error).__name__}",
                advice="Look at the plugin's own documentation.",
            ) from error
        return provider

    return factory
