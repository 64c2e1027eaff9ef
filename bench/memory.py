"""Memory for each active stream, and for each further reader that is parked on one answer.

`python -m bench.memory` prints kB of resident memory, as differences between a server with few and with
many.
"""

from __future__ import annotations

import asyncio

from bench import client, table
from bench.client import Stream, Target
from bench.machine import memory_kb
from bench.rig import Rig, rig

RATE = 1  # token a second: the streams stay open while memory is read
LASTING = 60  # tokens


async def program(running: Rig, streams: int, readers: int) -> list[list[object]]:
    """Rows: what, how many, kB each."""
    target, pids = running.grantha.target("simple"), running.grantha.pids
    await client.many(target, 200, 5)  # whatever is created once is created now
    before = memory_kb(pids)
    held = [
        asyncio.create_task(client.ask(target, LASTING, RATE, timeout=30)) for _ in range(streams)
    ]
    await asyncio.sleep(8)
    active = (memory_kb(pids) - before) / streams
    generation = await _running(target.port)
    before = memory_kb(pids)
    parked = [await _park(target.port, generation) for _ in range(readers)]
    await asyncio.sleep(3)
    reading = (memory_kb(pids) - before) / readers
    for transport in parked:
        transport.close()
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    return [["active stream", streams, active], ["parked reader", readers, reading]]


async def _running(port: int) -> str:
    found = await client.call_json("GET", port, "/api/conversations?limit=1&origin=api")
    items = found["items"]
    assert isinstance(items, list)
    return str(items[0]["generation"])


async def _park(port: int, generation: str) -> asyncio.Transport:
    path = f"/api/generations/{generation}/events"
    request = client.http("GET", port, path, accept="text/event-stream")
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(
        lambda: Stream(request, Target("parked", port, "native"), LASTING, stamped=True),
        "127.0.0.1",
        port,
    )
    await asyncio.sleep(0.002)
    return transport


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    streams, readers = (100, 100) if given.quick else (500, 500)
    with rig(given.source) as running:
        rows = table.run(lambda: program(running, streams, readers))
    table.show("Memory", ["what", "how many", "kB each"], rows)


if __name__ == "__main__":
    main()
