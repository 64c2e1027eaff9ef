"""Fits a conversation to stricter dialects: the system text apart, and roles that alternate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grantha.chat import FilePart, Message, Part, TextPart, ToolCallPart, ToolResultPart
from grantha.wire import documents

WHITESPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Turn:
    """Consecutive messages of one side. `current`: the user has sent nothing since but tool results.

    Vendors accept their reasoning signatures only there.
    """

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]
    current: bool


def system_text(messages: Sequence[Message]) -> str:
    """All system messages as one text."""
    return "\n\n".join(m.text for m in messages if m.role == "system" and m.text)


def group_turns(messages: Sequence[Message]) -> list[Turn]:
    """The conversation without its system messages; empty messages are left out.

    Tool results belong to the user's side and come first in their turn, as Anthropic demands.
    """
    merged: list[tuple[Literal["user", "assistant"], list[Part]]] = []
    for message in messages:
        if message.role == "system" or not message.parts:
            continue
        role: Literal["user", "assistant"] = "assistant" if message.role == "assistant" else "user"
        if merged and merged[-1][0] == role:
            merged[-1][1].extend(message.parts)
        else:
            merged.append((role, list(message.parts)))
    user_turns = [
        i for i, (role, parts) in enumerate(merged) if role == "user" and _has_user_content(parts)
    ]
    last = user_turns[-1] if user_turns else -1
    return [
        Turn(role, tuple(sorted(parts, key=_results_first)), index > last)
        for index, (role, parts) in enumerate(merged)
    ]


def merge_assistant_messages(messages: Sequence[Message]) -> list[Message]:
    """The conversation with adjacent messages of the assistant made into one.

    Clients of the Responses API send each call as a separate item; hosts of Chat Completions refuse
    a message with a call that isn't immediately followed by its result.
    """
    merged: list[Message] = []
    for message in messages:
        if message.role == "assistant" and merged and merged[-1].role == "assistant":
            before = merged.pop()
            gap = (TextPart("\n\n"),) if before.text and message.text else ()
            merged.append(Message("assistant", (*before.parts, *gap, *message.parts)))
        else:
            merged.append(message)
    return merged


def document_text(part: FilePart) -> str:
    """A document as text, its name set apart from its content. Raises `BadRequest` if it has no text."""
    name = part.name.replace('"', "'")
    return f'<document name="{name}">\n{documents.text_of(part)}\n</document>'


def plain_text(part: Part) -> str:
    """The text of a text part or a document; empty for other parts."""
    if isinstance(part, TextPart):
        return part.text
    return document_text(part) if isinstance(part, FilePart) else ""


def tool_names_by_call(messages: Sequence[Message]) -> dict[str, str]:
    """The names of the tools called, by call id: some dialects need them with the results."""
    return {
        part.call_id: part.name
        for message in messages
        for part in message.parts
        if isinstance(part, ToolCallPart)
    }


class PrefixTrimmer:
    """Joins a reply to a prefix that was sent without its last blanks, because the vendor refuses them.

    The model tends to write those blanks again: blanks at the start of the reply that equal them are
    dropped.
    """

    __slots__ = ("_expected",)

    def __init__(self, prefix: str) -> None:
        self._expected = prefix[len(prefix.rstrip(WHITESPACE)) :]

    def trim(self, text: str) -> str:
        """The text without what the prefix already ends with."""
        left = self._expected
        if not left:
            return text
        same = 0
        while same < min(len(left), len(text)) and left[same] == text[same]:
            same += 1
        self._expected = left[same:] if same == len(text) else ""
        return text[same:]


def _has_user_content(parts: list[Part]) -> bool:
    return any(not isinstance(part, ToolResultPart) for part in parts)


def _results_first(part: Part) -> bool:
    return not isinstance(part, ToolResultPart)
