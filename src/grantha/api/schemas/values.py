"""Schemas of values and events for the API's description, made from the classes of `chat` and `events`.

So the description can't fall behind what is written. Fields at their default are left out by these
classes: none of them is null where it may be absent.
"""

from __future__ import annotations

from typing import get_args

from pydantic import TypeAdapter

from grantha.analytics.timings import Timings
from grantha.api.schemas.live_messages import LiveChange, LiveClientMessage, LiveError, LiveMessage
from grantha.api.schemas.requests import SimpleChatStop
from grantha.api.schemas.responses import (
    Hello,
    Problem,
    SimpleChatLine,
    SnapshotFrame,
)
from grantha.chat import (
    JsonDict,
    Options,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from grantha.engine.commands import StopReceipt
from grantha.errors import ErrorObject
from grantha.events import Event, GenerationEnd, Open, Seam
from grantha.providers.base import Readiness

REF = "#/components/schemas/{model}"
_EVENTS: tuple[type[Event], ...] = get_args(Event)
# Schemas that no route returns by itself.
_LIVE: tuple[type[LiveMessage], ...] = get_args(LiveMessage)
_LIVE_CLIENT: tuple[type[LiveClientMessage], ...] = get_args(LiveClientMessage)
_UNROUTED = (
    Problem, ErrorObject, Timings, StopReceipt, Hello, SnapshotFrame, SimpleChatLine, SimpleChatStop,
    *_LIVE, *_LIVE_CLIENT,
)  # fmt: skip
_SPARSE = (
    TextPart, ReasoningPart, ToolCallPart, ToolResultPart,
    Usage, Options, Readiness, LiveChange, LiveError, *_EVENTS,
)  # fmt: skip


def add_values(schemas: JsonDict) -> None:
    """Adds `Event`, `Frame` and all that they are made of; completes the values among `schemas`."""
    for model in (*_UNROUTED, *_EVENTS):
        described = TypeAdapter(model).json_schema(ref_template=REF)
        schemas.update(described.pop("$defs", {}))
        schemas[model.__name__] = described
    for cls in _SPARSE:
        _without_nulls(schemas[cls.__name__])
    schemas["Event"] = {
        "oneOf": [_event(schemas, cls.__name__) for cls in _EVENTS],
        "description": "One record of an answer.",
    }
    schemas["Frame"] = {
        "allOf": [_ref("Event"), _FRAME],
        "description": "One or more consecutive records as they are sent.",
    }
    schemas["LiveMessage"] = {
        "oneOf": [_ref(cls.__name__) for cls in _LIVE],
        "description": "A message that `WS /api/live` sends.",
    }
    schemas["LiveClientMessage"] = {
        "oneOf": [_ref(cls.__name__) for cls in _LIVE_CLIENT],
        "description": "A message that `WS /api/live` takes.",
    }
    schemas["LiveFrame"]["properties"]["frame"] = {"anyOf": [_ref("Frame"), _ref("SnapshotFrame")]}
    for cls, fields in _INSIDE.items():
        named = {name: _ref(schema) for name, schema in fields.items()}
        schemas[cls.__name__]["properties"] |= named


# ---- helpers below -------------------------------------------------------------------------------


# Fields that are plain JSON in these classes, which are in a layer below the one that knows their shape.
_INSIDE: dict[type[Event], dict[str, str]] = {
    GenerationEnd: {"timings": "Timings", "error": "ErrorObject", "receipt": "StopReceipt"},
    Seam: {"options": "Options"},
    Open: {"options": "Options"},
}
_FRAME: JsonDict = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The last record's."},
        "at": {"type": "integer", "description": "Milliseconds since 1970."},
        "records": {"type": "integer", "description": "How many records; absent is one."},
    },
    "required": ["id", "at"],
}


def _ref(name: str) -> JsonDict:
    return {"$ref": REF.format(model=name)}


def _event(schemas: JsonDict, name: str) -> JsonDict:
    """An event is its fields and its kind; in lists of seams or citations it has no kind."""
    kind = schemas[name]["properties"].pop("kind")
    mark = {"type": "object", "properties": {"kind": kind}, "required": ["kind"]}
    return {"allOf": [_ref(name), mark]}


def _without_nulls(schema: JsonDict) -> None:
    required: list[str] = schema.setdefault("required", [])
    for name, value in schema["properties"].items():
        if name == "type":
            required.append(name)  # it has a default, and is always written
        if name in required:
            continue
        value.pop("default", None)
        kept = [one for one in value.get("anyOf", []) if one.get("type") != "null"]
        if len(kept) == 1:
            del value["anyOf"]
            value.update(kept[0])
        elif kept:
            value["anyOf"] = kept
