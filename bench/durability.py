"""What durability costs: the same work with `synchronous` FULL (every commit on disk) and OFF.

`python -m bench.durability` prints CPU per paced token and per request for both, alternating.
"""

from __future__ import annotations

from pathlib import Path

from bench import paced, requests, table
from bench.rig import rig


def program(source: Path | None, repeat: int, streams: int, count: int) -> list[list[object]]:
    """Rows: level, µs per token, ms per request."""
    found: dict[str, list[tuple[float, float]]] = {"OFF": [], "FULL": []}
    for _ in range(repeat):
        for level, results in found.items():
            with rig(source, {"GRANTHA_SYNCHRONOUS": level}) as running:
                target, pids = running.grantha.target("simple"), running.grantha.pids

                async def both(
                    target: paced.client.Target = target, pids: list[int] = pids
                ) -> tuple[float, float]:
                    await requests.measure(target, pids, count // 4, 16)
                    request = await requests.measure(target, pids, count, 16)
                    token = await paced.measure(target, pids, streams, 6)
                    return token["us"], request["ms"]

                results.append(table.run(both))
    rows: list[list[object]] = []
    for level, results in found.items():
        token, request = (table.median([pair[i] for pair in results]) for i in (0, 1))
        rows.append([level, token, request])
    more = [float(str(rows[1][i])) / float(str(rows[0][i])) for i in (1, 2)]
    return [*rows, ["FULL / OFF", *more]]


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    streams, count = (50, 200) if given.quick else (200, 1000)
    rows = program(given.source, given.repeat, streams, count)
    table.show("Durability", ["synchronous", "µs CPU per paced token", "ms CPU per request"], rows)


if __name__ == "__main__":
    main()
