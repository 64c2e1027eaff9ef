"""Straight to the calls that start answers, past the framework's routing and layers.

Routing through all addresses, solving dependencies and six layers of middleware were a third of what
a request cost. Owns no behaviour: the endpoints are the routes' own, and a body that doesn't validate
goes the long way after all, so that its error is the same. Everything else does anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from grantha.api.compat import openai_chat_completions
from grantha.api.http.bodies import StrictJsonRequest, read_json
from grantha.api.http.problems import error_response
from grantha.api.routes import generations, simple_chat
from grantha.api.schemas.requests import GenerationBody, SimpleChatBody
from grantha.errors import GranthaError, Internal

_log = logging.getLogger(__name__)
Endpoint = Callable[[StrictJsonRequest], Awaitable[Response]]


class FastPath:
    """Wraps the app."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The same reply as the app's, sooner."""
        endpoint = _endpoint(scope)
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        request = StrictJsonRequest(scope, receive)
        try:
            reply = await endpoint(request)
        except ValidationError:
            await self._app(scope, _replayed(await request.body(), receive), send)
            return
        except ClientDisconnect:
            return  # nobody is there to read a reply
        except GranthaError as error:
            reply = error_response(scope, error)
        except Exception as error:  # noqa: BLE001  recorded, and told to the caller
            _log.error("POST %s failed by a defect", scope["path"], exc_info=error)
            reply = error_response(scope, Internal("Grantha met an error of its own."))
        await reply(scope, receive, send)


async def _contract_stream(request: StrictJsonRequest) -> Response:
    return await simple_chat.stream(
        SimpleChatBody.model_validate(await read_json(request)), request
    )


async def _contract_whole(request: StrictJsonRequest) -> Response:
    return await simple_chat.complete(
        SimpleChatBody.model_validate(await read_json(request)), request
    )


async def _generation(request: StrictJsonRequest) -> Response:
    body = GenerationBody.model_validate(await read_json(request))
    return await generations.start(_conversation(request.scope), body, request)


_ENDPOINTS: Mapping[str, Endpoint] = {
    "/chat/completions/stream": _contract_stream,
    "/chat/completions": _contract_whole,
    "/v1/chat/completions": openai_chat_completions.chat_completions,
}


def _endpoint(scope: Scope) -> Endpoint | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path = scope["path"]
    if path.startswith("/api/conversations/") and _conversation(scope):
        return _generation
    return _ENDPOINTS.get(path)


def _conversation(scope: Scope) -> str:
    """The id in `/api/conversations/ID/generations`, nothing for another path."""
    parts = scope["path"].split("/")
    return str(parts[3]) if len(parts) == 5 and parts[4] == "generations" else ""


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body which was read already, and then what else comes."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed
