"""SQL of the analytics: rollups by subject, hour or day (UTC) and model, and the summary read from them.

Invariant: a rollup equals a count over the rows of the generations in it. So each transaction that ends
generations adds them (`add`), and one that deletes their rows takes them away (`remove`). Where something
is damaged, so that this can't be done, the rollup is counted again from the rows.

A database from before the rollups has a backlog: generations that ended before a time, the only row of
`rollup_backlog`, are in no rollup yet. Until `roll_up` has added them, the newest first, the summary reads
their rows.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from typing import TypeAlias

from sqlalchemy import Connection

from grantha.chat import JsonObject
from grantha.events import decode_json
from grantha.storage.base import AnalyticsSummary
from grantha.storage.rollups import Rollup
from grantha.storage.rows import raw_connection

_log = logging.getLogger(__name__)
_HOUR_MS = 3600 * 1000
_DAY_MS = 24 * _HOUR_MS
_LAST_MS = 253_402_300_800_000  # the year 10000, which no date can name
_UNIX_EPOCH = date(1970, 1, 1).toordinal()

Ended: TypeAlias = tuple[str, str, int, str, str | None]  # subject, model, ended_at, status, end
_Key: TypeAlias = tuple[str, int, int, str]  # subject, hours, start, model

_VALUES = ", ".join(Rollup._fields)
_WRITE = (
    f"INSERT OR REPLACE INTO rollups (subject, hours, start, model, {_VALUES}) "  # noqa: S608
    f"VALUES (?,?,?,?{',?' * len(Rollup._fields)})"
)
_IS_KEY = "subject = ? AND hours = ? AND start = ? AND model = ?"
_READ = f"SELECT {_VALUES} FROM rollups WHERE {_IS_KEY}"  # noqa: S608
_DELETE = f"DELETE FROM rollups WHERE {_IS_KEY}"  # noqa: S608
_BETWEEN = (
    f"SELECT start, model, {_VALUES} FROM rollups "  # noqa: S608
    "WHERE subject = ? AND hours = ? AND start >= ? AND start < ?"
)
_ENDED = 'SELECT subject, model, ended_at, status, "end" FROM generations WHERE '
_OLDEST_OF_BATCH = (
    "SELECT ended_at FROM generations WHERE ended_at < ? ORDER BY ended_at DESC LIMIT 1 OFFSET ?"
)
_SET_BACKLOG = "UPDATE rollup_backlog SET before = ?"
_ENDED_BETWEEN = _ENDED + "ended_at >= ? AND ended_at < ?"


def ended_of(raw: sqlite3.Connection, conversation: str) -> list[Ended]:
    """The ended generations of a conversation, for `remove`."""
    return raw.execute(
        _ENDED + "conversation = ? AND ended_at IS NOT NULL", (conversation,)
    ).fetchall()


def add(raw: sqlite3.Connection, ended: Iterable[Ended]) -> None:
    """Counts generations; call it after the update of their rows."""
    backlog = _backlog(raw)
    _add(raw, backlog, [one for one in ended if one[2] >= backlog])


def remove(raw: sqlite3.Connection, ended: Iterable[Ended]) -> None:
    """Takes generations away again; call it after their rows are deleted."""
    backlog = _backlog(raw)
    counted = [one for one in ended if one[2] >= backlog]
    damaged = _rolled_up(one for one in counted if _end_from(one[-1]) is None)
    for key, less in _rolled_up(counted).items():
        stored = None if key in damaged else _stored(raw, key)
        left = None if stored is None else stored.without(less)
        if left is None:
            _recount(raw, key, backlog)
        else:
            _write(raw, key, left)


def roll_up(raw: sqlite3.Connection, limit: int) -> int:
    """See `Store.roll_up`. All of a batch is one transaction, which answers wait for."""
    backlog = _backlog(raw)
    if not backlog:
        return 0
    found = raw.execute(_OLDEST_OF_BATCH, (backlog, limit)).fetchone()
    first = max(found[0], 0) if found else 0
    ended = raw.execute(_ENDED_BETWEEN, (first, backlog)).fetchall()
    raw.execute(_SET_BACKLOG, (first,))
    _add(raw, first, ended)
    return len(ended)


def summary(connection: Connection, subject: str, since: int) -> AnalyticsSummary:
    """See `Store.analytics`. Of the first day, whole hours are read, and of its first hour the rows."""
    by_model: dict[str, list[Rollup]] = defaultdict(list)
    by_day: dict[int, list[Rollup]] = defaultdict(list)
    raw = raw_connection(connection)
    raw.execute("BEGIN")  # one state for all queries
    try:
        for start, model, rollup in _since(raw, subject, max(since, 0)):
            by_model[model].append(rollup)
            by_day[start // _DAY_MS].append(rollup)
    finally:
        raw.rollback()
    models = {model: Rollup.total(rollups) for model, rollups in by_model.items()}
    groups = [rollup.group(model) for model, rollup in models.items()]
    return AnalyticsSummary(
        Rollup.total([Rollup(), *models.values()]).group(""),
        tuple(sorted(groups, key=lambda group: (-group.generations, group.key))),
        tuple(Rollup.total(rollups).group(_date(day)) for day, rollups in sorted(by_day.items())),
    )


# ---- helpers below -------------------------------------------------------------------------------


def _backlog(raw: sqlite3.Connection) -> int:
    """What ended before this time is in no rollup yet; 0 once all is."""
    found = raw.execute("SELECT before FROM rollup_backlog").fetchone()
    return found[0] if found else 0


def _add(raw: sqlite3.Connection, backlog: int, ended: Iterable[Ended]) -> None:
    for key, more in _rolled_up(ended).items():
        stored = _stored(raw, key)
        if stored is None:
            _recount(raw, key, backlog)
        else:
            _write(raw, key, Rollup.total((stored, more)))


def _since(raw: sqlite3.Connection, subject: str, since: int) -> Iterator[tuple[int, str, Rollup]]:
    """Start, model and rollup of all that ended since a time, each generation in one of them."""
    hour, day = _next(since, _HOUR_MS), _next(since, _DAY_MS)
    rows = raw.execute(
        _ENDED_BETWEEN + " AND subject = ?", (since, max(hour, _backlog(raw)), subject)
    )
    for (_, _, start, model), rollup in _by_hour(rows).items():
        yield start, model, rollup
    for hours, first, last in ((1, hour, day), (24, day, _LAST_MS)):
        for start, model, *values in raw.execute(_BETWEEN, (subject, hours, first, last)):
            found = _rollup_from(values)
            if found is not None and isinstance(start, int) and isinstance(model, str):
                yield start, model, found


def _by_hour(ended: Iterable[Ended]) -> dict[_Key, Rollup]:
    """What an end that can't be read reports is unknown."""
    by_hour: dict[_Key, Rollup] = {}
    for subject, model, ended_at, status, text in ended:
        key = (subject, 1, ended_at - ended_at % _HOUR_MS, model)
        one = Rollup.of_answer(status, _end_from(text) or {})
        before = by_hour.get(key)
        by_hour[key] = one if before is None else Rollup.total((before, one))
    return by_hour


