"""The replies of hosts that speak OpenAI Chat Completions, as structs, and their usage as ours.

Text, calls and finish reasons are typed. Everything beside them may have any shape: hosts put their own
things into fields of these names.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from grantha.chat import Usage, is_amount

TICKS_PER_DOLLAR = 10**10  # https://docs.x.ai/developers/cost-tracking


class UpstreamFunction(msgspec.Struct):
    """A function's name and arguments; the arguments are text, at a few hosts the object itself."""

    name: str | None = None
    arguments: Any = None


class UpstreamCall(msgspec.Struct):
    """A fragment of a tool call."""

    index: int | None = None
    id: str | None = None
    function: UpstreamFunction | None = None


class UpstreamDelta(msgspec.Struct):
    """The delta of a chunk, or a whole message."""

    essential: ClassVar[frozenset[str]] = frozenset({"content"})

    content: str | list[Any] | None = None
    reasoning_content: Any = None
    reasoning: Any = None  # text; an object at hosts that put other things here
    reasoning_details: Any = None
    refusal: str | None = None
    tool_calls: list[UpstreamCall] | None = None
    function_call: UpstreamFunction | None = None
    annotations: Any = None
    images: Any = None


class UpstreamChoice(msgspec.Struct):
    """One answer of a chunk."""

    essential: ClassVar[frozenset[str]] = frozenset({"delta", "message", "finish_reason"})

    index: int | None = 0
    delta: UpstreamDelta | None = None
    message: UpstreamDelta | None = None
    text: str | None = None  # in place of a delta: a plain completion, which llama.cpp continues
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    logprobs: Any = None
    error: Any = None


class InputDetails(msgspec.Struct):
    """How much of the input came from, or went into, a cache."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetails(msgspec.Struct):
    """How much of the output was reasoning."""

    reasoning_tokens: int | None = None


class CostDetails(msgspec.Struct):
    """OpenRouter: the price that the vendor behind it charges to the user's own key."""

    upstream_inference_cost: float | None = None


class BilledUsage(msgspec.Struct):
    """The cost of a reply, under the names that different hosts use."""

    cost: Any = None  # OpenRouter: dollars; Perplexity: an object
    cost_details: CostDetails | None = None
    is_byok: bool = False
    cost_in_usd_ticks: int | None = None  # xAI


class UpstreamUsage(BilledUsage):
    """Token counts, by the names that different hosts use."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek
    cached_tokens: int | None = None  # Moonshot


class GroqExtension(msgspec.Struct):
    """Groq's own part of a chunk."""

    usage: UpstreamUsage | None = None
    error: Any = None


class UpstreamChunk(msgspec.Struct):
    """One chunk, or a whole reply."""

    essential: ClassVar[frozenset[str]] = frozenset({"choices"})

    id: str | None = None
    model: str | None = None
    choices: list[UpstreamChoice] | None = None
    usage: UpstreamUsage | None = None
    search_results: Any = None
    citations: Any = None
    error: Any = None
    object: str | None = None
    message: Any = None
    code: Any = None
    type: str | None = None
    param: Any = None
    x_groq: GroqExtension | None = None


def usage_of(seen: UpstreamUsage) -> Usage:
    """The counts as `Usage`: input includes cached tokens, output includes reasoning."""
    inputs = seen.prompt_tokens_details or InputDetails()
    outputs = seen.completion_tokens_details or OutputDetails()
    cached = (inputs.cached_tokens, seen.prompt_cache_hit_tokens, seen.cached_tokens)
    return Usage(
        seen.prompt_tokens,
        output_tokens(
            seen.prompt_tokens, seen.completion_tokens, outputs.reasoning_tokens, seen.total_tokens
        ),
        next((count for count in cached if count is not None), None),
        inputs.cache_write_tokens,
        outputs.reasoning_tokens,
        cost_usd(seen),
    )


def output_tokens(
    given: int | None, output: int | None, reasoning: int | None, total: int | None
) -> int | None:
    """xAI counts reasoning apart from the completion, the others within it: the total shows which."""
    if output is None or not reasoning:
        return output
    apart = total == (given or 0) + output + reasoning
    return output + reasoning if apart or reasoning > output else output


def cost_usd(seen: BilledUsage) -> float | None:
    """The price that the host reports, in US dollars."""
    ticks = seen.cost_in_usd_ticks
    if ticks is not None:
        return ticks / TICKS_PER_DOLLAR if is_amount(ticks) else None
    cost = seen.cost.get("total_cost") if isinstance(seen.cost, dict) else seen.cost
    if not is_amount(cost):
        return None
    upstream = seen.cost_details.upstream_inference_cost if seen.cost_details else None
    # With the user's own key, OpenRouter's cost is only its fee.
    return float(cost) + ((upstream or 0.0) if seen.is_byok else 0.0)
