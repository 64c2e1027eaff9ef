"""Matches tool results with calls, for APIs in which both may lack ids.

There a result belongs to the first call of its tool that has none yet.
"""

from __future__ import annotations

from grantha.chat import ToolCallPart
from grantha.errors import BadRequest


class PendingCalls:
    """The calls of a conversation that wait for their results."""

    def __init__(self) -> None:
        self._waiting: list[ToolCallPart] = []
        self._count = 0

    def call(
        self, call_id: str | None, name: str, arguments: str, signature: str | None = None
    ) -> ToolCallPart:
        """A call, with an id of ours if it has none."""
        self._count += 1
        part = ToolCallPart(call_id or f"call_{self._count}", name, arguments, signature)
        self._waiting.append(part)
        return part

    def resolve_result(self, call_id: str | None, name: str | None, member: str) -> str:
        """The id of the call that a result is for. Raises `BadRequest` that names the member."""
        for place, part in enumerate(self._waiting):
            if part.call_id == call_id or (not call_id and name in {None, "", part.name}):
                return self._waiting.pop(place).call_id
        raise BadRequest(f"'{member}' names no tool that was called before.")
