"""Starts generations: validates a request, stores what it starts, and does so once for each key.

Knows no runners: what is stored is handed to `begin`, even if the caller is cancelled meanwhile. One
that was stored and never begun would be `running` until the next restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from grantha.chat import Options
from grantha.engine.continuation import continuation_mode
from grantha.engine.generation_request import ContinuationRequest, GenerationRequest
from grantha.engine.history import HistoryReader
from grantha.engine.ids import new_id
from grantha.engine.plan import Models, Plan
from grantha.engine.replay import continuation_seam, continuing_records
from grantha.engine.titles import title_from
from grantha.engine.tuning import Tuning
from grantha.errors import Conflict, MissingKey, ShuttingDown
from grantha.events import Open, Record, RecordId
from grantha.storage.base import GenerationRow, GenerationStart, NewGeneration, Store


@dataclass(frozen=True, slots=True)
class StoredGeneration:
    """A generation that is stored and not begun here; `records` are its whole log."""

    row: GenerationRow
    plan: Plan
    records: tuple[Record, ...]


# Subject, generations, and when they were requested, in milliseconds of the monotonic clock.
Begin: TypeAlias = Callable[[str, Sequence[StoredGeneration], float], None]
_Started: TypeAlias = tuple[list[GenerationRow], bool]


class GenerationStarter:
    """One for the process. `begin` is called once for the generations of each request."""

    def __init__(self, store: Store, models: Models, tuning: Tuning, begin: Begin) -> None:
        self._store = store
        self._models = models
        self._tuning = tuning
        self._begin = begin
        self._history = HistoryReader(store)
        self._starting: set[asyncio.Task[_Started]] = set()
        self._closed = False

    async def start(self, request: GenerationRequest) -> _Started:
        """See `Supervisor.start`."""
        requested, subject = self._accept(), request.subject
        # Before any validation: what was valid for the first request may not be for its repetition.
        if earlier := await self._started_by(subject, request.key, request.fingerprint):
            return earlier, False
        for model in request.models:
            self._check_known(model)
        history = await self._history.of_request(request)
        messages, parent = request.new_messages()
        generations = tuple(
            NewGeneration(
                id=new_id("g"),
                message=new_id("m"),
                parent=parent,
                model=model,
                options=request.options,
                records=(_open_record(model, request.options),),
                abandon_after=request.abandon_after,
            )
            for model in request.models
        )
        start = GenerationStart(
            conversation=request.conversation,
            generations=generations,
            messages=messages,
            new_conversation=request.new_conversation,
            title=title_from(request.messages[-1].text) if request.messages else "",
            key=request.key,
            fingerprint=request.fingerprint,
        )

        def plan(row: GenerationRow) -> Plan:
            return Plan(history, row.model, row.options, self._tuning.fallbacks_of(row.model))

        return await self._store_and_begin(subject, start, plan, requested)

    async def continue_answer(self, request: ContinuationRequest) -> tuple[GenerationRow, bool]:
        """See `Supervisor.continue_answer`."""
        requested, subject = self._accept(), request.subject
        if earlier := await self._started_by(subject, request.key, request.fingerprint):
            return earlier[0], False
        before = await self._store.generation(subject, request.generation)
        message = await self._store.message(subject, before.message)
        if before.status == "running":
            raise Conflict("This answer is still being written.", advice="Stop it first.")
        # The options in force at the end, which live controls may have changed.
        last = message.seams[-1] if message.seams else {}
        in_force = Options.from_json(last.get("options", before.options.to_json()))
        options = in_force.changed(request.changes)
        model = request.model or message.model or before.model
        records, text = continuing_records(message, model, options, _wall_ms())
        provider, name = self._models.resolve(model)
        mode = continuation_mode(model, provider.capabilities(name)) if text else None
        seam = continuation_seam(mode, before, model, options, len(text))
        generation = NewGeneration(
            id=new_id("g"),
            message=message.id,
            parent=before.parent,
            model=model,
            options=options,
            records=(*records, Record(RecordId(1, len(records)), _wall_ms(), seam)),
            extends=True,
        )
        history = await self._history.before(subject, message, options)
        start = GenerationStart(
            before.conversation, (generation,), key=request.key, fingerprint=request.fingerprint
        )

        def plan(_row: GenerationRow) -> Plan:
            fallbacks = self._tuning.fallbacks_of(model)
            return Plan(history, model, options, fallbacks, "continued")

        rows, created = await self._store_and_begin(subject, start, plan, requested)
        return rows[0], created

    async def aclose(self) -> None:
        """Accepts nothing new, and returns once all that was accepted has begun."""
        self._closed = True
        while self._starting:
            await asyncio.wait(set(self._starting))

    # ---- helpers below -------------------------------------------------------------------------

    def _accept(self) -> float:
        """When the request came, in milliseconds. Raises `ShuttingDown` once closed."""
        if self._closed:
            raise ShuttingDown(
                "The server is stopping.", advice="Send it again in a moment.", retry_after=1.0
            )
        return time.monotonic() * 1000

    async def _started_by(
        self, subject: str, key: str | None, fingerprint: str
    ) -> list[GenerationRow]:
        if key is None:
            return []
        return await self._store.generations_by_key(subject, key, fingerprint)

    def _check_known(self, model: str) -> None:
        # A missing key fails the generation instead: the question is kept and can be sent again.
        with contextlib.suppress(MissingKey):
            self._models.resolve(model)

    async def _store_and_begin(
        self,
        subject: str,
        start: GenerationStart,
        plan: Callable[[GenerationRow], Plan],
        requested: float,
    ) -> _Started:
        async def store_and_begin() -> _Started:
            rows, created = await self._store.start(subject, start)
            if created:
                new = zip(rows, start.generations, strict=True)
                stored = [StoredGeneration(row, plan(row), begun.records) for row, begun in new]
                self._begin(subject, stored, requested)
            return rows, created

        self._accept()  # again: `aclose` waits only for what is among `_starting`
        starting = asyncio.create_task(store_and_begin())
        self._starting.add(starting)
        starting.add_done_callback(self._started)
        return await asyncio.shield(starting)

    def _started(self, starting: asyncio.Task[_Started]) -> None:
        self._starting.discard(starting)
        if not starting.cancelled():
            starting.exception()  # retrieved here, where the caller is gone


def _open_record(model: str, options: Options) -> Record:
    return Record(RecordId(1, 0), _wall_ms(), Open(None, model, options.to_json()))


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
