"""Tables of results as Markdown, medians, and the command line that all programs share."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import uvloop

from bench.machine import described

T = TypeVar("T")


def arguments(about: str) -> argparse.Namespace:
    """`--source` another checkout's Grantha, `--repeat` how often, `--quick` a tenth of the load."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--source", type=Path, help="checkout whose Grantha is measured")
    parser.add_argument("--repeat", type=int, default=3, help="runs; the median is reported")
    parser.add_argument("--quick", action="store_true", help="less load, rougher numbers")
    return parser.parse_args()


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Runs the client's side on a fast loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())  # type: ignore[arg-type]


def median(values: Sequence[float]) -> float:
    """The median."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else float("nan")


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all don't pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table."""
    print(f"\n### {title}\n\n{described()}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(_cell(value) for value in row) + " |")
    print(flush=True)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
