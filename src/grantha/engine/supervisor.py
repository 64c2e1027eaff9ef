"""Starts, continues, changes and stops the generations of this process.

Owns their tasks: each generation has one, awaited here, and belongs to no request. The parts have
modules of their own: `running_generations` (the registry), `history` (what a model gets), `titles`,
`flusher` (when logs are written), `feed` (changes for open tabs). Other modules use the methods here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grantha.chat import ContinuationMode, JsonObject, Options
from grantha.engine.abandonment import Attachment, ReaderCount
from grantha.engine.answer_length import DEFAULT_ANSWER_LIMITS, AnswerLimits
from grantha.engine.call_budget import DEFAULT_LIMITS, CallLimits
from grantha.engine.commands import StopReceipt
from grantha.engine.continuation import continuation_mode
from grantha.engine.feed import Change, Feed
from grantha.engine.flusher import Flusher, FlushState
from grantha.engine.generation_request import ContinuationRequest, GenerationRequest
from grantha.engine.history import HistoryReader
from grantha.engine.ids import new_id
from grantha.engine.load import Load
from grantha.engine.log import Log
from grantha.engine.observer import Observer, Observers
from grantha.engine.plan import Models, Plan
from grantha.engine.reader import Reader
from grantha.engine.replay import (
    continuation_seam,
    continuing_records,
    read_log_text,
    trimmed_frames,
)
from grantha.engine.runner import Runner
from grantha.engine.running_generations import RunningGeneration, RunningGenerations
from grantha.engine.snapshot import AnswerSnapshot, read_snapshot
from grantha.engine.titles import Titler, title_from
from grantha.errors import Conflict, MissingKey, NotFound, ShuttingDown, StorageLost
from grantha.events import START, GenerationEnd, Open, Record, RecordId
from grantha.storage.base import GenerationRow, GenerationStart, NewGeneration, Store

_log = logging.getLogger(__name__)
_STORE_TIMEOUT = 2.0  # seconds that a stop waits for its end record to be stored


@dataclass(frozen=True, slots=True)
class Tuning:
    """Parameters of the engine; times in seconds.

    `first_reader` is how long at least to wait for a first reader; `close_timeout` how long an upstream
    may take to close, or to notice that it is cancelled; `flush_retry` and `recovery_retry` are the first
    pauses between tries while the store fails.
    """

    window: float = 0.04
    window_behind: float = 0.2
    flush_bytes: int = 2048
    tail_bytes: int = 24 * 1024
    titles: bool = True
    first_reader: float = 5.0
    close_timeout: float = 2.0
    flush_retry: float = 0.1
    recovery_retry: float = 0.5
    limits: CallLimits = DEFAULT_LIMITS
    answer_limits: AnswerLimits = DEFAULT_ANSWER_LIMITS
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Supervisor:
    """One for the process. The store knows this process as the owner of what it starts."""

    def __init__(
        self,
        store: Store,
        models: Models,
        feed: Feed,
        tuning: Tuning,
        *,
        observer: Observer | None = None,
    ) -> None:
        self._store = store
        self._models = models
        self._feed = feed
        self.tuning = tuning
        self._observer = observer or Observers()
        self._history = HistoryReader(store)
        self._titler = Titler(store, models, feed)
        self._running = RunningGenerations()
        self._recovered = asyncio.Event()
        self._background_tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._starting: set[asyncio.Task[tuple[list[GenerationRow], bool]]] = set()
        self._flusher = Flusher(
            store.append,
            window=tuning.window,
            window_behind=tuning.window_behind,
            flush_bytes=tuning.flush_bytes,
            first_retry=tuning.flush_retry,
            load=Load().share,
        )

    def start_flushing(self) -> None:
        """Starts the task that writes the logs; called once the loop runs."""
        self._flusher.start()

    @property
    def running(self) -> int:
        """The number of generations that this process is writing."""
        return len(self._running)

    @property
    def flush_state(self) -> FlushState:
        """How writing the logs goes now."""
        return self._flusher.state

    @property
    def limits(self) -> CallLimits:
        """Limits on the upstream calls of each generation."""
        return self.tuning.limits

    def fallbacks_of(self, model: str) -> tuple[str, ...]:
        """The fallback models configured for a model, in order."""
        return self.tuning.fallbacks.get(model, self.tuning.fallbacks.get("*", ()))

    # ---- starting ------------------------------------------------------------------------------

    async def start(self, request: GenerationRequest) -> tuple[list[GenerationRow], bool]:
        """Stores new generations and begins them; the flag is False if the key had started them.

        Raises `UnknownModel` or `UnknownProvider` before anything is written. A provider that can't
        be used for another reason makes a generation that ends `failed` with that reason.
        """
        self._check_open()
        requested = _monotonic_ms()
        # Before any validation: what was valid for the first request may not be for its repetition.
        if earlier := await self._started_by(request.subject, request.key, request.fingerprint):
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

        def begin(rows: list[GenerationRow]) -> None:
            for row, generation in zip(rows, generations, strict=True):
                plan = Plan(history, row.model, row.options, self.fallbacks_of(row.model))
                self._begin(request.subject, row, plan, requested, generation.records)
            self._publish_change(request.subject, rows[-1])

        return await self._store_and_begin(
            request.subject,
            GenerationStart(
                conversation=request.conversation,
                generations=generations,
                messages=messages,
                new_conversation=request.new_conversation,
                title=title_from(request.messages[-1].text) if request.messages else "",
                key=request.key,
                fingerprint=request.fingerprint,
            ),
            begin,
        )

    async def continue_answer(self, request: ContinuationRequest) -> tuple[GenerationRow, bool]:
        """Continues an ended answer: a new generation on the same message, after a seam.

        The flag is False if the key had started it. Raises `Conflict` while the answer is being
        written, `Unsupported` if the model can't continue it.
        """
        self._check_open()
        requested, subject = _monotonic_ms(), request.subject
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
        history = await self._history.before(subject, message)

        def begin(rows: list[GenerationRow]) -> None:
            plan = Plan(history, model, options, self.fallbacks_of(model), "continued")
            self._begin(subject, rows[0], plan, requested, generation.records)
            self._publish_change(subject, rows[0])

        start = GenerationStart(
            before.conversation, (generation,), key=request.key, fingerprint=request.fingerprint
        )
        rows, created = await self._store_and_begin(subject, start, begin)
        return rows[0], created

    # ---- recovery ------------------------------------------------------------------------------

    def take_over(
        self, subject: str, row: GenerationRow, plan: Plan, records: tuple[Record, ...]
    ) -> None:
        """Continues a claimed orphan; `records` are its whole log."""
        self._begin(subject, row, plan, _monotonic_ms(), records)
        self._publish_change(subject, row)

    def report_end(self, row: GenerationRow, end: GenerationEnd) -> None:
        """Reports an orphan that recovery ended without running it."""
        self._observer.ended(row, row.model, end)

    def finish_recovery(self) -> None:
        """Every orphan has been taken over or ended: stops need not wait for it any longer."""
        self._recovered.set()

    # ---- control -------------------------------------------------------------------------------

    async def stop(self, subject: str, generation: str) -> tuple[GenerationRow, StopReceipt | None]:
        """Stops a generation; the receipt is None if it wasn't running."""
        running = self._running.get(generation)
        if running is None:
            row = await self._store.generation(subject, generation)
            if row.status != "running" or self._recovered.is_set():
                return row, None
            await self._recovered.wait()  # else recovery would continue what was stopped
            return await self.stop(subject, generation)
        if running.subject != subject:
            raise NotFound(f"There is no generation {generation!r}.")
        was_running = running.runner.lifecycle.running
        receipt = await running.runner.stop()
        # While the disk is full the end can't be stored; the upstream is closed all the same.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.log.flushed(), _STORE_TIMEOUT)
        # Deleting a conversation hides it first, so that nothing new begins in it, and stops it then.
        row = await self._store.generation(subject, generation, include_deleted=True)
        return row, receipt if was_running else None

    def change(
        self, subject: str, generation: str, changes: JsonObject, model: str | None
    ) -> tuple[ContinuationMode | None, str, Options]:
        """Changes a running generation; returns the continuation mode, the model and the options."""
        running = self._running.get(generation)
        if running is None or running.subject != subject:
            raise Conflict("This answer isn't being written.", advice="Change the next one.")
        return running.runner.change(model, changes)

    async def stop_all_of(self, subject: str, conversation: str) -> None:
        """Stops every running generation of a conversation."""
        generations = self._running.of_conversation(subject, conversation)
        await asyncio.gather(*(self.stop(subject, generation) for generation in generations))

    def lose_storage(self, error: StorageLost) -> None:
        """Ends every generation as failed: what is written now could be read nowhere."""
        self._flusher.give_up_storing()
        for running in self._running.values():
            running.runner.fail(error)

    # ---- reading -------------------------------------------------------------------------------

    def reader(self, subject: str, generation: str, cursor: RecordId) -> Reader:
        """A cursor over a log; the caller has checked that the generation exists."""
        return Reader(
            self._store,
            subject,
            generation,
            cursor,
            self._running.log,
            is_closing=lambda: self._closing,
        )

    async def reader_from_start(self, subject: str, row: GenerationRow) -> Reader:
        """A reader of the whole answer, also when its records have been trimmed."""
        reader = self.reader(subject, row.id, START)
        if row.trimmed:
            reader.replay(await trimmed_frames(self._store, subject, row))
        return reader

    async def snapshot(self, subject: str, row: GenerationRow) -> AnswerSnapshot:
        """The answer so far, with the id after which its tail follows."""
        return await read_snapshot(self._store, subject, row, self._running.options(row.id))

    def attach(self, generation: str) -> Attachment:
        """Counts a reader until the attachment is closed.

        A generation with `abandon_after` is stopped once it has had no reader for so long.
        """
        running = self._running.get(generation)
        return running.readers.attach() if running else Attachment()

    # ---- the end of the process ----------------------------------------------------------------

    @property
    def closing(self) -> bool:
        """Whether nothing new is accepted any more."""
        return self._closing

    async def aclose(self, drain: float) -> None:
        """Accepts nothing new, lets generations end within `drain` seconds, then hands over the rest."""
        self._closing = True
        while self._starting:  # accepted before: one that began after the draining would be cut
            await asyncio.wait(set(self._starting))
        if handed_over := await self._running.drain(drain):
            _log.info("handed over %d running generations", handed_over)
        for task in tuple(self._background_tasks):
            task.cancel()
        await self._flusher.aclose()

    # ---- helpers below -------------------------------------------------------------------------

    async def _store_and_begin(
        self, subject: str, start: GenerationStart, begin: Callable[[list[GenerationRow]], None]
    ) -> tuple[list[GenerationRow], bool]:
        """Stores new generations and begins them, even if the caller is cancelled in between.

        One that was stored and never begun would be `running` until the next restart.
        """

        async def store_and_begin() -> tuple[list[GenerationRow], bool]:
            rows, created = await self._store.start(subject, start)
            if created:
                begin(rows)
            return rows, created

        starting = asyncio.create_task(store_and_begin())
        self._starting.add(starting)
        starting.add_done_callback(self._started)
        return await asyncio.shield(starting)

    def _started(self, starting: asyncio.Task[tuple[list[GenerationRow], bool]]) -> None:
        self._starting.discard(starting)
        if not starting.cancelled():
            starting.exception()  # retrieved here, where the caller is gone

    def _begin(
        self,
        subject: str,
        row: GenerationRow,
        plan: Plan,
        requested: float,
        records: tuple[Record, ...],
    ) -> None:
        """Runs a stored generation; `records` are its whole log so far."""
        log = Log(
            row.id,
            row.last_id,
            now_ms=_wall_ms,
            changed=self._flusher.changed,
            tail_bytes=self.tuning.tail_bytes,
            opening=records,
        )

        async def read_text() -> str:
            await log.flushed()
            return await read_log_text(self._store, subject, row.id)

        runner = Runner(
            plan,
            log,
            self._models,
            read_text,
            requested,
            limits=self.limits,
            answer_limits=self.tuning.answer_limits,
            close_timeout=self.tuning.close_timeout,
        )
        runner.resume(records)
        readers = ReaderCount(
            row.abandon_after,
            lambda: self._abandon(row),
            first_reader=self.tuning.first_reader,
        )
        running = RunningGeneration(row, subject, log, runner, readers)
        self._running.add(running)
        running.task = asyncio.create_task(self._run(running), name=f"generation {row.id}")
        self._observer.started(row)

    async def _run(self, running: RunningGeneration) -> None:
        row, log, runner = running.row, running.log, running.runner
        try:
            await runner.run()
        finally:
            running.readers.close()
            await log.flushed()
            self._running.remove(row.id)
            if log.end is None:
                log.hand_over()
        if log.end is None:
            return
        self._observer.ended(row, runner.model, log.end)
        _log_end(row, runner.model, log.end)
        self._publish_change(running.subject, row)
        if log.end.ending == "done" and self.tuning.titles and not self._closing:
            task = asyncio.create_task(self._titler.title(running.subject, row, runner.model))
            self._background_tasks.add(task)
            task.add_done_callback(self._background_tasks.discard)

    def _abandon(self, row: GenerationRow) -> None:
        """Stops a generation without readers, so that it costs nothing further."""
        running = self._running.get(row.id)
        if running is None or self._closing:
            return
        _log.info("stopping generation %s: its client left and nothing else reads it", row.id)
        running.runner.abandon()

    async def _started_by(
        self, subject: str, key: str | None, fingerprint: str
    ) -> list[GenerationRow]:
        if key is None:
            return []
        return await self._store.generations_by_key(subject, key, fingerprint)

    def _check_open(self) -> None:
        if self._closing:
            raise ShuttingDown(
                "The server is stopping.", advice="Send it again in a moment.", retry_after=1.0
            )

    def _check_known(self, model: str) -> None:
        # A missing key fails the generation instead: the question is kept and can be sent again.
        with contextlib.suppress(MissingKey):
            self._models.resolve(model)

    def _publish_change(self, subject: str, row: GenerationRow) -> None:
        self._feed.publish(Change("generation", subject, row.conversation, row.id))


def _log_end(row: GenerationRow, model: str, end: GenerationEnd) -> None:
    _log.info(
        "generation %s ended %s: conversation %s, model %s, %s",
        row.id,
        end.ending,
        row.conversation,
        model,
        {name: end.timings.get(name) for name in ("first_text_ms", "duration_ms", "deltas")},
    )


def _open_record(model: str, options: Options) -> Record:
    return Record(RecordId(1, 0), _wall_ms(), Open(None, model, options.to_json()))


def _monotonic_ms() -> float:
    return time.monotonic() * 1000


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
