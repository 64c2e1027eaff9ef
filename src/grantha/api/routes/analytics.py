"""Analytics as JSON: one generation for the inspector, all of them for the usage page."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from grantha.analytics.traces import (
    TraceRow,
    rows_since_before,
    rows_since_start,
    segments,
    stored_bytes,
    stored_rows,
)
from grantha.api.http.bodies import StrictRoute
from grantha.api.openapi.description import response_doc
from grantha.api.routes import serializers
from grantha.api.schemas.responses import (
    AnswerStatistics,
    BytesReply,
    DayStatistics,
    InspectionReply,
    ModelStatistics,
    SegmentReply,
    SummaryReply,
)
from grantha.api.state import app_state, subject_of
from grantha.chat import JsonDict
from grantha.engine.replay import read_log
from grantha.storage.base import AnalyticsGroup

router = APIRouter(prefix="/api/analytics", route_class=StrictRoute, tags=["analytics"])
_DAY_MS = 24 * 3600 * 1000


@router.get("/summary", responses=response_doc(200, SummaryReply, "The numbers."))
async def summary(
    request: Request, days: Annotated[int, Query(ge=1, le=3660, description="Up to now.")] = 30
) -> Response:
    """Counts, sums and percentiles: in all, by model, by day (UTC)."""
    state, subject = app_state(request), subject_of(request)
    found = await state.store.analytics(subject, time.time_ns() // 1_000_000 - days * _DAY_MS)
    return SummaryReply(
        totals=AnswerStatistics(**_statistics(found.totals)),
        by_model=[ModelStatistics(model=row.key, **_statistics(row)) for row in found.by_model],
        by_day=[DayStatistics(day=row.key, **_statistics(row)) for row in found.by_day],
    ).response()


@router.get(
    "/generations/{generation}",
    responses=response_doc(200, InspectionReply, "How the answer was written."),
)
async def inspect(generation: str, request: Request) -> Response:
    """How one answer was written: its timings, its segments, and when each record was added."""
    state, subject = app_state(request), subject_of(request)
    row = await state.store.generation(subject, generation)
    shown = await serializers.generation(state.supervisor, subject, row)
    rows: Sequence[TraceRow]
    stored: int | None
    if row.trimmed:
        rows, stored = stored_rows(row.trace or {})
    else:
        records = await read_log(state.store, subject, generation)
        rows, stored = rows_since_start(records), stored_bytes(records)
    timings = shown.timings or {}
    parts = segments(rows, shown.seams, row.model, row.options.to_json(), len(shown.text))
    return InspectionReply(
        generation=shown,
        timings=timings,
        segments=[SegmentReply(**part) for part in parts],
        trace=[(ms, kind, size, deltas) for ms, kind, size, deltas in rows_since_before(rows)],
        bytes=BytesReply(text=len(shown.text.encode()), stored=stored),
        attempts=timings.get("segments", len(parts)) + timings.get("retries", 0),
    ).response()


def _statistics(row: AnalyticsGroup) -> JsonDict:
    values = dataclasses.asdict(row)
    del values["key"]
    return values
