"""docs/providers.md matches the code."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from grantha.config import Settings
from grantha.errors import ProviderError
from grantha.providers.factory import hosts_from
from grantha.providers.registry import Registry
from grantha.providers.scripted.script import parse_script
from grantha.wire.upstream import (
    anthropic_decoder,
    bedrock_decoder,
    gemini_decoder,
    openai_chat_decoder,
)
from tools.providers_table import DOCUMENT, with_table

TEXT = DOCUMENT.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return [block.split("```")[0] for block in TEXT.split(f"```{language}\n")[1:]]


def test_the_table_of_providers_is_current() -> None:
    assert with_table(TEXT) == TEXT, "run: python tools/providers_table.py"


@pytest.mark.parametrize(
    "decoder", [anthropic_decoder, bedrock_decoder, gemini_decoder, openai_chat_decoder]
)
def test_every_finish_reason_is_documented(decoder: ModuleType) -> None:
    words = {*decoder.FINISH_REASONS, *getattr(decoder, "FAILURES", ())}
    assert not [word for word in words if f"`{word}`" not in TEXT]


def test_the_settings_shown_can_be_used() -> None:
    shown = tomllib.loads(blocks("toml")[0])
    settings = Settings(**shown)
    assert "house" in {host.name for host in hosts_from(settings)}
    assert Settings(**tomllib.loads(blocks("toml")[1])).timeouts.first_byte == 300


def test_the_script_shown_can_be_used() -> None:
    script = parse_script(tomllib.loads(blocks("toml")[2]))
    assert script.attempt(0).refuse == {"error": "Overloaded"}
    assert len(script.attempt(1).steps) == 4


@pytest.mark.parametrize("kind", ProviderError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_error_of_a_provider_is_explained(kind: type[ProviderError]) -> None:
    assert f"| `{kind.code}` |" in TEXT


def test_every_script_named_is_there() -> None:
    registry = Registry(Settings(local_enabled=False, scripted=True))
    names = {
        word.strip("`,. ").removeprefix("scripted/")
        for word in TEXT.split()
        if word.startswith("`scripted/")
    }
    assert "hello" in names
    for name in names:
        registry.resolve(f"scripted/{name}")


def test_the_shipped_scripts_are_all_named() -> None:
    folder = Path(__file__).parents[2] / "src" / "grantha" / "providers" / "scripts"
    assert all(f"scripted/{path.stem}" in TEXT for path in folder.glob("*.json"))
