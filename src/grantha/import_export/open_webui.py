"""Reads an export of Open WebUI: a list of chats, each with a tree of messages.

Imported: texts, reasoning, branches, images inside the file, and the text of attached files. Reasoning and
tool calls stand either in a list `output` or, in older versions, as `<details>` inside the text.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from grantha.chat import FilePart, ImagePart, Part, ReasoningPart, TextPart
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

_MODEL_PREFIX = "open-webui/"  # which of its connections a model was of isn't in the file
_IMAGE_URL = re.compile(r"data:(image/(?:png|jpeg|gif|webp));base64,", re.IGNORECASE)
_DETAILS = re.compile(r'<details type="(reasoning|tool_calls|code_interpreter)"[^<>]{0,1000}>\s*')
_DETAILS_END = "</details>"
_SUMMARY_END = "</summary>"


def is_open_webui(first: Any) -> bool:
    """Whether the first item of a list is a chat of Open WebUI."""
    chat = first.get("chat") if isinstance(first, dict) else None
    return isinstance(chat, dict) and ("history" in chat or "messages" in chat)


def conversation_from(value: Any, place: str, now: int) -> PortableConversation:
    """The conversation of one item of the list. Raises `BadRequest`."""
    return _OpenWebUiTree(value, place, now).conversation()


class _OpenWebUiTree:
    """Converts the message tree of one chat."""

    def __init__(self, value: Any, place: str, now: int) -> None:
        self._body = as_object(value, place)
        self._chat = as_object(self._body.get("chat"), f"{place}.chat")
        self._place = place
        self._created = as_time_ms(self._body.get("created_at"), f"{place}.created_at", now)
        self._nodes = _nodes(self._chat, f"{place}.chat")
        self._left_out: Counter[LeftOutKind] = Counter()

    def conversation(self) -> PortableConversation:
        parents = {name: _parent(node) for name, node in self._nodes.items()}
        history = self._chat.get("history")
        current = history.get("currentId") if isinstance(history, dict) else None
        messages, nearest = kept_of_tree(parents, self._message, f"{self._place}.chat.history")
        title = self._body.get("title") or self._chat.get("title") or ""
        return PortableConversation(
            title=as_text(title, f"{self._place}.title"),
            created_at=self._created,
            messages=messages,
            leaf=nearest.get(current) if isinstance(current, str) else None,
            system_prompt=_system_prompt(self._chat, f"{self._place}.chat"),
            pinned=self._body.get("pinned") is True,
            left_out=self._left_out,
        )

    def _message(self, name: str, parent: str | None) -> PortableMessage | None:
        node = self._nodes[name]
        place = f"{self._place}.chat.history.messages.{name[:40]}"
        role = node.get("role")
        if role not in {"user", "assistant"}:
            return None
        answer = role == "assistant"
        parts = (
            *_files(node, place, self._left_out),
            *(_answer_parts(node, place, self._left_out) if answer else _texts(node, place)),
        )
        if not parts:
            return None
        whole = node.get("done") is not False and not node.get("error")
        model = node.get("model")
        return PortableMessage(
            id=name,
            parent=parent,
            role="assistant" if answer else "user",
            parts=parts,
            created_at=as_time_ms(node.get("timestamp"), f"{place}.timestamp", self._created),
            model=_MODEL_PREFIX + as_text(model, f"{place}.model") if answer and model else None,
            ending=("done" if whole else "interrupted") if answer else None,
        )


# ---- helpers below -------------------------------------------------------------------------------


def _nodes(chat: dict[str, Any], place: str) -> dict[str, dict[str, Any]]:
    """Messages by id. The oldest chats have no tree but a list, in which each follows the one before."""
    history = chat.get("history")
    found = history.get("messages") if isinstance(history, dict) else None
    if found:
        tree = as_object(found, f"{place}.history.messages")
        return {name: as_object(node, f"{place}.history.messages") for name, node in tree.items()}
    nodes: dict[str, dict[str, Any]] = {}
    before: str | None = None
    for n, node in enumerate(as_array(chat.get("messages") or [], f"{place}.messages")):
        name = str(n)
        nodes[name] = {**as_object(node, f"{place}.messages.{n}"), "parentId": before}
        before = name
    return nodes


def _parent(node: dict[str, Any]) -> str | None:
    parent = node.get("parentId")
    return parent if isinstance(parent, str) else None


def _system_prompt(chat: dict[str, Any], place: str) -> str:
    params = chat.get("params")
    found = params.get("system") if isinstance(params, dict) else None
    return as_text(found or chat.get("system") or "", f"{place}.params.system")


def _texts(node: dict[str, Any], place: str) -> tuple[Part, ...]:
    text = _content(node, place)
    return (TextPart(text),) if text.strip() else ()


def _answer_parts(
    node: dict[str, Any], place: str, left_out: Counter[LeftOutKind]
) -> tuple[Part, ...]:
    output = node.get("output")
    found = (
        _output_parts(output, f"{place}.output", left_out)
        if isinstance(output, list) and output
        else _details_parts(_content(node, place), left_out)
    )
    return tuple(part for part in found if part.text.strip())


def _content(node: dict[str, Any], place: str) -> str:
    content = node.get("content") or ""
    if isinstance(content, list):
        return _joined(content, f"{place}.content")
    return as_text(content, f"{place}.content")


def _joined(blocks: list[Any], place: str) -> str:
    texts = [block.get("text") for block in blocks if isinstance(block, dict)]
    return as_text("".join(text for text in texts if isinstance(text, str)), place)


def _output_parts(
    output: list[Any], place: str, left_out: Counter[LeftOutKind]
) -> Iterator[TextPart | ReasoningPart]:
    for n, value in enumerate(output):
        item = as_object(value, f"{place}.{n}")
        blocks = item.get("content")
        text = _joined(blocks, f"{place}.{n}") if isinstance(blocks, list) else ""
        match item.get("type"):
            case "message":
                yield TextPart(text)
            case "reasoning":
                yield ReasoningPart(text)
            case "function_call_output":
                pass  # goes with its call
            case "function_call":
                left_out["tool_calls"] += 1
            case _:
                left_out["other"] += 1


def _details_parts(text: str, left_out: Counter[LeftOutKind]) -> Iterator[TextPart | ReasoningPart]:
    at = 0
    for match in _DETAILS.finditer(text):
        end = text.find(_DETAILS_END, match.end())
        if end < 0:
            break
        if match.start() < at:
            continue  # inside the ones before
        yield TextPart(text[at : match.start()])
        if match[1] == "reasoning":
            yield ReasoningPart(_reasoning(text[match.end() : end]))
        else:
            left_out["tool_calls"] += 1
        at = end + len(_DETAILS_END)
    yield TextPart(text[at:].lstrip("\n") if at else text)


def _reasoning(inside: str) -> str:
    """Without its summary and the marks of a quotation, in which it was stored."""
    _, summary, rest = inside.partition(_SUMMARY_END)
    lines = html.unescape(rest if summary else inside).strip().split("\n")
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in lines)


def _files(
    node: dict[str, Any], place: str, left_out: Counter[LeftOutKind]
) -> Iterator[ImagePart | FilePart]:
    for n, value in enumerate(as_array(node.get("files") or [], f"{place}.files")):
        at = f"{place}.files.{n}"
        file = as_object(value, at)
        part = _image(file) if file.get("type") == "image" else _document(file, at)
        if part is not None:
            yield part
        else:
            left_out["images" if file.get("type") == "image" else "files"] += 1


def _image(file: dict[str, Any]) -> ImagePart | None:
    """An image that is in the file itself, and of a kind that can be sent; others are on its server."""
    url = file.get("url")
    match = _IMAGE_URL.match(url) if isinstance(url, str) else None
    return ImagePart(match[1].lower(), url[match.end() :]) if match and url else None


def _document(file: dict[str, Any], place: str) -> FilePart | None:
    inner = file.get("file")
    data = inner.get("data") if isinstance(inner, dict) else None
    text = data.get("content") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text.strip():
        return None
    name = as_text(file.get("name") or "file", f"{place}.name")
    return FilePart(name, "text/plain", as_text(text, f"{place}.file.data.content"))
