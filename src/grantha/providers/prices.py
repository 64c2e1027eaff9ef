"""Prices and context lengths by vendor and model, from the price list that the package ships.

`tools/price_table.py` makes `price_table.json` from genai-prices, which is 40 MB and half a second
to load; this file is read within milliseconds, when a model is first used. Names of models are
matched by genai-prices' own rules, first match wins.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grantha.chat import PriceTier

JsonRow = Mapping[str, Any]

# Some clients write dates into names without dashes; the list has them with dashes.
_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def listed_facts(vendor: str | None, model: str, at: datetime | None = None) -> dict[str, Any]:
    """Facts by the names of `Capabilities`, as of that time (now); empty for an unlisted model."""
    row = None if vendor is None else _row(vendor, model)
    if row is None:
        return {}
    facts = dict(_prices_at(row["prices"], at or datetime.now(UTC)))
    facts.pop("from", None)
    facts.pop("between", None)
    if tiers := facts.pop("price_tiers", None):
        facts["price_tiers"] = tuple(PriceTier(**tier) for tier in tiers)
    if "context_length" in row:
        facts["context_length"] = row["context_length"]
    return facts


def _prices_at(prices: list[JsonRow], at: datetime) -> JsonRow:
    """The last prices whose condition holds, else the first."""
    if not prices:
        return {}
    return next((one for one in reversed(prices) if _holds(one, at)), prices[0])


def _holds(prices: JsonRow, at: datetime) -> bool:
    if "from" in prices:
        return at.date().isoformat() >= str(prices["from"])
    if "between" in prices:
        start, end = map(str, prices["between"])
        now = at.strftime("%H:%M:%S")
        # An interval that ends before it starts goes over midnight.
        return start <= now < end if start <= end else now >= start or now < end
    return True


@functools.lru_cache(maxsize=4096)
def _row(vendor: str, model: str) -> JsonRow | None:
    name = model.lower()
    with_dashes = _COMPACT_DATE.sub(r"-\1-\2-\3", name)
    return _find(vendor, name) or (_find(vendor, with_dashes) if with_dashes != name else None)


def _find(vendor: str, name: str) -> JsonRow | None:
    listing = _table().get(vendor)
    if listing is None:
        return None
    for source in (vendor, *listing.fallbacks):
        if found := _table()[source].find(name):
            return found
    return None


@dataclass(frozen=True, slots=True)
class _Listing:
    """The models of one vendor in their order. Most match whole names only, and are found by these."""

    fallbacks: tuple[str, ...]
    rows: list[JsonRow]
    exact: dict[str, int]
    patterns: list[tuple[int, JsonRow]]

    def find(self, name: str) -> JsonRow | None:
        """The first row that matches."""
        first = self.exact.get(name, len(self.rows))
        for position, clause in self.patterns:
            if position >= first:
                break
            if _matches(clause, name):
                return self.rows[position]
        return self.rows[first] if first < len(self.rows) else None


@functools.cache
def _table() -> Mapping[str, _Listing]:
    text = Path(__file__).with_name("price_table.json").read_text(encoding="utf-8")
    return {name: _listing(vendor) for name, vendor in json.loads(text)["vendors"].items()}


def _listing(vendor: JsonRow) -> _Listing:
    exact: dict[str, int] = {}
    patterns: list[tuple[int, JsonRow]] = []
    for position, row in enumerate(vendor["models"]):
        names = list(_whole_names(row["match"]))
        if None in names:
            patterns.append((position, row["match"]))
        else:
            for name in names:
                exact.setdefault(str(name), position)
    return _Listing(tuple(vendor["fallbacks"]), vendor["models"], exact, patterns)


def _whole_names(clause: JsonRow) -> Iterator[str | None]:
    """The names that a clause takes; None among them where it takes others too."""
    ((kind, value),) = clause.items()
    if kind == "or":
        for part in value:
            yield from _whole_names(part)
    else:
        yield value if kind == "equals" else None


def _matches(clause: JsonRow, name: str) -> bool:
    ((kind, value),) = clause.items()
    match kind:
        case "equals":
            return name == str(value)
        case "starts_with":
            return name.startswith(value)
        case "ends_with":
            return name.endswith(value)
        case "contains":
            return value in name
        case "regex":
            return re.search(value, name) is not None
        case "and":
            return all(_matches(part, name) for part in value)
        case "or":
            return any(_matches(part, name) for part in value)
        case _:
            raise ValueError(f"The price list has a rule of an unknown kind: {kind!r}")
