"""Wrong access tokens: each is logged with the client's address and answered later than the one before.

The log line is what fail2ban counts (docs/deploy.md); changing it breaks people's filters. The same
wrong token again is no further guess: a program with an old token neither fills the log nor gets its
address banned. What protects the server is a long token; this only makes guessing slow and visible.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from starlette.types import Scope

from grantha.api.client_address import TrustedProxies

_FIRST_DELAY = 0.5  # seconds; doubled with each further guess
_MAX_DELAY = 4.0
_MEMORY = 900.0  # seconds without a guess after which an address starts from zero
_MAX_ADDRESSES = 10_000
_MAX_WAITING = 256  # answers held back at a time: more would use up the server's connections
_REMEMBERED = 8  # wrong tokens of one address that aren't counted again

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Guesses:
    count: int = 0
    last: float = 0.0  # of the event loop's clock
    tokens: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class WrongTokens:
    """Made once for a server."""

    def __init__(self, proxies: TrustedProxies) -> None:
        self._proxies = proxies
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()
        self._waiting = 0

    async def refuse(self, scope: Scope, token: str) -> None:
        """Logs a guess and returns when it may be answered."""
        delay = self._count(self._proxies.client_address(scope), token)
        if not delay or self._waiting >= _MAX_WAITING:
            return
        self._waiting += 1
        try:
            await asyncio.sleep(delay)
        finally:
            self._waiting -= 1

    def _count(self, address: str, token: str) -> float:
        """Seconds that the answer has to wait."""
        now = asyncio.get_running_loop().time()
        guesses = self._guesses.get(address)
        if guesses is None or now - guesses.last > _MEMORY:
            guesses = self._guesses[address] = _Guesses()
        self._guesses.move_to_end(address)
        while len(self._guesses) > _MAX_ADDRESSES:
            self._guesses.popitem(last=False)
        guesses.last = now
        mark = hash(token)  # salted by the interpreter; the token itself isn't kept
        if mark in guesses.tokens:
            return 0.0
        guesses.tokens.append(mark)
        guesses.count += 1
        _log.warning("Wrong access token from %s", address)
        return float(min(_MAX_DELAY, _FIRST_DELAY * 2 ** min(guesses.count - 1, 10)))
