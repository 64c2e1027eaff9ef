"""The journal: records of running answers in order of arrival, before they move to `records`.

In `records` the rows of one generation are adjacent, so two hundred answers written at once dirty two
hundred pages a tick. One journal row holds all records of a tick instead. The records of a log move
together: when there are enough of them, when the oldest is old, and at the end of the log. Until then
they are also pending in memory, for readers and for the move.

Invariant: every committed record of this process is in `records` or pending, and the pending ones
follow those in `records`. What a crash leaves in the table is pending in the next process that opens the
database (`load`), until its first write moves it (`empty`).

Fencing. A log is ours while its row in `generations` says so. That is checked at the first append,
before each move, and whenever another process has written to the database (SQLite's `data_version`);
between two checks no other process can have taken the log over.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from grantha.events import Record, RecordId, decode_json, payload_of
from grantha.storage import rows
from grantha.storage.base import Append, GenerationRow

_log = logging.getLogger(__name__)
MAX_PENDING = 32  # records of a log before they move together, sharing dirty pages
MAX_AGE = 1024  # ticks before the records of a silent log move, so that old rows can be deleted
_SWEEP_INTERVAL = 64  # ticks between two searches for old records
# OR IGNORE, because another process may have moved the same records.
_MOVE = (
    "INSERT OR IGNORE INTO records (generation, epoch, seq, at, kind, payload) VALUES (?,?,?,?,?,?)"
)
_RUNNING = "SELECT epoch, seq FROM generations WHERE id = ? AND status = 'running'"
_OWNED = (
    "SELECT seq FROM generations WHERE id = ? AND owner = ? AND epoch = ? AND status = 'running'"
)
_ADVANCE = (
    "UPDATE generations SET seq = ? WHERE id = ? AND owner = ? AND epoch = ? AND status = 'running'"
)
_LATEST = "UPDATE generations SET seq = max(seq, ?) WHERE id = ? AND epoch = ?"
_INSERT = "INSERT INTO journal (tick, owner, body) VALUES (?,?,?)"
_NEWEST = "SELECT max(tick) FROM journal"
_READ = "SELECT body FROM journal ORDER BY tick"
_DELETE = "DELETE FROM journal WHERE owner = ? AND tick < ?"


@dataclass(slots=True)
class _PendingLog:
    """Records of one log that aren't moved; `since` is the tick of the oldest."""

    since: int
    records: list[Record]


@dataclass(slots=True)
class Staged:
    """Effects of a transaction, which `Journal.committed` applies once it is durable."""

    tick: int = 0
    fenced: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)  # logs without pending records
    journaled: list[Append] = field(default_factory=list)
    cleared: int = 0  # our rows below this tick are deleted


