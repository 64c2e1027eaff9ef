"""The journal: records of running answers in order of arrival, until they move to their own place.

A row of `records` stands beside the others of its generation, so that two hundred answers that are
written at once dirty two hundred pages a tick. One journal row holds all records of a tick instead. A
log's records move to `records` together: when enough of them are here, when they have been here long,
and at its end. Until then they are kept here in memory as well, for readers and for the move.

Invariant: every committed record of ours is in `records` or held, and what is held follows what isn't.
What a crash leaves in the table is moved by whoever opens the database next (`absorb`).

The fence. A log is ours while `generations` says so; that is asked at its first append, before each
move, and whenever another process has written to the database (SQLite's `data_version`). Between two
such moments nobody can have taken it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from grantha.events import Record, RecordId, payload_of
from grantha.storage import rows
from grantha.storage.base import Append, GenerationRow

MOST_HELD = 32  # records of a log; then they move, and share the pages that they dirty
OLDEST = 1024  # ticks that a record may stay, so that a silent log doesn't keep all the others'
_SWEEP = 64  # ticks between two looks at what is old
# Ignoring what is there: another process may have absorbed it meanwhile.
_MOVE = (
    "INSERT OR IGNORE INTO records (generation, epoch, seq, at, kind, payload) VALUES (?,?,?,?,?,?)"
)
_MOVE_RUNNING = (
    "INSERT OR IGNORE INTO records (generation, epoch, seq, at, kind, payload) "
    "SELECT id, ?, ?, ?, ?, ? FROM generations WHERE id = ? AND status = 'running'"
)
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
class _Held:
    """Records of one log that aren't moved; `since` is the tick of the oldest."""

    since: int
    records: list[Record]


@dataclass(slots=True)
class Staged:
    """What a transaction did, to be believed once it is committed (`Journal.committed`)."""

    tick: int = 0
    fenced: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)  # what was held of them isn't any more
    kept: list[Append] = field(default_factory=list)
    cleared: int = 0  # our rows below this tick are deleted


