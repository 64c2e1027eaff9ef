"""Added time to the first token: one request on an idle server, and 100 at once.

`python -m bench.latency` prints milliseconds from sending the request to its first token.
"""

from __future__ import annotations

from bench import client, table
from bench.rig import Rig, rig

TOKENS = 5
AT_ONCE = 100


async def program(running: Rig, repeat: int, idle: int) -> list[list[object]]:
    """Rows: name, idle p50 and p99, p50 and p99 of 100 at once, in ms."""
    alone: dict[str, list[float]] = {}
    crowd: dict[str, list[float]] = {}
    for _ in range(repeat + 1):  # the first run warms up
        for target, _pids in running.targets(native=True):
            found = []
            for _ in range(idle):
                found += await client.many(target, 1, TOKENS)
            alone.setdefault(target.name, []).append(_percentile(target, found, 0.5))
            alone.setdefault(f"{target.name} p99", []).append(_percentile(target, found, 0.99))
            found = await client.many(target, AT_ONCE, TOKENS)
            crowd.setdefault(target.name, []).append(_percentile(target, found, 0.5))
            crowd.setdefault(f"{target.name} p99", []).append(_percentile(target, found, 0.99))
    rows: list[list[object]] = []
    for name in [name for name in alone if not name.endswith(" p99")]:
        columns = [alone[name], alone[f"{name} p99"], crowd[name], crowd[f"{name} p99"]]
        rows.append([name, *(table.median(values[1:]) for values in columns)])
    return rows


def _percentile(target: client.Target, found: list[client.Outcome], share: float) -> float:
    if bad := client.failures(found):
        raise RuntimeError(f"{target.name}: {bad}")
    return table.percentile([1000 * o.ttft for o in found if o.ttft is not None], share)


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    with rig(given.source) as running:
        rows = table.run(lambda: program(running, given.repeat, 50 if given.quick else 200))
    table.show(
        f"Time to the first token, idle and {AT_ONCE} at once",
        ["way", "idle p50, ms", "idle p99, ms", f"{AT_ONCE} at once p50, ms", "p99, ms"],
        rows,
    )


if __name__ == "__main__":
    main()
