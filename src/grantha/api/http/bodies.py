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
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from typing_extensions import override

from grantha.api.state import app_state
from grantha.errors import BadRequest, WrongMediaType

MAX_DEPTH = 64
MAX_VALUES = 200_000  # between two objects' ends json.loads holds the interpreter, 0.2 us a value
_SMALL = 32 * 1024  # bytes: at worst 5 ms of the event loop
# Without the possessive quantifiers and the second alternative, a string that isn't closed would be
# searched again from every quote in it.
_STRING = rb'[^"\\]*+(?:\\.[^"\\]*+)*+("|\\?\Z)'
_TOKENS = re.compile(rb'"' + _STRING + rb"|[\[{,\]}]", re.DOTALL)
_REST_OF_STRING = re.compile(_STRING, re.DOTALL)
_WINDOW = 256 * 1024  # bytes: one match of a long string would hold the interpreter
_MAX_STRING = 32 * 1024 * 1024  # bytes; an image of 20 MB has 28
_OPENING, _CLOSING, _OBJECT_END = b"[{", b"]}", ord("}")
_BAD_TEXT = re.compile("[\x00\ud800-\udfff]")


async def read_body(body: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """`decode_json`, in a thread where it could hold up the event loop."""
    if len(body) <= _SMALL:
        return decode_json(body, max_depth)
    return await asyncio.to_thread(decode_json, body, max_depth)


def decode_json(body: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Decodes a JSON body. Raises `BadRequest` with what is wrong and where."""
    if not body or body.isspace():
        raise BadRequest("The body is empty.", advice="Send a JSON object.")
    _check_structure(body, max_depth)
    value = parse_json(body)
    # Bad characters come only through escapes or raw control bytes: most bodies have neither.
    if b"\\u" in body:
        check_text(value)
    return value


def parse_json(body: bytes | bytearray) -> Any:
    """Decodes JSON whose depth and number of values were checked. Raises `BadRequest`.

    Characters that can't be stored are left in it.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body isn't UTF-8: byte {error.start} is invalid.") from error
    hook = None if len(body) <= _SMALL else _let_others_run
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_hook=hook)
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body isn't JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.") from error
    except ValueError as error:
        raise BadRequest(f"The body isn't JSON: {error}.") from error


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


def scan(
    body: bytes | bytearray,
    max_depth: int,
    max_values: int,
    *,
    window: int = _WINDOW,
    max_string: int = _MAX_STRING,
) -> Iterator[tuple[int, int, int]]:
    """Strings, brackets and commas of a body: where each begins, its first byte, and its depth.

    One linear pass, which decodes nothing and searches `window` bytes at a time. Raises `BadRequest` for a
    body that is too deep, has too many values, or has a string of more than about `max_string` bytes.
    """
    depth = values = before = 0  # `before`: values up to the last object that was closed
    for at in _tokens(body, window, max_string):
        sign = body[at]
        if sign in _CLOSING:
            yield at, sign, depth
            depth -= 1
            if sign == _OBJECT_END:
                before = values
            continue
        values += 1  # keys and values are strings, opened brackets, or follow a comma
        if values > max_values or values - before > MAX_VALUES:
            raise BadRequest(f"The body has more than {max_values} values.", advice="Send less.")
        if sign in _OPENING:
            depth += 1
            if depth > max_depth:
                raise BadRequest(f"The body is nested more than {max_depth} levels deep.")
        yield at, sign, depth


def _tokens(body: bytes | bytearray, window: int, max_string: int) -> Iterator[int]:
    """Where strings, brackets and commas begin."""
    position = 0
    while position < len(body):
        end = position + window
        token = None
        for token in _TOKENS.finditer(body, position, end):
            yield token.start()
        begun = token.start() if token is not None else end
        while token is not None and token[1] is not None and token[1] != b'"' and end < len(body):
            if end - begun > max_string:
                raise BadRequest(f"The body has a text of more than {max_string} bytes.")
            # The string goes on; a backslash at the window's end belongs to the byte after it.
            position = end + len(token[1])
            end = position + window
            token = _REST_OF_STRING.match(body, position, end)
            end = min(end, token.end()) if token is not None else end
        position = end


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


def _check_structure(body: bytes, max_depth: int) -> None:
    """Refuses deep nesting before anything recurses, and too many values before they take memory."""
    nested = body.count(b"[") + body.count(b"{") > max_depth
    if nested or len(body) > MAX_VALUES:
        for _ in scan(body, max_depth, MAX_VALUES):
            pass


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
