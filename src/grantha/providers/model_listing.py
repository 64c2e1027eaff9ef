"""A vendor's own list of models, kept for a while. Never blocks a start and never fails.

An unreachable vendor leaves the last known list, or the one from the settings, in place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from grantha.errors import GranthaError, TimedOut
from grantha.providers.base import READY, ModelCard, Readiness

FRESH_SECONDS = 600.0  # seconds a list counts as current
RETRY_SECONDS = 30.0  # seconds before an unreachable vendor is tried again
DEADLINE = 5.0  # seconds a caller waits for a list

_log = logging.getLogger(__name__)


class ModelListCache:
    """`fetch` asks the vendor; `known` are the cards offered while it is unreachable."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Sequence[ModelCard]]],
        known: Sequence[ModelCard] = (),
        deadline: float = DEADLINE,
    ) -> None:
        self._fetch = fetch
        self._cards: Sequence[ModelCard] = known
        self._deadline = deadline
        self._until = 0.0
        self._lock: asyncio.Lock | None = None
        self.failure: GranthaError | None = None

    @property
    def fetched(self) -> bool:
        """Whether a request to the vendor has been made yet."""
        return self._until > 0.0

    @property
    def cards(self) -> Sequence[ModelCard]:
        """The cards known now, without a request."""
        return self._cards

    @property
    def readiness(self) -> Readiness:
        """The error of the last request; None if it was answered."""
        if self.failure is None:
            return READY
        return Readiness("unreachable", self.failure.message, self.failure.advice)

    async def get(self) -> Sequence[ModelCard]:
        """The list, fetched again when it is old."""
        loop = asyncio.get_running_loop()
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            if loop.time() < self._until:
                return self._cards
            try:
                async with asyncio.timeout(self._deadline):
                    self._cards = await self._fetch()
                self.failure = None
                self._until = loop.time() + FRESH_SECONDS
            except GranthaError as error:
                self._record_failure(error, loop.time())
            except TimeoutError:
                self._record_failure(TimedOut("The list of models took too long"), loop.time())
        return self._cards

    def _record_failure(self, error: GranthaError, now: float) -> None:
        _log.debug("No list of models: %s", error.message)
        self.failure = error
        self._until = now + RETRY_SECONDS
