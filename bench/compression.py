"""What compression saves and costs: bytes and CPU a token for each coding.

`python -m bench.compression` reads answers of the real server over the native API at several rates. The
bytes are those of the body on the wire, headers and chunks apart, decoded as they come, and every token is
checked; the CPU is all of the server's. What a coder costs is too little to see in that, so the second
table has the server's own coders alone, fed a frame a word of an answer in Markdown.
"""

from __future__ import annotations

import re
import time
from typing import get_args

from bench import client, paced, table, throughput
from bench.rig import ROOT, Rig, rig
from grantha.api.http.compression import negotiate
from grantha.api.http.streams import sse_frame
from grantha.events import Frame, RecordId, TextDelta

ANSWER = ROOT / "fixtures" / "markdown" / "answer.md"
STREAMS = 100  # that the coders alone are timed for, one after the other
RATES = {20: 100, 100: 20, 0: 16}  # tokens a second (0: unlimited) -> streams


async def program(running: Rig, repeat: int, seconds: int, whole: int) -> list[list[object]]:
    """Rows: tokens a second and stream, coding, bytes a token, µs of CPU a token."""
    found: dict[tuple[int, client.Coding], list[dict[str, float]]] = {}
    codings: tuple[client.Coding, ...] = get_args(client.Coding)
    pids = running.grantha.pids
    await client.many(client.Target("first", running.grantha.port, "native"), 4, 100)  # warms up
    for _ in range(repeat):
        for rate, streams in RATES.items():
            for coding in codings:
                target = client.Target(coding, running.grantha.port, "native", coding)
                result = await (
                    paced.measure(target, pids, streams, seconds, rate)
                    if rate
                    else throughput.measure(target, pids, streams, whole // streams)
                )
                found.setdefault((rate, coding), []).append(result)
    rows: list[list[object]] = []
    for (rate, coding), runs in found.items():
        size, us = (table.median([run[key] for run in runs]) for key in ("bytes", "us"))
        rows.append([rate or "unlimited", coding, size, us])
    return rows


def alone(coding: client.Coding) -> list[object]:
    """A row: coding, bytes a word, µs of CPU a word, making the coder included."""
    words = re.findall(r"\s*\S+", ANSWER.read_text(encoding="utf-8"))
    frames = [
        sse_frame(Frame(RecordId(1, seq), 1_700_000_000_000 + 50 * seq, TextDelta(0, word)))
        for seq, word in enumerate(words)
    ]
    found = negotiate(coding)
    if found is None:
        return [coding, sum(map(len, frames)) / len(frames), 0.0]
    began, sent = time.process_time(), 0
    for _ in range(STREAMS):
        coder = found[1]()
        sent += sum([len(coder.frame(frame)) for frame in frames]) + len(coder.finish())
    spent = time.process_time() - began
    return [coding, sent / STREAMS / len(frames), spent * 1e6 / STREAMS / len(frames)]


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    seconds, whole = (3, 64_000) if given.quick else (5, 320_000)
    with rig(given.source) as running:
        rows = table.run(lambda: program(running, given.repeat, seconds, whole))
    table.show(
        "Compression of streams, flushed after every frame",
        ["tokens a second and stream", "coding", "bytes a token", "µs CPU a token"],
        rows,
    )
    table.show(
        "The coders alone, a frame a word",
        ["coding", "bytes a word", "µs CPU a word"],
        [alone(coding) for coding in get_args(client.Coding)],
    )


if __name__ == "__main__":
    main()
