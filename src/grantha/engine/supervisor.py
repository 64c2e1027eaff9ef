"""Starts, continues, changes and stops the generations of this process.

Owns their tasks: each generation has one, awaited here, and belongs to no request. The parts have
modules of their own: `generation_starter` (validation, storing, idempotency), `running_generations` (the
registry), `snapshot`, `titles`, `flusher` (when logs are written), `feed` (changes for open tabs). Other
modules use the methods here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Any

from grantha.chat import ContinuationMode, JsonObject, Options
from grantha.engine.abandonment import Attachment, ReaderCount
from grantha.engine.commands import StopReceipt
from grantha.engine.feed import Change, Feed
from grantha.engine.flusher import Flusher, FlushState
from grantha.engine.generation_request import ContinuationRequest, GenerationRequest
from grantha.engine.generation_starter import GenerationStarter, StoredGeneration
from grantha.engine.load import Load
from grantha.engine.log import Log
from grantha.engine.observer import Observer, Observers
from grantha.engine.plan import Models, Plan
from grantha.engine.reader import Reader
from grantha.engine.replay import (
    read_log_text,
    trimmed_frames,
)
from grantha.engine.runner import Runner
from grantha.engine.running_generations import RunningGeneration, RunningGenerations
from grantha.engine.snapshot import AnswerSnapshot, read_snapshot
from grantha.engine.titles import Titler
from grantha.engine.tuning import Tuning
from grantha.errors import Conflict, NotFound, StorageLost
from grantha.events import START, GenerationEnd, Record, RecordId
from grantha.storage.base import GenerationRow, Store

_log = logging.getLogger(__name__)
_STORE_TIMEOUT = 2.0  # seconds that a stop waits for its end record to be stored


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
        self._starter = GenerationStarter(store, models, tuning, self._begin)
        self._titler = Titler(store, models, feed)
        self._running = RunningGenerations()
        self._recovered = asyncio.Event()
        self._background_tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
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

    # ---- starting ------------------------------------------------------------------------------

    async def start(self, request: GenerationRequest) -> tuple[list[GenerationRow], bool]:
        """Stores new generations and begins them; the flag is False if the key had started them.

        Raises `UnknownModel` or `UnknownProvider` before anything is written. A provider that can't
        be used for another reason makes a generation that ends `failed` with that reason.
        """
        return await self._starter.start(request)

    async def continue_answer(self, request: ContinuationRequest) -> tuple[GenerationRow, bool]:
        """Continues an ended answer: a new generation on the same message, after a seam.

        The flag is False if the key had started it. Raises `Conflict` while the answer is being
        written, `Unsupported` if the model can't continue it.
        """
        return await self._starter.continue_answer(request)

    # ---- recovery ------------------------------------------------------------------------------

    def take_over(
        self, subject: str, row: GenerationRow, plan: Plan, records: tuple[Record, ...]
    ) -> None:
        """Continues a claimed orphan; `records` are its whole log."""
        self._begin(subject, [StoredGeneration(row, plan, records)], time.monotonic() * 1000)

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
        await self._starter.aclose()  # before the draining, which would miss what begins after it
        if handed_over := await self._running.drain(drain):
            _log.info("handed over %d running generations", handed_over)
        for task in tuple(self._background_tasks):
            task.cancel()
        await self._flusher.aclose()

    # ---- helpers below -------------------------------------------------------------------------

    def _begin(self, subject: str, stored: Sequence[StoredGeneration], requested: float) -> None:
        """Runs the generations of one request, which came at `requested` ms of the monotonic clock."""
        for generation in stored:
            self._run_stored(subject, generation, requested)
        self._publish_change(subject, stored[-1].row)

    def _run_stored(self, subject: str, stored: StoredGeneration, requested: float) -> None:
        row = stored.row
        log = Log(
            row.id,
            row.last_id,
            now_ms=_wall_ms,
            changed=self._flusher.changed,
            tail_bytes=self.tuning.tail_bytes,
            opening=stored.records,
        )

        async def read_text() -> str:
            await log.flushed()
            return await read_log_text(self._store, subject, row.id)

        runner = Runner(
            stored.plan,
            log,
            self._models,
            read_text,
            requested,
            limits=self.tuning.limits,
            answer_limits=self.tuning.answer_limits,
            close_timeout=self.tuning.close_timeout,
        )
        runner.resume(stored.records)
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


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
