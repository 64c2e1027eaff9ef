"""Assembles fragments of tool calls, however a host uses indexes, ids and names.

| habit of a host | what becomes of it |
|---|---|
| id and name only in the first fragment, or empty text in the later ones | one call |
| a new id in every fragment | one call, by its first id |
| no index, no id | a name begins a call |
| index 0 for every one of several calls, one after the other or interleaved | calls by their ids |
| a name in fragments, or repeated | joined, or taken once |
| complete arguments repeated | taken once |
| two objects at one index | two calls |
| `{}` where arguments follow | left out |
| no arguments at all | `{}` |

Calls come out numbered densely from 0, with id and name once, in the first fragment. So a call
is held back until its name is certain: until its arguments begin, another call does, or the reply ends.
"""

from __future__ import annotations

import json
import uuid

from grantha.events import ToolCall

MAX_CALLS = 512  # of one reply: at each new one, all of them are looked at


def new_call_id() -> str:
    """An id for a call that the vendor gave none."""
    return f"call_{uuid.uuid4().hex}"


class _OpenCall:
    __slots__ = (
        "announced",
        "call_id",
        "fragments",
        "held",
        "name",
        "number",
        "placeholder",
        "size",
    )

    def __init__(self, number: int, call_id: str, name: str | None) -> None:
        self.number = number
        self.call_id = call_id
        self.name = name
        self.fragments: list[str] = []  # all arguments so far
        self.held: list[str] = []  # those that weren't passed on yet
        self.announced = False
        self.size = 0
        self.placeholder = False  # "{}" was sent where arguments may still follow

    @property
    def arguments(self) -> str:
        return "".join(self.fragments)

    def is_complete(self) -> bool:
        return self.placeholder or _is_json(self.arguments)

    def is_all_of(self, arguments: str) -> bool:
        """Whether these are all its arguments so far, and complete."""
        # By length first: joining and parsing all fragments at each one would take quadratic time.
        return len(arguments) == self.size and arguments == self.arguments and self.is_complete()

    def append(self, arguments: str) -> None:
        if not self.fragments and arguments.strip() == "{}":
            self.placeholder = True
        elif arguments:
            self.placeholder = False
            self.fragments.append(arguments)
            self.held.append(arguments)
            self.size += len(arguments)

    def take(self, *, final: bool) -> list[ToolCall]:
        """What can be passed on now; with `final` the name is as good as it will ever be."""
        if self.name is None or not (self.announced or self.held or final):
            return []
        arguments, self.held = "".join(self.held), []
        if not self.announced:
            self.announced = True
            return [ToolCall(self.number, self.call_id, self.name, arguments)]
        return [ToolCall(self.number, None, None, arguments)] if arguments else []


class ToolCallAssembler:
    """All tool calls of one reply."""

    __slots__ = ("_by_id", "_by_index", "_calls", "_last")

    def __init__(self) -> None:
        self._calls: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}
        self._by_id: dict[str, _OpenCall] = {}
        self._last: _OpenCall | None = None

    @property
    def count(self) -> int:
        """How many calls have begun."""
        return len(self._calls)

    @property
    def incomplete(self) -> bool:
        """Whether a call's arguments have begun and are no JSON (yet)."""
        return any(call.fragments and not call.is_complete() for call in self._calls)

    @property
    def nameless(self) -> bool:
        """Whether a call has no name (yet)."""
        return any(call.name is None for call in self._calls)

    def add(
        self, index: int | None, call_id: str | None, name: str | None, arguments: str
    ) -> list[ToolCall]:
        """The fragments that can be passed on after this one. Raises `ValueError` for one call too many."""
        call_id, name = call_id or None, name or None
        call = self._find(index, call_id)
        if call is None or self._begins_another(call, index, call_id, name, arguments):
            before = self.finish()
            call = self._begin(index, call_id, name or (call.name if call else None))
            call.append(arguments)
            return before + call.take(final=False)
        self._last = call
        if name:
            _extend_name(call, name)
        # Some hosts send the whole arguments again with the last fragment.
        if not (arguments and call.is_all_of(arguments)):
            call.append(arguments)
        return call.take(final=False)

    def finish(self, *, complete: bool = False) -> list[ToolCall]:
        """What was held back. After a `complete` reply, a call without arguments gets `{}`."""
        for call in self._calls if complete else ():
            if not call.fragments:
                call.held.append("{}")
        return [event for call in self._calls for event in call.take(final=True)]

    def _find(self, index: int | None, call_id: str | None) -> _OpenCall | None:
        if call_id in self._by_id:
            return self._by_id[call_id]
        return self._last if index is None else self._by_index.get(index)

    @staticmethod
    def _begins_another(
        call: _OpenCall, index: int | None, call_id: str | None, name: str | None, arguments: str
    ) -> bool:
        if call_id == call.call_id:
            return False
        renamed = name is not None and call.name not in {None, name}
        if call_id and name:
            # An id that changes in mid-call comes with arguments, and with none complete before it.
            return call.is_complete() or renamed or not arguments
        if name and index is None:
            return call.is_complete() or renamed or (not call.fragments and call.name is not None)
        if renamed and call.fragments:
            return True
        second = call.fragments and arguments.startswith("{") and arguments != call.arguments
        return bool(second) and call.is_complete() and _is_json(arguments)

    def _begin(self, index: int | None, call_id: str | None, name: str | None) -> _OpenCall:
        if len(self._calls) >= MAX_CALLS:
            raise ValueError(f"it has more than {MAX_CALLS} tool calls")
        call = _OpenCall(len(self._calls), call_id or new_call_id(), name)
        self._calls.append(call)
        self._last = call
        self._by_id[call.call_id] = call
        if index is not None:
            self._by_index[index] = call
        return call


def _extend_name(call: _OpenCall, name: str) -> None:
    if call.name is None:
        call.name = name
    elif not (call.announced or call.fragments) and name != call.name:
        # Either the name so far and more of it, or only what is missing.
        call.name = name if name.startswith(call.name) else call.name + name


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
