"""What an answer cost, from token counts and prices. Unknown stays unknown."""

from __future__ import annotations

from grantha.chat import Capabilities, Usage

_MILLION = 1_000_000


def cost_usd(usage: Usage | None, capabilities: Capabilities) -> float | None:
    """US dollars: what the vendor billed, else counts times list prices; None when unknown."""
    if usage is None:
        return None
    if usage.cost_usd is not None:
        return usage.cost_usd
    if capabilities.input_price is None or capabilities.output_price is None:
        return None
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    total = (
        usage.input_tokens * capabilities.input_price
        + usage.output_tokens * capabilities.output_price
    )
    return round(total / _MILLION, 8)


def added(first: Usage, second: Usage) -> Usage:
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


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b
