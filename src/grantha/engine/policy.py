"""What to do when the upstream fails, as one pure function over one value.

In this order (each line only if it applies, else the next):

    | # | step       | when                                                                        |
    |---|------------|-----------------------------------------------------------------------------|
    | 0 | GiveUp     | the call budget of the generation is used up (`engine.call_budget`)         |
    | 1 | Resume     | the provider can resume this very reply, tried at most twice                |
    | 2 | Retry      | nothing was shown yet, the error is retryable, tries are left               |
    | 3 | Continue   | text only, the model takes a prefix, the error is retryable, tries are left  |
    | 4 | FallBack   | a next model is configured, and what was shown can be continued by it       |
    | 5 | GiveUp     | otherwise: the end is `failed`, the text is kept                            |

Continuing automatically is gated by capability: gateways that did it always got refusals from newer
models and broken tool calls.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TypeAlias

from grantha.chat import Capabilities, ContinuationMode
from grantha.engine.call_budget import DEFAULT_LIMITS, CallLimits
from grantha.errors import ContentBlocked, GranthaError, ProviderError, RequestRefused

MAX_TRIES = 3  # of one model in a row that wrote too little for what was sent
MAX_RESUMES = 2
MAX_RETRY_AFTER = 60.0  # seconds; a provider that asks for a longer pause counts as gone


@dataclass(frozen=True, slots=True)
class FailureContext:
    """The failure and what stood before it.

    `tries` counts failures of this model in a row that wrote too little for what was sent (see
    `CallBudget.paid`), `failures` those of the whole generation; `exhausted` says that the call budget
    allows no further call.
    """

    error: GranthaError
    tries: int
    failures: int
    resumes: int
    resumable: bool
    exhausted: bool
    shown: bool  # text, reasoning or a tool call reached the log
    tools_begun: bool
    capabilities: Capabilities
    next_capabilities: Capabilities | None  # of the next model in the chain, if there is one
    limits: CallLimits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Resume:
    """Ask the provider for the rest of the same reply after `delay` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Retry:
    """The same call again after `delay` seconds; nothing was shown."""

    delay: float


@dataclass(frozen=True, slots=True)
class Continue:
    """Continue from the text so far after `delay` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class FallBack:
    """The next model takes over after `delay` seconds; `mode` is None when there is no text yet."""

    mode: ContinuationMode | None
    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End as failed."""


Step: TypeAlias = Resume | Retry | Continue | FallBack | GiveUp


def next_step(situation: FailureContext, jitter: float | None = None) -> Step:
    """The first line of the table that applies. `jitter` (0..1) is random unless given."""
    error = situation.error
    if not isinstance(error, ProviderError) or situation.exhausted:
        return GiveUp()
    pause = pause_before(situation.failures, situation.limits, jitter)
    if situation.resumable and situation.resumes < MAX_RESUMES and error.retryable:
        return Resume(pause)
    wait = max(pause, error.retry_after or 0.0)
    again = error.retryable and situation.tries < MAX_TRIES and wait <= MAX_RETRY_AFTER
    if again and not situation.shown:
        return Retry(wait)
    if again and not situation.tools_begun and situation.capabilities.prefix:
        return Continue(wait)
    return _fallback(situation, pause)


def pause_before(failures: int, limits: CallLimits, jitter: float | None = None) -> float:
    """Seconds before the next call: doubling with every failure, with half jitter."""
    share = random.random() if jitter is None else jitter  # noqa: S311  not a secret
    doubled = limits.first_pause * 2.0 ** min(max(failures - 1, 0), 32)
    return min(limits.max_pause, doubled) * (0.5 + 0.5 * share)


def _fallback(situation: FailureContext, pause: float) -> Step:
    following = situation.next_capabilities
    # What one model refused to answer, or what is invalid, isn't sent to another.
    if following is None or isinstance(situation.error, ContentBlocked | RequestRefused):
        return GiveUp()
    # The first failure says nothing about the other model: no need to wait for it.
    delay = 0.0 if situation.failures <= 1 else pause
    if not situation.shown:
        return FallBack(None, delay)
    if situation.tools_begun or following.continuation is None:
        return GiveUp()
    return FallBack(following.continuation, delay)
