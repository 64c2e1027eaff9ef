"""`grantha replay`: shows an answer again, at its original speed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from grantha.cli.answer import terminal_display
from grantha.cli.display import Display, PlainDisplay
from grantha.cli.runner import Url, with_client
from grantha.cli.short_ids import find_answer
from grantha.errors import Conflict
from grantha.events import Frame

if TYPE_CHECKING:
    from grantha.client import Client


def replay(
    generation: Annotated[
        str, typer.Argument(help="Id of an answer or its conversation, or an end of it.")
    ],
    speed: Annotated[
        float, typer.Option(min=0.01, max=1000, help="2 is twice the original speed.")
    ] = 1.0,
    url: Url = None,
) -> None:
    """Show an answer again, at its original speed. Its records are kept for an hour by default."""
    with_client(url, lambda client: _replay(client, generation, speed))


async def _replay(client: Client, name: str, speed: float) -> int:
    generation = await client.generation(await find_answer(client, name))
    if generation.snapshot.status == "running":
        raise Conflict(
            f"{name} is still being written.", advice="Follow it with `grantha chat --attach`."
        )
    records = await generation.records()
    display: Display = PlainDisplay(sys.stdout)
    if sys.stdout.isatty():
        display = terminal_display(
            client, "Replay" if speed == 1 else f"Replay, {speed:g} times as fast"
        )
    async with display:
        display.start(generation.snapshot)
        await _play(records, display, speed)
    return 0


async def _play(records: Sequence[Frame], display: Display, speed: float) -> None:
    clock = asyncio.get_running_loop().time
    began, first = clock(), records[0].at
    for record in records:
        # Relative to the start, not to the last record: the time for drawing must not add up.
        due = began + (record.at - first) / 1000 / speed
        await asyncio.sleep(max(0.0, due - clock()))
        display.show(record)
