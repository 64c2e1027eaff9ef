"""Attaching: the records of one generation, once each and in order, whatever happens to connections.

Comes back with the last id after every disconnect, falls back to the next transport where one gives
nothing at all, and remembers in `Calls` what worked. Ends with the end record; gives up when the
server stays away longer than patience, or when its log doesn't add up three times at one place.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from grantha.client.http_client import Calls, Patience
from grantha.client.log_verifier import Ledger
from grantha.client.problems import BrokenLog, ServerAway, TrimmedLog
from grantha.client.replies import Snapshot
from grantha.client.transports import ORDER, EventBatch, Over, Transport
from grantha.errors import GranthaError, ShuttingDown
from grantha.events import START, Frame, RecordId

_MOST_GAPS = 3
_MOST_BARREN = 4


class Attachment:
    """One reader of one generation. Iterated once."""

    def __init__(
        self,
        calls: Calls,
        generation: str,
        after: RecordId = START,
        transports: Sequence[Transport] = ORDER,
    ) -> None:
        self._calls = calls
        self._generation = generation
        self._transports = transports
        self._ledger = Ledger(generation, after)
        self._patience = Patience(calls)
        self._barren = 0  # connections in a row that brought nothing new

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Every record after the cursor, merged into frames as the server merges them.

        Where the records have been deleted, what the snapshot has beyond the cursor comes as one frame.
        Raises `BrokenLog`, `ServerAway`, `NotFound` and `Unauthorized`.
        """
        while True:
            heard = moved = False
            try:
                async with aclosing(self._batches()) as batches:
                    async for batch in batches:
                        heard = True
                        self._patience.heard()
                        for body in batch:
                            frame = self._ledger.take(body)
                            moved = moved or frame is not None
                            if frame is not None:
                                yield frame
                        if self._ledger.ended:
                            return
                lost: GranthaError = self._calls.away("closed before the end of the answer")
            except Over:
                return
            except TrimmedLog as error:
                for frame in self._rest(Snapshot.from_json(error.snapshot)):
                    yield frame
                return
            except (ServerAway, ShuttingDown, BrokenLog) as error:
                lost = error
            await self._come_back(lost, heard, moved)

    def _batches(self) -> AsyncGenerator[EventBatch, None]:
        number = self._calls.transport % len(self._transports)
        return self._transports[number](self._calls, self._generation, self._ledger.last)

    async def _come_back(self, lost: GranthaError, heard: bool, moved: bool) -> None:
        unreached = isinstance(lost, ServerAway) and not lost.sent
        if unreached and not self._calls.reached:
            raise lost  # it was never there: waiting for it would only hide a wrong address
        self._barren = 0 if moved or unreached else self._barren + 1
        if isinstance(lost, BrokenLog) and (self._ledger.ended or self._barren >= _MOST_GAPS):
            raise lost
        if not unreached and (not heard or self._barren >= _MOST_BARREN):
            self._calls.transport += 1
            self._barren = 0
        if moved:
            self._patience.moved()
        await self._patience.pause(lost)

    def _rest(self, snapshot: Snapshot) -> list[Frame]:
        rest = self._ledger.take_rest(snapshot)
        return [*([rest] if rest else []), self._ledger.close(snapshot)]
