"""Puts the fragments of tool calls in order, whatever a host does with indexes, ids and names.

Known habits: id and name only in the first fragment; a new id in every fragment; no index; index 0 for
every one of several whole calls; no id at all. What comes out is numbered densely from 0, and has its
id and name once, in the first fragment.
"""

from __future__ import annotations

import json
import uuid

from grantha.events import ToolCall


def new_call_id() -> str:
    """An id for a call that the vendor gave none."""
    return f"call_{uuid.uuid4().hex}"


class _OpenCall:
    __slots__ = ("call_id", "name", "number", "pieces")

    def __init__(self, number: int, call_id: str, name: str | None) -> None:
        self.number = number
        self.call_id = call_id
        self.name = name
        self.pieces: list[str] = []

    def complete(self) -> bool:
        try:
            json.loads("".join(self.pieces))
        except (ValueError, RecursionError):
            return False
        return True


class ToolCallAssembler:
    """All tool calls of one reply."""

    __slots__ = ("_by_index", "_last", "count")

    def __init__(self) -> None:
        self._by_index: dict[int, _OpenCall] = {}
        self._last: _OpenCall | None = None
        self.count = 0

    def fragment(
        self, index: int | None, call_id: str | None, name: str | None, arguments: str
    ) -> ToolCall:
        """The fragment as it is passed on."""
        running = self._last if index is None else self._by_index.get(index)
        if running is None or self._is_another(running, index, call_id, name):
            return self._start(index, call_id, name, arguments)
        late_name = None
        if name and running.name is None:
            running.name = late_name = name
        running.pieces.append(arguments)
        self._last = running
        return ToolCall(running.number, None, late_name, arguments)

    def _is_another(
        self, running: _OpenCall, index: int | None, call_id: str | None, name: str | None
    ) -> bool:
        if not (call_id and name) or call_id == running.call_id:
            return index is None and bool(name) and not call_id
        # A rotated id mid-call carries no complete JSON before it; a second whole call does.
        return running.complete() or running.name != name

    def _start(
        self, index: int | None, call_id: str | None, name: str | None, arguments: str
    ) -> ToolCall:
        running = _OpenCall(self.count, call_id or new_call_id(), name or None)
        running.pieces.append(arguments)
        self.count += 1
        self._last = running
        if index is not None:
            self._by_index[index] = running
        return ToolCall(running.number, running.call_id, running.name, arguments)
