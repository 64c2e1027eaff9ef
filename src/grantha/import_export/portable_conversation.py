"""Conversations for import and export: plain values, and validation of JSON from other programs.

Knows no store and no HTTP. Message ids are only unique within the conversation; importing assigns new
ones. Invalid input raises `BadRequest` naming the place, before anything is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from grantha.chat import LATEST_MS, Ending, JsonObject, Part, Role
from grantha.errors import BadRequest

_MAX_TEXT = 32 * 1024 * 1024  # of a text; images take the most
EXPORTS = "Grantha, ChatGPT, Claude, Open WebUI or LibreChat"
EXPORTS_ADVICE = f"Import an export of {EXPORTS}, as it was saved."
LeftOutKind: TypeAlias = Literal["images", "files", "tool_calls", "other"]
LEFT_OUT: tuple[LeftOutKind, ...] = get_args(LeftOutKind)
T = TypeVar("T")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class PortableMessage:
    """One message; `parent` is the id of the one before it. Times in ms since 1970."""

    id: str
    parent: str | None
    role: Role
    parts: tuple[Part, ...]
    created_at: int
    model: str | None = None
    ending: Ending | None = None  # of answers
    end: JsonObject | None = None
    seams: tuple[JsonObject, ...] = ()
    citations: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class PortableConversation:
    """A whole conversation. `leaf` is the last message of the active branch.

    `left_out` counts what the file has of it, or mentions, and what isn't imported.
    """

    title: str
    created_at: int
    messages: tuple[PortableMessage, ...]
    leaf: str | None = None
    system_prompt: str = ""
    options: JsonObject = field(default_factory=dict)
    model: str | None = None
    pinned: bool = False
    left_out: Mapping[LeftOutKind, int] = field(default_factory=dict)


def invalid(place: str, what: str) -> BadRequest:
    """The error for an invalid value at this place of the file."""
    return BadRequest(
        f"The file can't be imported: {place} {what}.",
        advice=EXPORTS_ADVICE,
    )


def as_object(value: Any, place: str) -> dict[str, Any]:
    """The value as a JSON object; raises `BadRequest`."""
    if not isinstance(value, dict):
        raise invalid(place, "isn't an object")
    return value


def as_array(value: Any, place: str) -> list[Any]:
    """The value as a JSON array; raises `BadRequest`."""
    if not isinstance(value, list):
        raise invalid(place, "isn't a list")
    return value


def as_text(value: Any, place: str) -> str:
    """The value as text. Characters that can't be stored are replaced, since users can't fix an export."""
    if not isinstance(value, str):
        raise invalid(place, "isn't text")
    if len(value) > _MAX_TEXT:
        raise invalid(place, f"has more than {_MAX_TEXT} characters")
    return _UNSTORABLE.sub("\ufffd", value)


def as_time_ms(value: Any, place: str, fallback: int) -> int:
    """Milliseconds since 1970, from seconds or ISO 8601; the fallback for an empty value.

    Raises `BadRequest` for times before 1970 and after 9999: nothing could list or sort them.
    """
    if value is None or value == "":
        return fallback
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            ms = round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            ms = round(value * 1000)
        else:
            raise invalid(place, "isn't a time")
    except (ValueError, OverflowError) as error:
        raise invalid(place, "isn't a time") from error
    if not 0 <= ms <= LATEST_MS:
        raise invalid(place, "isn't a time between 1970 and 9999")
    return ms


def from_the_roots(parents: Mapping[str, str | None], place: str) -> list[str]:
    """The names, parents first. A parent without an entry counts as none; a cycle raises `BadRequest`."""
    children: dict[str | None, list[str]] = {}
    for name, parent in parents.items():
        children.setdefault(parent if parent in parents else None, []).append(name)
    order = _below_none(children, str)
    if len(order) != len(parents):
        raise invalid(place, "has a cycle")
    return order


def kept_of_tree(
    parents: Mapping[str, str | None],
    message_of: Callable[[str, str | None], PortableMessage | None],
    place: str,
) -> tuple[tuple[PortableMessage, ...], dict[str, str | None]]:
    """The messages of a tree, and for each node the kept message at or above it.

    `message_of` gives the message of a node below another one, or None where nothing of it is imported:
    what follows it is attached to the message above. Raises `BadRequest`.
    """
    kept: list[PortableMessage] = []
    nearest: dict[str, str | None] = {}
    for name in from_the_roots(parents, place):
        parent = parents[name]
        above = nearest.get(parent) if parent is not None else None
        message = message_of(name, above)
        nearest[name] = message.id if message else above
        if message is not None:
            kept.append(message)
    return tuple(kept), nearest


def parents_first(messages: Sequence[PortableMessage], place: str) -> tuple[PortableMessage, ...]:
    """The messages, each after its parent. A missing parent or a cycle raises `BadRequest`."""
    by_parent: dict[str | None, list[PortableMessage]] = {}
    for message in messages:
        by_parent.setdefault(message.parent, []).append(message)
    ordered = _below_none(by_parent, lambda message: message.id)
    if len(ordered) != len(messages):
        raise invalid(place, "has messages that aren't connected to the first one")
    position = {message.id: n for n, message in enumerate(messages)}
    return _in_file_order(ordered, position)


def _below_none(children: Mapping[str | None, list[T]], name_of: Callable[[T], str]) -> list[T]:
    """All that can be reached from those without a parent, parents first."""
    order: list[T] = []
    waiting = list(reversed(children.get(None, [])))
    while waiting:
        one = waiting.pop()
        order.append(one)
        waiting.extend(reversed(children.get(name_of(one), [])))
    return order


def _in_file_order(
    ordered: list[PortableMessage], position: dict[str, int]
) -> tuple[PortableMessage, ...]:
    """The order of the file if it has parents first, otherwise that of the tree."""
    by_file = sorted(ordered, key=lambda message: position[message.id])
    seen: set[str | None] = {None}
    for message in by_file:
        if message.parent not in seen:
            return tuple(ordered)
        seen.add(message.id)
    return tuple(by_file)
