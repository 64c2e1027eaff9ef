"""Bytes stored and sent for an answer of n tokens, n doubling: twice the answer, twice the bytes.

`python -m bench.linear` prints them for n, 2n and 4n, with the CPU, and the ratios to n.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from bench import client, table
from bench.machine import cpu_seconds
from bench.rig import Rig, rig

_STORED = (
    "SELECT count(*), sum(length(payload) + length(generation) + length(kind) + 24) FROM records"
)


async def program(running: Rig, folder: str, least: int) -> list[list[object]]:
    """Rows: tokens, records and bytes stored, bytes sent, CPU in s."""
    target, pids = running.grantha.target("simple"), running.grantha.pids
    await client.many(target, 4, 100)
    rows: list[list[object]] = []
    for count in (least, 2 * least, 4 * least):
        records, stored = _stored(folder)
        before = cpu_seconds(pids)
        found = await client.ask(target, count)
        if found.error:
            raise RuntimeError(found.error)
        now = _stored(folder)
        spent = cpu_seconds(pids) - before
        rows.append([count, now[0] - records, now[1] - stored, found.received, spent])
    first = rows[0]
    for row in list(rows):
        ratios = [float(str(row[i])) / float(str(first[i])) for i in range(5)]
        rows.append([f"x {ratios[0]:.0f}", *ratios[1:]])
    return rows


def _stored(folder: str) -> tuple[int, int]:
    reading = sqlite3.connect(f"file:{Path(folder, 'grantha.db')}?mode=ro", uri=True)
    try:
        count, size = reading.execute(_STORED).fetchone()
        return int(count), int(size)
    finally:
        reading.close()


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    least = 5_000 if given.quick else 25_000
    with tempfile.TemporaryDirectory(prefix="grantha-bench-") as folder:
        settings = {"GRANTHA_DATA_DIR": folder}
        with rig(given.source, settings) as running:
            rows = table.run(lambda: program(running, folder, least))
    head = ["tokens", "records", "bytes stored", "bytes sent", "CPU, s"]
    table.show("Linear in the length of the answer", head, rows)


if __name__ == "__main__":
    main()
