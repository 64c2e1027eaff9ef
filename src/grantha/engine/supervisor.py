"""Starts, finds, changes, continues and stops the generations of this process.

Owns the tasks: each generation has one, awaited here. A generation belongs to no request. Validates
what the store and the models can tell; the shapes of bodies were checked at the door.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grantha.chat import Continuation, JsonObject, Message, Options, TextPart, text_message
from grantha.engine.abandonment import Attachment, ReaderCount
from grantha.engine.call_budget import DEFAULT_LIMITS, CallLimits
from grantha.engine.commands import StopReceipt, continuation_mode
from grantha.engine.feed import Change, Feed
from grantha.engine.flusher import Flusher
from grantha.engine.ids import new_id
from grantha.engine.load import Load
from grantha.engine.log import Log
from grantha.engine.observer import Observer, Observers
from grantha.engine.reader import Reader
from grantha.engine.replay import continuation_seam, continuing_records, read_log_text
from grantha.engine.runner import Models, Plan, Runner
from grantha.engine.titles import title_by_model, title_from
from grantha.errors import BadRequest, Conflict, GranthaError, MissingKey, NotFound, ShuttingDown
from grantha.events import Open, Record, RecordId
from grantha.storage.base import (
    GenerationRow,
    GenerationStart,
    MessageRow,
    NewConversation,
    NewGeneration,
    NewMessage,
    Store,
)

_log = logging.getLogger(__name__)
_STORE_TIMEOUT = 2.0  # seconds that a stop waits for its end to be stored


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One send: a new message (or none, to answer an existing one again), to one or more models.

    With `new_conversation` the messages are the whole history and go into it. `abandon_after` is how many
    seconds the answers may be written without a reader; None is for ever.
    """

    subject: str
    models: tuple[str, ...]
    options: Options
    conversation: str
    parent: str | None = None
    messages: tuple[Message, ...] = ()
    new_conversation: NewConversation | None = None
    key: str | None = None
    fingerprint: str = ""
    abandon_after: float | None = None


