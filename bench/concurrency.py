"""Streams at 20 tokens a second that are held, opened at 500 a second: none lost, TTFT p99 in bounds.

`python -m bench.concurrency` tries growing numbers of streams, each way, until one doesn't hold.
"""

from __future__ import annotations

from bench import client, table
from bench.machine import cpu_seconds
from bench.rig import Rig, rig

RATE = 20
OPENED = 500  # a second
SECONDS = 6  # that each answer lasts
STEPS = (200, 500, 1000, 1500, 2000)
LATEST = 2.0  # seconds, TTFT p99


async def measure(target: client.Target, pids: list[int], streams: int) -> dict[str, float]:
    """One number of streams; `lost` counts the answers that weren't whole."""
    before = cpu_seconds(pids)
    found = await client.many(target, streams, RATE * SECONDS, RATE, opened_per_s=OPENED)
    spent = cpu_seconds(pids) - before
    times = [outcome.ttft for outcome in found if outcome.ttft is not None]
    delays = [delay / 1000 for outcome in found for delay in outcome.delays]
    return {
        "streams": streams,
        "lost": sum(1 for outcome in found if outcome.error),
        "ttft": table.percentile(times, 0.99),
        "delay": table.percentile(delays, 0.99),
        "cpu": spent / (SECONDS + streams / OPENED),
    }


async def program(running: Rig, steps: tuple[int, ...]) -> list[list[object]]:
    """Rows: name, streams, lost, TTFT p99 (s), delay p99 (ms), cores used, held or not."""
    rows: list[list[object]] = []
    for target, pids in running.targets():
        for streams in steps:
            found = await measure(target, pids, streams)
            held = found["lost"] == 0 and found["ttft"] <= LATEST
            row = [target.name, streams, int(found["lost"]), found["ttft"], found["delay"]]
            rows.append([*row, found["cpu"], "yes" if held else "no"])
            if not held:
                break
    return rows


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    with rig(given.source) as running:
        rows = table.run(lambda: program(running, STEPS[:2] if given.quick else STEPS))
    table.show(
        f"Streams at {RATE} tokens a second, opened at {OPENED} a second",
        ["way", "streams", "lost", "TTFT p99, s", "delay p99, ms", "cores", "held"],
        rows,
    )


if __name__ == "__main__":
    main()