class Journal:
    """One for a store. Everything but `after` and `current` runs in the writer's thread."""

    def __init__(self, instance_id: str) -> None:
        self._instance_id = instance_id
        self._held: dict[str, _Held] = {}
        self._heads: dict[str, RecordId] = {}  # last durable ids of logs that are known to be ours
        self._asked: tuple[sqlite3.Connection, int] | None = (
            None  # where and when `_heads` was right
        )
        self._tick = 0
        self._cleared = 0

    # ---- readers ---------------------------------------------------------------------------

    def after(self, generation: str) -> tuple[Record, ...]:
        """What is held of a log. Ask before the database: a record can only move in that direction."""
        held = self._held.get(generation)
        return tuple(held.records) if held else ()

    def current(self, row: GenerationRow, held: Sequence[Record]) -> GenerationRow:
        """A running generation's row with its true last id; `held` was asked before the row."""
        if held and row.status == "running" and held[-1].id > row.last_id:
            return replace(row, last_id=held[-1].id)
        return row

    # ---- the writer's transactions -----------------------------------------------------------

    def stage(self, driver: sqlite3.Connection, batch: Sequence[Append]) -> Staged:
        """Writes a batch without its ends: those go to `records` at once, to be folded by the caller."""
        version = driver.execute("PRAGMA data_version").fetchone()[0]
        if self._asked != (driver, version):  # the numbers of two connections can't be compared
            self._heads.clear()
            self._asked = (driver, version)
        newest = driver.execute(_NEWEST).fetchone()[0] or 0
        staged = Staged(max(self._tick, newest) + 1, cleared=self._cleared)
        if staged.tick % _SWEEP == 0:
            self._sweep(driver, staged)
        for item in batch:
            if not self._is_next(driver, item):
                staged.fenced.add(item.generation)
            elif item.end is not None or self._is_enough(item):
                self._move(driver, staged, item.generation, item.records)
            else:
                staged.kept.append(item)
        if staged.kept:
            driver.execute(_INSERT, (staged.tick, self._instance_id, _body(staged.kept)))
        self._clear(driver, staged)
        return staged

    def committed(self, staged: Staged) -> None:
        """The transaction is durable."""
        self._tick, self._cleared = staged.tick, staged.cleared
        for generation in staged.moved:
            self._held.pop(generation, None)
            self._heads.pop(generation, None)
        for item in staged.kept:
            held = self._held.get(item.generation)
            if held is None:
                held = self._held[item.generation] = _Held(staged.tick, [])
            held.records.extend(item.records)
            self._heads[item.generation] = held.records[-1].id

    def absorb(self, driver: sqlite3.Connection) -> None:
        """Moves everything that anybody left in the table; call `absorbed` once that is committed."""
        last: dict[tuple[str, int], int] = {}
        moved: list[tuple[object, ...]] = []
        for (body,) in driver.execute(_READ):
            for generation, epoch, seq, at, kind, payload in json.loads(body):
                text = rows.to_json(payload)
                moved.append((epoch, seq, at, kind, text, generation))
                last[generation, epoch] = seq
        if moved:
            driver.executemany(_MOVE_RUNNING, moved)
            driver.executemany(_LATEST, [(seq, *log) for log, seq in last.items()])
            driver.execute("DELETE FROM journal")

    def absorbed(self, _: object = None) -> None:
        """Nothing is held now, and who owns what is to be asked again."""
        self._held.clear()
        self._heads.clear()

    # ---- helpers below -----------------------------------------------------------------------

    def _is_next(self, driver: sqlite3.Connection, item: Append) -> bool:
        first = item.records[0].id
        head = self._heads.get(item.generation)
        if head is None:
            owned = driver.execute(
                _OWNED, (item.generation, self._instance_id, first.epoch)
            ).fetchone()
            if owned is None:
                return False
            held = self._held.get(item.generation)
            head = held.records[-1].id if held else RecordId(first.epoch, owned[0])
        return head == (first.epoch, first.seq - 1)

    def _is_enough(self, item: Append) -> bool:
        held = self._held.get(item.generation)
        return len(item.records) + (len(held.records) if held else 0) >= MOST_HELD

    def _sweep(self, driver: sqlite3.Connection, staged: Staged) -> None:
        for generation, held in self._held.items():
            if held.since < staged.tick - OLDEST:
                self._move(driver, staged, generation, ())

    def _move(
        self,
        driver: sqlite3.Connection,
        staged: Staged,
        generation: str,
        further: Sequence[Record],
    ) -> None:
        records = (*self.after(generation), *further)
        staged.moved.add(generation)
        last = records[-1].id
        ours = driver.execute(_ADVANCE, (last.seq, generation, self._instance_id, last.epoch))
        if ours.rowcount == 1:
            driver.executemany(_MOVE, rows.record_values(generation, records))
        else:
            staged.fenced.add(generation)

    def _clear(self, driver: sqlite3.Connection, staged: Staged) -> None:
        left = [held.since for name, held in self._held.items() if name not in staged.moved]
        if staged.kept:
            left.append(staged.tick)
        # Not up to this tick: another batch of the same transaction may have written the one before.
        oldest = min(left, default=self._tick + 1)
        if oldest >= staged.cleared + _SWEEP or (not left and oldest > staged.cleared):
            driver.execute(_DELETE, (self._instance_id, oldest))
            staged.cleared = oldest


def _body(kept: Sequence[Append]) -> str:
    """All records of a tick as one JSON list; the payloads are JSON already."""
    return (
        "["
        + ",".join(
            [
                f'["{item.generation}",{r.id[0]},{r.id[1]},{r.at},"{r.event.kind}",'
                f"{payload_of(r.event)}]"
                for item in kept
                for r in item.records
            ]
        )
        + "]"
    )
