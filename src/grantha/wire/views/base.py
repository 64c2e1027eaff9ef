"""What every view is made of. Pure: ids and times are given, no request, no store, no clock.

A view has two halves: a function that reads a vendor's request into `Asked`, and a class that turns
frames of a log into that vendor's stream. How frames were merged must not show in what it means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from grantha.chat import (
    ImagePart,
    JsonObject,
    Message,
    Options,
    Part,
    Role,
    TextPart,
    ToolCallPart,
)
from grantha.errors import BadRequest, GranthaError
from grantha.events import Frame, GenerationEnd


@dataclass(frozen=True, slots=True)
class Asked:
    """A vendor's request in our words; `model` is as the client wrote it, perhaps without
    provider.
    """

    messages: tuple[Message, ...]
    options: Options
    model: str | None
    stream: bool
    include_usage: bool = True
    background: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What a reply says of itself: our generation's id, the model as the client knows it, and when
    it was made (seconds since 1970)."""

    id: str
    model: str
    created: int


class VendorStream(Protocol):
    """Turns frames into a vendor's bytes. Stateful: one for each reader."""

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The bytes of frames; may be empty. The end record gives whatever ends the stream."""
        ...


def sse(data: dict[str, Any], event: str | None = None, id: str | None = None) -> str:  # noqa: A002
    """One SSE block; `id` lets a better client come back."""
    head = (f"id: {id}\n" if id else "") + (f"event: {event}\n" if event else "")
    return f"{head}data: {compact(data)}\n\n"


def compact(value: Any) -> str:
    """JSON without spaces, as it is sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def error_of(end: GenerationEnd) -> JsonObject | None:
    """Why a generation isn't complete; None for `done` and for `stopped`, which is as was asked."""
    if end.ending in {"done", "stopped"}:
        return None
    return end.error or {"code": end.ending, "message": f"The answer ended {end.ending}."}


# ---- reading requests ----------------------------------------------------------------------------


def member(body: JsonObject, name: str, kinds: type | tuple[type, ...], default: Any = None) -> Any:
    """A member of a JSON object, of one of some types; null counts as absent."""
    value = body.get(name)
    if value is None:
        return default
    # bool is an int in Python, but true isn't a number in JSON.
    wrong = isinstance(value, bool) and bool not in (
        kinds if isinstance(kinds, tuple) else (kinds,)
    )
    if wrong or not isinstance(value, kinds):
        raise BadRequest(f"{name!r} is of the wrong type.")
    return value


def number(body: JsonObject, name: str, low: float, high: float) -> float | None:
    """A number within bounds."""
    value = member(body, name, (int, float))
    if value is not None and not low <= value <= high:
        raise BadRequest(f"{name!r} must be between {low:g} and {high:g}.")
    return None if value is None else float(value)


SPOKEN: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}


def count(body: JsonObject, name: str) -> int | None:
    """A positive whole number."""
    value = member(body, name, int)
    if value is not None and value < 1:
        raise BadRequest(f"{name!r} must be at least 1.")
    return None if value is None else int(value)


def objects(body: JsonObject, name: str) -> list[JsonObject]:
    """A list of JSON objects; empty when absent."""
    found = member(body, name, list, [])
    for position, item in enumerate(found):
        if not isinstance(item, dict):
            raise BadRequest(f"{name}[{position}] isn't an object.")
    return list(found)


def image_from_url(url: str) -> ImagePart:
    """An image from a data URL. Others aren't fetched: the server would fetch what a caller names."""
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        raise BadRequest(
            "Images are taken as data URLs with base64 only.",
            advice="Send data:image/png;base64,…",
        )
    return ImagePart(head[len("data:") : -len(";base64")], data)


def role_of(body: JsonObject, roles: Mapping[str, Role]) -> Role:
    """A message's role in our words. Raises `BadRequest` for one that isn't among `roles`."""
    role = member(body, "role", str)
    if role not in roles:
        raise BadRequest(f"There is no role {str(role)[:40]!r}.")
    return roles[role]


def require_question(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages, if there is something to answer."""
    if not messages or all(message.role == "system" for message in messages):
        raise BadRequest("There is no message to answer.", advice="Send at least one user message.")
    return tuple(messages)


# ---- writing replies -----------------------------------------------------------------------------


def text_of(parts: Sequence[Part]) -> str:
    """The visible text of parts."""
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def calls_of(parts: Sequence[Part]) -> list[ToolCallPart]:
    """The tool calls among parts."""
    return [part for part in parts if isinstance(part, ToolCallPart)]


def status_for_clients(error: GranthaError) -> int:
    """The HTTP status by which vendors' clients decide whether to try again."""
    by_code = {
        "rate_limited": 429,
        "quota_exhausted": 429,
        "overloaded": 503,
        "context_overflow": 400,
        "content_blocked": 400,
        "request_refused": 400,
        "missing_key": 401,
        "key_rejected": 401,
        "model_not_found": 404,
    }
    return by_code.get(error.code, error.http_status)
