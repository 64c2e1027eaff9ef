"""What an answer cost, from token counts and prices. Unknown stays unknown."""

from __future__ import annotations

from grantha.chat import Capabilities, PriceTier, Usage

_MILLION = 1_000_000


def cost_usd(usage: Usage | None, capabilities: Capabilities) -> float | None:
    """US dollars: what the vendor billed, else counts times list prices; None when unknown."""
    if usage is None:
        return None
    if usage.cost_usd is not None:
        return usage.cost_usd
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    reached = (
        tier for tier in reversed(capabilities.price_tiers) if usage.input_tokens > tier.above
    )
    prices: Capabilities | PriceTier = next(reached, capabilities)
    prompt = _charge(
        usage.input_tokens,
        prices.input_price,
        (usage.cached_input_tokens, prices.cached_input_price),
        (usage.cache_write_tokens, prices.cache_write_price),
    )
    answer = _charge(
        usage.output_tokens, prices.output_price, (usage.reasoning_tokens, prices.reasoning_price)
    )
    return None if prompt is None or answer is None else round((prompt + answer) / _MILLION, 8)


def add_usage(first: Usage, second: Usage) -> Usage:
    """The sum over two upstream calls; a count that one of them doesn't know stays unknown."""
    return Usage(
        _sum(first.input_tokens, second.input_tokens),
        _sum(first.output_tokens, second.output_tokens),
        _sum(first.cached_input_tokens, second.cached_input_tokens),
        _sum(first.cache_write_tokens, second.cache_write_tokens),
        _sum(first.reasoning_tokens, second.reasoning_tokens),
        None
        if first.cost_usd is None or second.cost_usd is None
        else first.cost_usd + second.cost_usd,
        first.partial or second.partial,
    )


def _charge(
    tokens: int, price: float | None, *special: tuple[int | None, float | None]
) -> float | None:
    """Tokens times price, where some of them have a price of their own; None when unknown."""
    if price is None:
        return None
    total = 0.0
    for some, own in special:
        if some is not None and own is not None:
            tokens -= some
            total += some * own
    # More cached tokens than tokens: the counts contradict each other.
    return None if tokens < 0 else total + tokens * price


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b
