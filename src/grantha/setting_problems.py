"""What is wrong with a setting, as one line: where it was set, to what, and what to set it to.

Knows Pydantic's findings and the spelling of names; reads nothing. Never quotes what may be secret:
tokens, keys, headers, passwords in URLs, and the values of names that aren't settings.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from grantha.errors import BadRequest

_PREFIX = "GRANTHA_"
_SECRET = frozenset({"token", "api_key", "headers"})
_PASSWORD = re.compile(r"//[^/@\s]*@")
_SERVICE_LINK = re.compile(r"GRANTHA_(SERVICE_(HOST|PORT)\w*|PORT_\d+_\w+)")
_SHOWN_LENGTH = 80
_REFERENCE = "docs/operations.md lists all settings."
SERVICE_LINK_ADVICE = (
    "Kubernetes sets it for a service named grantha; "
    "set enableServiceLinks to false in the pod's specification."
)

# By Pydantic's type of error; `{}` stands for values of its context.
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a table",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "{le:.15g} or less",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a table",
    "path_type": "a path",
    "string_type": "text in quotes",
    "tuple_type": "a list",
    "value_error": "{error}",
}


def invalid_setting(found: Mapping[str, Any], label: str, value: Any) -> BadRequest:
    """The error for a value that a setting can't have. `found` is one of Pydantic's; `label` says where
    it was set.
    """
    # For a list the whole of it is shown: that is what a person has written.
    names = [str(step) for step in found["loc"] if isinstance(step, str)]
    secret = not _SECRET.isdisjoint(names)
    context: Mapping[str, Any] = found.get("ctx", {})
    expected = _EXPECTED.get(found["type"], "").format_map(context)
    said = f"{label} can't be used" if secret else f"{label} is {shown(value)}"
    if _is_service_link(label, value):
        return BadRequest(f"{said}.", advice=SERVICE_LINK_ADVICE)
    return BadRequest(f"{said}.", advice=f"Set it to {expected}." if expected else found["msg"])


def unknown_setting(name: str, place: str, known: Iterable[str]) -> BadRequest:
    """The error for a name that isn't a setting; `place` says where it stands."""
    if _SERVICE_LINK.fullmatch(name):
        advice = SERVICE_LINK_ADVICE
    elif near := nearest(name, known):
        advice = f"Did you mean {near}?"
    else:
        advice = f"Remove it, or correct its name: {_REFERENCE}"
    return BadRequest(f"{name} in {place} isn't a setting.", advice=advice)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    # The prefix that all of them share would make any two names alike.
    by_rest = {other.removeprefix(_PREFIX): other for other in sorted(known)}
    found = difflib.get_close_matches(name.removeprefix(_PREFIX), by_rest, n=1, cutoff=0.7)
    return by_rest[found[0]] if found else None


def shown(value: Any) -> str:
    """A value as it may be quoted: shortened, in quotes if it is text, without a URL's password."""
    text = _PASSWORD.sub("//…@", value) if isinstance(value, str) else value
    quoted = repr(text)
    return quoted if len(quoted) <= _SHOWN_LENGTH else quoted[: _SHOWN_LENGTH - 1] + "…"


def _is_service_link(label: str, value: Any) -> bool:
    return label == "GRANTHA_PORT" and str(value).startswith("tcp://")
