"""JSON as vendors send it, decoded once into a typed struct; with a slow path for what isn't strict.

The fast path is msgspec. The slow one takes what it refuses and vendors do send: halves of surrogate
pairs escaped on their own (an emoji split over two chunks) and numbers written as text. Refuses to
guess further: anything else is `InvalidJson`.
"""

from __future__ import annotations

import json
import math
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class InvalidJson(ValueError):
    """Not JSON, or JSON of another shape than the dialect's. The text names no content."""


class JsonReader(Generic[T]):
    """Decodes payloads into one struct type. `lone_surrogates` stays true once a half surrogate was met."""

    __slots__ = ("_decoder", "_type", "lone_surrogates")

    def __init__(self, kind: type[T]) -> None:
        self._type = kind
        self._decoder = msgspec.json.Decoder(kind)
        self.lone_surrogates = False

    def read(self, payload: bytes) -> T:
        """The payload as a struct. Raises `InvalidJson`."""
        try:
            return self._decoder.decode(payload)
        except (ValueError, RecursionError):
            return self._read_leniently(payload)

    def _read_leniently(self, payload: bytes) -> T:
        value = loads(payload)
        if _has_lone_surrogate(payload):
            self.lone_surrogates = True
        try:
            return msgspec.convert(value, self._type, strict=False)
        except (ValueError, RecursionError) as error:
            raise InvalidJson("The JSON has another shape than its dialect's") from error


def loads(payload: bytes | str) -> Any:
    """Any JSON; half surrogates stay in the text, and NaN and infinities are null. Raises `InvalidJson`."""
    try:
        text = payload if isinstance(payload, str) else payload.decode("utf-8")
        return json.loads(text, parse_constant=_null, parse_float=_finite_or_null)
    except (ValueError, RecursionError) as error:
        raise InvalidJson("Not valid JSON") from error


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON; half surrogates, which no encoding can carry, become question marks."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def _has_lone_surrogate(payload: bytes) -> bool:
    lowered = payload.lower()
    return b"\\ud" in lowered


def _null(_constant: str) -> None:
    # Python's own JSON writes -Infinity for the logprob of what is impossible. No other reader takes it.
    return None


def _finite_or_null(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None
