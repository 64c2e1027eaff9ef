"""Commands to a running generation: stop, fail, or change options from the next token on.

A stop or a failure replaces everything. A pending change is replaced by a later one, which was made on
top of it. Knows nothing of upstreams.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, TypeAlias

from grantha.chat import Capabilities, ContinuationMode, JsonObject, Options
from grantha.engine.continuation import continuation_mode
from grantha.errors import GranthaError, Unsupported


@dataclass(frozen=True, slots=True)
class Stop:
    """End it; `at` is when that was requested, in milliseconds of the monotonic clock.

    `abandoned` is set when no client requested it: they have all left.
    """

    at: float
    abandoned: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """End it as failed, with this error."""

    error: GranthaError


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """Continue with this model and these options."""

    model: str
    options: Options


Command: TypeAlias = Stop | Fail | ChangeOptions


@dataclass(frozen=True, slots=True)
class StopReceipt:
    """How a stop went: `closed_ms` from the request until the upstream was closed."""

    closed_ms: float | None
    confirmed: bool | None
    deltas: int

    def to_json(self) -> dict[str, Any]:
        """For the end record and the API."""
        return {
            "closed_ms": None if self.closed_ms is None else round(self.closed_ms, 1),
            "confirmed": self.confirmed,
            "deltas": self.deltas,
        }


class CommandSlot:
    """The pending command. Any task puts one; only the runner's task waits for it."""

    def __init__(self) -> None:
        self.pending: Command | None = None
        self._changed = asyncio.Event()

    def put(self, command: Command) -> None:
        """Replaces the pending command, unless that ends the generation."""
        if not isinstance(self.pending, Stop | Fail):
            self.pending = command
            self._changed.set()

    def has_pending(self) -> bool:
        """Whether a command is pending."""
        return self.pending is not None

    def clear(self) -> None:
        """The pending command is being carried out."""
        self.pending = None

    async def wait(self, task: asyncio.Task[None]) -> None:
        """Returns once a command is pending or `task` is done."""
        task.add_done_callback(self._done)
        while self.pending is None and not task.done():
            self._changed.clear()
            await self._changed.wait()

    def _done(self, _task: asyncio.Task[None]) -> None:
        self._changed.set()


def mode_after_change(
    model: str, capabilities: Capabilities, options: Options, *, has_text: bool, has_tools: bool
) -> ContinuationMode | None:
    """How an answer continues under other options; None while it has no text to continue.

    Raises `Unsupported` with the reason when the model can't.
    """
    for option in ("temperature", "top_p"):
        if getattr(options, option) is not None and not getattr(capabilities, option):
            raise Unsupported(f"{model} doesn't accept {option}.", advice="Choose another model.")
    if has_tools:
        raise Unsupported(
            "This answer calls tools; it can't be changed while it's being written.",
            advice="The change applies from the next answer.",
        )
    if not has_text:
        return None
    return continuation_mode(model, capabilities)


def option_changes(
    before: tuple[str, JsonObject], after: tuple[str, JsonObject]
) -> dict[str, list[Any]]:
    """Option (or "model") to [old, new], for the seam; each side is a model and its options."""
    changes: dict[str, list[Any]] = {}
    for name in sorted({*before[1], *after[1]}):
        if before[1].get(name) != after[1].get(name):
            changes[name] = [before[1].get(name), after[1].get(name)]
    if before[0] != after[0]:
        changes["model"] = [before[0], after[0]]
    return changes
