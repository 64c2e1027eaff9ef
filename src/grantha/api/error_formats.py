"""Whose shape an error has, told by the address alone: a client of OpenAI's wants OpenAI's.

So it holds for whatever refuses a call, before any route is reached as well: the guard, the router,
a route. Addresses of no vendor have none: there an error is a problem.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from grantha.errors import GranthaError
from grantha.wire.compat import ai_sdk_view, anthropic_view, ollama_view, openai_chat_view

ErrorBody = Callable[[GranthaError], dict[str, Any]]


def shape_of(scope: Scope) -> ErrorBody | None:
    """What makes the body of an error for the client that called; None for our own clients."""
    path: str = scope["path"]
    if path.startswith("/v1/"):
        if path.startswith("/v1/messages") or speaks_anthropic(Headers(scope=scope)):
            return anthropic_view.error_body
        return openai_chat_view.error_body
    if path.startswith("/ollama/"):
        return ollama_view.error_body
    return ai_sdk_view.error_body if path.startswith("/ai-sdk/") else None


def speaks_anthropic(headers: Headers) -> bool:
    """Whether a caller of an address that two vendors have is Anthropic's client."""
    return "anthropic-version" in headers
