"""Reads `conversations.json` of a Claude export: conversations with their messages in order.

Messages with a parent keep their branches; older exports have none and become a single branch. Attached
files are imported as the text that the export contains of them; tool calls are skipped.
"""

from __future__ import annotations

from typing import Any

from grantha.chat import FilePart, Part, ReasoningPart, TextPart
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

_SENDERS = {"human": "user", "assistant": "assistant"}


def is_claude(first: Any) -> bool:
    """Whether the first item of a list is a conversation of Claude."""
    return isinstance(first, dict) and "chat_messages" in first


def conversation_from(value: Any, place: str, now: int) -> PortableConversation:
    """The conversation of one item of the list. Raises `BadRequest`."""
    body = as_object(value, place)
    created = as_time_ms(body.get("created_at"), f"{place}.created_at", now)
    messages: list[PortableMessage] = []
    nearest_kept: dict[str, str | None] = {}  # uuid -> the kept message at or above it
    before: str | None = None
    for n, item in enumerate(as_array(body.get("chat_messages"), f"{place}.chat_messages")):
        at = f"{place}.chat_messages.{n}"
        sent = as_object(item, at)
        name = as_text(sent.get("uuid", str(n)), f"{at}.uuid")
        above = sent.get("parent_message_uuid")
        parent = nearest_kept.get(above) if isinstance(above, str) else before
        message = _message(sent, at, name, parent, created)
        nearest_kept[name] = before = message.id if message else parent
        if message is not None:
            messages.append(message)
    return PortableConversation(
        title=as_text(body.get("name") or "", f"{place}.name"),
        created_at=created,
        messages=parents_first(messages, f"{place}.chat_messages"),
        leaf=_leaf(body, nearest_kept) or (messages[-1].id if messages else None),
    )


def _leaf(body: dict[str, Any], nearest_kept: dict[str, str | None]) -> str | None:
    """The message that was shown last, which single conversations name."""
    found = body.get("current_leaf_message_uuid")
    return nearest_kept.get(found) if isinstance(found, str) else None


def _message(
    body: dict[str, Any], place: str, name: str, parent: str | None, created: int
) -> PortableMessage | None:
    role = _SENDERS.get(str(body.get("sender")))
    if role is None:
        raise invalid(f"{place}.sender", "is neither 'human' nor 'assistant'")
    parts = (*_attached(body, place), *_parts(body, place))
    if not parts:
        return None
    return PortableMessage(
        id=name,
        parent=parent,
        role="user" if role == "user" else "assistant",
        parts=parts,
        created_at=as_time_ms(body.get("created_at"), f"{place}.created_at", created),
        ending="done" if role == "assistant" else None,
    )


def _parts(body: dict[str, Any], place: str) -> tuple[Part, ...]:
    content = body.get("content")
    if not content:
        text = as_text(body.get("text") or "", f"{place}.text")
        return (TextPart(text),) if text.strip() else ()
    parts: list[Part] = []
    for n, item in enumerate(as_array(content, f"{place}.content")):
        at = f"{place}.content.{n}"
        block = as_object(item, at)
        if block.get("type") == "text" and block.get("text"):
            parts.append(TextPart(as_text(block["text"], f"{at}.text")))
        elif block.get("type") == "thinking" and block.get("thinking"):
            parts.append(ReasoningPart(as_text(block["thinking"], f"{at}.thinking")))
    return tuple(parts)


def _attached(body: dict[str, Any], place: str) -> tuple[Part, ...]:
    found: list[Part] = []
    for n, item in enumerate(as_array(body.get("attachments") or [], f"{place}.attachments")):
        at = f"{place}.attachments.{n}"
        file = as_object(item, at)
        text = file.get("extracted_content")
        if text:
            name = as_text(file.get("file_name") or "file", f"{at}.file_name")
            found.append(FilePart(name, "text/plain", as_text(text, f"{at}.extracted_content")))
    return tuple(found)
