"""Reads a conversation as LibreChat exports it: a list of messages, or a tree of them.

Imported: texts, reasoning and branches. Messages that are errors are skipped; what follows them is attached
to the message above. Files and images aren't in the export.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from grantha.chat import Part, ReasoningPart, TextPart
from grantha.import_export.portable_conversation import (
    LeftOutKind,
    PortableConversation,
    PortableMessage,
    as_array,
    as_object,
    as_text,
    as_time_ms,
    kept_of_tree,
)

# Its endpoints, as our providers are called; others are names that its operator chose.
_PROVIDERS = {
    "openAI": "openai",
    "azureOpenAI": "azure",
    "anthropic": "anthropic",
    "google": "gemini",
    "bedrock": "bedrock",
}
_OTHER = "librechat"


def is_librechat(value: Any) -> bool:
    """Whether this is a conversation of LibreChat."""
    return (
        isinstance(value, dict)
        and "conversationId" in value
        and ("messages" in value or "messagesTree" in value)
    )


def conversation_from(value: Any, place: str, now: int) -> PortableConversation:
    """The conversation. Raises `BadRequest`."""
    return _LibreChatTree(value, place, now).conversation()


class _LibreChatTree:
    """Converts the messages of one conversation."""

    def __init__(self, value: Any, place: str, now: int) -> None:
        self._body = as_object(value, place)
        self._place = f"{place}"
        self._endpoint = str(self._body.get("endpoint"))
        self._nodes = dict(_nodes(self._body, self._place))
        # The conversation has no time but that of the export, without its day.
        times = [node["createdAt"] for node in self._nodes.values() if node.get("createdAt")]
        self._created = as_time_ms(times[0] if times else None, f"{self._place}.createdAt", now)
        self._left_out: Counter[LeftOutKind] = Counter()

    def conversation(self) -> PortableConversation:
        parents = {name: _parent(node) for name, node in self._nodes.items()}
        messages, _ = kept_of_tree(parents, self._message, self._place)
        found = self._body.get("options")
        options: dict[str, Any] = found if isinstance(found, dict) else {}
        prompt = options.get("promptPrefix") or options.get("system") or ""
        models = [message.model for message in messages if message.model]
        return PortableConversation(
            title=as_text(self._body.get("title") or "", "title"),
            created_at=self._created,
            messages=messages,
            system_prompt=as_text(prompt, "options.promptPrefix"),
            model=models[-1] if models and self._endpoint in _PROVIDERS else None,
            left_out=self._left_out,
        )

    def _message(self, name: str, parent: str | None) -> PortableMessage | None:
        node, place = self._nodes[name], f"{self._place}.{name[:40]}"
        for file in as_array(node.get("files") or [], f"{place}.files"):
            image = isinstance(file, dict) and str(file.get("type")).startswith("image/")
            self._left_out["images" if image else "files"] += 1
        parts = () if node.get("error") is True else _parts(node, place, self._left_out)
        if not parts:
            return None
        answer = node.get("isCreatedByUser") is not True
        model = as_text(node.get("model") or "", f"{place}.model")
        provider = _PROVIDERS.get(str(node.get("endpoint") or self._endpoint), _OTHER)
        whole = node.get("unfinished") is not True
        return PortableMessage(
            id=name,
            parent=parent,
            role="assistant" if answer else "user",
            parts=parts,
            created_at=as_time_ms(node.get("createdAt"), f"{place}.createdAt", self._created),
            model=f"{provider}/{model}" if answer and model else None,
            ending=("done" if whole else "interrupted") if answer else None,
        )


# ---- helpers below -------------------------------------------------------------------------------


def _nodes(body: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Messages by id, those inside others as well."""
    waiting = [*as_array(body.get("messages") or body.get("messagesTree") or [], f"{place}")]
    waiting.reverse()
    while waiting:
        node = as_object(waiting.pop(), f"{place}")
        yield as_text(node.get("messageId"), f"{place}.messageId"), node
        children = as_array(node.get("children") or [], f"{place}.children")
        waiting.extend(reversed(children))


def _parent(node: dict[str, Any]) -> str | None:
    parent = node.get("parentMessageId")
    return parent if isinstance(parent, str) else None


def _parts(node: dict[str, Any], place: str, left_out: Counter[LeftOutKind]) -> tuple[Part, ...]:
    content = node.get("content")
    if not isinstance(content, list) or not content:
        text = as_text(node.get("text") or "", f"{place}.text")
        return (TextPart(text),) if text.strip() else ()
    parts: list[TextPart | ReasoningPart] = []
    for n, value in enumerate(content):
        if not isinstance(value, dict):
            continue  # places of calls that were taken back
        at = f"{place}.content.{n}"
        match value.get("type"):
            case "text":
                parts.append(TextPart(_text(value.get("text"), at)))
            case "think":
                parts.append(ReasoningPart(_text(value.get("think"), at)))
            case "tool_call":
                left_out["tool_calls"] += 1
            case "image_file" | "image_url":
                left_out["images"] += 1
            case "error":
                pass
            case _:
                left_out["other"] += 1
    return tuple(part for part in parts if part.text.strip())


def _text(value: Any, place: str) -> str:
    """A text, or the value of an object that holds one."""
    inner = value.get("value") if isinstance(value, dict) else value
    return as_text(inner or "", place)
