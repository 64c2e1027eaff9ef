"""At the start: continues generations that a dead owner left running, or ends them as interrupted.

Each orphan gets a new epoch, so that nothing late can enter. It continues by itself where no text was
shown yet, where the model takes a prefix, or where a fallback can; at most three times in a row without
new text, so that an answer which crashes its server ends. Otherwise it ends `interrupted` with the text
kept, never `done`: a cut answer is never complete. While the store fails, recovery waits and retries.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from grantha.chat import Capabilities, ContinuationMode, Message
from grantha.engine.call_budget import CallBudget, estimate_prompt_size
from grantha.engine.history import HistoryReader
from grantha.engine.plan import Models, Plan
from grantha.engine.replay import read_log
from grantha.engine.supervisor import Supervisor
from grantha.errors import GranthaError, Interrupted, NotFound, ServerError
from grantha.events import (
    Event,
    GenerationEnd,
    Notice,
    Open,
    PartStart,
    ReasoningDelta,
    Record,
    RecordId,
    Seam,
    TextDelta,
    ToolCallDelta,
)
from grantha.fold import fold
from grantha.storage.base import Append, Orphan, Store

_DELTAS = TextDelta | ReasoningDelta | ToolCallDelta
A = TypeVar("A")
T = TypeVar("T")
_log = logging.getLogger(__name__)
# Owners in a row that got a reply and died before they wrote any of it.
MAX_UNPRODUCTIVE_OWNERS = 3
MAX_UNPRODUCTIVE_TOGETHER = 15  # the same when several were cut together: any may be to blame
MAX_CLAIMS = 20  # tries to claim one whose owner, thought dead, still writes


class Recovery:
    """Takes over orphans, once, at the start."""

    def __init__(
        self, supervisor: Supervisor, store: Store, models: Models, instance_id: str
    ) -> None:
        self._supervisor = supervisor
        self._store = store
        self._models = models
        self._instance_id = instance_id
        self._history = HistoryReader(store)
        self._max_unproductive = MAX_UNPRODUCTIVE_OWNERS

    async def run(self) -> int:
        """Returns the number of orphans. One that fails doesn't keep the others waiting."""
        try:
            left = await self._retry_while_failing(self._store.orphans, self._instance_id)
            self._max_unproductive = (
                MAX_UNPRODUCTIVE_OWNERS if len(left) == 1 else MAX_UNPRODUCTIVE_TOGETHER
            )
            for orphan in left:
                try:
                    await self._retry_while_failing(self._take_over, orphan)
                except Exception as error:  # noqa: BLE001  one answer mustn't hold up the others
                    _log.error(
                        "generation %s can't be recovered: %r",
                        orphan.row.id,
                        error,
                        exc_info=not isinstance(error, GranthaError),
                    )
                    await self._end_unreadable(orphan)
            return len(left)
        finally:
            self._supervisor.finish_recovery()

    async def _retry_while_failing(self, call: Callable[[A], Awaitable[T]], argument: A) -> T:
        """Repeats a call while our own disk or database fails."""
        while True:
            try:
                return await call(argument)
            except ServerError as error:
                _log.error("orphaned generations can't be taken over yet: %s", error.message)
            await asyncio.sleep(self._supervisor.tuning.recovery_retry)

    async def _take_over(self, orphan: Orphan, tries: int = MAX_CLAIMS) -> None:
        row = orphan.row
        records = await read_log(self._store, orphan.subject, row.id)
        events = [record.event for record in records]
        model, options = row.model, row.options
        for event in events:
            if isinstance(event, Seam):
                model, options = event.model, options.from_json(event.options)
        length = sum(len(event.text) for event in events if isinstance(event, TextDelta))
        tools = any(isinstance(e, PartStart) and e.part_kind == "tool-call" for e in events)
        history = await self._history_of(orphan)
        wanted, mode, cause = self._choose_model(model, length, tools=tools)
        if history is None:
            wanted, cause = None, "its conversation was deleted"
        elif orphan.damaged:
            wanted, cause = None, "what was written last can't be read"
        elif refusal := self._call_refusal(records, history, length):
            wanted, cause = None, refusal
        opening: list[Event] = [Open(str(row.last_id), wanted or model, options.to_json())]
        if wanted is None:
            opening.append(_interrupted(events, cause))
        else:
            changes = {} if wanted == model else {"model": [model, wanted]}
            opening.append(
                Seam(
                    "restart", mode, wanted, options.to_json(), length, changes, _downtime(records)
                )
            )
        at = time.time_ns() // 1_000_000
        epoch = row.last_id.epoch + 1
        new = [Record(RecordId(epoch, seq), at, event) for seq, event in enumerate(opening)]
        if wanted is None or history is None:
            await self._end(orphan, new)
            return
        if not await self._store.claim(row, self._instance_id, new):
            await self._retry_take_over(orphan, tries - 1)
            return
        fallbacks = self._supervisor.tuning.fallbacks_of(wanted)
        plan = Plan(history, wanted, options, fallbacks, "restart")
        taken = dataclasses.replace(row, last_id=new[-1].id, recoveries=row.recoveries + 1)
        self._supervisor.take_over(orphan.subject, taken, plan, (*records, *new))

    async def _end_unreadable(self, orphan: Orphan) -> None:
        """Ends one whose log can't be worked with: it would be `running` for ever."""
        last, written = orphan.row.last_id, list[Event]()
        with contextlib.suppress(Exception):  # then the length of the text is unknown
            records = await read_log(self._store, orphan.subject, orphan.row.id)
            written = [record.event for record in records]
        opening = Open(str(last), orphan.row.model, orphan.row.options.to_json())
        events: list[Event] = [opening, _interrupted(written, "what was written can't be read")]
        at = time.time_ns() // 1_000_000
        new = [Record(RecordId(last.epoch + 1, seq), at, event) for seq, event in enumerate(events)]
        try:
            await self._end(orphan, new)
        except GranthaError as error:
            _log.error("generation %s can't be ended: %s", orphan.row.id, error.message)

    async def _retry_take_over(self, orphan: Orphan, tries: int) -> None:
        """The claim failed: its owner wrote more meanwhile, or another process took it over."""
        for now in await self._store.orphans(self._instance_id) if tries else ():
            if now.row.id == orphan.row.id and now.row.last_id.epoch == orphan.row.last_id.epoch:
                await self._take_over(dataclasses.replace(now, damaged=orphan.damaged), tries)

    async def _history_of(self, orphan: Orphan) -> tuple[Message, ...] | None:
        """The history of an orphan; None when its conversation is gone."""
        try:
            return await self._history.of_generation(orphan.subject, orphan.row)
        except NotFound:
            return None

    async def _end(self, orphan: Orphan, new: list[Record]) -> None:
        if await self._store.claim(orphan.row, self._instance_id, new[:1]):
            append = Append(orphan.row.id, tuple(new[1:]))
            # The claim is ours: from here on only the end is tried again.
            await self._retry_while_failing(self._store.append, [append])
            if append.end is not None:
                self._supervisor.report_end(orphan.row, append.end)

    def _call_refusal(
        self, records: list[Record], history: tuple[Message, ...], length: int
    ) -> str | None:
        """Why no further upstream call may be made for a log; None if one may."""
        budget = CallBudget(self._supervisor.tuning.limits, estimate_prompt_size(history))
        budget.replay(records)
        unproductive = _unproductive_owners(records)
        if unproductive >= self._max_unproductive:
            return f"{unproductive} attempts to continue wrote nothing"
        return budget.exceeded(length, 0.0)

    def _choose_model(
        self, model: str, length: int, *, tools: bool
    ) -> tuple[str | None, ContinuationMode | None, str]:
        """The model that continues and its mode, or None and the reason why no model can."""
        if tools:
            return None, None, "the answer had begun to call tools"
        if length == 0:
            return model, None, ""
        capabilities = self._capabilities(model)
        if capabilities is not None and capabilities.prefix:
            return model, "prefix", ""
        for fallback in self._supervisor.tuning.fallbacks_of(model):
            other = self._capabilities(fallback)
            if other is not None and other.continuation is not None:
                return fallback, other.continuation, ""
        return None, None, f"{model} can't continue a partial answer by itself"

    def _capabilities(self, model: str) -> Capabilities | None:
        try:
            provider, name = self._models.resolve(model)
            return provider.capabilities(name)
        except GranthaError:
            return None


def _unproductive_owners(records: list[Record]) -> int:
    """How many owners in a row were given a reply and died before they wrote anything of it.

    One that still waited for the model, behind others, isn't counted: it can't be what killed them.
    """
    count = 0
    accepted = False
    for record in reversed(records):
        if isinstance(record.event, _DELTAS):
            break
        if isinstance(record.event, Notice):
            accepted = accepted or record.event.code == "accepted"
        elif isinstance(record.event, Open):
            count += accepted and record.id.epoch > 1
            accepted = False
    return count


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
        error=Interrupted(f"The server stopped while this was written, and {cause}.").to_json(),
    )


def _downtime(records: list[Record]) -> dict[str, int]:
    """For the seam: how long nothing was written, in milliseconds."""
    if not records:
        return {}
    return {"downtime_ms": max(0, time.time_ns() // 1_000_000 - records[-1].at)}
