"""From settings to sites, and from a site to its adapter.

Owns the order in which keys and addresses are looked for: `grantha.toml`,
`GRANTHA_<PROVIDER>_BASE_URL`, the vendor's own variables, the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from grantha.chat import Capabilities
from grantha.config import ProviderSettings, Settings
from grantha.errors import BadRequest
from grantha.providers.adapters.hosted import Facts
from grantha.providers.adapters.openai_chat import OpenAIChat
from grantha.providers.base import Provider
from grantha.providers.catalog import DIALECTS, HOSTS, Dialect, Host
from grantha.providers.endpoint import Site
from grantha.providers.http import Http
from grantha.providers.model_facts import capabilities_of
from grantha.providers.prices import Prices
from grantha.wire.upstream.openai_chat_decoder import DialectProfile


def hosts_of(settings: Settings) -> Iterator[Host]:
    """Every row that counts here: the catalog's, changed and added to by the settings.

    Raises `BadRequest` for a further host without dialect or base URL.
    """
    changes = dict(settings.providers)
    for host in HOSTS:
        change = changes.pop(host.name, None)
        if change is None:
            yield host
        elif change.enabled:
            yield replace(
                host, dialect=_dialect(host.name, change) if change.dialect else host.dialect
            )
    for name, change in changes.items():
        if change.enabled and name not in {"local", "scripted"}:
            yield _further(name, change)


def site_of(host: Host, settings: Settings) -> Site:
    """The row with its key and address filled in."""
    change = settings.providers.get(host.name, ProviderSettings())
    names = (change.api_key_variable,) if change.api_key_variable else host.keys
    key = change.api_key or _first(settings, names)
    variable = names[0] if names and not host.keyless else None
    return Site(
        name=host.name,
        title=host.title,
        base_url=_base_url(host, change, settings),
        key=key,
        key_variable=variable,
        key_page=host.key_page,
        headers=dict(change.headers),
        profile=host.profile,
        overrides={name: dict(facts) for name, facts in change.models.items()},
        variables=settings.variables,
        default_model=host.default_model,
        url_variable=host.urls[0] if host.urls else f"GRANTHA_{_upper(host.name)}_BASE_URL",
    )


def make(host: Host, site: Site, http: Http, prices: Prices) -> Provider:
    """The adapter of the row's dialect."""

    def facts(model: str) -> Capabilities:
        listed = prices.known(host.prices, model)
        return capabilities_of(host.name, model, host.facts, site.overrides.get(model), listed)

    return _MAKERS[host.dialect](host, site, http, facts)


def _openai_chat(host: Host, site: Site, http: Http, facts: Facts) -> Provider:
    return OpenAIChat(site, http, facts, list_path=host.list_path, prefix_path=host.prefix_path)


def _azure(_host: Host, site: Site, http: Http, facts: Facts) -> Provider:
    from grantha.providers.adapters.openai_chat import AzureOpenAI

    base = site.base_url.rstrip("/")
    version = site.variables.get("AZURE_OPENAI_API_VERSION") or site.variables.get(
        "OPENAI_API_VERSION"
    )
    if not base or version is None:
        if base and not base.endswith("/openai/v1"):
            site = replace(site, base_url=f"{base}/openai/v1")
        return AzureOpenAI(site, http, facts)
    site = replace(site, base_url=f"{base}/openai", query=f"?api-version={version}")
    path = "deployments/{model}/chat/completions"
    return AzureOpenAI(site, http, facts, path=path, list_path=None)


def _responses(_host: Host, site: Site, http: Http, facts: Facts) -> Provider:
    from grantha.providers.adapters.openai_responses import OpenAIResponses

    return OpenAIResponses(site, http, facts)


def _anthropic(_host: Host, site: Site, http: Http, facts: Facts) -> Provider:
    from grantha.providers.adapters.anthropic import Anthropic

    return Anthropic(site, http, facts, list_path="v1/models?limit=1000")


def _gemini(_host: Host, site: Site, http: Http, facts: Facts) -> Provider:
    from grantha.providers.adapters.gemini import Gemini

    return Gemini(site, http, facts, list_path="models?pageSize=1000")


def _vertex(_host: Host, site: Site, http: Http, facts: Facts) -> Provider:
    from grantha.providers.adapters.gemini import Vertex

    if not site.base_url:
        project = site.variables.get("GOOGLE_CLOUD_PROJECT")
        place = site.variables.get("GOOGLE_CLOUD_LOCATION") or "global"
        if project:
            start = "" if place == "global" else f"{place}-"
            host = f"https://{start}aiplatform.googleapis.com/v1"
            site = replace(site, base_url=f"{host}/projects/{project}/locations/{place}")
        else:
            site = replace(site, url_variable="GOOGLE_CLOUD_PROJECT")
    return Vertex(site, http, facts)


def _ollama(_host: Host, site: Site, http: Http, facts: Facts) -> Provider:
    from grantha.providers.adapters.ollama import Ollama, address

    return Ollama(replace(site, base_url=address(site.base_url)), http, facts)


def _bedrock(_host: Host, site: Site, http: Http, facts: Facts) -> Provider:
    from grantha.providers.adapters.bedrock import Bedrock

    return Bedrock(site, http, facts)


_MAKERS: dict[Dialect, Callable[[Host, Site, Http, Facts], Provider]] = {
    "openai-chat": _openai_chat,
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "ollama": _ollama,
    "bedrock": _bedrock,
    "vertex": _vertex,
    "azure": _azure,
}


def _further(name: str, change: ProviderSettings) -> Host:
    if not change.base_url:
        raise BadRequest(f"providers.{name}: a further host needs a base_url")
    keys = (change.api_key_variable,) if change.api_key_variable else ()
    dialect = _dialect(name, change)
    return Host(
        name,
        name,
        dialect,
        change.base_url,
        keys,
        keyless=not keys,
        profile=DialectProfile(think_tags=True),
        facts={"tools": True},
    )


def _dialect(name: str, change: ProviderSettings) -> Dialect:
    dialect = change.dialect or "openai-chat"
    if dialect not in DIALECTS:
        raise BadRequest(
            f"providers.{name}: there is no dialect {dialect!r}",
            advice=f"Use one of {', '.join(DIALECTS)}.",
        )
    return dialect


def _base_url(host: Host, change: ProviderSettings, settings: Settings) -> str:
    keep_own_signatures = f"GRANTHA_{_upper(host.name)}_BASE_URL"
    return change.base_url or _first(settings, (keep_own_signatures, *host.urls)) or host.base_url


def _first(settings: Settings, names: tuple[Any, ...]) -> str | None:
    return next((value for name in names if (value := settings.variables.get(name))), None)


def _upper(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.upper())
