"""Our own export: everything a conversation holds, images included, and its way back.

`{"format": "grantha", "version": 1, "conversations": [...]}`; times are ISO 8601 in UTC. An export
that is imported and exported again is the same but for ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from grantha.chat import (
    Ending,
    FilePart,
    ImagePart,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    part_to_json,
)
from grantha.import_export.portable_conversation import (
    Talk,
    TalkMessage,
    in_order,
    moment,
    off,
    rows,
    table,
    words,
)

FORMAT = "grantha"
VERSION = 1
_ROLES: tuple[Role, ...] = get_args(Role)
_ENDINGS: tuple[Ending, ...] = get_args(Ending)


def to_json(talks: Iterable[Talk]) -> dict[str, Any]:
    """The document of some conversations."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "conversations": [_talk_json(talk) for talk in talks],
    }


def is_own(document: Any) -> bool:
    """Whether a decoded file says that it is ours."""
    return isinstance(document, dict) and document.get("format") == FORMAT


def from_json(document: dict[str, Any], now: int) -> list[Talk]:
    """Inverse of `to_json`. Raises `BadRequest`."""
    if document.get("version") != VERSION:
        raise off("version", f"is {str(document.get('version'))[:20]!r} and not {VERSION}")
    found = rows(document.get("conversations"), "conversations")
    return [_talk(body, f"conversations.{n}", now) for n, body in enumerate(found)]


# ---- helpers below -------------------------------------------------------------------------------


def _talk_json(talk: Talk) -> dict[str, Any]:
    return {
        "title": talk.title,
        "pinned": talk.pinned,
        "system_prompt": talk.system_prompt,
        "options": dict(talk.options),
        "model": talk.model,
        "created_at": _iso(talk.created_at),
        "leaf": talk.leaf,
        "messages": [_message_json(message) for message in talk.messages],
    }


def _message_json(message: TalkMessage) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": message.id,
        "parent": message.parent,
        "role": message.role,
        "parts": [part_to_json(part) for part in message.parts],
        "created_at": _iso(message.created_at),
    }
    if message.role == "assistant":
        body |= {
            "model": message.model,
            "status": message.ending,
            "end": dict(message.end) if message.end else None,
            "seams": [dict(seam) for seam in message.seams],
            "citations": [dict(citation) for citation in message.citations],
        }
    return body


def _talk(value: Any, place: str, now: int) -> Talk:
    body = table(value, place)
    created = moment(body.get("created_at"), f"{place}.created_at", now)
    found = rows(body.get("messages"), f"{place}.messages")
    messages = [_message(item, f"{place}.messages.{n}", created) for n, item in enumerate(found)]
    if len({message.id for message in messages}) != len(messages):
        raise off(f"{place}.messages", "has two messages of one id")
    leaf = body.get("leaf")
    return Talk(
        title=words(body.get("title", ""), f"{place}.title"),
        created_at=created,
        messages=in_order(messages, f"{place}.messages"),
        leaf=leaf if any(message.id == leaf for message in messages) else None,
        system_prompt=words(body.get("system_prompt", ""), f"{place}.system_prompt"),
        options=table(body.get("options", {}), f"{place}.options"),
        model=_optional(body.get("model"), f"{place}.model"),
        pinned=body.get("pinned") is True,
    )


def _message(value: Any, place: str, created: int) -> TalkMessage:
    body = table(value, place)
    role = body.get("role")
    if role not in _ROLES:
        raise off(f"{place}.role", f"is none of {', '.join(_ROLES)}")
    answer = role == "assistant"
    parts = rows(body.get("parts"), f"{place}.parts")
    end = body.get("end") if answer else None
    return TalkMessage(
        id=words(body.get("id"), f"{place}.id"),
        parent=_optional(body.get("parent"), f"{place}.parent"),
        role=role,
        parts=tuple(_part(part, f"{place}.parts.{n}") for n, part in enumerate(parts)),
        created_at=moment(body.get("created_at"), f"{place}.created_at", created),
        model=_optional(body.get("model"), f"{place}.model"),
        ending=_ending(body.get("status")) if answer else None,
        end=table(end, f"{place}.end") if end is not None else None,
        seams=_tables(body, "seams", place) if answer else (),
        citations=_tables(body, "citations", place) if answer else (),
    )


def _part(value: Any, place: str) -> Part:
    body = table(value, place)

    def text(name: str) -> str:
        return words(body.get(name), f"{place}.{name}")

    def known(name: str) -> str | None:
        return _optional(body.get(name), f"{place}.{name}")

    match body.get("type"):
        case "text":
            return TextPart(text("text"))
        case "reasoning":
            spent = body.get("duration_ms")
            return ReasoningPart(
                text("text"), known("signature"), spent if isinstance(spent, int) else None
            )
        case "tool-call":
            return ToolCallPart(
                text("call_id"), text("name"), text("arguments"), known("signature")
            )
        case "tool-result":
            return ToolResultPart(text("call_id"), text("text"), body.get("is_error") is True)
        case "image":
            return ImagePart(text("media_type"), text("data"))
        case "file":
            return FilePart(text("name"), text("media_type"), text("text"))
        case _:
            raise off(f"{place}.type", "is no kind of part")


def _tables(
    body: dict[str, Any], name: Literal["seams", "citations"], place: str
) -> tuple[dict[str, Any], ...]:
    found = rows(body.get(name, []), f"{place}.{name}")
    return tuple(table(item, f"{place}.{name}.{n}") for n, item in enumerate(found))


def _ending(value: Any) -> Ending:
    # An answer that was being written when it was exported will not be gone on with here.
    return value if value in _ENDINGS else "interrupted"


def _optional(value: Any, place: str) -> str | None:
    return None if value is None else words(value, place)


def _iso(ms: int) -> str:
    at = datetime.fromtimestamp(ms / 1000, tz=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
