"""Dispatches the requests that start answers directly, past the framework's routing and middleware.

Matching all paths, resolving dependencies and six layers of middleware were a third of a request's
cost. Owns no behaviour: it calls the routes' own handlers. A body that doesn't validate goes to the
framework, so that its error is the same; so does every other request.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from grantha.api.http.bodies import StrictJsonRequest, read_json
from grantha.api.http.problems import error_response
from grantha.api.route_rule import FastHandler, rule_of
from grantha.errors import GranthaError, Internal

_log = logging.getLogger(__name__)


class FastPath:
    """Wraps the app."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Replies as the app would, but faster."""
        rule = rule_of(scope)
        if rule is None or rule.fast is None or scope.get("method") != "POST":
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        found = rule.pattern.match(scope["path"]) if rule.pattern is not None else None
        scope["path_params"] = found.groupdict() if found is not None else {}
        request = StrictJsonRequest(scope, receive)
        try:
            reply = await rule.fast(request)
        except ValidationError:
            await self._app(scope, _replayed(await request.body(), receive), send)
            return
        except ClientDisconnect:
            return  # no client is left to read a reply
        except GranthaError as error:
            reply = error_response(scope, error)
        except Exception as error:  # noqa: BLE001  logged, and answered with a 500
            _log.error("POST %s failed unexpectedly", scope["path"], exc_info=error)
            reply = error_response(scope, Internal("Grantha had an internal error."))
        await reply(scope, receive, send)


def fast_handler(handler: Callable[..., Awaitable[Response]]) -> FastHandler:
    """Wraps a route's handler to be called as the framework would: path parameters, body model, request.

    Raises `TypeError` for a handler with parameters of any other kind.
    """
    path_parameters: list[str] = []
    bodies: dict[str, type[BaseModel]] = {}
    for name, parameter in inspect.signature(handler, eval_str=True).parameters.items():
        kind = parameter.annotation
        if kind is str:
            path_parameters.append(name)
        elif inspect.isclass(kind) and issubclass(kind, BaseModel):
            bodies[name] = kind
        elif name != "request":
            raise TypeError(f"{handler!r} can't be called past the framework: {name!r}.")

    async def called(request: StrictJsonRequest) -> Response:
        arguments: dict[str, object] = {name: request.path_params[name] for name in path_parameters}
        for name, model in bodies.items():
            arguments[name] = model.model_validate(await read_json(request))
        return await handler(request=request, **arguments)

    return called


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the body again, then any further messages."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed
