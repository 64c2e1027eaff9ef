"""Parameters of the engine, as the composition root sets them and tests shorten them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grantha.engine.answer_length import DEFAULT_ANSWER_LIMITS, AnswerLimits
from grantha.engine.call_budget import DEFAULT_LIMITS, CallLimits


@dataclass(frozen=True, slots=True)
class Tuning:
    """Times in seconds.

    `first_reader` is how long at least to wait for a first reader; `close_timeout` how long an upstream
    may take to close, or to notice that it is cancelled; `flush_retry` and `recovery_retry` are the first
    pauses between tries while the store fails. `fallbacks` maps a model, or "*", to its fallback models.
    """

    window: float = 0.04
    window_behind: float = 0.2
    flush_bytes: int = 2048
    tail_bytes: int = 24 * 1024
    titles: bool = True
    first_reader: float = 5.0
    close_timeout: float = 2.0
    flush_retry: float = 0.1
    recovery_retry: float = 0.5
    limits: CallLimits = DEFAULT_LIMITS
    answer_limits: AnswerLimits = DEFAULT_ANSWER_LIMITS
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def fallbacks_of(self, model: str) -> tuple[str, ...]:
        """The fallback models of a model, in order."""
        return self.fallbacks.get(model, self.fallbacks.get("*", ()))
