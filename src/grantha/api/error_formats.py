"""Which format an error has, decided by the request's path: OpenAI's clients get OpenAI's errors.

So the format is right whatever rejects a request: the security middleware, the router or a route.
Paths of the native API have no format of their own: their errors are problem+json.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from grantha.errors import GranthaError
from grantha.wire.compat import ai_sdk_view, anthropic_view, ollama_view, openai_chat_view

ErrorBody = Callable[[GranthaError], dict[str, Any]]


def error_format(scope: Scope) -> ErrorBody | None:
    """What makes the body of an error for the client that called; None for our own clients."""
    path: str = scope["path"]
    if path.startswith("/v1/"):
        if path.startswith("/v1/messages") or is_anthropic_client(Headers(scope=scope)):
            return anthropic_view.error_body
        return openai_chat_view.error_body
    if path.startswith("/ollama/"):
        return ollama_view.error_body
    return ai_sdk_view.error_body if path.startswith("/ai-sdk/") else None


def is_anthropic_client(headers: Headers) -> bool:
    """Whether a caller of an address that two vendors have is Anthropic's client."""
    return "anthropic-version" in headers
