"""After a start: goes on with what a dead owner left running, or ends it as interrupted.

Each orphan gets a new epoch, so that nothing late can enter. It goes on by itself where no text was
shown yet, where the model takes a prefix, or where a fallback can; at most three times. Otherwise it
ends `interrupted` with the text kept. Never `done`: what was cut is never called complete.
"""

from __future__ import annotations

import hashlib
import logging
import time

from grantha.chat import Capabilities, Continuation
from grantha.engine.past import whole_log
from grantha.engine.runner import Models, Plan
from grantha.engine.supervisor import Supervisor
from grantha.errors import GranthaError
from grantha.events import (
    Event,
    GenerationEnd,
    Open,
    PartStart,
    Record,
    RecordId,
    Seam,
    TextDelta,
    fold,
)
from grantha.storage.base import Append, Orphan

_log = logging.getLogger(__name__)
MOST_RECOVERIES = 3


class Recovery:
    """Takes orphans up, once, at start."""

    def __init__(self, supervisor: Supervisor, models: Models) -> None:
        self._supervisor = supervisor
        self._store = supervisor.store
        self._models = models

    async def run(self) -> int:
        """Returns how many generations were orphans. One that fails doesn't keep the others."""
        orphans = await self._store.orphans(self._supervisor.boot)
        for orphan in orphans:
            try:
                await self._take(orphan)
            except GranthaError as error:
                _log.error("generation %s can't be recovered: %s", orphan.row.id, error.message)
        return len(orphans)

    async def _take(self, orphan: Orphan) -> None:
        row = orphan.row
        records = await whole_log(self._store, orphan.subject, row.id)
        events = [record.event for record in records]
        model, options = row.model, row.options
        for event in events:
            if isinstance(event, Seam):
                model, options = event.model, options.from_json(event.options)
        length = sum(len(event.text) for event in events if isinstance(event, TextDelta))
        tools = any(isinstance(e, PartStart) and e.part_kind == "tool-call" for e in events)
        wanted, how, cause = self._choose(row.recoveries, model, length, tools)
        opening: list[Event] = [Open(str(row.last_id), wanted or model, options.to_json())]
        if wanted is None:
            opening.append(_interrupted(events, cause))
        else:
            changes = {} if wanted == model else {"model": [model, wanted]}
            opening.append(
                Seam("restart", how, wanted, options.to_json(), length, changes, _away(records))
            )
        at = time.time_ns() // 1_000_000
        epoch = row.last_id.epoch + 1
        new = [Record(RecordId(epoch, seq), at, event) for seq, event in enumerate(opening)]
        if wanted is None:
            await self._end(orphan, new)
            return
        if not await self._store.claim(row, self._supervisor.boot, new):
            return
        plan = Plan(
            await self._supervisor.history_of(orphan.subject, row),
            wanted,
            options,
            self._supervisor.fallbacks_of(wanted),
            "restart",
        )
        taken = await self._store.generation(orphan.subject, row.id)
        self._supervisor.take_over(orphan.subject, taken, plan, (*records, *new))

    async def _end(self, orphan: Orphan, new: list[Record]) -> None:
        if await self._store.claim(orphan.row, self._supervisor.boot, new[:1]):
            await self._store.append([Append(orphan.row.id, tuple(new[1:]))])

    def _choose(
        self, recoveries: int, model: str, length: int, tools: bool
    ) -> tuple[str | None, Continuation | None, str]:
        """The model that goes on and how, or None and why nobody can."""
        if recoveries >= MOST_RECOVERIES:
            return None, None, f"it was tried {recoveries} times"
        if tools:
            return None, None, "the answer had begun to call tools"
        if length == 0:
            return model, None, ""
        capabilities = self._capabilities(model)
        if capabilities is not None and capabilities.prefix:
            return model, "prefix", ""
        for fallback in self._supervisor.fallbacks_of(model):
            other = self._capabilities(fallback)
            if other is not None and other.continuation is not None:
                return fallback, other.continuation, ""
        return None, None, f"{model} can't go on from a partial answer by itself"

    def _capabilities(self, model: str) -> Capabilities | None:
        try:
            provider, name = self._models.resolve(model)
        except GranthaError:
            return None
        return provider.capabilities(name)


def _interrupted(events: list[Event], cause: str) -> GenerationEnd:
    folded = fold(events)
    text = folded.text()
    return GenerationEnd(
        ending="interrupted",
        finish_reason=None,
        native_finish_reason=None,
        usage=None,
        timings={},
        text_length=len(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        error={
            "code": "interrupted",
            "message": f"The server stopped while this was written, and {cause}.",
            "fault": "us",
            "retryable": True,
            "advice": "Continue it or write it again.",
        },
    )


def _away(records: list[Record]) -> dict[str, int]:
    """How long nothing was written, in ms: what the seam tells the reader."""
    if not records:
        return {}
    return {"away_ms": max(0, time.time_ns() // 1_000_000 - records[-1].at)}
