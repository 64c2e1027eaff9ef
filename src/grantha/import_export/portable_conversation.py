"""A conversation as it travels in files: plain values, and the careful reading of foreign JSON.

Knows no store and no HTTP. Ids in a talk only tie its messages together; whoever stores it gives new
ones. A reader of a format raises `BadRequest` that names the place, before anything is stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from grantha.chat import Ending, JsonObject, Part, Role
from grantha.errors import BadRequest

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TalkMessage:
    """One message; `parent` is the id of another that stands before it. Times in ms since 1970."""

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
class Talk:
    """A whole conversation. `leaf` is the tip of the branch that is shown."""

    title: str
    created_at: int
    messages: tuple[TalkMessage, ...]
    leaf: str | None = None
    system_prompt: str = ""
    options: JsonObject = field(default_factory=dict)
    model: str | None = None
    pinned: bool = False


def off(place: str, what: str) -> BadRequest:
    """The error of a file that can't be read at a place."""
    return BadRequest(
        f"The file can't be imported: {place} {what}.",
        advice="Import an export of Grantha, ChatGPT (conversations.json) or Claude as it came.",
    )


def table(value: Any, place: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise off(place, "isn't an object")
    return value


def rows(value: Any, place: str) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise off(place, "isn't a list")
    return value


def words(value: Any, place: str) -> str:
    """Text; characters that nothing can store are replaced, for nobody can mend an export."""
    if not isinstance(value, str):
        raise off(place, "isn't text")
    return _UNSTORABLE.sub("\ufffd", value)


def moment(value: Any, place: str, fallback: int) -> int:
    """Milliseconds since 1970, from seconds or ISO 8601; the fallback where there is nothing."""
    if value is None or value == "":
        return fallback
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            return round(at.timestamp() * 1000)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return round(datetime.fromtimestamp(value, tz=UTC).timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise off(place, "isn't a time") from error
    raise off(place, "isn't a time")


def in_order(messages: Sequence[TalkMessage], place: str) -> tuple[TalkMessage, ...]:
    """The messages, each after its parent. A parent that is missing or part of a circle is refused."""
    by_parent: dict[str | None, list[TalkMessage]] = {}
    for message in messages:
        by_parent.setdefault(message.parent, []).append(message)
    ordered: list[TalkMessage] = []
    waiting = list(reversed(by_parent.get(None, [])))
    while waiting:
        message = waiting.pop()
        ordered.append(message)
        waiting.extend(reversed(by_parent.get(message.id, [])))
    if len(ordered) != len(messages):
        raise off(place, "has messages without a way to the first one")
    position = {message.id: n for n, message in enumerate(messages)}
    return _by_position(ordered, position)


def _by_position(ordered: list[TalkMessage], position: dict[str, int]) -> tuple[TalkMessage, ...]:
    """As in the file where that keeps parents first, else by the tree."""
    by_file = sorted(ordered, key=lambda message: position[message.id])
    seen: set[str | None] = {None}
    for message in by_file:
        if message.parent not in seen:
            return tuple(ordered)
        seen.add(message.id)
    return tuple(by_file)
