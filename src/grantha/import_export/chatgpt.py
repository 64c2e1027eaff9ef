"""Reads `conversations.json` of a ChatGPT export: a list of conversations, each a tree of nodes.

Imported: texts of users and models, reasoning, and branches. Skipped: nodes without a message, hidden
ones, and tool calls; children of a skipped node are attached to the nearest imported message above.
Consecutive nodes of one answer become one message. The export only links to images: their names stand in
their place. The tree is read by parents alone, since lists of children may lack some.
"""

from __future__ import annotations

import re
from collections import Counter
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
    from_the_roots,
)

_MODEL_PREFIX = "openai/"
# Where the page draws a source, the text holds a mark of private characters: cite, where, which.
_MARKS = re.compile("\ue200[^\ue200\ue201]*\ue201|[\ue200-\ue206]")


def is_chatgpt(first: Any) -> bool:
    """Whether the first item of a list is a conversation of ChatGPT."""
    return isinstance(first, dict) and "mapping" in first


def conversation_from(value: Any, place: str, now: int) -> PortableConversation:
    """The conversation of one item of the list. Raises `BadRequest`."""
    return _Tree(value, place, now).conversation()


class _Tree:
    """Converts the node tree of one conversation."""

    def __init__(self, value: Any, place: str, now: int) -> None:
        self._body = as_object(value, place)
        self._place = place
        self._created = as_time_ms(self._body.get("create_time"), f"{place}.create_time", now)
        self._nodes = as_object(self._body.get("mapping"), f"{place}.mapping")
        self._kept: dict[str, PortableMessage] = {}
        self._nearest_kept: dict[str, str | None] = {}  # node -> the kept message at or above it
        self._children: Counter[str | None] = Counter()  # node -> how many have it as parent
        # node -> its parent, None where that isn't in the file
        self._parents: dict[str, str | None] = {}
        self._left_out: Counter[LeftOutKind] = Counter()

    def conversation(self) -> PortableConversation:
        for name in self._from_the_roots():
            self._take(name)
        messages = tuple(self._kept.values())
        current = self._body.get("current_node")
        models = [m.model for m in messages if m.model]
        return PortableConversation(
            title=as_text(self._body.get("title") or "", f"{self._place}.title"),
            created_at=self._created,
            messages=messages,
            leaf=self._nearest_kept.get(current) if isinstance(current, str) else None,
            model=models[-1]
            if models
            else _model(self._body.get("default_model_slug"), self._place),
            left_out=self._left_out,
        )

    def _from_the_roots(self) -> list[str]:
        """Names of nodes, parents first; a parent that isn't in the file counts as none."""
        for name, value in self._nodes.items():
            parent = as_object(value, f"{self._place}.mapping.{name[:40]}").get("parent")
            known = parent if isinstance(parent, str) and parent in self._nodes else None
            self._parents[name] = known
            self._children[known] += 1
        return from_the_roots(self._parents, f"{self._place}.mapping")

    def _take(self, name: str) -> None:
        node = self._nodes[name]
        parent = self._parents[name]
        above = self._nearest_kept.get(parent) if parent is not None else None
        message = self._message(node.get("message"), name, above)
        if message is None:
            self._nearest_kept[name] = above
            return
        before = self._kept.get(above) if above else None
        alone = self._children[parent] == 1
        if before and before.role == message.role == "assistant" and alone:
            self._kept[before.id] = _joined(before, message)
            self._nearest_kept[name] = before.id
            return
        self._kept[name] = message
        self._nearest_kept[name] = name

    def _message(self, value: Any, name: str, parent: str | None) -> PortableMessage | None:
        """A node's message; None when nothing of it is imported."""
        if value is None:
            return None
        place = f"{self._place}.mapping.{name[:40]}"
        body = as_object(value, f"{place}.message")
        author = body.get("author")
        role = author.get("role") if isinstance(author, dict) else None
        metadata = body.get("metadata")
        details: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
        if role not in {"user", "assistant"} or details.get("is_visually_hidden_from_conversation"):
            return None
        if body.get("recipient", "all") != "all":
            self._left_out["tool_calls"] += 1
            return None
        attached = _objects(details.get("attachments"))
        self._left_out["files"] += sum(not _is_image(one) for one in attached)
        content = body.get("content")
        parts = _parts(content, details, f"{place}.message.content", self._left_out)
        if not parts:
            return None
        model = details.get("model_slug") if role == "assistant" else None
        return PortableMessage(
            id=name,
            parent=parent,
            role="user" if role == "user" else "assistant",
            parts=parts,
            created_at=as_time_ms(body.get("create_time"), place, self._created),
            model=_model(model, self._place),
            ending="done" if role == "assistant" else None,
        )


