"""CPU per paced token: 200 streams of 20 tokens a second, as chat answers are; and the delay added.

`python -m bench.paced` prints µs of server CPU per token and how late tokens come, against a direct
connection and nginx in the same run; then the same of one stream of 50 tokens a second.
"""

from __future__ import annotations

import asyncio
from functools import partial

from bench import client, table
from bench.machine import cpu_seconds
from bench.rig import Rig, rig

RATE = 20  # tokens a second of each of many streams
ALONE = 50  # of one


async def measure(
    target: client.Target, pids: list[int], streams: int, seconds: int, rate: int = RATE
) -> dict[str, float]:
    """One run; raises RuntimeError when a token was lost, doubled or out of order."""
    outcomes = asyncio.create_task(
        client.many(target, streams, rate * (seconds + 4), rate, opened_per_s=streams / 2)
    )
    await asyncio.sleep(3)  # all are open by then: what opening costs is measured elsewhere
    before = cpu_seconds(pids) if pids else 0.0
    await asyncio.sleep(seconds)
    spent = cpu_seconds(pids) - before if pids else 0.0
    found = await outcomes
    if bad := client.failures(found):
        raise RuntimeError(f"{target.name}: {bad}")
    delays = [delay / 1000 for outcome in found for delay in outcome.delays]
    return {
        "us": spent * 1e6 / (streams * rate * seconds),
        "bytes": sum(o.received for o in found) / sum(o.tokens for o in found),
        "p50": table.percentile(delays, 0.5),
        "p99": table.percentile(delays, 0.99),
    }


async def program(
    running: Rig, repeat: int, streams: int, seconds: int, rate: int = RATE
) -> list[list[object]]:
    """Rows: name, µs per token, ratio to nginx, delay p50 and p99 in ms."""
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(repeat):
        for target, pids in running.targets(native=True):
            result = await measure(target, pids, streams, seconds, rate)
            found.setdefault(target.name, []).append(result)
    floor = table.median([r["us"] for r in found.get("nginx", [])])
    rows: list[list[object]] = []
    for name, runs in found.items():
        us = table.median([r["us"] for r in runs])
        p50, p99 = (table.median([r[key] for r in runs]) for key in ("p50", "p99"))
        rows.append([name, us, us / floor, p50, p99])
    return rows


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    streams, seconds = (50, 3) if given.quick else (200, 8)
    loads = ((streams, RATE), (1, ALONE))
    with rig(given.source) as running:
        tables = [
            table.run(partial(program, running, given.repeat, count, seconds, rate))
            for count, rate in loads
        ]
    for (count, rate), rows in zip(loads, tables, strict=True):
        table.show(
            f"Paced: {count} at {rate} tokens a second",
            ["way", "µs CPU per token", "x nginx", "delay p50, ms", "delay p99, ms"],
            rows,
        )


if __name__ == "__main__":
    main()
