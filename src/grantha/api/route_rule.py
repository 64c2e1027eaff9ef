"""The properties of a path that the layers in front of the router need, looked up once per request.

The security middleware looks the rule up and leaves it in the scope; the fast path, the error
replies and the page read it there.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from grantha.api.error_formats import (
    ANTHROPIC,
    GOOGLE,
    ErrorFormat,
    is_anthropic_client,
    is_google_client,
)

_RULE = "grantha.rule"  # key in the scope
FastHandler = Callable[[Any], Awaitable[Response]]  # takes a `StrictJsonRequest`


@dataclass(frozen=True, slots=True)
class RouteRule:
    """How requests for one path are treated. Unlisted paths get the strictest rule."""

    max_body: int  # bytes
    max_body_setting: str = "GRANTHA_MAX_BODY"  # the setting that says so; empty where it is fixed
    public: bool = False  # whether it answers without the access token
    in_api: bool = True  # whether the path belongs to the API; else the page may answer it
    error_formats: tuple[ErrorFormat, ...] = ()  # none: problem+json
    fast: FastHandler | None = None  # answers a POST past the framework's routing
    pattern: re.Pattern[str] | None = None  # of the path, with its parameters as groups


class Rules(Protocol):
    """Finds the rule of a path."""

    def find(self, path: str) -> RouteRule:
        """The rule of a path; never fails."""
        ...


def remember_rule(scope: Scope, rule: RouteRule) -> None:
    """Leaves the rule in the scope for the layers behind."""
    scope[_RULE] = rule


def rule_of(scope: Scope) -> RouteRule | None:
    """The rule of a request; None where no security middleware has seen it."""
    found: RouteRule | None = scope.get(_RULE)
    return found


def error_format(scope: Scope) -> ErrorFormat | None:
    """The format in which the client of a request expects errors; None for problem+json."""
    rule = rule_of(scope)
    formats = rule.error_formats if rule is not None else ()
    if len(formats) > 1:
        headers = Headers(scope=scope)
        if ANTHROPIC in formats and is_anthropic_client(headers):
            return ANTHROPIC
        if GOOGLE in formats and is_google_client(headers):
            return GOOGLE
    return formats[0] if formats else None
