"""What to do when the upstream fails, as one pure function over one value.

In this order (each line only if it applies, else the next):

    | # | step       | when                                                                        |
    |---|------------|-----------------------------------------------------------------------------|
    | 1 | Resume     | the provider can resume this very reply, tried at most twice                |
    | 2 | Retry      | nothing was shown yet, the error passes by itself, tries are left           |
    | 3 | GoOn       | text only, the model takes a prefix, the error passes, tries are left       |
    | 4 | FallBack   | a next model is configured, and what was shown can be continued by it       |
    | 5 | GiveUp     | otherwise: the end is `failed`, the text is kept                             |

Going on unasked is gated by capability: other gateways that did it always got refusals from newer
models and broken tool calls.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TypeAlias

from grantha.chat import Capabilities, Continuation
from grantha.errors import ContentBlocked, GranthaError, ProviderError, RequestRefused

MOST_TRIES = 3  # of one model without a new word in between
LONGEST_WAIT = 60.0  # seconds; a provider that asks for a longer pause counts as gone
_FIRST_DELAY, _MOST_DELAY = 0.5, 8.0


@dataclass(frozen=True, slots=True)
class Situation:
    """The failure and what stood before it. `tries` counts failures since the last new text."""

    error: GranthaError
    tries: int
    resumes: int
    resumable: bool
    shown: bool  # text, reasoning or a tool call reached the log
    tools_begun: bool
    capabilities: Capabilities
    next_capabilities: Capabilities | None  # of the next model in the chain, if there is one


@dataclass(frozen=True, slots=True)
class Resume:
    """Ask the provider for the rest of the same reply."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The same call again after `delay` seconds; nothing was shown."""

    delay: float


@dataclass(frozen=True, slots=True)
class GoOn:
    """Continue from the text so far after `delay` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class FallBack:
    """The next model of the chain takes over; `how` is None when there is no text yet."""

    how: Continuation | None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End as failed."""


Step: TypeAlias = Resume | Retry | GoOn | FallBack | GiveUp


def next_step(situation: Situation, jitter: float | None = None) -> Step:
    """The first line of the table that applies. `jitter` (0..1) is random unless given."""
    error = situation.error
    if not isinstance(error, ProviderError):
        return GiveUp()
    if situation.resumable and situation.resumes < 2 and error.retryable:
        return Resume()
    wait = delay_before(situation.tries, error, jitter)
    again = error.retryable and situation.tries < MOST_TRIES and wait <= LONGEST_WAIT
    if again and not situation.shown:
        return Retry(wait)
    if again and not situation.tools_begun and situation.capabilities.prefix:
        return GoOn(wait)
    return _fallback(situation)


def delay_before(tries: int, error: GranthaError, jitter: float | None = None) -> float:
    """Seconds before the next try: what the provider asks for, else doubling with full jitter."""
    if error.retry_after is not None:
        return error.retry_after
    share = random.random() if jitter is None else jitter  # noqa: S311  not a secret
    return min(_MOST_DELAY, _FIRST_DELAY * 2.0 ** max(tries - 1, 0)) * (0.5 + 0.5 * share)


def _fallback(situation: Situation) -> Step:
    following = situation.next_capabilities
    # Another model isn't asked what one has refused to answer, nor sent what is invalid.
    if following is None or isinstance(situation.error, ContentBlocked | RequestRefused):
        return GiveUp()
    if not situation.shown:
        return FallBack(None)
    if situation.tools_begun or following.continuation is None:
        return GiveUp()
    return FallBack(following.continuation)