class Journal:
    """One for each store. All but `pending` and `with_last_id` run in the writer's thread."""

    def __init__(self, instance_id: str) -> None:
        self._instance_id = instance_id
        self._pending: dict[str, _PendingLog] = {}
        self._last_ids: dict[str, RecordId] = {}  # last durable id of each log known to be ours
        # The connection and its `data_version` for which `_last_ids` holds.
        self._checked: tuple[sqlite3.Connection, int] | None = None
        self._tick = 0
        self._cleared = 0

    # ---- readers ---------------------------------------------------------------------------

    def pending(self, generation: str) -> tuple[Record, ...]:
        """Pending records of a log. Call it before reading `records`, into which they may move."""
        pending = self._pending.get(generation)
        return tuple(pending.records) if pending else ()

    def with_last_id(self, row: GenerationRow, pending: Sequence[Record]) -> GenerationRow:
        """A running generation's row with its true last id; `pending` was read before the row."""
        if pending and row.status == "running" and pending[-1].id > row.last_id:
            return replace(row, last_id=pending[-1].id)
        return row

    # ---- the writer's transactions -----------------------------------------------------------

    def stage(self, raw: sqlite3.Connection, batch: Sequence[Append]) -> Staged:
        """Writes a batch. Logs that end go to `records` at once, for the caller to fold them."""
        version = raw.execute("PRAGMA data_version").fetchone()[0]
        if self._checked != (raw, version):  # versions of two connections aren't comparable
            self._last_ids.clear()
            self._checked = (raw, version)
        newest = raw.execute(_NEWEST).fetchone()[0] or 0
        staged = Staged(max(self._tick, newest) + 1, cleared=self._cleared)
        if staged.tick % _SWEEP_INTERVAL == 0:
            self._sweep(raw, staged)
        for item in batch:
            if not self._continues_log(raw, item):
                staged.fenced.add(item.generation)
            elif item.end is not None or self._should_move(item):
                self._move(raw, staged, item.generation, item.records)
            else:
                staged.journaled.append(item)
        if staged.journaled:
            raw.execute(_INSERT, (staged.tick, self._instance_id, _body(staged.journaled)))
        self._clear(raw, staged)
        return staged

    def committed(self, staged: Staged) -> None:
        """The transaction is durable."""
        self._tick, self._cleared = staged.tick, staged.cleared
        for generation in staged.moved:
            self._pending.pop(generation, None)
            self._last_ids.pop(generation, None)
        for item in staged.journaled:
            pending = self._pending.get(item.generation)
            if pending is None:
                pending = self._pending[item.generation] = _PendingLog(staged.tick, [])
            pending.records.extend(item.records)
            self._last_ids[item.generation] = pending.records[-1].id

    def load(self, raw: sqlite3.Connection) -> None:
        """Makes what a crash left in the table readable, without a write: the disk may be full."""
        logs, _ = _leftovers(raw)
        newest = raw.execute(_NEWEST).fetchone()[0] or 0
        for generation, left in logs.items():
            records = [rows.record_from(row) for row in left]
            self._pending[generation] = _PendingLog(newest, records)

    def empty(self, raw: sqlite3.Connection) -> set[str]:
        """Moves the whole table to `records`; call `emptied` once that is committed.

        Returns the generations of which a part can't be read, and what follows it was dropped.
        """
        logs, damaged = _leftovers(raw)
        for generation, left in logs.items():
            raw.executemany(_MOVE, [(generation, *row) for row in left])
            raw.execute(_LATEST, (left[-1][1], generation, left[-1][0]))
        raw.execute("DELETE FROM journal")
        return damaged

    def emptied(self, _: object = None) -> None:
        """Forgets the pending records and the known owners."""
        self._pending.clear()
        self._last_ids.clear()

    # ---- helpers below -----------------------------------------------------------------------

    def _continues_log(self, raw: sqlite3.Connection, item: Append) -> bool:
        first = item.records[0].id
        last_id = self._last_ids.get(item.generation)
        if last_id is None:
            owned = raw.execute(
                _OWNED, (item.generation, self._instance_id, first.epoch)
            ).fetchone()
            if owned is None:
                return False
            pending = self._pending.get(item.generation)
            last_id = pending.records[-1].id if pending else RecordId(first.epoch, owned[0])
        return last_id == (first.epoch, first.seq - 1)

    def _should_move(self, item: Append) -> bool:
        pending = self._pending.get(item.generation)
        return len(item.records) + (len(pending.records) if pending else 0) >= MAX_PENDING

    def _sweep(self, raw: sqlite3.Connection, staged: Staged) -> None:
        for generation, pending in self._pending.items():
            if pending.since < staged.tick - MAX_AGE:
                self._move(raw, staged, generation, ())

    def _move(
        self,
        raw: sqlite3.Connection,
        staged: Staged,
        generation: str,
        further: Sequence[Record],
    ) -> None:
        records = (*self.pending(generation), *further)
        staged.moved.add(generation)
        last = records[-1].id
        ours = raw.execute(_ADVANCE, (last.seq, generation, self._instance_id, last.epoch))
        if ours.rowcount == 1:
            raw.executemany(_MOVE, rows.record_values(generation, records))
        else:
            staged.fenced.add(generation)

    def _clear(self, raw: sqlite3.Connection, staged: Staged) -> None:
        left = [
            pending.since for name, pending in self._pending.items() if name not in staged.moved
        ]
        if staged.journaled:
            left.append(staged.tick)
        # Not this tick: another batch of the same transaction may have written the one before.
        oldest = min(left, default=self._tick + 1)
        if oldest >= staged.cleared + _SWEEP_INTERVAL or (not left and oldest > staged.cleared):
            raw.execute(_DELETE, (self._instance_id, oldest))
            staged.cleared = oldest


_NAMED = re.compile(r'\["([^"\\]+)",')  # a generation's id, in a row that isn't JSON any more
_JournalRow: TypeAlias = tuple[int, int, int, str, str]  # epoch, seq, at, kind, payload


def _leftovers(raw: sqlite3.Connection) -> tuple[dict[str, list[_JournalRow]], set[str]]:
    """Rows of running logs that aren't in `records`, without gaps; and the logs that lack some."""
    logs: dict[str, list[_JournalRow]] = {}
    last_ids: dict[str, tuple[int, int] | None] = {}
    damaged: set[str] = set()
    for (body,) in raw.execute(_READ).fetchall():
        entries = _entries(body)
        if entries is None:
            damaged.update(_NAMED.findall(str(body)))
        for generation, epoch, seq, at, kind, payload in entries or ():
            if generation not in last_ids:
                last_ids[generation] = raw.execute(_RUNNING, (generation,)).fetchone()
            last_id = last_ids[generation]
            if last_id is None or (epoch, seq) <= last_id:
                continue  # another process ended the log, or has moved the record
            if (epoch, seq) != (last_id[0], last_id[1] + 1):
                damaged.add(generation)  # what follows a gap isn't what the model wrote
                continue
            last_ids[generation] = (epoch, seq)
            logs.setdefault(generation, []).append((epoch, seq, at, kind, rows.to_json(payload)))
    return logs, damaged


def _entries(body: str) -> list[tuple[str, int, int, int, str, object]] | None:
    """What `_body` wrote; None for a damaged row, which is logged."""
    try:
        return [
            (str(generation), int(epoch), int(seq), int(at), str(kind), payload)
            for generation, epoch, seq, at, kind, payload in decode_json(body)
        ]
    except (ValueError, TypeError) as error:
        _log.error("a row of the journal can't be read: %s", error)
        return None


def _body(journaled: Sequence[Append]) -> str:
    """The records of a tick as one JSON list; payloads are JSON already."""
    return (
        "["
        + ",".join(
            [
                f'["{item.generation}",{r.id[0]},{r.id[1]},{r.at},"{r.event.kind}",'
                f"{payload_of(r.event)}]"
                for item in journaled
                for r in item.records
            ]
        )
        + "]"
    )
