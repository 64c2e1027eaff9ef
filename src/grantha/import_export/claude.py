"""Reads `conversations.json` of a Claude export: conversations with their messages in order.

Messages with a parent keep their branches; older exports have none and become a single branch. Attached
files are imported as the text that the export contains of them; tool calls are skipped.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from grantha.chat import FilePart, Part, ReasoningPart, TextPart
from grantha.import_export.portable_conversation import (
    LeftOutKind,
    PortableConversation,
    PortableMessage,
    as_array,
    as_object,
    as_text,
    as_time_ms,
    invalid,
    parents_first,
)

_NOT_CONTENT = {"token_budget", "flag", "tool_result"}  # what a call returned goes with the call
_SENDERS = {"human": "user", "assistant": "assistant"}


def is_claude(first: Any) -> bool:
    """Whether the first item of a list is a conversation of Claude."""
    return isinstance(first, dict) and "chat_messages" in first


def conversation_from(value: Any, place: str, now: int) -> PortableConversation:
    """The conversation of one item of the list. Raises `BadRequest`."""
    return _ClaudeChat(value, place, now).conversation()


class _ClaudeChat:
    """Converts one conversation."""

    def __init__(self, value: Any, place: str, now: int) -> None:
        self._body = as_object(value, place)
        self._place = place
        self._created = as_time_ms(self._body.get("created_at"), f"{place}.created_at", now)
        self._nearest_kept: dict[str, str | None] = {}  # uuid -> the kept message at or above it
        self._left_out: Counter[LeftOutKind] = Counter()

    def conversation(self) -> PortableConversation:
        place = f"{self._place}.chat_messages"
        messages: list[PortableMessage] = []
        before: str | None = None
        for n, item in enumerate(as_array(self._body.get("chat_messages"), place)):
            sent = as_object(item, f"{place}.{n}")
            name = as_text(sent.get("uuid", str(n)), f"{place}.{n}.uuid")
            above = sent.get("parent_message_uuid")
            parent = self._nearest_kept.get(above) if isinstance(above, str) else before
            message = self._message(sent, f"{place}.{n}", name, parent)
            self._nearest_kept[name] = before = message.id if message else parent
            if message is not None:
                messages.append(message)
        return PortableConversation(
            title=as_text(self._body.get("name") or "", f"{self._place}.name"),
            created_at=self._created,
            messages=parents_first(messages, place),
            leaf=self._leaf() or (messages[-1].id if messages else None),
            left_out=self._left_out,
        )

    def _leaf(self) -> str | None:
        """The message that was shown last, which single conversations name."""
        found = self._body.get("current_leaf_message_uuid")
        return self._nearest_kept.get(found) if isinstance(found, str) else None

    def _message(
        self, body: dict[str, Any], place: str, name: str, parent: str | None
    ) -> PortableMessage | None:
        role = _SENDERS.get(str(body.get("sender")))
        if role is None:
            raise invalid(f"{place}.sender", "is neither 'human' nor 'assistant'")
        parts = (
            *_attached(body, place, self._left_out),
            *_parts(body, place, self._left_out),
        )
        if not parts:
            return None
        return PortableMessage(
            id=name,
            parent=parent,
            role="user" if role == "user" else "assistant",
            parts=parts,
            created_at=as_time_ms(body.get("created_at"), f"{place}.created_at", self._created),
            ending="done" if role == "assistant" else None,
        )


# ---- helpers below -------------------------------------------------------------------------------


def _parts(body: dict[str, Any], place: str, left_out: Counter[LeftOutKind]) -> tuple[Part, ...]:
    content = body.get("content")
    if not content:
        text = as_text(body.get("text") or "", f"{place}.text")
        return (TextPart(text),) if text.strip() else ()
    parts: list[TextPart | ReasoningPart] = []
    for n, item in enumerate(as_array(content, f"{place}.content")):
        at = f"{place}.content.{n}"
        block = as_object(item, at)
        kind = str(block.get("type"))
        if kind == "text":
            parts.append(TextPart(as_text(block.get("text") or "", f"{at}.text")))
        elif kind == "thinking":
            parts.append(ReasoningPart(as_text(block.get("thinking") or "", f"{at}.thinking")))
        elif kind not in _NOT_CONTENT:
            left_out["tool_calls" if kind.endswith("tool_use") else "other"] += 1
    return tuple(part for part in parts if part.text)


def _attached(body: dict[str, Any], place: str, left_out: Counter[LeftOutKind]) -> tuple[Part, ...]:
    found: list[Part] = []
    for n, item in enumerate(as_array(body.get("attachments") or [], f"{place}.attachments")):
        at = f"{place}.attachments.{n}"
        file = as_object(item, at)
        text = file.get("extracted_content")
        if text:
            name = as_text(file.get("file_name") or "file", f"{at}.file_name")
            found.append(FilePart(name, "text/plain", as_text(text, f"{at}.extracted_content")))
        else:
            left_out["files"] += 1
    # Of these the export has only the names; they may be images.
    left_out["files"] += len(as_array(body.get("files") or [], f"{place}.files"))
    return tuple(found)
