"""Conversations for import and export: plain values, and validation of JSON from other programs.

Knows no store and no HTTP. Message ids are only unique within the conversation; importing assigns new
ones. Invalid input raises `BadRequest` naming the place, before anything is stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from grantha.chat import LATEST_MS, Ending, JsonObject, Part, Role
from grantha.errors import BadRequest

_MAX_TEXT = 32 * 1024 * 1024  # of a text; images take the most
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
    """A whole conversation. `leaf` is the last message of the active branch."""

    title: str
    created_at: int
    messages: tuple[PortableMessage, ...]
    leaf: str | None = None
    system_prompt: str = ""
    options: JsonObject = field(default_factory=dict)
    model: str | None = None
    pinned: bool = False


def invalid(place: str, what: str) -> BadRequest:
    """The error for an invalid value at this place of the file."""
    return BadRequest(
        f"The file can't be imported: {place} {what}.",
        advice="Import an export of Grantha, ChatGPT (conversations.json) or Claude, unchanged.",
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


def parents_first(messages: Sequence[PortableMessage], place: str) -> tuple[PortableMessage, ...]:
    """The messages, each after its parent. A missing parent or a cycle raises `BadRequest`."""
    by_parent: dict[str | None, list[PortableMessage]] = {}
    for message in messages:
        by_parent.setdefault(message.parent, []).append(message)
    ordered: list[PortableMessage] = []
    waiting = list(reversed(by_parent.get(None, [])))
    while waiting:
        message = waiting.pop()
        ordered.append(message)
        waiting.extend(reversed(by_parent.get(message.id, [])))
    if len(ordered) != len(messages):
        raise invalid(place, "has messages that aren't connected to the first one")
    position = {message.id: n for n, message in enumerate(messages)}
    return _in_file_order(ordered, position)


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