def _rolled_up(ended: Iterable[Ended]) -> dict[_Key, Rollup]:
    """By hour and by day."""
    by_hour = _by_hour(ended)
    by_day: dict[_Key, list[Rollup]] = defaultdict(list)
    for (subject, _, start, model), rollup in by_hour.items():
        by_day[subject, 24, start - start % _DAY_MS, model].append(rollup)
    return by_hour | {key: Rollup.total(rollups) for key, rollups in by_day.items()}


def _end_from(text: str | None) -> JsonObject | None:
    """None for a damaged one."""
    try:
        end = decode_json(text) if text else {}
    except ValueError:
        return None
    return end if isinstance(end, dict) else None


def _stored(raw: sqlite3.Connection, key: _Key) -> Rollup | None:
    """An empty one where there is none yet; None for a damaged one."""
    row = raw.execute(_READ, key).fetchone()
    return Rollup() if row is None else _rollup_from(row)


def _rollup_from(values: Iterable[object]) -> Rollup | None:
    try:
        return Rollup.from_row(tuple(values))
    except (ValueError, TypeError) as error:
        _log.error("a row of the analytics can't be read: %s", error)
        return None


def _write(raw: sqlite3.Connection, key: _Key, rollup: Rollup) -> None:
    if rollup.generations:
        raw.execute(_WRITE, (*key, *rollup.to_row()))
    else:
        raw.execute(_DELETE, key)


def _recount(raw: sqlite3.Connection, key: _Key, backlog: int) -> None:
    subject, hours, start, model = key
    ended = raw.execute(
        _ENDED_BETWEEN + " AND subject = ? AND model = ?",
        (max(start, backlog), start + hours * _HOUR_MS, subject, model),
    )
    _write(raw, key, _rolled_up(ended).get(key, Rollup()))


def _next(at: int, step: int) -> int:
    """The first multiple of `step` that isn't before a time."""
    return -(-at // step) * step


def _date(day: int) -> str:
    return date.fromordinal(_UNIX_EPOCH + day).isoformat()
