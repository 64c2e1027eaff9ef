"""Tokens a second, as fast as they go, durable: 16 and 64 answers at once, the model unlimited.

`python -m bench.throughput` prints tokens a second and µs of server CPU per token.
"""

from __future__ import annotations

import time

from bench import client, table
from bench.machine import cpu_seconds
from bench.rig import Rig, rig

STREAMS = (16, 64)


async def measure(
    target: client.Target, pids: list[int], streams: int, tokens: int
) -> dict[str, float]:
    """One burst of whole answers."""
    before, began = cpu_seconds(pids), time.monotonic()
    found = await client.many(target, streams, tokens)
    took = time.monotonic() - began
    spent = cpu_seconds(pids) - before
    if bad := client.failures(found):
        raise RuntimeError(f"{target.name}: {bad}")
    whole = streams * tokens
    sent = sum(outcome.received for outcome in found)
    return {"tok_s": whole / took, "us": spent * 1e6 / whole, "bytes": sent / whole}


async def program(running: Rig, repeat: int, whole: int) -> list[list[object]]:
    """Rows: name, then tokens a second and µs per token for each number of streams."""
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(repeat):
        for target, pids in running.targets(native=True):
            for streams in STREAMS:
                result = await measure(target, pids, streams, whole // streams)
                found.setdefault((target.name, streams), []).append(result)
    rows: list[list[object]] = []
    for name in dict.fromkeys(name for name, _ in found):
        row: list[object] = [name]
        for streams in STREAMS:
            runs = found[name, streams]
            row += [table.median([r[key] for r in runs]) for key in ("tok_s", "us")]
        rows.append(row)
    return rows


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    whole = 64_000 if given.quick else 320_000
    with rig(given.source) as running:
        rows = table.run(lambda: program(running, given.repeat, whole))
    head = ["way"]
    for streams in STREAMS:
        head += [f"tok/s, {streams} streams", "µs CPU per token"]
    table.show("Throughput: unlimited, every token checked", head, rows)


if __name__ == "__main__":
    main()
