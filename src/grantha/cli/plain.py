"""Answers for pipes: the text and nothing else, or every frame as a line of JSON.

Flushes at every frame, so that the next program of a pipe sees text as it is written.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from grantha.events import Frame, TextDelta, frame_json

if TYPE_CHECKING:
    from grantha.client.replies import Snapshot


class View(Protocol):
    """Shows one answer. Entered before its first frame, left after its last."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    def begin(self, snapshot: Snapshot) -> None:
        """The answer has an id."""
        ...

    def take(self, frame: Frame) -> None:
        """The next frame. Raises BrokenPipeError when nobody reads our output any more."""
        ...

    def stopping(self) -> None:
        """A person wants it to stop."""
        ...


class PlainView:
    """Visible text only, ending with a line feed."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last = "\n"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if not self._last.endswith("\n"):
            self._write("\n")

    def begin(self, snapshot: Snapshot) -> None:
        """Says nothing."""

    def take(self, frame: Frame) -> None:
        """Writes text."""
        if isinstance(frame.event, TextDelta) and frame.event.text:
            self._write(frame.event.text)

    def stopping(self) -> None:
        """Says nothing."""

    def _write(self, text: str) -> None:
        self._last = text
        print(text, end="", file=self._out, flush=True)


class JsonView:
    """A line that names the answer, then its frames as they are on the wire."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    def begin(self, snapshot: Snapshot) -> None:
        """The ids to come back with."""
        named = {
            "kind": "hello",
            "generation": snapshot.id,
            "conversation": snapshot.conversation,
            "message": snapshot.message,
            "model": snapshot.model,
        }
        print(json.dumps(named), file=self._out, flush=True)

    def take(self, frame: Frame) -> None:
        """One line."""
        print(frame_json(frame), file=self._out, flush=True)

    def stopping(self) -> None:
        """Says nothing: the end will."""
