"""JSON as vendors send it, decoded once into a typed struct; with a slow path for what isn't strict.

The fast path is msgspec. The slow one accepts what vendors send and msgspec refuses: halves of surrogate
pairs escaped on their own (an emoji split over two chunks), numbers written as text, and side fields of
another shape, which are left out. Only a field that a struct names in `essential` may not be left out:
without it the text of an answer would be lost in silence, so it is `InvalidJson`.
"""

from __future__ import annotations

import json
import math
from types import UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin

import msgspec

T = TypeVar("T")

_MISFIT: Any = object()
_SHAPE = "The JSON has another shape than its dialect's"


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
            return fit(value, self._type)
        except RecursionError as error:
            raise InvalidJson(_SHAPE) from error


def loads(payload: bytes | str) -> Any:
    """Any JSON; half surrogates stay in the text, and NaN and infinities are null. Raises `InvalidJson`."""
    try:
        text = payload if isinstance(payload, str) else payload.decode("utf-8")
        return json.loads(text, parse_constant=_null, parse_float=_finite_or_null)
    except (ValueError, RecursionError) as error:
        raise InvalidJson("Not valid JSON") from error


def fit(value: Any, kind: type[T]) -> T:
    """The value as a struct, without the fields that don't fit. Raises `InvalidJson`.

    Fields that a struct names in `essential` must fit.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except ValueError as error:
        found = _fit_inside(value, kind)
        if found is _MISFIT:
            raise InvalidJson(_SHAPE) from error
        fitted: T = found
        return fitted


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON; half surrogates, which no encoding can carry, become question marks."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def _fit_inside(value: Any, kind: Any) -> Any:
    """The value as this type or, field by field and item by item, what of it fits; else `_MISFIT`."""
    try:
        return msgspec.convert(value, kind, strict=False)
    except ValueError:
        pass
    for option in get_args(kind) if isinstance(kind, UnionType) else (kind,):
        if (
            isinstance(value, dict)
            and isinstance(option, type)
            and issubclass(option, msgspec.Struct)
        ):
            return _fit_struct(value, option)
        if isinstance(value, list) and get_origin(option) is list:
            items = (_fit_inside(item, get_args(option)[0]) for item in value)
            return [item for item in items if item is not _MISFIT]
    return _MISFIT


def _fit_struct(value: dict[str, Any], kind: type[msgspec.Struct]) -> Any:
    essential: frozenset[str] = getattr(kind, "essential", frozenset())
    found = {}
    for item in msgspec.structs.fields(kind):
        if item.encode_name not in value:
            continue
        fitted = _fit_inside(value[item.encode_name], item.type)
        if fitted is not _MISFIT:
            found[item.name] = fitted
        elif item.name in essential:
            return _MISFIT
    return kind(**found)


def _has_lone_surrogate(payload: bytes) -> bool:
    lowered = payload.lower()
    return b"\\ud" in lowered


def _null(_constant: str) -> None:
    # Python's json writes -Infinity for the logprob of an impossible token. Other parsers reject it.
    return None


def _finite_or_null(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None
