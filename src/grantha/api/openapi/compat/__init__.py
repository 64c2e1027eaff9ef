"""Schemas of what the vendors' clients send and get, for the description of the API alone.

Loaded when the description is first asked for: building some hundred models is none of a start's business.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from grantha.api.openapi.compat import (
    ai_sdk_schemas,
    anthropic_schemas,
    ollama_schemas,
    openai_chat_schemas,
    openai_responses_schemas,
)
from grantha.api.openapi.compat.compat_examples import EXAMPLES
from grantha.api.openapi.compat.schema import Schema

__all__ = ["EXAMPLES", "components", "models"]

_MODULES = (
    openai_chat_schemas,
    openai_responses_schemas,
    anthropic_schemas,
    ollama_schemas,
    ai_sdk_schemas,
)


def models() -> dict[str, type[Schema]]:
    """Every schema by its name."""
    return {
        name: found
        for module in (
            openai_chat_schemas,
            openai_responses_schemas,
            anthropic_schemas,
            ollama_schemas,
            ai_sdk_schemas,
        )
        for name, found in vars(module).items()
        if isinstance(found, type) and issubclass(found, Schema) and found is not Schema
    }


def components() -> dict[str, Any]:
    """All of them as OpenAPI's components, with an example of each body and reply."""
    _, found = models_json_schema(
        [(model, "validation") for model in models().values()],
        ref_template="#/components/schemas/{model}",
    )
    described: dict[str, Any] = found["$defs"]
    for name, sample in EXAMPLES.items():
        described[name]["examples"] = [sample]
    return described
