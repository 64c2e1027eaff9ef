"""The known facts about models: context, images, tools, prefixes, refused options, prices.

Put together, later over earlier: the host's row, the matching entries of `models.toml`, the price
list, `grantha.toml`. Never blocks and never uses the network.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from grantha.chat import Capabilities, PriceTier
from grantha.errors import BadRequest

_PRICES = frozenset(item.name for item in fields(PriceTier)) & {
    item.name for item in fields(Capabilities)
}
_NAMES = frozenset(item.name for item in fields(Capabilities)) - {"price_tiers"}


@dataclass(frozen=True, slots=True)
class FactsEntry:
    """Facts about the models whose bare name matches, at these providers (empty: at all)."""

    match: tuple[str, ...]
    providers: frozenset[str]
    facts: Mapping[str, Any]

    def matches(self, provider: str, model: str) -> bool:
        """Whether this entry is about that model."""
        if self.providers and provider not in self.providers:
            return False
        return any(fnmatchcase(model, pattern) for pattern in self.match)


def capabilities_of(
    provider: str,
    model: str,
    assumed: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    listed: Mapping[str, Any] | None = None,
) -> Capabilities:
    """Facts about one model; `listed` are those of the price list. Names in `overrides` that are
    no capability raise `BadRequest`.
    """
    bare = bare_name(model)
    found: dict[str, Any] = dict(assumed)
    found.update(_shipped_facts(provider, bare))
    found.update(listed or {})
    overrides = overrides or {}
    unknown = sorted(overrides.keys() - _NAMES)
    if unknown:
        raise BadRequest(
            f"providers.{provider}.models: {unknown[0]!r} is no capability",
            advice=f"Use one of {', '.join(sorted(_NAMES))}.",
        )
    if overrides.keys() & _PRICES:  # other prices don't come with the list's discounts
        for name in (*_PRICES, "price_tiers"):
            found.pop(name, None)
    return Capabilities(**{**found, **overrides})


@functools.lru_cache(maxsize=2048)
def _shipped_facts(provider: str, bare: str) -> Mapping[str, Any]:
    """The entry of one model in the shipped file."""
    found: dict[str, Any] = {}
    for entry in facts_entries():
        if entry.matches(provider, bare):
            found.update(entry.facts)
    return found


def bare_name(model: str) -> str:
    """The model's own name: without the maker's folder, a region, a variant, in lower case."""
    return model.rpartition("/")[2].partition(":")[0].lower()


@functools.cache
def facts_entries() -> tuple[FactsEntry, ...]:
    """All entries of the shipped file, in its order."""
    path = Path(__file__).with_name("models.toml")
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["models"]
    return tuple(
        FactsEntry(
            tuple(row["match"]),
            frozenset(row.get("providers", ())),
            {key: value for key, value in row.items() if key in _NAMES},
        )
        for row in rows
    )
