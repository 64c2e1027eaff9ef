"""Every route of the server, and for each: error format, authentication, body limit, fast or not.

Paths are declared at the handlers; this table declares the rest. Unlisted paths need the access token.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route, WebSocketRoute

from grantha.api.compat import (
    ai_sdk_chat,
    anthropic_messages,
    embeddings,
    gemini_api,
    ollama_api,
    openai_chat_completions,
    openai_conversations,
    openai_responses_api,
    simple_chat,
    simple_chat_socket,
)
from grantha.api.error_formats import AI_SDK, ANTHROPIC, GOOGLE, OLLAMA, OPENAI, ErrorFormat
from grantha.api.fast_path import fast_handler
from grantha.api.http.page import Page
from grantha.api.openapi import description
from grantha.api.route_rule import RouteRule
from grantha.api.routes import (
    analytics,
    conversations,
    documents,
    generations,
    health,
    live,
    local_models,
    login,
    metrics,
    models,
    remote_images,
    search,
    transfer,
)
from grantha.config import Settings

_MAX_LOGIN = 4096  # bytes
_Handler = Callable[..., Any]


@dataclass(frozen=True)
class RouteGroup:
    """The routes of one router. `public` and `fast` name handlers among them."""

    router: APIRouter
    error_formats: tuple[ErrorFormat, ...] = ()
    public: tuple[_Handler, ...] = ()
    fast: tuple[_Handler, ...] = ()
    # A setting, or bytes.
    max_body: Literal["max_body", "max_import", "max_document"] | int = "max_body"


def _below(prefix: str, router: APIRouter, without: str = "") -> APIRouter:
    """The same routes below another path, `without` the beginning of their own; they are described once."""
    below = APIRouter(prefix=prefix)
    for route in router.routes:
        if isinstance(route, APIRoute):
            methods = sorted(route.methods or ())
            path = route.path.removeprefix(without)
            below.add_api_route(path, route.endpoint, methods=methods, include_in_schema=False)
    return below


GROUPS = (
    RouteGroup(health.router, public=(health.healthz,)),
    # Logging out is public, because a try that the full disk refused must be possible again.
    RouteGroup(
        login.router,
        public=(login.login, login.logout),
        max_body=_MAX_LOGIN,
    ),
    RouteGroup(conversations.router),
    RouteGroup(search.router),
    RouteGroup(remote_images.router),
    RouteGroup(generations.router, fast=(generations.start,)),
    RouteGroup(live.router),
    RouteGroup(models.router),
    RouteGroup(local_models.router),
    RouteGroup(analytics.router),
    RouteGroup(transfer.router, max_body="max_import"),
    RouteGroup(documents.router, max_body="max_document"),
    RouteGroup(metrics.router),
    RouteGroup(description.router),
    RouteGroup(simple_chat.router, fast=(simple_chat.stream, simple_chat.complete)),
    RouteGroup(simple_chat_socket.router),
    RouteGroup(
        openai_chat_completions.router, (OPENAI,), fast=(openai_chat_completions.chat_completions,)
    ),
    # Google's clients choose between two versions of its API; the models' methods have the same paths.
    RouteGroup(gemini_api.router, (GOOGLE,)),
    RouteGroup(_below("/v1", gemini_api.router, without="/v1beta"), (GOOGLE,)),
    RouteGroup(gemini_api.models_router, (GOOGLE,)),
    RouteGroup(openai_chat_completions.models_router, (OPENAI, ANTHROPIC, GOOGLE)),
    RouteGroup(openai_responses_api.router, (OPENAI,)),
    RouteGroup(openai_conversations.router, (OPENAI,)),
    RouteGroup(embeddings.router, (OPENAI,)),
    RouteGroup(anthropic_messages.router, (ANTHROPIC,)),
    RouteGroup(ollama_api.router, (OLLAMA,)),
    # Ollama has OpenAI's API beside its own.
    RouteGroup(_below("/ollama", openai_chat_completions.router), (OPENAI,)),
    RouteGroup(_below("/ollama", openai_chat_completions.models_router), (OPENAI,)),
    RouteGroup(_below("/ollama", openai_responses_api.router), (OPENAI,)),
    RouteGroup(_below("/ollama", openai_conversations.router), (OPENAI,)),
    RouteGroup(_below("/ollama", embeddings.router), (OPENAI,)),
    RouteGroup(ai_sdk_chat.router, (AI_SDK,)),
)


class RouteTable:
    """The rules of all paths: those of the groups' routes and those of the page."""

    def __init__(self, settings: Settings, page: Page) -> None:
        self._page = page
        self._strictest = RouteRule(settings.max_body)
        self._page_rule = replace(self._strictest, public=True, in_api=False)
        self._unlisted = replace(self._strictest, in_api=False)
        self._exact: dict[str, RouteRule] = {}
        self._patterns: list[RouteRule] = []
        for group in GROUPS:
            for route in group.router.routes:
                self._add(route, group, settings)
        self._unknown = {
            beginning: replace(self._strictest, error_formats=formats)
            for beginning, formats in _formats_by_beginning().items()
        }

    def find(self, path: str) -> RouteRule:
        """The rule of a path. Unknown paths beside those of an API have that API's error format."""
        rule = self._exact.get(path)
        if rule is not None:
            return rule
        for rule in self._patterns:
            if rule.pattern is not None and rule.pattern.match(path):
                return rule
        beginning = path
        while beginning:
            if unknown := self._unknown.get(beginning):
                return unknown
            beginning = beginning.rpartition("/")[0]
        return self._page_rule if self._page.serves(path) else self._unlisted

    def _add(self, route: Any, group: RouteGroup, settings: Settings) -> None:
        if not isinstance(route, Route | WebSocketRoute):
            raise TypeError(f"{route!r} is a kind of route that can't have a rule.")
        setting = group.max_body
        rule = RouteRule(
            setting if isinstance(setting, int) else getattr(settings, setting),
            f"GRANTHA_{setting.upper()}" if isinstance(setting, str) else "",
            public=route.endpoint in group.public,
            error_formats=group.error_formats,
            fast=fast_handler(route.endpoint) if route.endpoint in group.fast else None,
            pattern=route.path_regex,
        )
        if "{" in route.path:
            self._patterns.append(rule)
        else:
            self._exact[route.path] = rule


def include_routes(app: FastAPI) -> None:
    """Adds every group's routes to the app."""
    for group in GROUPS:
        app.include_router(group.router)


# ---- helpers below -------------------------------------------------------------------------------


def _formats_by_beginning() -> Mapping[str, tuple[ErrorFormat, ...]]:
    """The error formats of unknown paths, such as `/v1/nothing`, by the known paths above them."""
    found: dict[str, dict[ErrorFormat, None]] = defaultdict(dict)
    for group in GROUPS:
        for route in group.router.routes:
            path = str(getattr(route, "path", ""))
            for beginning in {path, "/" + path.split("/")[1]}:
                found[beginning].update(dict.fromkeys(group.error_formats))
    return {beginning: tuple(formats) for beginning, formats in found.items()}
