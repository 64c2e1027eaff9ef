"""Usage and cost of one generation over all its upstream calls.

Unknown is never 0: a call that was accepted and didn't finish makes the whole sum unknown, because
vendors report what was used at the end of a reply.
"""

from __future__ import annotations

from dataclasses import replace

from grantha.analytics.cost import added, cost_usd
from grantha.chat import Capabilities, Usage


class Tally:
    """`unknown` when an earlier owner's calls belong to the sum."""

    def __init__(self, *, unknown: bool) -> None:
        self._sum: Usage | None = None
        self._call: Usage | None = None
        self._open = False
        self._unknown = unknown

    def accepted(self) -> None:
        """The provider began to reply: from here on the call costs something."""
        self._open = True
        self._call = None

    def seen(self, usage: Usage) -> None:
        """The latest totals of the call."""
        self._call = usage

    def over(self, capabilities: Capabilities, *, complete: bool) -> None:
        """The call ended; priced by the model that wrote it. Without a call nothing happens."""
        if not self._open:
            return
        self._open = False
        if self._call is None or not complete:
            self._unknown = True
            return
        priced = replace(self._call, cost_usd=cost_usd(self._call, capabilities))
        self._sum = priced if self._sum is None else added(self._sum, priced)

    def lost(self) -> None:
        """A call may have cost something that nobody will ever report."""
        self._unknown = True

    def total(self) -> Usage | None:
        """The sum over all calls, None when it isn't known."""
        return None if self._unknown else self._sum
