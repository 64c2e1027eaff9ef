"""From settings to endpoints, and from an endpoint to its adapter.

Owns the order in which keys and addresses are looked for: `grantha.toml`,
`GRANTHA_<PROVIDER>_BASE_URL`, the vendor's own variables, the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from grantha.chat import Capabilities
from grantha.config import PREFIX, ProviderSettings, Settings, variable_part
from grantha.errors import BadRequest
from grantha.providers.adapters.discovered import DiscoveredServer
from grantha.providers.adapters.hosted import ModelFacts
from grantha.providers.adapters.openai_chat import OpenAIChat
from grantha.providers.base import Provider
from grantha.providers.catalog import DIALECTS, HOSTS, Dialect, Host
from grantha.providers.endpoint import Endpoint
from grantha.providers.http import HttpPool
from grantha.providers.model_facts import capabilities_of
from grantha.providers.prices import listed_facts
from grantha.setting_problems import nearest, shown, unknown_setting
from grantha.setting_types import is_http_url
from grantha.wire.upstream.openai_chat_profile import DialectProfile


def hosts_from(settings: Settings) -> Iterator[Host]:
    """Every row in force: the catalog's, with the changes and additions of the settings.

    Raises `BadRequest` for a further host without base URL, for an unknown dialect, and for a variable
    with a base URL that belongs to no host or holds none.
    """
    _check_base_url_variables(settings)
    changes = dict(settings.providers)
    for host in HOSTS:
        change = changes.pop(host.name, None)
        if change is None:
            yield host
        elif change.enabled:
            yield replace(
                host,
                dialect=_dialect(host.name, change, settings) if change.dialect else host.dialect,
            )
    for name, change in changes.items():
        if change.enabled and name not in {"local", "scripted"}:
            yield _custom_host(name, change, settings)


def endpoint_for(host: Host, settings: Settings) -> Endpoint:
    """The row with its key and address filled in."""
    change = settings.providers.get(host.name, ProviderSettings())
    names = (change.api_key_variable,) if change.api_key_variable else host.key_variables
    key = change.api_key or _first(settings, names)
    variable = names[0] if names and not host.keyless else None
    configured, assumed = _base_url(host, change, settings), _discovery_url(host, settings)
    url = configured or assumed
    return Endpoint(
        name=host.name,
        title=host.title,
        base_url=url,
        # A vendor needs to know of no trace.
        joins_traces=host.dialect in {"openai-chat", "ollama"}
        and url.rstrip("/") not in _VENDOR_URLS,
        assumed=not configured and bool(assumed),
        key=key,
        key_variable=variable,
        key_page=host.key_page,
        headers=dict(change.headers),
        profile=host.profile,
        overrides={name: dict(facts) for name, facts in change.models.items()},
        variables=settings.variables,
        default_model=host.default_model,
        url_variable=host.url_variables[0] if host.url_variables else _base_url_variable(host.name),
    )


_VENDOR_URLS = frozenset(
    host.base_url.rstrip("/") for host in HOSTS if host.base_url.startswith("https:")
)


def make(host: Host, endpoint: Endpoint, http: HttpPool) -> Provider:
    """The adapter of the row's dialect."""

    def facts(model: str) -> Capabilities:
        listed = listed_facts(host.price_vendor, model)
        return capabilities_of(
            host.name, model, host.default_facts, endpoint.overrides.get(model), listed
        )

    return _MAKERS[host.dialect](host, endpoint, http, facts)


