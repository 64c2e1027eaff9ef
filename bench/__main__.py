"""All programs, one after the other: `python -m bench [--quick] [--repeat N] [--source CHECKOUT]`."""

from __future__ import annotations

from bench import (
    analytics,
    compression,
    concurrency,
    durability,
    latency,
    linear,
    memory,
    paced,
    requests,
    startup,
    store,
    throughput,
)

ALL = (
    latency,
    requests,
    throughput,
    paced,
    concurrency,
    memory,
    durability,
    compression,
    linear,
    startup,
    store,
    analytics,
)

for program in ALL:
    program.main()
