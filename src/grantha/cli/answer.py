"""Shows one answer from its first frame to its last, with Ctrl-C stopping it at the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grantha.cli.display import Display
from grantha.events import GenerationEnd

if TYPE_CHECKING:
    from grantha.client import Client, Generation


@dataclass(slots=True)
class ShownAnswer:
    """How an answer ended, as far as it was seen."""

    generation: Generation | None = None
    end: GenerationEnd | None = None
    interrupts: int = 0


async def show_answer(display: Display, start: Callable[[], Awaitable[Generation]]) -> ShownAnswer:
    """Starts an answer and shows it. Raises what `start` does, and `BrokenPipeError`."""
    from grantha.cli.interrupt import InterruptHandler

    shown = ShownAnswer()
    interrupt = InterruptHandler(display.show_stopping)
    try:
        async with interrupt, display:
            generation = shown.generation = await start()
            display.start(generation.snapshot)
            interrupt.watch(generation)
            try:
                async for frame in generation.frames():
                    display.show(frame)
                    if isinstance(frame.event, GenerationEnd):
                        shown.end = frame.event
            except BrokenPipeError:
                interrupt.stop()  # nobody reads the rest, and it may cost money
                raise
    except asyncio.CancelledError:
        if interrupt.count < 2:
            raise
    shown.interrupts = interrupt.count
    return shown


def terminal_display(client: Client, hint: str = "Ctrl-C stops") -> Display:
    """The display for a terminal. Imports Rich, which pipes don't need."""
    from rich.console import Console

    from grantha.cli.markdown import THEME
    from grantha.cli.terminal import TerminalDisplay

    return TerminalDisplay(
        Console(theme=THEME, highlight=False), lambda: client.connection_error, hint
    )
