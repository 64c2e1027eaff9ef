"""Reading JSON bodies: strictly, with a bound on depth, and only text that can be stored.

pydantic checks shapes afterwards. Refused here: what isn't JSON, isn't UTF-8, is nested deeper than
the limit, or holds NUL characters or halves of surrogate pairs, which no database and no UTF-8 can hold.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from typing_extensions import override

from grantha.api.state import app_state
from grantha.errors import BadRequest, WrongMediaType

MAX_DEPTH = 64
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = bytes.maketrans(b"[]{}", b"()()")  # both kinds alike: json.loads tells them apart
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_PAIRS = re.compile(rb"(?:\(\))+")
_BAD_TEXT = re.compile("[\x00\ud800-\udfff]")


def decode_json(body: bytes, max_depth: int = MAX_DEPTH, *, text_checked: bool = True) -> Any:
    """The value of a JSON body. Raises `BadRequest` that says what is wrong with it.

    `text_checked` false leaves characters in that can't be stored, for a caller who mends them.
    """
    if not body.strip():
        raise BadRequest("The body is empty.", advice="Send a JSON object.")
    _check_depth(body, max_depth)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body isn't UTF-8: byte {error.start} is invalid.") from error
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body isn't JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.") from error
    except ValueError as error:
        raise BadRequest(f"The body isn't JSON: {error}.") from error
    # Bad characters come only through escapes or raw control bytes: most bodies have neither.
    if text_checked and b"\\u" in body:
        check_text(value)
    return value


def check_text(value: Any, path: str = "") -> None:
    """Raises `BadRequest` for text that can't be stored, naming its place."""
    if isinstance(value, str):
        if _BAD_TEXT.search(value):
            raise BadRequest(
                f"{path or 'The text'!r} holds a NUL character or half of a surrogate pair.",
                advice="Send whole Unicode characters.",
            )
    elif isinstance(value, dict):
        for key, item in value.items():
            check_text(key, path)
            check_text(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_text(item, f"{path}.{index}")


class StrictJsonRequest(Request):
    """A request whose JSON is read by `decode_json`."""

    @override
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            most = app_state(self).settings.max_json_depth
            self._json = decode_json(await self.body(), most)
        return self._json


class StrictRoute(APIRoute):
    """Routes of this class read bodies strictly, and before the framework does.

    The framework turns whatever goes wrong while it reads into one unspecific error.
    """

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        takes_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            strictly = StrictJsonRequest(request.scope, request.receive)
            if takes_body:
                try:
                    await read_json(strictly)
                except ClientDisconnect:
                    return Response(status_code=400)  # nobody is there to read it
            return await handler(strictly)

        return strict


async def read_json(request: StrictJsonRequest) -> Any:
    """The JSON body. Raises `BadRequest`, `WrongMediaType`, `TooLarge` or `TooSlow`."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if await request.body() and media != "application/json" and not media.endswith("+json"):
        raise WrongMediaType(
            f"The body is said to be {media[:60] or 'nothing'!r}, and this call takes JSON.",
            advice="Send the header 'Content-Type: application/json'.",
        )
    return await request.json()


def _check_depth(body: bytes, most: int) -> None:
    """Refuses deep nesting before anything recurses. All steps run at C speed, for large bodies."""
    if body.count(b"[") + body.count(b"{") <= most:
        return
    brackets = _STRINGS.sub(b"", body).translate(_BRACKETS, _OTHERS)
    for _ in range(most):
        if not brackets:
            return
        # Takes the innermost level away; what is left after `most` times is deeper, or no JSON.
        brackets = _PAIRS.sub(b"", brackets)
    if brackets.startswith(b"("):
        raise BadRequest(f"The body is nested more than {most} levels deep.")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} isn't JSON")


def _finite(number: str) -> float:
    # JSON has no infinity: a stored one could never be sent again.
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value
