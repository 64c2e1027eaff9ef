"""Reads `conversations.json` of a Claude export: conversations with their messages in order.

Messages that name their parent keep their branches; older exports don't, and are one line. Attached
files come along as the text that the export holds of them; tool traffic is left out.
"""

from __future__ import annotations

from typing import Any

from grantha.chat import FilePart, Part, ReasoningPart, TextPart
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

_SENDERS = {"human": "user", "assistant": "assistant"}


def is_claude(document: Any) -> bool:
    """Whether a decoded file looks like one."""
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, dict) and "chat_messages" in first


def from_json(document: list[Any], now: int) -> list[Talk]:
    """The conversations that hold a message. Raises `BadRequest`."""
    talks = [_talk(body, str(n), now) for n, body in enumerate(document)]
    return [talk for talk in talks if talk.messages]


def _talk(value: Any, place: str, now: int) -> Talk:
    body = table(value, place)
    created = moment(body.get("created_at"), f"{place}.created_at", now)
    messages: list[TalkMessage] = []
    stands_in: dict[str, str | None] = {}  # uuid -> the kept message at or above it
    before: str | None = None
    for n, item in enumerate(rows(body.get("chat_messages"), f"{place}.chat_messages")):
        at = f"{place}.chat_messages.{n}"
        sent = table(item, at)
        name = words(sent.get("uuid", str(n)), f"{at}.uuid")
        above = sent.get("parent_message_uuid")
        parent = stands_in.get(above) if isinstance(above, str) else before
        message = _message(sent, at, name, parent, created)
        stands_in[name] = before = message.id if message else parent
        if message is not None:
            messages.append(message)
    return Talk(
        title=words(body.get("name") or "", f"{place}.name"),
        created_at=created,
        messages=in_order(messages, f"{place}.chat_messages"),
        leaf=messages[-1].id if messages else None,
    )


def _message(
    body: dict[str, Any], place: str, name: str, parent: str | None, created: int
) -> TalkMessage | None:
    role = _SENDERS.get(str(body.get("sender")))
    if role is None:
        raise off(f"{place}.sender", "is neither 'human' nor 'assistant'")
    parts = (*_attached(body, place), *_parts(body, place))
    if not parts:
        return None
    return TalkMessage(
        id=name,
        parent=parent,
        role="user" if role == "user" else "assistant",
        parts=parts,
        created_at=moment(body.get("created_at"), f"{place}.created_at", created),
        ending="done" if role == "assistant" else None,
    )


def _parts(body: dict[str, Any], place: str) -> tuple[Part, ...]:
    content = body.get("content")
    if not content:
        text = words(body.get("text") or "", f"{place}.text")
        return (TextPart(text),) if text.strip() else ()
    parts: list[Part] = []
    for n, item in enumerate(rows(content, f"{place}.content")):
        at = f"{place}.content.{n}"
        block = table(item, at)
        if block.get("type") == "text" and block.get("text"):
            parts.append(TextPart(words(block["text"], f"{at}.text")))
        elif block.get("type") == "thinking" and block.get("thinking"):
            parts.append(ReasoningPart(words(block["thinking"], f"{at}.thinking")))
    return tuple(parts)


def _attached(body: dict[str, Any], place: str) -> tuple[Part, ...]:
    found: list[Part] = []
    for n, item in enumerate(rows(body.get("attachments") or [], f"{place}.attachments")):
        at = f"{place}.attachments.{n}"
        file = table(item, at)
        text = file.get("extracted_content")
        if text:
            name = words(file.get("file_name") or "file", f"{at}.file_name")
            found.append(FilePart(name, "text/plain", words(text, f"{at}.extracted_content")))
    return tuple(found)
