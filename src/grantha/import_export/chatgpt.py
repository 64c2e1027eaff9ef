"""Reads `conversations.json` of a ChatGPT export: a list of conversations, each a tree of nodes.

Kept: what people and models wrote, thoughts, and where branches part. Left out: nodes without a
message, hidden ones, tool traffic, pictures (the export names them by address only); their children
move up to the next kept message. Successive nodes of one answer become one message.
"""

from __future__ import annotations

from typing import Any

from grantha.chat import Part, ReasoningPart, TextPart
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

_MODEL_PREFIX = "openai/"


def is_chatgpt(document: Any) -> bool:
    """Whether a decoded file looks like one."""
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, dict) and "mapping" in first


def from_json(document: list[Any], now: int) -> list[Talk]:
    """The conversations that hold a message. Raises `BadRequest`."""
    talks = [_Tree(body, str(n), now).talk() for n, body in enumerate(document)]
    return [talk for talk in talks if talk.messages]


class _Tree:
    """One conversation while it is turned into a talk."""

    def __init__(self, value: Any, place: str, now: int) -> None:
        self._body = table(value, place)
        self._place = place
        self._created = moment(self._body.get("create_time"), f"{place}.create_time", now)
        self._nodes = table(self._body.get("mapping"), f"{place}.mapping")
        self._kept: dict[str, TalkMessage] = {}
        self._stands_in: dict[str, str | None] = {}  # node -> the kept message at or above it

    def talk(self) -> Talk:
        for name in self._from_the_roots():
            self._take(name)
        messages = in_order(tuple(self._kept.values()), f"{self._place}.mapping")
        current = self._body.get("current_node")
        models = [m.model for m in messages if m.model]
        return Talk(
            title=words(self._body.get("title") or "", f"{self._place}.title"),
            created_at=self._created,
            messages=messages,
            leaf=self._stands_in.get(current) if isinstance(current, str) else None,
            model=models[-1] if models else None,
        )

    def _from_the_roots(self) -> list[str]:
        """Names of nodes, parents first; a parent that isn't in the file counts as none."""
        order: list[str] = []
        children: dict[str | None, list[str]] = {}
        for name, value in self._nodes.items():
            node = table(value, f"{self._place}.mapping.{name[:40]}")
            parent = node.get("parent")
            known = parent if isinstance(parent, str) and parent in self._nodes else None
            children.setdefault(known, []).append(name)
        waiting = list(reversed(children.get(None, [])))
        while waiting:
            name = waiting.pop()
            order.append(name)
            waiting.extend(reversed(children.get(name, [])))
        if len(order) != len(self._nodes):
            raise off(f"{self._place}.mapping", "runs in a circle")
        return order

    def _take(self, name: str) -> None:
        node = self._nodes[name]
        above = self._stands_in.get(node.get("parent"))
        message = _message(node.get("message"), name, above, self._place, self._created)
        if message is None:
            self._stands_in[name] = above
            return
        before = self._kept.get(above) if above else None
        siblings = self._nodes.get(node.get("parent"), {}).get("children") or []
        if before and before.role == message.role == "assistant" and len(siblings) == 1:
            self._kept[before.id] = _joined(before, message)
            self._stands_in[name] = before.id
            return
        self._kept[name] = message
        self._stands_in[name] = name


def _message(
    value: Any, name: str, parent: str | None, place: str, created: int
) -> TalkMessage | None:
    """A node's message, None when there is nothing of it to keep."""
    if value is None:
        return None
    body = table(value, f"{place}.mapping.{name[:40]}.message")
    author = body.get("author")
    role = author.get("role") if isinstance(author, dict) else None
    told = body.get("metadata")
    details: dict[str, Any] = told if isinstance(told, dict) else {}
    if role not in {"user", "assistant"} or details.get("is_visually_hidden_from_conversation"):
        return None
    if body.get("recipient", "all") != "all":
        return None  # a call of a tool
    parts = _parts(body.get("content"), f"{place}.mapping.{name[:40]}.message.content")
    if not parts:
        return None
    model = details.get("model_slug") if role == "assistant" else None
    return TalkMessage(
        id=name,
        parent=parent,
        role="user" if role == "user" else "assistant",
        parts=parts,
        created_at=moment(body.get("create_time"), f"{place}.mapping.{name[:40]}", created),
        model=_MODEL_PREFIX + words(model, place) if model else None,
        ending="done" if role == "assistant" else None,
    )


def _parts(value: Any, place: str) -> tuple[Part, ...]:
    if value is None:
        return ()
    content = table(value, place)
    match content.get("content_type"):
        case "text" | "multimodal_text":
            found = rows(content.get("parts") or [], f"{place}.parts")
            texts = [words(part, place) for part in found if isinstance(part, str) and part]
            return (TextPart("\n\n".join(texts)),) if any(map(str.strip, texts)) else ()
        case "thoughts":
            thoughts = rows(content.get("thoughts") or [], f"{place}.thoughts")
            texts = [
                words(thought["content"], place)
                for thought in thoughts
                if isinstance(thought, dict) and thought.get("content")
            ]
            return (ReasoningPart("\n\n".join(texts)),) if texts else ()
        case "code":
            code = words(content.get("text", ""), f"{place}.text")
            return (TextPart(f"```\n{code}\n```"),) if code.strip() else ()
        case _:
            return ()


def _joined(first: TalkMessage, second: TalkMessage) -> TalkMessage:
    return TalkMessage(
        id=first.id,
        parent=first.parent,
        role=first.role,
        parts=(*first.parts, *second.parts),
        created_at=first.created_at,
        model=second.model or first.model,
        ending=first.ending,
    )
