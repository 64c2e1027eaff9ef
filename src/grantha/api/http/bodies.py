"""Reading JSON bodies: strictly, with bounds on depth and number of values, and only storable text.

pydantic checks shapes afterwards. Refused here: what isn't JSON, isn't UTF-8, is nested too deeply or
has too many values, or holds NUL characters or halves of surrogate pairs, which no database and no
UTF-8 can hold. Large bodies are read in a thread, so that the streams of others don't wait for them.
"""

from __future__ import annotations

import asyncio
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
MAX_VALUES = 200_000  # between two objects' ends json.loads holds the interpreter, 0.2 us a value
MAX_IMPORTED_VALUES = 4_000_000  # in memory up to 100 bytes each
_SMALL = 32 * 1024  # bytes: at worst 5 ms of the event loop
# Without the possessive quantifiers and the second alternative, a string that isn't closed would be
# searched again from every quote in it.
_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[{,\]}]', re.DOTALL)
_OPENING, _CLOSING, _OBJECT_END = b"[{", b"]}", ord("}")
_BAD_TEXT = re.compile("[\x00\ud800-\udfff]")


async def read_body(body: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """`decode_json`, in a thread where it could hold up the event loop."""
    if len(body) <= _SMALL:
        return decode_json(body, max_depth)
    return await asyncio.to_thread(decode_json, body, max_depth)


def decode_json(
    body: bytes,
    max_depth: int = MAX_DEPTH,
    max_values: int = MAX_VALUES,
    *,
    text_checked: bool = True,
) -> Any:
    """Decodes a JSON body. Raises `BadRequest` with what is wrong and where.

    With `text_checked` false, characters that can't be stored are left for the caller to replace.
    """
    if not body or body.isspace():
        raise BadRequest("The body is empty.", advice="Send a JSON object.")
    _check_structure(body, max_depth, max_values)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body isn't UTF-8: byte {error.start} is invalid.") from error
    hook = None if len(body) <= _SMALL else _let_others_run
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_hook=hook)
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
            self._json = await read_body(await self.body(), most)
        return self._json


class StrictRoute(APIRoute):
    """Routes of this class read bodies strictly, and before the framework does.

    The framework would turn every failure to read a body into one unspecific error.
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
                    return Response(status_code=400)  # no client is left to read it
            return await handler(strictly)

        return strict


async def read_json(request: StrictJsonRequest) -> Any:
    """The JSON body. Raises `BadRequest`, `WrongMediaType`, `TooLarge` or `TooSlow`."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if await request.body() and media != "application/json" and not media.endswith("+json"):
        raise WrongMediaType(
            f"The Content-Type is {media[:60] or 'missing'!r}; this endpoint takes JSON.",
            advice="Send the header 'Content-Type: application/json'.",
        )
    return await request.json()


def _check_structure(body: bytes, max_depth: int, max_values: int) -> None:
    """Refuses deep nesting before anything recurses, and too many values before they take memory.

    One linear pass over strings and brackets, not over each byte.
    """
    nested = body.count(b"[") + body.count(b"{") > max_depth
    if not nested and len(body) <= max_values:
        return
    depth = values = before = 0  # `before`: values up to the last object that was closed
    for token in _TOKENS.finditer(body):
        first = body[token.start()]
        if first in _CLOSING:
            depth -= 1
            if first == _OBJECT_END:
                before = values
            continue
        values += 1  # keys and values are strings, opened brackets, or follow a comma
        if values > max_values or values - before > MAX_VALUES:
            raise BadRequest(f"The body has more than {max_values} values.", advice="Send less.")
        if first in _OPENING:
            depth += 1
            if depth > max_depth:
                raise BadRequest(f"The body is nested more than {max_depth} levels deep.")


def _let_others_run(value: dict[str, Any]) -> dict[str, Any]:
    # A call into Python is where the interpreter switches threads: without it, json.loads would
    # stop the event loop for as long as the whole body takes.
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} isn't JSON")


def _finite(number: str) -> float:
    # JSON has no infinity: a stored one could never be sent again.
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value
