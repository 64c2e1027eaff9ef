"""Finding models: by name, by default, by maker; what is ready, and why something isn't."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grantha.config import ProviderSettings, Settings
from grantha.errors import BadRequest, MissingKey, UnknownModel, UnknownProvider, Unsupported
from grantha.providers.adapters.openai_chat import OpenAIChat
from grantha.providers.catalog import HOSTS
from grantha.providers.factory import endpoint_for, hosts_from
from grantha.providers.registry import Registry

KEYED = [host for host in HOSTS if host.key_variables and not host.keyless and host.base_url]


def registry(variables: dict[str, str] | None = None, **settings: Any) -> Registry:
    return Registry(Settings(local_enabled=False, variables=variables or {}, **settings))


@pytest.mark.parametrize("host", KEYED, ids=lambda host: host.name)
def test_a_missing_key_names_the_variable_and_where_to_get_one(host: Any) -> None:
    with pytest.raises(MissingKey) as caught:
        registry().resolve(f"{host.name}/m")
    reported = caught.value.message + caught.value.advice
    assert host.key_variables[0] in reported
    assert host.key_page in reported
    assert caught.value.provider == host.name


@pytest.mark.parametrize("host", KEYED, ids=lambda host: host.name)
@pytest.mark.parametrize("which", [0, -1])
def test_any_of_a_vendor_s_usual_variables_makes_it_ready(host: Any, which: int) -> None:
    if host.name == "bedrock":
        pytest.skip("its second variable needs a third one")
    provider, model = registry({host.key_variables[which]: "k"}).resolve(f"{host.name}/some/model")
    assert provider.name == host.name
    assert model == "some/model"


def test_a_host_without_an_address_is_off_and_says_what_to_set() -> None:
    with pytest.raises(Unsupported) as caught:
        registry().resolve("vllm/m")
    assert "VLLM_BASE_URL" in caught.value.advice


def test_an_unknown_provider_is_reported_as_such() -> None:
    with pytest.raises(UnknownProvider, match="'nope'"):
        registry().resolve("nope/m")


@pytest.mark.parametrize("name", ["m", "", "/m", "openai/"])
def test_an_id_without_its_two_sides_is_unknown(name: str) -> None:
    with pytest.raises(UnknownModel, match="provider"):
        registry().resolve(name)


def test_a_model_is_unknown_only_where_that_is_sure() -> None:
    with pytest.raises(UnknownModel, match="'nope'"):
        registry(scripted=True).resolve("scripted/nope")
    assert registry({"OPENAI_API_KEY": "k"}).resolve("openai/brand-new")[1] == "brand-new"


def test_scripts_are_only_there_when_the_setting_enables_them() -> None:
    with pytest.raises(UnknownProvider):
        registry().resolve("scripted/hello")


def test_the_default_is_the_configured_one_else_the_local_model() -> None:
    assert registry().default_model() == "local/default"
    assert registry(default_model="openai/gpt").default_model() == "openai/gpt"


def test_a_named_provider_has_its_own_default() -> None:
    assert registry().default_model("google").startswith("google/gemini-")
    assert registry(default_model="google/mine").default_model("google") == "google/mine"
    with pytest.raises(UnknownModel, match="no default"):
        registry().default_model("ollama")
    with pytest.raises(UnknownProvider):
        registry().default_model("nope")


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        (None, None, "local/default"),
        ("openai/gpt-4o", None, "openai/gpt-4o"),
        ("gpt-4o", None, "openai/gpt-4o"),
        ("claude-sonnet-4-5", None, "anthropic/claude-sonnet-4-5"),
        ("gemini-2.5-flash", None, "google/gemini-2.5-flash"),
        ("gpt-4o", "openai", "openai/gpt-4o"),
        ("openai/gpt-4o", "openrouter", "openrouter/openai/gpt-4o"),
        ("openai/gpt-4o", "openai", "openai/gpt-4o"),
    ],
)
def test_a_model_id_is_made_from_what_a_caller_names(
    model: str | None, provider: str | None, expected: str
) -> None:
    assert registry().model_id(model, provider) == expected


def test_a_bare_model_of_no_known_maker_is_unknown() -> None:
    with pytest.raises(UnknownModel, match="'zebra-9' names no provider"):
        registry().model_id("zebra-9")


@pytest.mark.parametrize("variable", ["GRANTHA_OPENAI_BASE_URL", "OPENAI_BASE_URL"])
def test_an_address_is_taken_from_our_own_and_from_the_vendor_s_variable(variable: str) -> None:
    settings = Settings(variables={variable: "http://proxy/v1"})
    host = next(host for host in hosts_from(settings) if host.name == "openai")
    assert endpoint_for(host, settings).url("models") == "http://proxy/v1/models"


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_every_provider_s_address_can_be_set_in_the_file(host: Any) -> None:
    change = ProviderSettings(base_url="http://mine/x")
    settings = Settings(providers={host.name: change}, variables={"OPENAI_BASE_URL": "http://no"})
    assert endpoint_for(host, settings).base_url == "http://mine/x"


def test_a_further_host_is_a_table_in_the_file() -> None:
    house = ProviderSettings(base_url="http://house/v1", api_key_variable="HOUSE_KEY")
    made = registry({"HOUSE_KEY": "k"}, providers={"house": house})
    provider, _ = made.resolve("house/m")
    assert isinstance(provider, OpenAIChat)
    with pytest.raises(MissingKey, match="HOUSE_KEY"):
        registry(providers={"house": house}).resolve("house/m")


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (ProviderSettings(), "base_url"),
        (ProviderSettings(base_url="http://x", dialect="esperanto"), "esperanto"),
    ],
)
def test_a_further_host_that_is_wrong_says_where(change: ProviderSettings, wrong: str) -> None:
    with pytest.raises(BadRequest, match=wrong):
        registry(providers={"house": change})


def test_a_provider_can_be_switched_off() -> None:
    with pytest.raises(UnknownProvider):
        registry(providers={"openai": ProviderSettings(enabled=False)}).resolve("openai/m")


def test_capabilities_can_be_overridden_in_the_file() -> None:
    change = ProviderSettings(models={"m": {"prefix": True, "context_length": 5}})
    made = registry({"OPENAI_API_KEY": "k"}, providers={"openai": change})
    facts = made.resolve("openai/m")[0].capabilities("m")
    assert (facts.prefix, facts.context_length) == (True, 5)


def test_an_override_that_is_no_capability_says_so() -> None:
    change = ProviderSettings(models={"m": {"wings": 2}})
    listed = registry({"OPENAI_API_KEY": "k"}, providers={"openai": change}).providers()
    openai = next(card for card in listed if card.name == "openai")
    assert openai.readiness.state == "off"
    assert "'wings'" in openai.readiness.reason


def test_every_provider_is_listed_with_why_it_can_t_be_used() -> None:
    cards = {card.name: card.readiness for card in registry().providers()}
    assert cards.keys() == {host.name for host in HOSTS}
    assert cards["anthropic"].variable == "ANTHROPIC_API_KEY"
    assert cards["anthropic"].state == "missing-key"
    assert cards["azure"].variable == "AZURE_OPENAI_ENDPOINT"


def test_a_key_is_in_no_repr_of_what_holds_it() -> None:
    settings = Settings(
        providers={"openai": ProviderSettings(api_key="planted-1", headers={"X": "planted-2"})},
        variables={"OPENAI_API_KEY": "planted-3"},
    )
    host = next(host for host in hosts_from(settings) if host.name == "openai")
    shown = (
        repr(endpoint_for(host, settings)) + repr(settings) + repr(Registry(settings).providers())
    )
    assert "planted" not in shown


@pytest.fixture
def toy_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package that adds a provider by an entry point, as docs/providers.md teaches."""
    docs = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
    code = docs.split("```python\n# grantha_echo.py\n")[1].split("```")[0]
    (tmp_path / "grantha_echo.py").write_text(code)
    (tmp_path / "broken_toy.py").write_text("def create(settings, http):\n    return 1 / 0\n")
    distribution = tmp_path / "grantha_echo-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: grantha-echo\nVersion: 1\n"
    )
    points = "[grantha.providers]\necho = grantha_echo:create\nbroken = broken_toy:create\n"
    (distribution / "entry_points.txt").write_text(points + "openai = grantha_echo:create\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    for name in ("grantha_echo", "broken_toy"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("toy_plugin")
async def test_the_plugin_of_the_documentation_answers_without_a_key() -> None:
    from grantha.chat import Call, text_message
    from grantha.events import Finished, Text

    provider, model = registry().resolve("echo/loud")
    call = Call(model, (text_message("user", "Hello there"),))
    events = [event async for batch in await provider.open(call) for event in batch]
    assert "".join(e.text for e in events if isinstance(e, Text)) == "HELLO THERE "
    assert isinstance(events[-1], Finished)
    assert [card.id for card in await provider.models()] == ["echo/loud"]


@pytest.mark.usefixtures("toy_plugin")
def test_a_broken_plugin_is_listed_as_off_and_takes_nothing_down() -> None:
    cards = {card.name: card for card in registry().providers()}
    assert cards["broken"].readiness.state == "off"
    assert "ZeroDivisionError" in cards["broken"].readiness.reason
    assert cards["openai"].dialect == "openai-chat"
