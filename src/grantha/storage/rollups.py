"""The totals of one model's answers in an hour or a day, as values that can be added and subtracted.

Counts and sums are exact. Times to first text and speeds are histograms with 16 buckets per doubling, so
a percentile is within `PERCENTILE_ERROR` of the value at its rank. A histogram is one integer with a
count in every 32 bits: merging two is one addition, whatever they hold.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import sub
from typing import Any, NamedTuple, TypeAlias

from grantha.chat import JsonObject, is_amount
from grantha.storage.base import AnalyticsGroup

PERCENTILE_ERROR = 0.025  # of the value; half a bucket is 2.2 %
_Histogram: TypeAlias = int

_PER_DOUBLING = 16
_BUCKETS = 512
_SMALLEST = 0.1  # timings are rounded to it; bucket 0 is for zero
_LANE = 32  # bits of a count
_LANE_BYTES = _LANE // 8
_PER_DOLLAR = 10**12  # costs are added as integers, so that taking one away leaves no residue


class Rollup(NamedTuple):
    """The sums cover the answers that report a value: `tokens_known` and `costs_known` of them.

    `cost` is in 10^-12 dollars. `first_text_ms` and `tok_s` are histograms.
    """

    generations: int = 0
    errors: int = 0
    stopped: int = 0
    tokens_known: int = 0
    tokens: int = 0
    costs_known: int = 0
    cost: int = 0
    first_text_ms: _Histogram = 0
    tok_s: _Histogram = 0

    @classmethod
    def of_answer(cls, status: str, end: JsonObject) -> Rollup:
        """One answer; `end` is its end record, of which any part may be missing."""
        timings, usage = _object(end, "timings"), _object(end, "usage")
        tokens, cost = _number(usage, "output_tokens"), _number(usage, "cost_usd")
        return cls(
            generations=1,
            errors=int(status in {"failed", "interrupted"}),
            stopped=int(status == "stopped"),
            tokens_known=int(tokens is not None),
            tokens=int(tokens or 0),
            costs_known=int(cost is not None),
            cost=round((cost or 0) * _PER_DOLLAR),
            first_text_ms=_counted(_number(timings, "first_text_ms")),
            tok_s=_counted(_number(timings, "tok_s")),
        )

    @classmethod
    def total(cls, rollups: Iterable[Rollup]) -> Rollup:
        """The sum of all."""
        return cls._make(map(sum, zip(*rollups, strict=True)))

    def without(self, other: Rollup) -> Rollup | None:
        """What is left after the answers of `other` are taken away; None if they aren't all in it."""
        contained = (
            all(mine >= its for mine, its in zip(self, other, strict=True))
            and _contains(self.first_text_ms, other.first_text_ms)
            and _contains(self.tok_s, other.tok_s)
        )
        return Rollup(*map(sub, self, other)) if contained else None

    def group(self, key: str) -> AnalyticsGroup:
        """The statistics under a key; percentiles by nearest rank."""
        return AnalyticsGroup(
            key,
            self.generations,
            self.errors,
            self.stopped,
            self.tokens if self.tokens_known else None,
            self.cost / _PER_DOLLAR if self.costs_known else None,
            percentile(self.first_text_ms, 50),
            percentile(self.first_text_ms, 95),
            percentile(self.tok_s, 50),
        )

    def to_row(self) -> tuple[object, ...]:
        """The columns, in the order of the fields. Sums are text: nothing bounds them to 64 bits."""
        *counts, tokens, costs_known, cost, first, tok_s = self
        return (*counts, str(tokens), costs_known, str(cost), _packed(first), _packed(tok_s))

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Rollup:
        """Inverse of `to_row`. Raises `ValueError` or `TypeError` for a damaged row."""
        *counts, first, tok_s = row
        return cls._make((*map(int, counts), _unpacked(first), _unpacked(tok_s)))


def percentile(counts: _Histogram, share: int) -> float | None:
    """The smallest value that at least `share` percent of the values don't exceed; None without values."""
    if not counts:
        return None
    first, lanes = _lanes(counts)
    up_to = list(accumulate(lanes))
    return _middle(first + bisect_left(up_to, (up_to[-1] * share + 99) // 100))


# ---- helpers below -------------------------------------------------------------------------------


def _object(end: JsonObject, name: str) -> JsonObject:
    found = end.get(name)
    return found if isinstance(found, dict) else {}


def _number(values: JsonObject, name: str) -> float | None:
    value = values.get(name)
    return value if is_amount(value) else None


def _counted(value: float | None) -> _Histogram:
    """A histogram of one value or none."""
    if value is None:
        return 0
    if value <= 0:
        return 1
    bucket = math.ceil(_PER_DOUBLING * math.log2(value / _SMALLEST)) + 1
    return 1 << _LANE * min(max(bucket, 1), _BUCKETS - 1)


def _middle(bucket: int) -> float:
    """The value that stands for all of a bucket, to four digits."""
    if bucket == 0:
        return 0.0
    return float(f"{_SMALLEST * 2 ** ((bucket - 1.5) / _PER_DOUBLING):.4g}")


def _lanes(counts: _Histogram) -> tuple[int, tuple[int, ...]]:
    """The first bucket that isn't empty, and the counts from it to the last one."""
    packed = _packed(counts)
    lanes = struct.unpack(f"<{len(packed) // _LANE_BYTES}I", packed[2:])
    return int.from_bytes(packed[:2], "little"), lanes


def _contains(counts: _Histogram, others: _Histogram) -> bool:
    first, lanes = _lanes(others) if others else (0, ())
    counts >>= _LANE * first
    return all((counts >> _LANE * n) % (1 << _LANE) >= count for n, count in enumerate(lanes))


def _packed(counts: _Histogram) -> bytes:
    """The first bucket's number (2 bytes), its count and all that follow (4 bytes each), little-endian."""
    if not counts:
        return b""
    first = ((counts & -counts).bit_length() - 1) // _LANE
    counts >>= _LANE * first
    lanes = -(-counts.bit_length() // _LANE)
    return first.to_bytes(2, "little") + counts.to_bytes(lanes * _LANE_BYTES, "little")


def _unpacked(stored: bytes) -> _Histogram:
    first = int.from_bytes(stored[:2], "little")
    if first * _LANE_BYTES + len(stored) > 2 + _BUCKETS * _LANE_BYTES:
        raise ValueError("a histogram has too many buckets")
    return int.from_bytes(stored[2:], "little") << _LANE * first
