"""The facts known about models by their names."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from grantha.chat import Capabilities
from grantha.providers import model_facts
from grantha.providers.catalog import HOSTS


def known(model_id: str) -> Capabilities:
    provider, _, model = model_id.partition("/")
    return model_facts.capabilities_of(provider, model, {})


@pytest.mark.parametrize(
    ("model", "context", "output", "prefix", "temperature"),
    [
        ("anthropic/claude-3-5-haiku-latest", 200_000, 8_192, True, True),
        ("anthropic/claude-opus-4-1", 200_000, 32_000, True, True),
        ("anthropic/claude-sonnet-4-5", 200_000, 64_000, True, True),
        ("anthropic/claude-sonnet-4-5-20250929", 200_000, 64_000, True, True),
        ("anthropic/claude-haiku-4-5", 200_000, 64_000, True, True),
        ("openrouter/anthropic/claude-opus-4.5", 200_000, 64_000, True, True),
        ("vertex/claude-sonnet-4-5@20250929", 200_000, 64_000, True, True),
        ("bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 200_000, 64_000, True, True),
        ("anthropic/claude-opus-4-6", 1_000_000, 128_000, False, True),
        ("anthropic/claude-opus-4-7", 1_000_000, 128_000, False, False),
        ("openrouter/anthropic/claude-opus-4.8", 1_000_000, 128_000, False, False),
        ("bedrock/global.anthropic.claude-opus-5-v1", 1_000_000, 128_000, False, False),
        ("anthropic/claude-opus-5-5", 1_000_000, 128_000, False, False),
        ("anthropic/claude-fable-5-2", 1_000_000, 128_000, False, False),
    ],
)
def test_claude_models_have_the_facts_of_their_generation(
    model: str, context: int, output: int, prefix: bool, temperature: bool
) -> None:
    found = known(model)
    assert (found.context_length, found.output_limit) == (context, output)
    assert (found.prefix, found.temperature, found.top_p) == (prefix, temperature, temperature)


@pytest.mark.parametrize(
    ("model", "temperature"),
    [
        ("openai/gpt-4o", True),
        ("openai/o3-mini", False),
        ("openai/gpt-5-mini", False),
        ("openai/gpt-5.3-chat-latest", False),
        ("openai/gpt-6-sol", False),
        ("openrouter/openai/gpt-5:online", False),
        ("groq/openai/gpt-oss-120b", True),
        ("deepseek/deepseek-reasoner", False),
    ],
)
def test_models_that_reason_refuse_a_temperature(model: str, temperature: bool) -> None:
    assert known(model).temperature is temperature


def test_a_prefix_is_a_fact_of_model_and_host_together() -> None:
    assert known("dashscope/qwen-plus").prefix
    assert not known("openrouter/qwen/qwen-plus").prefix


def test_every_name_in_the_shipped_file_means_something() -> None:
    path = Path(model_facts.__file__).with_name("models.toml")
    names = {item.name for item in fields(Capabilities)} | {"match", "providers"}
    hosts = {host.name for host in HOSTS}
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["models"]:
        assert row.keys() <= names
        assert set(row.get("providers", ())) <= hosts


def test_the_default_models_are_known_by_more_than_their_host() -> None:
    unknown = {"openrouter/auto"}  # it matches any of them
    for host in HOSTS:
        if host.default_model is not None and host.default_model not in unknown:
            assert known(f"{host.name}/{host.default_model}").context_length, host.name


@pytest.mark.parametrize(
    ("model", "chat"),
    [
        ("openai/text-embedding-3-small", False),
        ("ollama/nomic-embed-text:latest", False),
        ("google/gemini-embedding-001", False),
        ("ollama/all-minilm", False),
        ("vllm/BAAI/bge-m3", False),
        ("cohere/rerank-v3.5", False),
        ("openai/gpt-5-mini", True),
        ("vllm/Qwen/Qwen3-32B", True),
    ],
)
def test_models_for_embeddings_write_no_answers(model: str, chat: bool) -> None:
    assert known(model).chat is chat
