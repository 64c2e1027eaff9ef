"""The shipped price list equals genai-prices, for every model and time."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import genai_prices
import pytest
from genai_prices import data_snapshot
from genai_prices.types import ConditionalPrice, ModelInfo, StartDateConstraint

from grantha.analytics.cost import cost_usd
from grantha.chat import Capabilities, Usage
from grantha.providers.model_facts import capabilities_of
from grantha.providers.prices import listed_facts
from tools.price_table import TABLE, render, vendors

USAGES = [
    Usage(1_000, 500),
    Usage(100_000, 7, cached_input_tokens=60_000, cache_write_tokens=10_000),
    Usage(128_001, 900, cached_input_tokens=128_000, reasoning_tokens=400),
    Usage(200_000, 1, reasoning_tokens=1),
    Usage(200_001, 1, cache_write_tokens=200_001),
    Usage(2_000_000, 64_000, cached_input_tokens=1, cache_write_tokens=1, reasoning_tokens=1),
]
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def _names(value: object) -> Iterator[str]:
    """Every word of a matching rule: names, starts and ends of names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _names(part)
    elif isinstance(value, dict):
        yield from _names(list(value.values()))


def _changes(model: ModelInfo) -> Iterator[datetime]:
    """The hours around the model's changes of price, and through a day of its latest."""
    yield NOW
    for price in model.prices if isinstance(model.prices, list) else ():
        match price:
            case ConditionalPrice(constraint=StartDateConstraint(start_date=date)):
                start = datetime(date.year, date.month, date.day, tzinfo=UTC)
                yield from (start - timedelta(seconds=1), start)
            case ConditionalPrice(constraint=None):
                pass
            case _:
                yield from (NOW.replace(hour=hour, minute=30) for hour in range(24))


def _expected(name: str, vendor: str, usage: Usage, at: datetime) -> float:
    counts = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    price = genai_prices.calc_price(counts, name, provider_id=vendor, genai_request_timestamp=at)
    return float(price.input_price + price.output_price)


@pytest.mark.parametrize("vendor", [vendor.id for vendor in vendors()])
def test_every_model_costs_what_genai_prices_computes(vendor: str) -> None:
    snapshot = data_snapshot.get_snapshot()
    (provider,) = (one for one in snapshot.providers if one.id == vendor)
    compared = 0
    for model in provider.models:
        rule = json.loads(json.dumps(model.match, default=lambda clause: clause.__dict__))
        for name in dict.fromkeys((model.id, *_names(rule))):
            try:
                _, found = snapshot.find_provider_model(name, None, vendor, None)
            except LookupError:
                assert listed_facts(vendor, name) == {}
                continue
            for at in _changes(found):
                facts = Capabilities(**listed_facts(vendor, name, at))
                assert facts.context_length == found.context_window
                for usage in USAGES:
                    ours = cost_usd(usage, facts)
                    if facts.input_price is None or facts.output_price is None:
                        assert ours is None
                    else:
                        assert ours == pytest.approx(_expected(name, vendor, usage, at), abs=1e-7)
                        compared += 1
    assert compared > len(provider.models)


def test_the_table_is_of_the_genai_prices_that_is_pinned() -> None:
    date = json.loads(TABLE.read_text(encoding="utf-8"))["date"]
    assert render(date) == TABLE.read_text(encoding="utf-8"), "Run `make prices`."


def test_resold_models_and_dates_without_dashes_are_found() -> None:
    assert listed_facts("azure", "claude-sonnet-4-5")["cached_input_price"] > 0
    assert listed_facts("openai", "gpt-4o-20240513") == listed_facts("openai", "gpt-4o-2024-05-13")


@pytest.mark.parametrize("vendor", [None, "nobody", "openai"])
def test_an_unlisted_model_has_no_facts(vendor: str | None) -> None:
    assert listed_facts(vendor, "no-such-model-at-all") == {}


def test_prices_from_the_settings_replace_all_of_the_list() -> None:
    listed: dict[str, Any] = listed_facts("google", "gemini-2.5-pro")
    assert listed["price_tiers"]
    own = {"input_price": 1.0, "output_price": 2.0}
    facts = capabilities_of("gemini", "gemini-2.5-pro", {}, own, listed)
    assert cost_usd(Usage(1_000_000, 0, cached_input_tokens=500_000), facts) == 1.0
