"""The usage summary at size: from the sums of 1,000,000 answers, against counting the rows of 100,000.

`python -m bench.analytics` stores 100,000 answers of a year as an older version left them, reads the
summary from their rows (the baseline), and works off that backlog as a server does after an upgrade.
For another subject it writes what 1,000,000 answers of a year with eight models add up to: each is drawn
at random and added to its day, and of a period's first day to its hour too. Of a period's first hour the
rows are stored.
"""

from __future__ import annotations

import json
import random
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench import table
from grantha.chat import JsonDict
from grantha.storage.base import FILE_NAME
from grantha.storage.rollups import Rollup
from grantha.storage.sql import SqlStore

_HOUR = 3600 * 1000
_DAY = 24 * _HOUR
_YEAR = 365  # days
_PERIODS = (1, 30, 90, 364)  # days
_END = 19_675 * _DAY  # midnight
_MODELS = [f"p/model-{n}" for n in range(8)]
_ROWS, _SUMS = "of an older version", "with sums"  # subjects
_GENERATION = (
    "INSERT INTO generations (id, subject, conversation, message, model, options, status, owner, epoch, "
    'seq, recoveries, created_at, ended_at, "end", trimmed) '
    "VALUES (?,?,'c','m',?,'{}','done','bench',1,5,0,0,?,?,1)"
)
_ROLLUP = f"INSERT INTO rollups VALUES ({','.join('?' * (4 + len(Rollup._fields)))})"


def _end(chance: random.Random) -> JsonDict:
    tokens = chance.randint(5, 2000)
    timings = {
        "queued_ms": 0.3,
        "connect_ms": 48.1,
        "first_text_ms": round(chance.lognormvariate(6, 0.8), 1),
        "duration_ms": 5012.5,
        "deltas": tokens,
        "tok_s": round(chance.lognormvariate(4, 0.5), 1),
    }
    usage = {"input_tokens": 812, "output_tokens": tokens, "cost_usd": tokens * 15 / 10**6}
    return {"ending": "done", "finish_reason": "stop", "timings": timings, "usage": usage}


def _store_rows(
    database: sqlite3.Connection, chance: random.Random, subject: str, times: range
) -> None:
    """One answer at each time."""
    database.executemany(
        _GENERATION,
        (
            (f"{subject}{at}", subject, chance.choice(_MODELS), at, json.dumps(_end(chance)))
            for at in times
        ),
    )


def _store_sums(
    database: sqlite3.Connection, chance: random.Random, hours: int, starts: range, each: int
) -> None:
    """`each` answers of each model in each hour or day."""
    for start in starts:
        for model in _MODELS:
            rollup = Rollup()
            for _ in range(each):
                rollup = Rollup.total((rollup, Rollup.of_answer("done", _end(chance))))
            database.execute(_ROLLUP, (_SUMS, hours, start, model, *rollup.to_row()))


def _fill(path: Path, rows: int, answers: int) -> None:
    chance = random.Random(7)  # the same database every time
    with closing(sqlite3.connect(path)) as database, database:
        first = _END - _YEAR * _DAY
        _store_rows(database, chance, _ROWS, range(first, _END, (_END - first) // rows))
        database.execute("INSERT INTO rollup_backlog VALUES (?)", (_END,))
        a_day = answers // _YEAR // len(_MODELS)
        _store_sums(database, chance, 24, range(first, _END, _DAY), a_day)
        for days in _PERIODS:
            hour = _since(days) - _since(days) % _HOUR
            _store_sums(database, chance, 1, range(hour, hour + _DAY, _HOUR), a_day // 24)
            step = _HOUR * 24 // (a_day * len(_MODELS))
            _store_rows(database, chance, _SUMS, range(hour, hour + _HOUR, step))


def _since(days: int) -> int:
    """In the middle of a day and of an hour: as many hours and rows as a period usually begins with."""
    return _END - days * _DAY - _DAY // 2 + _HOUR // 2


async def _timed(store: SqlStore, subject: str, since: int, repeat: int) -> tuple[list[float], int]:
    """Times in ms, and how many answers the summary covers."""
    times, answers = [], 0
    for _ in range(repeat):
        began = time.perf_counter()
        answers = (await store.analytics(subject, since)).totals.generations
        times.append(1000 * (time.perf_counter() - began))
    return times, answers


async def _worked_off(store: SqlStore) -> list[float]:
    """Times of the batches in ms."""
    times, began = [], time.perf_counter()
    while await store.roll_up():
        now = time.perf_counter()
        times.append(1000 * (now - began))
        began = now
    return times


async def _measure(folder: Path, rows: int, answers: int, repeat: int) -> list[list[object]]:
    store = SqlStore(folder, "bench")
    await store.open()
    _fill(folder / FILE_NAME, rows, answers)
    times, counted = await _timed(store, _ROWS, 0, repeat)
    baseline = table.median(times)
    found: list[list[object]] = [
        [f"{counted:,} answers, from their rows", baseline, max(times), 1.0]
    ]
    batches = await _worked_off(store)
    found.append(["adding these to the sums", sum(batches), "", sum(batches) / baseline])
    found.append(["a batch of that", table.median(batches), max(batches), ""])
    for days in _PERIODS:
        times, counted = await _timed(store, _SUMS, _since(days), 7 * repeat)
        what = f"{days} days of a year with {answers:,} ({counted:,} answers), from sums"
        found.append([what, table.median(times), max(times), table.median(times) / baseline])
    await store.aclose()
    return found


def main() -> None:
    """The program."""
    given = table.arguments(main.__module__)
    rows, answers = (10_000, 100_000) if given.quick else (100_000, 1_000_000)
    with tempfile.TemporaryDirectory(prefix="grantha-bench-") as folder:
        found = table.run(lambda: _measure(Path(folder), rows, answers, given.repeat))
    table.show("Usage summary", ["what", "median, ms", "worst, ms", "of the baseline"], found)


if __name__ == "__main__":
    main()
