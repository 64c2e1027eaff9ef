"""Prices and context lengths from the price list of genai-prices.

The list takes some 40 MB and half a second to load, so it is never loaded here: a child process,
this module run as a program, looks up the models that are used and ends. Until it has answered, a
price is unknown. What it found is kept for the life of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Pair = tuple[str, str]  # the vendor's name in the price list, the model

PATIENCE = 0.05  # seconds to gather further models before a child is started
DEADLINE = 20.0  # seconds that a child has
_NAMES = ("input_price", "output_price", "context_length")

_log = logging.getLogger(__name__)


class Prices:
    """Facts by vendor and model. One lookup runs at a time; whoever makes it closes it."""

    def __init__(self) -> None:
        self._known: dict[Pair, Mapping[str, Any]] = {}
        self._wanted: set[Pair] = set()
        self._task: asyncio.Task[None] | None = None

    def known(self, vendor: str | None, model: str) -> Mapping[str, Any]:
        """What is known now, by the names of `Capabilities`; perhaps nothing."""
        return self._known.get((vendor or "", model), {})

    def want(self, vendor: str | None, model: str) -> None:
        """Has a model looked up in passing. Outside of a running loop this does nothing."""
        if vendor is None or (vendor, model) in self._known:
            return
        self._wanted.add((vendor, model))
        if self._task is None or self._task.done():
            with contextlib.suppress(RuntimeError):
                loop = asyncio.get_running_loop()
                self._task = loop.create_task(self._look_up())

    async def settled(self) -> None:
        """Returns once everything wanted was looked up."""
        if self._task is not None:
            await self._task

    async def aclose(self) -> None:
        """Ends a lookup."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _look_up(self) -> None:
        await asyncio.sleep(PATIENCE)
        while self._wanted:
            pairs, self._wanted = sorted(self._wanted), set()
            try:
                async with asyncio.timeout(DEADLINE):
                    found = await _ask(pairs)
            except (OSError, ValueError, TimeoutError) as error:
                _log.debug("No prices: %s", type(error).__name__)
                found = [{}] * len(pairs)
            self._known.update(zip(pairs, found, strict=False))


def look_up(vendor: str, model: str) -> dict[str, float | int]:
    """The facts of one model, empty if the list hasn't got it. Loads the list into this process."""
    from genai_prices import data_snapshot

    try:
        _, found = data_snapshot.get_snapshot().find_provider_model(model, None, vendor, None)
        prices = found.get_prices(datetime.now(UTC))
    except LookupError:
        return {}
    values = (
        _rate(getattr(prices, "input_mtok", None)),
        _rate(getattr(prices, "output_mtok", None)),
        found.context_window,
    )
    return {name: value for name, value in zip(_NAMES, values, strict=True) if value is not None}


def main() -> None:
    """Reads pairs as JSON from the standard input and writes their facts to the standard output."""
    found = [look_up(vendor, model) for vendor, model in json.load(sys.stdin)]
    json.dump(found, sys.stdout)


async def _ask(pairs: list[Pair]) -> list[dict[str, Any]]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        out, _ = await child.communicate(json.dumps(pairs).encode())
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    answer = json.loads(out)
    if not isinstance(answer, list):
        raise ValueError("The child gave no list")
    return answer


def _rate(price: Any) -> float | None:
    # A price that grows with the length of the prompt counts by its first step.
    base = getattr(price, "base", price)
    return None if base is None else float(base)


if __name__ == "__main__":
    main()
