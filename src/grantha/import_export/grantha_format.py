"""Grantha's own export format, written and read: whole conversations, images included.

`{"format": "grantha", "version": 1, "conversations": [...]}`; times are ISO 8601 in UTC. An export
that is imported and exported again is the same except for ids.
"""

from __future__ import annotations

import json
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
    iso_time,
    part_to_json,
)
from grantha.import_export.portable_conversation import (
    PortableConversation,
    PortableMessage,
    as_array,
    as_object,
    as_text,
    as_time_ms,
    invalid,
    parents_first,
)

FORMAT = "grantha"
ITEMS = "conversations"  # the key of the list
VERSION = 1
_ROLES: tuple[Role, ...] = get_args(Role)
_ENDINGS: tuple[Ending, ...] = get_args(Ending)


def encode(conversation: PortableConversation) -> bytes:
    """The export of a conversation. Takes long for a large one, but never holds the interpreter for long.

    One call of the encoder does, for as long as it has something to encode.
    """
    head, _, tail = json.dumps(
        {"format": FORMAT, "version": VERSION, ITEMS: [_conversation_json(conversation)]},
        ensure_ascii=False,
    ).rpartition("[]")
    messages = [
        json.dumps(_message_json(message), ensure_ascii=False) for message in conversation.messages
    ]
    return f"{head}[{', '.join(messages)}]{tail}".encode()


def is_grantha(document: Any) -> bool:
    """Whether a decoded file is Grantha's own export."""
    return isinstance(document, dict) and document.get("format") == FORMAT


def check_version(document: dict[str, Any]) -> None:
    """Raises `BadRequest` for an export of another version, or without conversations."""
    if document.get("version") != VERSION:
        raise invalid("version", f"is {str(document.get('version'))[:20]!r} and not {VERSION}")
    as_array(document.get(ITEMS), ITEMS)


def conversation_from(value: Any, place: str, now: int) -> PortableConversation:
    """The conversation of one item of `conversations`. Raises `BadRequest`."""
    body = as_object(value, place)
    created = as_time_ms(body.get("created_at"), f"{place}.created_at", now)
    found = as_array(body.get("messages"), f"{place}.messages")
    messages = [_message(item, f"{place}.messages.{n}", created) for n, item in enumerate(found)]
    if len({message.id for message in messages}) != len(messages):
        raise invalid(f"{place}.messages", "has two messages with the same id")
    leaf = body.get("leaf")
    return PortableConversation(
        title=as_text(body.get("title", ""), f"{place}.title"),
        created_at=created,
        messages=parents_first(messages, f"{place}.messages"),
        leaf=leaf if any(message.id == leaf for message in messages) else None,
        system_prompt=as_text(body.get("system_prompt", ""), f"{place}.system_prompt"),
        options=as_object(body.get("options", {}), f"{place}.options"),
        model=_optional(body.get("model"), f"{place}.model"),
        pinned=body.get("pinned") is True,
    )


# ---- helpers below -------------------------------------------------------------------------------


def _conversation_json(conversation: PortableConversation) -> dict[str, Any]:
    return {
        "title": conversation.title,
        "pinned": conversation.pinned,
        "system_prompt": conversation.system_prompt,
        "options": dict(conversation.options),
        "model": conversation.model,
        "created_at": iso_time(conversation.created_at),
        "leaf": conversation.leaf,
        "messages": [],  # the last member: `encode` fills it
    }


def _message_json(message: PortableMessage) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": message.id,
        "parent": message.parent,
        "role": message.role,
        "parts": [part_to_json(part) for part in message.parts],
        "created_at": iso_time(message.created_at),
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


def _message(value: Any, place: str, created: int) -> PortableMessage:
    body = as_object(value, place)
    role = body.get("role")
    if role not in _ROLES:
        raise invalid(f"{place}.role", f"is none of {', '.join(_ROLES)}")
    answer = role == "assistant"
    parts = as_array(body.get("parts"), f"{place}.parts")
    end = body.get("end") if answer else None
    return PortableMessage(
        id=as_text(body.get("id"), f"{place}.id"),
        parent=_optional(body.get("parent"), f"{place}.parent"),
        role=role,
        parts=tuple(_part(part, f"{place}.parts.{n}") for n, part in enumerate(parts)),
        created_at=as_time_ms(body.get("created_at"), f"{place}.created_at", created),
        model=_optional(body.get("model"), f"{place}.model"),
        ending=_ending(body.get("status")) if answer else None,
        end=as_object(end, f"{place}.end") if end is not None else None,
        seams=_objects(body, "seams", place) if answer else (),
        citations=_objects(body, "citations", place) if answer else (),
    )


def _part(value: Any, place: str) -> Part:
    body = as_object(value, place)

    def text(name: str) -> str:
        return as_text(body.get(name), f"{place}.{name}")

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
            return ImagePart(text("media_type"), text("data"), known("url"), known("call_id"))
        case "file":
            return FilePart(
                text("name"), text("media_type"), text("text"),
                known("data"), known("url"), known("call_id"),
            )  # fmt: skip
        case _:
            raise invalid(f"{place}.type", "isn't a known kind of part")


def _objects(
    body: dict[str, Any], name: Literal["seams", "citations"], place: str
) -> tuple[dict[str, Any], ...]:
    found = as_array(body.get(name, []), f"{place}.{name}")
    return tuple(as_object(item, f"{place}.{name}.{n}") for n, item in enumerate(found))


def _ending(value: Any) -> Ending:
    # An answer that was still running when it was exported can't be continued here.
    return value if value in _ENDINGS else "interrupted"


def _optional(value: Any, place: str) -> str | None:
    return None if value is None else as_text(value, place)
