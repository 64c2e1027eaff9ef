"""Displays of an answer, and those for pipes: only the text, or every frame as a line of JSON.

They flush at every frame, so that the next program in a pipe sees text as it is written.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from grantha.cli.encoding import ascii_json
from grantha.events import Frame, TextDelta, frame_json

if TYPE_CHECKING:
    from grantha.client.responses import Snapshot


class Display(Protocol):
    """Shows one answer. Entered before its first frame, exited after its last."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    def start(self, snapshot: Snapshot) -> None:
        """Called once, before the first frame."""
        ...

    def show(self, frame: Frame) -> None:
        """Shows the next frame. Raises BrokenPipeError when the reader of our output has exited."""
        ...

    def show_stopping(self) -> None:
        """Shows that the answer is being stopped."""
        ...


class PlainDisplay:
    """Only the visible text, with a line feed at the end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last = "\n"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if not self._last.endswith("\n"):
            self._write("\n")

    def start(self, snapshot: Snapshot) -> None:
        """Prints nothing."""

    def show(self, frame: Frame) -> None:
        """Prints the text of a text delta."""
        if isinstance(frame.event, TextDelta) and frame.event.text:
            self._write(frame.event.text)

    def show_stopping(self) -> None:
        """Prints nothing."""

    def _write(self, text: str) -> None:
        self._last = text
        print(text, end="", file=self._out, flush=True)


class JsonDisplay:
    """A line with the ids, then every frame as it was sent."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    def start(self, snapshot: Snapshot) -> None:
        """Prints the ids."""
        named = {
            "kind": "hello",
            "generation": snapshot.id,
            "conversation": snapshot.conversation,
            "message": snapshot.message,
            "model": snapshot.model,
        }
        print(json.dumps(named), file=self._out, flush=True)

    def show(self, frame: Frame) -> None:
        """Prints one line."""
        print(ascii_json(frame_json(frame), self._out), file=self._out, flush=True)

    def show_stopping(self) -> None:
        """Prints nothing: the end record follows."""