@dataclass(frozen=True, slots=True)
class Tuning:
    """Numbers of the engine; times in seconds.

    `first_reader` is how long a first reader is waited for, at least; `close_timeout` how long an upstream
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
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    row: GenerationRow
    subject: str
    log: Log
    runner: Runner
    readers: ReaderCount
    task: asyncio.Task[None] | None = None


class Supervisor:
    """One for the process. `instance_id` names it as the owner of what it starts."""

    def __init__(
        self,
        store: Store,
        models: Models,
        feed: Feed,
        instance_id: str,
        tuning: Tuning,
        *,
        observer: Observer | None = None,
    ) -> None:
        self.observer = observer or Observers()
        self.feed = feed
        self.instance_id = instance_id
        self.recovered = asyncio.Event()  # what a dead owner left is taken up, or ended
        self.store = store
        self._models = models
        self.tuning = tuning
        self._runs: dict[str, _Run] = {}
        self._background_tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
        self.flusher = Flusher(
            store.append,
            window=tuning.window,
            window_behind=tuning.window_behind,
            flush_bytes=tuning.flush_bytes,
            first_retry=tuning.flush_retry,
            load=Load().share,
        )

    def start_flushing(self) -> None:
        """Starts the one task that writes; called once the loop runs."""
        self.flusher.start()

    @property
    def running(self) -> int:
        """How many generations this process is writing."""
        return len(self._runs)

    # ---- starting ------------------------------------------------------------------------------

    async def start(self, request: GenerationRequest) -> tuple[list[GenerationRow], bool]:
        """Writes the send and begins; the flag is False when the key had started it before.

        Raises `UnknownModel` or `UnknownProvider` before anything is written. A provider that can't
        be used for another reason is a generation that ends `failed` and says why.
        """
        self._check_open()
        requested = time.monotonic() * 1000
        # Asked before anything is checked: what holds after the first send may refuse the second.
        if before := await self._earlier(request.subject, request.key, request.fingerprint):
            return before, False
        history = await self._history(request)
        new_messages, parent = _new_messages(request)
        generations = tuple(
            NewGeneration(
                id=new_id("g"),
                message=new_id("m"),
                parent=parent,
                model=model,
                options=request.options,
                records=(_opening(model, request.options),),
                abandon_after=request.abandon_after,
            )
            for model in request.models
        )

        def begin(rows: list[GenerationRow]) -> None:
            for row, generation in zip(rows, generations, strict=True):
                plan = Plan(history, row.model, row.options, self._fallbacks(row.model))
                self._begin(request.subject, row, plan, requested, opening=generation.records)
            self._publish_change(request.subject, request.conversation, rows[-1].id)

        return await self._store_and_begin(
            request.subject,
            GenerationStart(
                conversation=request.conversation,
                generations=generations,
                messages=new_messages,
                new_conversation=request.new_conversation,
                title=title_from(request.messages[-1].text) if request.messages else "",
                key=request.key,
                fingerprint=request.fingerprint,
            ),
            begin,
        )

    async def continue_answer(  # noqa: PLR0917
        self,
        subject: str,
        generation: str,
        changes: JsonObject,
        model: str | None,
        key: str | None,
        fingerprint: str,
    ) -> tuple[GenerationRow, bool]:
        """Goes on with an ended answer: a new generation on the same message, after a seam."""
        self._check_open()
        requested = time.monotonic() * 1000
        if known := await self._earlier(subject, key, fingerprint):
            return known[0], False
        before = await self.store.generation(subject, generation)
        message = await self.store.message(subject, before.message)
        if before.status == "running":
            raise Conflict("This answer is still being written.", advice="Stop it first.")
        # The options that were in force at the end, which live controls may have changed.
        last = message.seams[-1] if message.seams else {}
        options = Options.from_json(last.get("options", before.options.to_json())).changed(changes)
        wanted = model or message.model or before.model
        records, text = continuing_records(message, wanted, options, _wall_ms())
        provider, name = self._models.resolve(wanted)
        how = continuation_mode(wanted, provider.capabilities(name)) if text else None
        seam = continuation_seam(how, before, wanted, options, len(text))
        started = NewGeneration(
            id=new_id("g"),
            message=message.id,
            parent=before.parent,
            model=wanted,
            options=options,
            records=(*records, Record(RecordId(1, len(records)), _wall_ms(), seam)),
            extends=True,
        )
        history = await self._history_before(subject, message)

        def begin(rows: list[GenerationRow]) -> None:
            plan = Plan(history, wanted, options, self._fallbacks(wanted), "continued")
            self._begin(subject, rows[0], plan, requested, past=tuple(started.records))
            self._publish_change(subject, before.conversation, rows[0].id)

        start = GenerationStart(before.conversation, (started,), key=key, fingerprint=fingerprint)
        rows, created = await self._store_and_begin(subject, start, begin)
        return rows[0], created

    def take_over(
        self, subject: str, row: GenerationRow, plan: Plan, records: tuple[Record, ...]
    ) -> None:
        """Goes on with an orphan that was claimed; `records` are all of its log."""
        self._begin(subject, row, plan, time.monotonic() * 1000, past=records)
        self._publish_change(subject, row.conversation, row.id)

    async def history_of(self, subject: str, row: GenerationRow) -> tuple[Message, ...]:
        """What the model of a generation was asked, from the store."""
        message = await self.store.message(subject, row.message)
        return await self._history_before(subject, message)

    @property
    def limits(self) -> CallLimits:
        """Limits on the upstream calls of each generation."""
        return self.tuning.limits

    def fallbacks_of(self, model: str) -> tuple[str, ...]:
        """The configured chain after a model."""
        return self._fallbacks(model)

    # ---- control -------------------------------------------------------------------------------

    async def stop(self, subject: str, generation: str) -> tuple[GenerationRow, StopReceipt | None]:
        """Stops and returns how it went; the receipt is None when nothing was running."""
        run = self._runs.get(generation)
        if run is None:
            row = await self.store.generation(subject, generation)
            if row.status != "running" or self.recovered.is_set():
                return row, None
            await self.recovered.wait()  # a stop that comes before we took it up again must hold
            return await self.stop(subject, generation)
        if run.subject != subject:
            return await self.store.generation(subject, generation), None
        was_running = run.runner.lifecycle.running
        receipt = await run.runner.stop()
        # While the disk is full the end can't be stored; the upstream is closed all the same.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(run.log.flushed(), _STORE_TIMEOUT)
        return await self.store.generation(subject, generation), receipt if was_running else None

    def change(
        self, subject: str, generation: str, changes: JsonObject, model: str | None
    ) -> tuple[Continuation | None, str, Options]:
        """Changes a running generation; returns how it goes on, its model and its options."""
        run = self._runs.get(generation)
        if run is None or run.subject != subject:
            raise Conflict("This answer isn't being written.", advice="Change the next one.")
        return run.runner.change(model, changes)

    async def stop_all_of(self, subject: str, conversation: str) -> None:
        """Stops everything that runs in a conversation."""
        mine = [
            run.row.id
            for run in self._runs.values()
            if run.subject == subject and run.row.conversation == conversation
        ]
        await asyncio.gather(*(self.stop(subject, generation) for generation in mine))

    # ---- reading -------------------------------------------------------------------------------

    def find_log(self, generation: str) -> Log | None:
        """The log of a generation that runs here."""
        run = self._runs.get(generation)
        return run.log if run else None

    def current(self, generation: str) -> tuple[str, Options] | None:
        """Model and options in force now, of a generation that runs here."""
        run = self._runs.get(generation)
        return (run.runner.model, run.runner.options) if run else None

    def reader(self, subject: str, generation: str, cursor: RecordId) -> Reader:
        """A cursor over a log; the caller has checked that it exists."""
        return Reader(self.store, subject, generation, cursor, self.find_log)

    def attach(self, generation: str) -> Attachment:
        """Says that somebody reads a generation, until the attachment is closed.

        Those whose request ends with its connection are stopped when nobody has read them for a while.
        """
        run = self._runs.get(generation)
        return run.readers.attach() if run else Attachment()

    # ---- the end of the process ----------------------------------------------------------------

    async def aclose(self, drain: float) -> None:
        """Takes nothing new, lets owners end within `drain` seconds, then hands the rest over."""
        self._closing = True
        tasks = {run.task for run in self._runs.values() if run.task is not None}
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=drain)
            for task in left:
                task.cancel()
            if left:
                _log.info("handing over %d running generations", len(left))
                await asyncio.wait(left, timeout=2.0)
        for task in tuple(self._background_tasks):
            task.cancel()
        await self.flusher.aclose()

    # ---- helpers below -------------------------------------------------------------------------

    async def _store_and_begin(
        self, subject: str, start: GenerationStart, begin: Callable[[list[GenerationRow]], None]
    ) -> tuple[list[GenerationRow], bool]:
        """Stores a start and begins it, also if the caller is cancelled in between.

        A generation that was stored and then not begun would be `running` until the next restart.
        """
        storing = asyncio.create_task(self.store.start(subject, start))
        try:
            rows, created = await asyncio.shield(storing)
        except asyncio.CancelledError:

            def begin_anyway(stored: asyncio.Task[tuple[list[GenerationRow], bool]]) -> None:
                self._background_tasks.discard(stored)
                if not stored.cancelled() and stored.exception() is None and stored.result()[1]:
                    begin(stored.result()[0])

            self._background_tasks.add(storing)
            storing.add_done_callback(begin_anyway)
            raise
        if created:
            begin(rows)
        return rows, created

    def _begin(
        self,
        subject: str,
        row: GenerationRow,
        plan: Plan,
        requested: float,
        *,
        past: tuple[Record, ...] = (),
        opening: tuple[Record, ...] = (),
    ) -> None:
        log = Log(
            row.id,
            row.last_id,
            now_ms=_wall_ms,
            changed=self.flusher.changed,
            tail_bytes=self.tuning.tail_bytes,
            opening=past or opening,
        )

        async def read_text() -> str:
            await log.flushed()
            return await read_log_text(self.store, subject, row.id)

        runner = Runner(
            plan,
            log,
            self._models,
            read_text,
            requested,
            limits=self.limits,
            close_timeout=self.tuning.close_timeout,
        )
        runner.resume(past or opening)
        readers = ReaderCount(
            row.abandon_after,
            lambda: self._abandon(row),
            first_reader=self.tuning.first_reader,
        )
        run = _Run(row, subject, log, runner, readers)
        self._runs[row.id] = run
        run.task = asyncio.create_task(self._run(run), name=f"generation {row.id}")
        self.observer.started(row)

    async def _run(self, run: _Run) -> None:
        try:
            await run.runner.run()
        finally:
            run.readers.close()
            await run.log.flushed()
            self._runs.pop(run.row.id, None)
            if run.log.end is None:
                run.log.hand_over()
        end = run.log.end
        if end is None:
            return
        self.observer.ended(run.row, run.runner.model, end)
        _log.info(
            "generation %s ended %s: conversation %s, model %s, %s",
            run.row.id,
            end.ending,
            run.row.conversation,
            run.runner.model,
            {name: end.timings.get(name) for name in ("first_text_ms", "duration_ms", "deltas")},
        )
        self._publish_change(run.subject, run.row.conversation, run.row.id)
        if end.ending == "done" and self.tuning.titles and not self._closing:
            task = asyncio.create_task(self._title(run))
            self._background_tasks.add(task)
            task.add_done_callback(self._background_tasks.discard)

    def _abandon(self, row: GenerationRow) -> None:
        """Stops what nobody waits for, so that it isn't paid for any longer."""
        run = self._runs.get(row.id)
        if run is None or self._closing:
            return
        _log.info("generation %s is stopped: its client left and nobody reads it", row.id)
        run.runner.abandon()

    async def _title(self, run: _Run) -> None:
        """Gives a conversation of the page a better title after its first answer."""
        with contextlib.suppress(GranthaError):  # deleted meanwhile, or the disk is full
            await self._retitle(run)

    async def _retitle(self, run: _Run) -> None:
        conversation = await self.store.conversation(run.subject, run.row.conversation)
        if conversation.title_by != "none" or conversation.origin != "page":
            return
        path = await self.store.path(run.subject, run.row.message)
        question, answer = (_text_of(path[0]), _text_of(path[-1])) if path else ("", "")
        provider, name = self._models.resolve(run.runner.model)
        title = await title_by_model(provider, name, question, answer)
        now = await self.store.conversation(run.subject, run.row.conversation)
        if now.title_by == "none":  # a person may have named it meanwhile
            changes = {"title": title or now.title, "title_by": "auto"}
            await self.store.update_conversation(run.subject, now.id, changes)
            self.feed.publish(Change("conversation", run.subject, now.id))

    async def _earlier(
        self, subject: str, key: str | None, fingerprint: str
    ) -> list[GenerationRow]:
        return [] if key is None else await self.store.generations_by_key(subject, key, fingerprint)

    def _fallbacks(self, model: str) -> tuple[str, ...]:
        return self.tuning.fallbacks.get(model, self.tuning.fallbacks.get("*", ()))

    async def _history(self, request: GenerationRequest) -> tuple[Message, ...]:
        for model in request.models:
            self._check_known(model)
        if request.new_conversation is not None:
            return request.messages
        conversation = await self.store.conversation(request.subject, request.conversation)
        past: list[MessageRow] = []
        if request.parent is not None:
            past = await self.store.path(request.subject, request.parent)
            if past[-1].conversation != request.conversation:
                raise NotFound(f"There is no message {request.parent!r} in this conversation.")
        if past and past[-1].status == "running":
            raise Conflict(
                "The answer before is still being written.", advice="Wait for it, or stop it."
            )
        if not request.messages and (not past or past[-1].role != "user"):
            raise BadRequest("There is no question to answer.", advice="Send text or parts.")
        return (*_as_history(conversation.system_prompt, past), *request.messages)

    async def _history_before(self, subject: str, message: MessageRow) -> tuple[Message, ...]:
        conversation = await self.store.conversation(subject, message.conversation)
        path = await self.store.path(subject, message.id)
        return _as_history(conversation.system_prompt, path[:-1])

    def _check_open(self) -> None:
        if self._closing:
            raise ShuttingDown("The server is stopping.", advice="Send it again in a moment.")

    def _check_known(self, model: str) -> None:
        # A missing key is told by the generation itself: the question is kept, and can be resent.
        with contextlib.suppress(MissingKey):
            self._models.resolve(model)

    def _publish_change(self, subject: str, conversation: str, generation: str) -> None:
        self.feed.publish(Change("generation", subject, conversation, generation))


def _new_messages(request: GenerationRequest) -> tuple[tuple[NewMessage, ...], str | None]:
    """The new messages, each under the one before, and the id that the answer hangs under."""
    parent = request.parent
    chain: list[NewMessage] = []
    for message in request.messages:
        chain.append(NewMessage(new_id("m"), parent, message.role, message.parts))
        parent = chain[-1].id
    return tuple(chain), parent


def _as_history(system_prompt: str, past: list[MessageRow]) -> tuple[Message, ...]:
    history = [Message(row.role, row.parts) for row in past if row.parts]
    if system_prompt.strip():
        history.insert(0, text_message("system", system_prompt))
    return tuple(history)


def _opening(model: str, options: Options) -> Record:
    return Record(RecordId(1, 0), _wall_ms(), Open(None, model, options.to_json()))


def _text_of(row: MessageRow) -> str:
    return "".join(part.text for part in row.parts if isinstance(part, TextPart))


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
