"""Pairs every tool call in a conversation with a result directly after it.

Vendors refuse a conversation with a call without a result, for ever, as each further message sends it
again. Such calls remain when an answer was stopped, failed or was followed by another question. Only
what is sent is repaired, never what is stored; a conversation in order is returned unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from grantha.chat import (
    FilePart,
    ImagePart,
    Message,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

NO_RESULT = "No result: this call was not carried out."
CUT_OFF = "No result: the arguments of this call were cut off, so it was not carried out."
_Place: TypeAlias = tuple[int, int]  # a message's index, and a part's in it


@dataclass(slots=True)
class _Slot:
    """A call and, once it was found, its result, with the images and documents that are part of it."""

    call: ToolCallPart
    result: ToolResultPart | None = None
    media: list[Part] = field(default_factory=list)


def with_tool_results(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages with each call answered right after the assistant's side that made it.

    A call without a result gets one that says so, and `{}` for arguments that were cut off. Of several
    results for one call the last counts. A result without a call becomes text of the user.
    """
    messages = tuple(messages)
    if _in_order(messages):
        return messages
    slots, matched = _match(messages)
    repaired: list[Message] = []
    open_slots: list[_Slot] = []
    for index, message in enumerate(messages):
        if message.role != "assistant":
            _answer(repaired, open_slots)
        places = [(index, position) for position in range(len(message.parts))]
        open_slots += [slots[place] for place in places if place in slots]
        parts = [message.parts[place[1]] for place in places if place not in matched]
        if parts or not message.parts:
            role = "user" if message.role == "tool" else message.role
            repaired.append(Message(role, tuple(_sendable(part) for part in parts)))
    _answer(repaired, open_slots)
    return tuple(repaired)


# ---- helpers below -------------------------------------------------------------------------------


def _in_order(messages: Sequence[Message]) -> bool:
    waiting: list[str] = []
    results_follow = False
    for message in messages:
        calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        if message.role == "assistant":
            if results or not all(_is_object(call.arguments) for call in calls):
                return False
            if results_follow and waiting:
                return False
            results_follow = False
            waiting += [call.call_id for call in calls]
            continue
        for result in results:
            if result.call_id not in waiting:
                return False
            waiting.remove(result.call_id)
        results_follow = results_follow or bool(results)
        ids = {result.call_id for result in results}
        if any(_call_of(part) not in ids | {None} for part in message.parts):
            return False
        if waiting and any(_call_of(part) is None for part in message.parts):
            return False
    return not waiting


def _match(messages: Sequence[Message]) -> tuple[dict[_Place, _Slot], set[_Place]]:
    """A slot for each call, and where the results are that belong to one."""
    slots: dict[_Place, _Slot] = {}
    by_call_id: dict[str, _Slot] = {}
    matched: set[_Place] = set()
    for index, message in enumerate(messages):
        for position, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                # Some vendors number their calls from zero in each answer: the latest of an id is meant.
                slots[index, position] = by_call_id[part.call_id] = _Slot(part)
            elif isinstance(part, ToolResultPart) and part.call_id in by_call_id:
                slot = by_call_id[part.call_id]
                slot.result, slot.media = part, []
                matched.add((index, position))
            elif isinstance(part, ImagePart | FilePart) and part.call_id in by_call_id:
                by_call_id[part.call_id].media.append(part)
                matched.add((index, position))
    return slots, matched


def _answer(repaired: list[Message], open_slots: list[_Slot]) -> None:
    if open_slots:
        parts = [part for slot in open_slots for part in (_result(slot), *slot.media)]
        repaired.append(Message("tool", tuple(parts)))
        open_slots.clear()


def _call_of(part: Part) -> str | None:
    """The call whose result, or part of a result, this is."""
    return part.call_id if isinstance(part, ToolResultPart | ImagePart | FilePart) else None


def _result(slot: _Slot) -> ToolResultPart:
    if slot.result is not None:
        return slot.result
    text = NO_RESULT if _is_object(slot.call.arguments) else CUT_OFF
    return ToolResultPart(slot.call.call_id, text, is_error=True)


def _sendable(part: Part) -> Part:
    if isinstance(part, ToolResultPart):
        return TextPart(f"Result of a tool call:\n{part.text}")
    if isinstance(part, ImagePart | FilePart) and part.call_id is not None:
        return replace(part, call_id=None)
    if isinstance(part, ToolCallPart) and not _is_object(part.arguments):
        return replace(part, arguments="{}")
    return part


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments or "{}"), dict)
    except ValueError:
        return False
