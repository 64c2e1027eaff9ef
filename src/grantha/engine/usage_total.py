"""Usage and cost of one generation over all its upstream calls.

Unknown is never 0, and what was reported is never thrown away: a call that was accepted and didn't
finish makes the sum `partial`, because vendors report most of it at the end of a reply.
"""

from __future__ import annotations

from dataclasses import replace

from grantha.analytics.cost import add_usage, cost_usd
from grantha.chat import Capabilities, Usage


class UsageTotal:
    """The sum so far. With `partial`, earlier owners made calls of unknown usage."""

    def __init__(self, *, partial: bool) -> None:
        self._sum: Usage | None = None
        self._call: Usage | None = None
        self._open = False
        self._partial = partial

    def resume(self, usage: Usage) -> None:
        """The last sum that an earlier owner wrote down."""
        self._sum = usage
        self._partial = self._partial or usage.partial

    def accepted(self) -> None:
        """The provider began to reply: from here on the call costs something."""
        self._open = True
        self._call = None

    def record(self, usage: Usage) -> None:
        """The latest totals of the call."""
        self._call = usage

    def finish(self, capabilities: Capabilities, *, complete: bool) -> bool:
        """The call ended; priced by the model that wrote it. Returns whether the sum has grown."""
        if not self._open:
            return False
        self._open = False
        if self._call is None or not complete:
            self._partial = True
        if self._call is None:
            return False
        priced = replace(self._call, cost_usd=cost_usd(self._call, capabilities))
        self._sum = priced if self._sum is None else add_usage(self._sum, priced)
        return True

    def output_tokens(self) -> int:
        """Output tokens reported so far, the present call included: a lower bound, 0 if none was."""
        reported = (self._sum, self._call if self._open else None)
        return sum(usage.output_tokens or 0 for usage in reported if usage is not None)

    def is_complete(self) -> bool:
        """Whether every call so far has reported its output tokens."""
        return (
            not self._partial
            and not self._open
            and self._sum is not None
            and self._sum.output_tokens is not None
        )

    def mark_partial(self) -> None:
        """A call may have cost something that will never be reported."""
        self._partial = True

    def total(self) -> Usage | None:
        """The sum over all calls, None when no call has reported anything."""
        return None if self._sum is None else replace(self._sum, partial=self._partial)
