"""The error formats of the compatible APIs: OpenAI's clients get OpenAI's errors, and so on.

The native API isn't listed here: its errors are problem+json (`http/problems.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers

from grantha.chat import JsonObject
from grantha.errors import GranthaError
from grantha.wire.compat import (
    ai_sdk_view,
    anthropic_view,
    gemini_view,
    ollama_view,
    openai_chat_view,
)


@dataclass(frozen=True, slots=True)
class ErrorFormat:
    """How one vendor writes errors: what makes the body, the body's schema in the description, and the HTTP
    statuses of its own.
    """

    body: Callable[[GranthaError], JsonObject]
    schema: str
    statuses: Mapping[str, int] = field(default_factory=dict, hash=False)


OPENAI = ErrorFormat(openai_chat_view.error_body, "OpenAiError")
ANTHROPIC = ErrorFormat(anthropic_view.error_body, "AnthropicError", {"overloaded": 529})
OLLAMA = ErrorFormat(ollama_view.error_body, "OllamaError")
GOOGLE = ErrorFormat(gemini_view.error_body, "GeminiError")
AI_SDK = ErrorFormat(ai_sdk_view.error_body, "UiError")


def is_anthropic_client(headers: Headers) -> bool:
    """Whether the request is from Anthropic's client, at a path that OpenAI's clients use too."""
    return "anthropic-version" in headers


def is_google_client(headers: Headers) -> bool:
    """Whether the request is from Google's client, at a path that OpenAI's clients use too."""
    return "x-goog-api-key" in headers