# ---- helpers below -------------------------------------------------------------------------------


def _model(slug: Any, place: str) -> str | None:
    return _MODEL_PREFIX + as_text(slug, place) if slug else None


def _parts(
    value: Any, details: dict[str, Any], place: str, left_out: Counter[LeftOutKind]
) -> tuple[Part, ...]:
    if value is None:
        return ()
    content = as_object(value, place)
    match content.get("content_type"):
        case "text" | "multimodal_text":
            found = as_array(content.get("parts") or [], f"{place}.parts")
            links = _links(details, place)
            for part in found:
                if isinstance(part, dict):
                    left_out["images" if _is_pointer(part) else "other"] += 1
            texts = [text for part in found if (text := _text(part, links, details, place))]
            return (TextPart("\n\n".join(texts)),) if any(map(str.strip, texts)) else ()
        case "thoughts":
            thoughts = as_array(content.get("thoughts") or [], f"{place}.thoughts")
            texts = [
                as_text(thought["content"], place)
                for thought in thoughts
                if isinstance(thought, dict) and thought.get("content")
            ]
            return (ReasoningPart("\n\n".join(texts)),) if texts else ()
        case "code":
            code = as_text(content.get("text", ""), f"{place}.text")
            return (TextPart(f"```\n{code}\n```"),) if code.strip() else ()
        case _:
            return ()


def _text(part: Any, links: dict[str, str], details: dict[str, Any], place: str) -> str:
    """A text with its sources in the line, or the name of an image."""
    if isinstance(part, dict) and _is_pointer(part):
        return f"[{_image_name(part, details)}, not part of the export]"
    if not isinstance(part, str):
        return ""
    return _MARKS.sub(lambda mark: links.get(mark[0], ""), as_text(part, place))


def _links(details: dict[str, Any], place: str) -> dict[str, str]:
    """What stands for a mark where the export names its sources."""
    return {
        reference["matched_text"]: as_text(reference["alt"], place)
        for reference in _objects(details.get("content_references"))
        if isinstance(reference.get("matched_text"), str) and isinstance(reference.get("alt"), str)
    }


def _is_pointer(part: dict[str, Any]) -> bool:
    return part.get("content_type") == "image_asset_pointer"


def _is_image(attached: dict[str, Any]) -> bool:
    return str(attached.get("mime_type", "image/")).startswith("image/")


def _image_name(part: dict[str, Any], details: dict[str, Any]) -> str:
    pointer = str(part.get("asset_pointer") or "")
    named = [file for file in _objects(details.get("attachments")) if file.get("id")]
    name = next((file.get("name") for file in named if pointer.endswith(str(file["id"]))), None)
    return f"Image {name}" if isinstance(name, str) and name else "Image"


def _objects(found: Any) -> list[dict[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _joined(first: PortableMessage, second: PortableMessage) -> PortableMessage:
    return PortableMessage(
        id=first.id,
        parent=first.parent,
        role=first.role,
        parts=(*first.parts, *second.parts),
        created_at=first.created_at,
        model=second.model or first.model,
        ending=first.ending,
    )
