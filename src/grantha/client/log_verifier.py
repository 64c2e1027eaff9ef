"""Verifies a log while it is read: no gaps, no duplicates, and the right text at the end.

Takes decoded frames and returns them as values. Within an epoch, ids grow by the number of records in a
frame; an open record starts the next epoch and names the last id of the one before. Hash and length are
checked when the reading began at the start of the log.
"""

from __future__ import annotations

import hashlib
from typing import Any

from grantha.chat import JsonObject
from grantha.client.errors import BrokenLog
from grantha.client.responses import Snapshot
from grantha.events import START, Event, Frame, GenerationEnd, RecordId, TextDelta, event_of


class LogVerifier:
    """`last` is the id to reconnect with."""

    def __init__(self, generation: str, after: RecordId = START) -> None:
        self.generation = generation
        self.last = after
        self.ended = False
        self._from_start = after == START
        self._hash = hashlib.sha256()
        self._length = 0

    def verify(self, body: JsonObject) -> Frame | None:
        """The next frame; None for anything that isn't a record, is a duplicate, or has an unknown kind.

        Raises `BrokenLog` at a gap, leaving `last` before it, and at an end that doesn't match.
        """
        if "id" not in body or body.get("kind") in {"hello", "snapshot"}:
            return None
        try:
            at, records = RecordId.parse(body["id"]), int(body.get("records", 1))
            event = event_of(body["kind"], body)
        except (KeyError, TypeError, ValueError) as error:
            raise BrokenLog(f"A record of {self.generation} can't be read.") from error
        if at <= self.last:
            return None
        self._check_position(at, records, body)
        self.last = at
        if event is None:
            return None
        self._add(event)
        return Frame(at, int(body.get("at", 0)), event, records)

    def verify_rest(self, snapshot: Snapshot) -> Frame | None:
        """The text of a snapshot beyond the text read so far, as one frame; None if there is none.

        For logs whose records have been deleted. The frame counts 0 records.
        """
        self._hash.update(rest := snapshot.text[self._length :].encode())
        if not rest:
            return None
        self._length = len(snapshot.text)
        return Frame(snapshot.last_id, 0, TextDelta(0, rest.decode()), 0)

    def verify_end(self, snapshot: Snapshot) -> Frame:
        """The end of an answer whose records have been deleted, verified like any other."""
        self.last = snapshot.last_id
        if snapshot.end is None:
            raise BrokenLog(f"The log of {self.generation} isn't the one that was read so far.")
        self._add(snapshot.end)
        return Frame(snapshot.last_id, 0, snapshot.end, 0)

    def _check_position(self, at: RecordId, records: int, body: JsonObject) -> None:
        if body["kind"] == "open":
            valid = at.seq == 0 and self._opens_after(body.get("previous"))
        else:
            valid = at == (self.last.epoch, self.last.seq + records)
        if not valid:
            raise BrokenLog(
                f"Records of {self.generation} are missing between {self.last} and {at}."
            )

    def _opens_after(self, previous: Any) -> bool:
        return bool(previous == (None if self.last == START else str(self.last)))

    def _add(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            self._hash.update(event.text.encode())
            self._length += len(event.text)
        elif isinstance(event, GenerationEnd):
            self.ended = True
            matches = (event.text_length, event.sha256) == (self._length, self._hash.hexdigest())
            if self._from_start and not matches:
                raise BrokenLog(
                    f"The text of {self.generation} isn't the one its end record proves."
                )
