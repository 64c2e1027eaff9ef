"""Writes the price list that the package ships, from the installed genai-prices: `make prices`.

`src/grantha/providers/price_table.json` holds the vendors that the catalog names, and those whose models
they resell, one model a line. `make lock UPGRADE=1` brings a newer genai-prices first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from genai_prices import data_snapshot
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from grantha.providers.catalog import HOSTS

TABLE = Path(__file__).resolve().parents[1] / "src/grantha/providers/price_table.json"
# Our names of the prices that our token counts can be charged by.
KEYS = {
    "input_mtok": "input_price",
    "output_mtok": "output_price",
    "cache_read_mtok": "cached_input_price",
    "cache_write_mtok": "cache_write_price",
    "output_reasoning_mtok": "reasoning_price",
}


def vendors() -> list[Provider]:
    """The catalog's vendors and those they fall back to."""
    known = {provider.id: provider for provider in data_snapshot.get_snapshot().providers}
    names = dict.fromkeys(host.price_vendor for host in HOSTS if host.price_vendor)
    for name in list(names):
        names.update(dict.fromkeys(known[name].fallback_model_providers or ()))
    return [known[name] for name in names]


def render(date: str) -> str:
    """The whole file, one model a line."""
    package = metadata.distribution("genai-prices")
    header = {
        "source": f"genai-prices {package.version}, https://github.com/pydantic/genai-prices",
        "date": date,
        "license": package.read_text("licenses/LICENSE"),
    }
    lines = [f'"{name}": {json.dumps(value)}' for name, value in header.items()]
    rows = [f'"{vendor.id}": {_vendor(vendor)}' for vendor in vendors()]
    lines.append('"vendors": {\n' + ",\n".join(rows) + "\n}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _vendor(vendor: Provider) -> str:
    models = ",\n".join(
        json.dumps(_model(model), separators=(",", ":"), ensure_ascii=False)
        for model in vendor.models
    )
    fallbacks = json.dumps(vendor.fallback_model_providers or [])
    return f'{{"fallbacks": {fallbacks}, "models": [\n{models}\n]}}'


def _model(model: ModelInfo) -> dict[str, Any]:
    row: dict[str, Any] = {"match": _clause(asdict(model.match))}
    if model.context_window is not None:
        row["context_length"] = model.context_window
    row["prices"] = list(_conditional(model.prices))
    return row


def _clause(clause: dict[str, Any]) -> dict[str, Any]:
    """A rule of the names that mean this model: its kind (`equals`, `or`, ...) and what it holds."""
    ((kind, value),) = clause.items()
    if isinstance(value, list):
        return {kind.rstrip("_"): [_clause(part) for part in value]}
    return {kind: value if kind == "regex" else value.lower()}


def _conditional(prices: ModelPrice | list[ConditionalPrice]) -> Iterator[dict[str, Any]]:
    """Later ones go before earlier ones while their condition holds."""
    if isinstance(prices, ModelPrice):
        yield _prices(prices)
        return
    for price in prices:
        match price.constraint:
            case StartDateConstraint(start_date=date):
                yield {"from": date.isoformat(), **_prices(price.prices)}
            case TimeOfDateConstraint(start_time=start, end_time=end):
                if start.tzinfo not in {None, UTC} or end.tzinfo not in {None, UTC}:
                    raise ValueError("A time of day that isn't in UTC")
                between = [start.strftime("%H:%M:%S"), end.strftime("%H:%M:%S")]
                yield {"between": between, **_prices(price.prices)}
            case None:
                yield _prices(price.prices)


def _prices(prices: ModelPrice) -> dict[str, Any]:
    found = {ours: getattr(prices, key) for key, ours in KEYS.items()}
    found = {name: price for name, price in found.items() if price is not None}
    row: dict[str, Any] = {name: _above(price, 0) for name, price in found.items()}
    starts = sorted({start for price in found.values() for start in _starts(price)})
    if starts:
        row["price_tiers"] = [
            {"above": start, **{name: _above(price, start) for name, price in found.items()}}
            for start in starts
        ]
    return row


def _starts(price: Any) -> Iterable[int]:
    return (tier.start for tier in price.tiers) if isinstance(price, TieredPrices) else ()


def _above(price: Any, start: int) -> float:
    """The price of a prompt that is longer than `start`; 0 stands for any prompt."""
    if not isinstance(price, TieredPrices):
        return float(price)
    reached = [tier.price for tier in price.tiers if start and tier.start <= start]
    return float(reached[-1] if reached else price.base)


def main() -> None:
    """The program."""
    TABLE.write_text(render(datetime.now(UTC).date().isoformat()), encoding="utf-8")


if __name__ == "__main__":
    main()
