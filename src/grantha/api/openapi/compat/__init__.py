"""Schemas of what the vendors' clients send and get, for the description of the API alone.

Requests are models beside this file; replies are the typed dictionaries that the views in `wire.compat`
build. Loaded when the description is first requested, since building some hundred schemas would slow
down the start.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from typing_extensions import TypeAliasType, is_typeddict

from grantha.api.openapi.compat import (
    ai_sdk_schemas,
    anthropic_schemas,
    embedding_schemas,
    gemini_schemas,
    ollama_schemas,
    openai_chat_schemas,
    openai_responses_schemas,
)
from grantha.api.openapi.compat.compat_examples import EXAMPLES
from grantha.api.openapi.compat.schema import Schema
from grantha.wire.compat import (
    ai_sdk_replies,
    anthropic_replies,
    embedding_replies,
    gemini_replies,
    ollama_replies,
    openai_chat_replies,
    openai_completion_replies,
    openai_responses_replies,
)

__all__ = ["EXAMPLES", "components", "schemas"]

_MODULES = (
    openai_chat_schemas,
    openai_chat_replies,
    openai_completion_replies,
    openai_responses_schemas,
    openai_responses_replies,
    anthropic_schemas,
    anthropic_replies,
    ollama_schemas,
    ollama_replies,
    embedding_schemas,
    embedding_replies,
    gemini_schemas,
    gemini_replies,
    ai_sdk_schemas,
    ai_sdk_replies,
)


def schemas() -> dict[str, Any]:
    """The type of each request and reply, and of their parts, by its name."""
    return {
        name: found
        for module in _MODULES
        for name, found in vars(module).items()
        if _is_schema(found) and found is not Schema
    }


def components() -> dict[str, Any]:
    """All of them as OpenAPI's components, with an example of each body and reply."""
    _, found = TypeAdapter.json_schemas(
        [(name, "validation", TypeAdapter(schema)) for name, schema in schemas().items()],
        ref_template="#/components/schemas/{model}",
    )
    described: dict[str, Any] = found["$defs"]
    for name, sample in EXAMPLES.items():
        described[name]["examples"] = [sample]
    return described


def _is_schema(found: object) -> bool:
    if isinstance(found, TypeAliasType) or is_typeddict(found):
        return True
    return isinstance(found, type) and issubclass(found, Schema)
