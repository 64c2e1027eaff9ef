"""Validates the end, the seams, the citations and the options of imported answers.

The server stores these as JSON and sends them on unread, so that a value of a wrong type would only be
noticed by a later send, or by the page.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from grantha.analytics.timings import Timings
from grantha.api.schemas.requests import OptionsBody
from grantha.chat import JsonObject, Options
from grantha.engine.commands import StopReceipt
from grantha.errors import ErrorObject
from grantha.events import Citation, GenerationEnd, Seam


def check_options(value: JsonObject) -> None:
    """Raises `ValueError` with the field that is wrong: what a send takes, and a vendor's own fields."""
    _check(OptionsBody, value)
    _check(Options, value)


def check_end(value: JsonObject) -> None:
    """Raises `ValueError` with the field that is wrong."""
    _check(GenerationEnd, value)
    for name, form in _IN_AN_END.items():
        if value.get(name) is not None:
            _check(form, value[name])


def check_seam(value: JsonObject) -> None:
    """Raises `ValueError` with the field that is wrong."""
    _check(Seam, value)
    check_options(value["options"])


def check_citation(value: JsonObject) -> None:
    """Raises `ValueError` with the field that is wrong."""
    _check(Citation, value)


# ---- helpers below -------------------------------------------------------------------------------

_IN_AN_END: dict[str, Any] = {"timings": Timings, "error": ErrorObject, "receipt": StopReceipt}


@cache
def _validator(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)


def _check(form: Any, value: Any) -> None:
    try:
        _validator(form).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ValueError(f"{place}: {first['msg']}") from error
