"""Shows an answer in a terminal: growing Markdown, seams in place, and a status line.

Blocks that can't change any more are printed permanently and scroll away; only the last one is redrawn,
cropped to the window. So drawing a long answer costs no more than drawing its last block.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.segment import Segment
from rich.text import Text

from grantha.cli import labels
from grantha.cli.markdown import AnswerMarkdown, stable_length, strip_controls
from grantha.client.responses import Snapshot
from grantha.events import (
    Citation,
    Event,
    Frame,
    GenerationEnd,
    Notice,
    Open,
    PartEnd,
    PartStart,
    ReasoningDelta,
    Seam,
    TextDelta,
    ToolCallDelta,
    UsageReport,
)

REFRESH = 1 / 15  # seconds between two checks for changes
IDLE_REFRESH = 0.5  # seconds between two drawings when only the clock changes
SILENCE = 3.0  # seconds without a record after which the status line says so
_REASONING_LINES = 4
_STYLES = {"done": "accent", "stopped": "muted", "failed": "error", "interrupted": "interrupted"}


class TerminalDisplay:
    """See `grantha.cli.display.Display`. `connection_error` returns why the client retries, if it does."""

    def __init__(
        self, console: Console, connection_error: Callable[[], object], hint: str = "Ctrl-C stops"
    ) -> None:
        self._console = console
        self._connection_error = connection_error
        self._hint = hint
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._ticking: asyncio.Task[None] | None = None
        self._tail = ""  # text whose last block may still change
        self._pending_lines: list[Text] = []  # to be printed below the block that is being written
        self._sources: list[Text] = []
        self._reasoning = ""
        self._call = ""  # name and arguments of a tool call that is being written
        self._state = "Waiting for the first token"
        self._end: GenerationEnd | None = None
        self._model = ""
        self._deltas = 0
        self._began = self._last_received = time.monotonic()
        self._wrote: float | None = None
        self._dirty = True
        self._printed = False

    async def __aenter__(self) -> Self:
        self._live.start()
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        self._live.stop()  # transient: what was drawn is wiped, and printed once for good
        self._print_text(self._tail)
        self._print_pending()
        if self._sources:
            self._print(Group(*self._sources))
        if self._end is not None:
            self._print(_foot(self._end, self._model))
        elif self._printed:
            self._print(Text(f"· {self._state} at the server, unwatched", "muted"))

    def start(self, snapshot: Snapshot) -> None:
        """Sets the model for the last line."""
        self._model = strip_controls(snapshot.model)

    def show(self, frame: Frame) -> None:
        """Applies an event; the next tick draws it."""
        self._dirty = True
        self._last_received = time.monotonic()
        self._apply(frame.event)

    def show_stopping(self) -> None:
        """Shows it in the status line until the answer ends."""
        self._state, self._hint, self._dirty = "Stopping", "Ctrl-C again exits", True

    # ---- helpers below -------------------------------------------------------------------------

    def _apply(self, event: Event) -> None:  # noqa: C901  one case per kind of event
        match event:
            case TextDelta():
                self._writing("Writing", event.deltas)
                self._tail += strip_controls(event.text)
            case ReasoningDelta():
                self._writing("Reasoning", event.deltas)
                self._reasoning += strip_controls(event.text)
            case ToolCallDelta():
                self._writing("Calling a tool", 1)
                self._call += strip_controls(event.arguments)
            case PartStart():
                if event.part_kind == "tool-call":
                    self._call = strip_controls(f"{event.name or ''} ")
            case PartEnd():
                self._part_ended(event)
            case Seam():
                self._pending_lines.append(
                    Text(f"─○─ {strip_controls(labels.seam(event))}", "seam")
                )
            case Citation():
                number = len(self._sources) + 1
                named = strip_controls(" ".join(part for part in (event.title, event.url) if part))
                self._sources.append(Text(f"[{number}] {named}", "muted"))
            case Notice():
                self._state = labels.notice(event) or self._state
            case GenerationEnd():
                self._end = event
            case Open() | UsageReport():
                pass

    def _writing(self, state: str, deltas: int) -> None:
        if self._state != "Stopping":
            self._state = state
        self._deltas += deltas
        if self._wrote is None:
            self._wrote = self._last_received

    def _part_ended(self, event: PartEnd) -> None:
        if self._reasoning:
            seconds = f" for {event.duration_ms / 1000:.1f} s" if event.duration_ms else ""
            self._pending_lines.append(Text(f"Reasoned{seconds}", "muted"))
            self._reasoning = ""
            self._print_pending()
        elif self._call:
            self._pending_lines.append(Text(f"→ {self._call}", "muted"))
            self._call = ""

    async def _tick(self) -> None:
        drawn = 0.0
        while True:
            began = time.monotonic()
            if self._dirty or began - drawn >= IDLE_REFRESH:
                self._dirty = False
                self._draw()
                drawn = time.monotonic()
            # A block that takes long to draw is drawn less often, so that reading doesn't fall behind.
            await asyncio.sleep(max(REFRESH, 4 * (time.monotonic() - began)))

    def _draw(self) -> None:
        done = stable_length(self._tail)
        if done:
            self._print_text(self._tail[:done])
            self._tail = self._tail[done:]
            self._print_pending()
        shown: list[RenderableType] = []
        if self._tail:
            shown.append(AnswerMarkdown(self._tail))
        shown += self._pending_lines
        if self._reasoning:
            rendered = Text(self._reasoning.strip(), "dim italic")
            shown.append(_LastLines(Padding(rendered, (0, 0, 0, 2)), _REASONING_LINES))
        body = _LastLines(Group(*shown), max(3, self._console.height - 4))
        gap = [Text()] if self._printed and shown else []
        below = [Text()] if self._printed or shown else []
        self._live.update(Group(*gap, body, *below, self._status()), refresh=True)

    def _status(self) -> Text:
        now = time.monotonic()
        parts = [f"{now - self._began:.1f} s"]
        state, glyph, style = self._state, "◌", "muted"
        if self._connection_error():
            state, glyph, style = "No response from the server, retrying", "○", "warning"
        elif self._wrote is not None:
            glyph, style = "●", "accent"
        if self._wrote is not None and now - self._last_received > SILENCE:
            parts.append(f"silent for {now - self._last_received:.0f} s")
        elif self._wrote is not None and now > self._wrote + 1:
            parts.append(f"{self._deltas / (now - self._wrote):.0f} tok/s")
        line = Text.assemble((f"{glyph} {state}", style), no_wrap=True, overflow="ellipsis")
        return line.append(" · " + " · ".join([*parts, self._hint]), "muted")

    def _print_text(self, text: str) -> None:
        if text.strip():
            self._print(AnswerMarkdown(text))

    def _print_pending(self) -> None:
        for note in self._pending_lines:
            self._print(note)
        self._pending_lines.clear()

    def _print(self, shown: RenderableType) -> None:
        if self._printed:
            self._console.print()
        self._console.print(shown)
        self._printed = True


class _LastLines:
    """The last lines of something: what is being written is at its end."""

    def __init__(self, inner: RenderableType, most: int) -> None:
        self._inner = inner
        self._most = most

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._inner, options.update(height=None), pad=False)
        for line in lines[-self._most :]:
            yield from line
            yield Segment.line()


def _foot(end: GenerationEnd, model: str) -> Text:
    said = strip_controls(labels.ending(end))
    style = "warning" if end.ending == "done" and said else _STYLES[end.ending]
    facts = " · ".join(part for part in (labels.numbers(end), model) if part)
    head = f"{labels.GLYPHS[end.ending]} {said}".rstrip()
    gap = " · " if said and end.ending in {"done", "stopped"} else "\n  " if said else " "
    return Text.assemble((head, style), (gap + facts, "muted"))
