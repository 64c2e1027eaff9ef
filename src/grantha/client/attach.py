"""Reads the records of one generation, each exactly once and in order, across reconnects.

Reconnects with the last id after every disconnect, falls back to the next transport when one delivers
nothing at all, and remembers the working transport in `HttpClient`. Stops after the end record. Gives up
when the server is unreachable for longer than the retry timeout, or when the log is inconsistent three
times at the same place.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from grantha.client.errors import BrokenLog, ServerUnavailable, TrimmedLog
from grantha.client.http_client import Backoff, HttpClient
from grantha.client.log_verifier import LogVerifier
from grantha.client.responses import Snapshot
from grantha.client.transports import FALLBACK_ORDER, LogEnded, RecordBatch, Transport
from grantha.errors import GranthaError, ShuttingDown
from grantha.events import START, Frame, RecordId

_MAX_GAPS = 3
_MAX_IDLE_CONNECTIONS = 4


class ResumingReader:
    """One reader of one generation. `frames` may be iterated once."""

    def __init__(
        self,
        http: HttpClient,
        generation: str,
        after: RecordId = START,
        transports: Sequence[Transport] = FALLBACK_ORDER,
    ) -> None:
        self._http = http
        self._generation = generation
        self._transports = transports
        self._verifier = LogVerifier(generation, after)
        self._backoff = Backoff(http)
        self._idle_connections = 0  # consecutive connections without a new record

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Every record after the cursor, merged into frames as the server merges them.

        When the records have been deleted, the rest of the snapshot's text comes as a single frame.
        Raises `BrokenLog`, `ServerUnavailable`, `NotFound` and `Unauthorized`.
        """
        while True:
            received = progressed = False
            try:
                async with aclosing(self._batches()) as batches:
                    async for batch in batches:
                        received = True
                        self._backoff.received()
                        for body in batch:
                            frame = self._verifier.verify(body)
                            progressed = progressed or frame is not None
                            if frame is not None:
                                yield frame
                        if self._verifier.ended:
                            return
                lost: GranthaError = self._http.unavailable("closed before the end of the answer")
            except LogEnded:
                return
            except TrimmedLog as error:
                for frame in self._remaining_frames(Snapshot.from_json(error.snapshot)):
                    yield frame
                return
            except (ServerUnavailable, ShuttingDown, BrokenLog) as error:
                lost = error
            await self._before_reconnect(lost, received, progressed)

    def _batches(self) -> AsyncGenerator[RecordBatch, None]:
        number = self._http.transport % len(self._transports)
        return self._transports[number](self._http, self._generation, self._verifier.last)

    async def _before_reconnect(self, lost: GranthaError, received: bool, progressed: bool) -> None:
        never_connected = isinstance(lost, ServerUnavailable) and not lost.sent
        if never_connected and not self._http.reached:
            raise lost  # never reachable: waiting would only hide a wrong address
        self._idle_connections = 0 if progressed or never_connected else self._idle_connections + 1
        if isinstance(lost, BrokenLog) and (
            self._verifier.ended or self._idle_connections >= _MAX_GAPS
        ):
            raise lost
        if not never_connected and (
            not received or self._idle_connections >= _MAX_IDLE_CONNECTIONS
        ):
            self._http.transport += 1
            self._idle_connections = 0
        if progressed:
            self._backoff.progressed()
        await self._backoff.wait(lost)

    def _remaining_frames(self, snapshot: Snapshot) -> list[Frame]:
        rest = self._verifier.verify_rest(snapshot)
        return [*([rest] if rest else []), self._verifier.verify_end(snapshot)]
