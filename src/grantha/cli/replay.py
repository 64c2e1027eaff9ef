"""`grantha replay`: an answer once more, at the pace it was written."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from grantha.cli.chat import terminal_view
from grantha.cli.plain import PlainView, View
from grantha.cli.runner import Url, with_client
from grantha.errors import Conflict
from grantha.events import Frame

if TYPE_CHECKING:
    from grantha.client import Client


def replay(
    generation: Annotated[str, typer.Argument(help="The id of an answer, g_….")],
    speed: Annotated[
        float, typer.Option(min=0.01, max=1000, help="2 is twice as fast as it was.")
    ] = 1.0,
    url: Url = None,
) -> None:
    """Show an answer again, at its original speed. Its records are kept for an hour by default."""
    with_client(url, lambda client: _replay(client, generation, speed))


async def _replay(client: Client, name: str, speed: float) -> int:
    generation = await client.generation(name)
    if generation.snapshot.status == "running":
        raise Conflict(f"{name} is still being written.", advice="Join it with chat --attach.")
    records = await generation.records()
    view: View = PlainView(sys.stdout)
    if sys.stdout.isatty():
        view = terminal_view(client, "Replay" if speed == 1 else f"Replay, {speed:g} times as fast")
    async with view:
        view.begin(generation.snapshot)
        await _play(records, view, speed)
    return 0


async def _play(records: Sequence[Frame], view: View, speed: float) -> None:
    clock = asyncio.get_running_loop().time
    began, first = clock(), records[0].at
    for record in records:
        # Against the start, not the record before: what drawing costs isn't added to the silences.
        due = began + (record.at - first) / 1000 / speed
        await asyncio.sleep(max(0.0, due - clock()))
        view.take(record)