def _openai_chat(host: Host, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> Provider:
    if endpoint.assumed:
        return DiscoveredServer(endpoint, http, facts, host.owner)
    return OpenAIChat(endpoint, http, facts, list_path=host.list_path, prefix_path=host.prefix_path)


def _azure(_host: Host, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> Provider:
    from grantha.providers.adapters.openai_chat import AzureOpenAI

    base = endpoint.base_url.rstrip("/")
    version = endpoint.variables.get("AZURE_OPENAI_API_VERSION") or endpoint.variables.get(
        "OPENAI_API_VERSION"
    )
    if not base or version is None:
        if base and not base.endswith("/openai/v1"):
            endpoint = replace(endpoint, base_url=f"{base}/openai/v1")
        return AzureOpenAI(endpoint, http, facts)
    endpoint = replace(endpoint, base_url=f"{base}/openai", query=f"?api-version={version}")
    path = "deployments/{model}/chat/completions"
    return AzureOpenAI(endpoint, http, facts, path=path, list_path=None)


def _responses(_host: Host, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> Provider:
    from grantha.providers.adapters.openai_responses import OpenAIResponses

    return OpenAIResponses(endpoint, http, facts)


def _anthropic(_host: Host, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> Provider:
    from grantha.providers.adapters.anthropic import Anthropic

    return Anthropic(endpoint, http, facts, list_path="v1/models?limit=1000")


def _gemini(_host: Host, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> Provider:
    from grantha.providers.adapters.gemini import Gemini

    return Gemini(endpoint, http, facts, list_path="models?pageSize=1000")


def _vertex(_host: Host, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> Provider:
    from grantha.providers.adapters.gemini import Vertex

    if not endpoint.base_url:
        project = endpoint.variables.get("GOOGLE_CLOUD_PROJECT")
        place = endpoint.variables.get("GOOGLE_CLOUD_LOCATION") or "global"
        if project:
            start = "" if place == "global" else f"{place}-"
            host = f"https://{start}aiplatform.googleapis.com/v1"
            endpoint = replace(endpoint, base_url=f"{host}/projects/{project}/locations/{place}")
        else:
            endpoint = replace(endpoint, url_variable="GOOGLE_CLOUD_PROJECT")
    return Vertex(endpoint, http, facts)


def _ollama(_host: Host, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> Provider:
    from grantha.providers.adapters.ollama import Ollama, normalize_base_url

    return Ollama(replace(endpoint, base_url=normalize_base_url(endpoint.base_url)), http, facts)


def _bedrock(_host: Host, endpoint: Endpoint, http: HttpPool, facts: ModelFacts) -> Provider:
    from grantha.providers.adapters.bedrock import Bedrock

    return Bedrock(endpoint, http, facts)


_MAKERS: dict[Dialect, Callable[[Host, Endpoint, HttpPool, ModelFacts], Provider]] = {
    "openai-chat": _openai_chat,
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "ollama": _ollama,
    "bedrock": _bedrock,
    "vertex": _vertex,
    "azure": _azure,
}


def _custom_host(name: str, change: ProviderSettings, settings: Settings) -> Host:
    if not change.base_url:
        raise BadRequest(
            f"{settings.label(f'providers.{name}')} has no base_url, "
            "and Grantha doesn't know its address.",
            advice=_base_url_advice(name),
        )
    key_variables = (change.api_key_variable,) if change.api_key_variable else ()
    dialect = _dialect(name, change, settings)
    return Host(
        name,
        name,
        dialect,
        change.base_url,
        key_variables,
        keyless=not key_variables,
        profile=DialectProfile(think_tags=True),
        default_facts={"tools": True},
    )


def _dialect(name: str, change: ProviderSettings, settings: Settings) -> Dialect:
    dialect = change.dialect or "openai-chat"
    if dialect not in DIALECTS:
        raise BadRequest(
            f"{settings.label(f'providers.{name}.dialect')} is {dialect!r}.",
            advice=f"Set it to one of {', '.join(DIALECTS)}.",
        )
    return dialect


def _base_url(host: Host, change: ProviderSettings, settings: Settings) -> str:
    override = _base_url_variable(host.name)
    return change.base_url or _first(settings, (override, *host.url_variables)) or host.base_url


def _discovery_url(host: Host, settings: Settings) -> str:
    """The URL where a server of this machine is looked for, unless this very server listens there."""
    if host.usual_port in {None, settings.port}:
        return ""
    return f"http://127.0.0.1:{host.usual_port}/v1"


def _first(settings: Settings, names: tuple[Any, ...]) -> str | None:
    return next((value for name in names if (value := settings.variables.get(name))), None)


def _check_base_url_variables(settings: Settings) -> None:
    known = {_base_url_variable(name) for name in settings.providers}
    known |= {_base_url_variable(host.name) for host in HOSTS}
    # Ollama's own clients accept an address without a scheme, so we do, too.
    lenient = {_base_url_variable(host.name) for host in HOSTS if host.dialect == "ollama"}
    for name in sorted(settings.variables):
        if not name.startswith(PREFIX) or not name.endswith("_BASE_URL"):
            continue
        value = settings.variables[name]
        if name not in known:
            raise unknown_setting(name, "the environment", known)
        if value and name not in lenient and not is_http_url(value):
            raise BadRequest(
                f"{name} is {shown(value)}.",
                advice="Set it to an address, such as http://127.0.0.1:8080/v1.",
            )


def _base_url_variable(provider: str) -> str:
    return f"{PREFIX}{variable_part(provider)}_BASE_URL"


def _base_url_advice(name: str) -> str:
    meant = nearest(name, [host.name for host in HOSTS])
    return f"Did you mean providers.{meant}?" if meant else "Set its base_url."
