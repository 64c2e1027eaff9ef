"""CPU per request: start, five tokens, end, all durable; many of them, a few at a time.

`python -m bench.requests` prints ms of server CPU for one whole answer.
"""

from __future__ import annotations

import asyncio
import time

from bench import client, table
from bench.machine import cpu_seconds
from bench.rig import Rig, rig

TOKENS = 5


async def measure(
    target: client.Target, pids: list[int], count: int, at_once: int
) -> dict[str, float]:
    """`count` requests, `at_once` of them in flight."""
    names = [
        await client.new_conversation(target.port) if target.api == "native" else ""
        for _ in range(count)
    ]
    requests = [client.request_of(target, TOKENS, 0, name) for name in names]
    before, began = cpu_seconds(pids), time.monotonic()
    found: list[client.Outcome] = []

    async def worker() -> None:
        while requests:
            found.append(await client.read(target, requests.pop(), TOKENS))

    await asyncio.gather(*(worker() for _ in range(at_once)))
    took = time.monotonic() - began
    spent = cpu_seconds(pids) - before
    if bad := client.failures(found):
        raise RuntimeError(f"{target.name}: {bad}")
    return {"ms": spent * 1000 / count, "per_s": count / took}


async def program(running: Rig, repeat: int, count: int, at_once: int) -> list[list[object]]:
    """Rows: name, ms of CPU per request, requests a second."""
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(repeat + 1):  # the first run warms up and doesn't count
        for target, pids in running.targets(native=True):
            result = await measure(target, pids, count, at_once)
            found.setdefault(target.name, []).append(result)
    rows: list[list[object]] = []
    for name, runs in found.items():
        ms, per_s = (table.median([r[key] for r in runs[1:]]) for key in ("ms", "per_s"))
        rows.append([name, ms, per_s])
    return rows


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    count = 200 if given.quick else 1000
    with rig(given.source) as running:
        rows = table.run(lambda: program(running, given.repeat, count, 16))
    table.show(
        f"Requests: start, {TOKENS} tokens, end; 16 at a time",
        ["way", "ms CPU per request", "requests a second"],
        rows,
    )


if __name__ == "__main__":
    main()
