"""Writes one generation: calls the provider, segment by segment, until the end.

Owns the upstream call and the order of seams. One task runs `run`; one inner task a segment pulls the
provider, so that stop and changed options act at once, whatever the provider is doing. It knows no
readers, and is the only writer of its log while it runs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from grantha.analytics.timings import TimingsFold
from grantha.chat import Call, Capabilities, ContinuationMode, Ending, JsonObject, Options
from grantha.engine.answer_length import AnswerLength, AnswerLimits
from grantha.engine.call_budget import CallBudget, CallLimits, estimate_prompt_size
from grantha.engine.commands import (
    ChangeOptions,
    CommandSlot,
    Fail,
    Stop,
    StopReceipt,
    mode_after_change,
    option_changes,
)
from grantha.engine.continuation import OverlapTrimmer, continued_call
from grantha.engine.lifecycle import Lifecycle
from grantha.engine.log import Log
from grantha.engine.parts import PartWriter
from grantha.engine.plan import Attempt, Models, Plan
from grantha.engine.policy import (
    MAX_RESUMES,
    Continue,
    FailureContext,
    FallBack,
    GiveUp,
    Resume,
    Retry,
    next_step,
)
from grantha.engine.tool_pairs import with_tool_results
from grantha.engine.usage_total import UsageTotal
from grantha.errors import Conflict, Fenced, GranthaError, Internal, TimedOut, Truncated
from grantha.events import (
    Accepted,
    Cited,
    Event,
    Finished,
    GenerationEnd,
    Notice,
    ProviderNotice,
    Reasoning,
    ReasoningDelta,
    Record,
    Seam,
    SeamReason,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    UpstreamEvent,
    UsageReport,
    UsageSeen,
)
from grantha.providers.base import Upstream

_log = logging.getLogger(__name__)
_MAX_PENDING_BYTES = 64 * 1024  # unflushed text at which reading from the provider pauses
_MIN_TOKENS_LEFT = 16  # of max_tokens, where what was written can only be estimated


class Runner:
    """One generation of this process. `read_text` gives all durable text of the log."""

    def __init__(
        self,
        plan: Plan,
        log: Log,
        models: Models,
        read_text: Callable[[], Awaitable[str]],
        requested: float,
        *,
        limits: CallLimits,
        answer_limits: AnswerLimits,
        close_timeout: float,
    ) -> None:
        self.model = plan.model
        self.options = plan.options
        self.log = log
        self.lifecycle = Lifecycle()
        self._parts = PartWriter(self._add, lambda: round(_now_ms()))
        self._history = with_tool_results(plan.history)
        self._models = models
        self._read_text = read_text
        self._timings = TimingsFold(requested)
        self._usage = UsageTotal(partial=plan.continues == "restart")
        self._close_timeout = close_timeout
        self._budget = CallBudget(limits, estimate_prompt_size(plan.history))
        self._length = AnswerLength(answer_limits)
        self._started_ms = _now_ms()
        self._fallbacks = list(plan.fallbacks)
        self._commands = CommandSlot()
        self._pulling: asyncio.Task[None] | None = None
        self._upstream: Upstream | None = None
        self._trimmer = OverlapTrimmer("")
        self._finished: Finished | None = None
        self._receipt: StopReceipt | None = None
        self._tries = 0
        self._resumes = 0
        self._shown = False
        self._ended = asyncio.Event()

    def resume(self, records: Sequence[Record]) -> None:
        """Continues after the records of the log so far; called before `run`."""
        self._budget.replay(records)
        events = [record.event for record in records]
        for event in events:
            self.log.resume(event)
            self._length.resume(event)
            if isinstance(event, TextDelta | ReasoningDelta | ToolCallDelta):
                self._shown = True
            elif isinstance(event, UsageReport):
                self._usage.resume(event.usage)
        self._parts.resume(events)

    # ---- control, from other tasks -----------------------------------------------------------

    async def stop(self) -> StopReceipt | None:
        """Ends as `stopped`; returns once the upstream is closed. None if it had ended already."""
        if self.lifecycle.running:
            self._commands.put(Stop(_now_ms()))
        await self._ended.wait()
        return self._receipt

    def abandon(self) -> None:
        """Ends as `stopped` soon, and records that nobody was reading it any more."""
        if self.lifecycle.running:
            self._commands.put(Stop(_now_ms(), abandoned=True))

    def fail(self, error: GranthaError) -> None:
        """Ends as `failed` soon, with this error."""
        if self.lifecycle.running:
            self._commands.put(Fail(error))

    def change(
        self, model: str | None, changes: JsonObject
    ) -> tuple[ContinuationMode | None, str, Options]:
        """Continues under other options from the next token.

        Returns the continuation mode, the model and the options. Raises `Conflict` when it isn't
        running, `Unsupported` with the reason when the model can't.
        """
        if not self.lifecycle.running or isinstance(self._commands.pending, Stop | Fail):
            raise Conflict("This answer has ended.", advice="Change the next one.")
        # A pending change counts already: this one was made on top of it.
        pending = self._commands.pending
        now = pending or ChangeOptions(self.model, self.options)
        if self._budget.changes >= self._budget.limits.changes:
            raise Conflict(
                f"This answer was changed {self._budget.changes} times already.",
                advice="Stop it, or wait for its end.",
            )
        wanted = ChangeOptions(model or now.model, now.options.changed(changes))
        provider, name = self._models.resolve(wanted.model)
        mode = mode_after_change(
            wanted.model,
            provider.capabilities(name),
            wanted.options,
            has_text=self.log.text_length > 0,
            has_tools=self._parts.tools_begun,
        )
        self._commands.put(wanted)
        return mode, wanted.model, wanted.options

    # ---- the run -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Writes until the end record is added. Cancelling it hands the generation over."""
        try:
            await self._segments()
        except asyncio.CancelledError:
            await self._hand_over()
            raise
        except Fenced:
            await self._hand_over()
        except GranthaError as error:
            self._end_failed(error)
        except Exception:  # noqa: BLE001  logged, and ends the answer
            _log.exception("generation %s failed: internal error", self.log.generation)
            self._end_failed(_internal_error())
        finally:
            self._ended.set()

    async def _segments(self) -> None:
        attempt = Attempt(self._continuation_mode(), announced=False)
        while True:
            error = None if self._limit_reached() else await self._segment(attempt)
            command = self._commands.pending
            if isinstance(command, Stop):
                await self._stopped(command)
                return
            if isinstance(command, Fail):
                await self._close_upstream()
                raise command.error
            if (
                self._finished is None
                and isinstance(error, Truncated | None)
                and self._limit_reached()
            ):
                self._finished = Finished("length")
            if self._finished is not None:
                await self._close_upstream()
                complete = not self._length.exceeded
                self._usage.finish(self._capabilities(self.model), complete=complete)
                self._end("done", self._finished)
                return
            if isinstance(command, ChangeOptions):
                attempt = await self._attempt_after_change(command)
            elif error is not None:
                attempt = await self._after_failure(error)

    async def _segment(self, attempt: Attempt) -> GranthaError | None:
        """One upstream call. None when it is complete or a command is pending; else why it failed."""
        if self._commands.has_pending():
            return None
        pull = self._pulling = asyncio.create_task(self._call_provider(attempt))
        try:
            await self._commands.wait(pull)
        finally:
            self._pulling = None  # from here on, what it still brings doesn't count
            if not pull.done():
                pull.cancel()
                await asyncio.wait({pull}, timeout=self._close_timeout)
        if self._commands.has_pending() or self._finished is not None:
            _retrieve_exception(pull)
            return None
        if pull.cancelled():
            return _internal_error()  # not cancelled from here
        error = pull.exception()
        if error is None or isinstance(error, GranthaError):
            return error
        raise error

    async def _call_provider(self, attempt: Attempt) -> None:
        if attempt.delay:
            self.lifecycle.move_to("waiting")
            await asyncio.sleep(attempt.delay)
        if attempt.announced:
            # A crash after the call must find the record that counts it.
            await self.log.flushed()
            if self.log.fenced:
                raise Fenced("Another owner has this generation.")
        self.lifecycle.move_to("calling")
        provider, name = self._models.resolve(self.model)
        call = await self._call(name, attempt.mode)
        self._timings.called(_now_ms())
        upstream = await provider.open(call, attempt.resume)
        if self._pulling is not asyncio.current_task():
            await upstream.aclose()
            return
        self._upstream = upstream
        self._usage.accepted()
        self.lifecycle.move_to("writing")
        if not await self._read_reply(upstream):
            return
        self._flush_trimmer()
        if self._length.exceeded:
            self._add(Notice("answer-limit", "The answer is as long as this server allows."))
            self._finished = Finished("length")
        if self._finished is None:
            raise Truncated(f"{provider.name} ended the reply without saying that it is complete.")
        self.lifecycle.move_to("ending")  # what is complete can't be stopped or changed any more
        await self._close_upstream()

    async def _read_reply(self, upstream: Upstream) -> bool:
        """Takes what comes, as long as it fits. False if the segment ended meanwhile."""
        me = asyncio.current_task()
        async for batch in upstream:
            if self._pulling is not me:
                return False
            self._write_batch(batch)
            if self._length.exceeded:
                break
            if self.log.pending_bytes > _MAX_PENDING_BYTES:
                await self.log.flushed()
            if self.log.fenced:
                raise Fenced("Another owner has this generation.")
        return True

    async def _call(self, name: str, mode: ContinuationMode | None) -> Call:
        options = self._options_left()
        self._trimmer = OverlapTrimmer("")
        if mode is None:
            return Call(name, self._history, options)
        text = await self._read_text()
        if mode == "instruction":
            self._trimmer = OverlapTrimmer(text)
        return continued_call(name, self._history, options, text, mode)

    def _write_batch(self, batch: Sequence[UpstreamEvent]) -> None:
        for event in batch:
            fitting = event if isinstance(event, Text) else self._length.fit(event)
            if fitting is not None:
                self._write(fitting)
            if self._length.exceeded:
                return

    def _write(self, event: UpstreamEvent) -> None:
        match event:
            case Text():
                self._write_text(event)
            case Reasoning():
                self._parts.reasoning(event)
                self._shown = True
            case ToolCall():
                self._flush_trimmer()
                self._parts.tool_call(event)
                self._shown = True
            case Accepted():
                details = {"model": event.model, "upstream_id": event.upstream_id}
                self._add(Notice("accepted", "", {k: v for k, v in details.items() if v}))
            case Cited():
                self._parts.cite(event)
            case ProviderNotice():
                self._add(Notice(event.code, event.message, event.details))
            case UsageSeen():
                self._usage.record(event.usage)
            case Finished():
                self._finished = event

    def _write_text(self, event: Text) -> None:
        text = self._trimmer.feed(event.text)
        if text:
            self._put_text(event if text is event.text else replace(event, text=text))

    def _flush_trimmer(self) -> None:
        if rest := self._trimmer.finish():
            self._put_text(Text(rest))

    def _put_text(self, event: Text) -> None:
        self._parts.text(self._length.fit_text(event))
        self._shown = True

    # ---- between segments ------------------------------------------------------------------------

    async def _after_failure(self, error: GranthaError) -> Attempt:
        """The next call after a failure, by the policy. Raises `error` if it gives up."""
        resume = self._upstream.resume_token if self._upstream else None
        refused = self._upstream is None and not isinstance(error, TimedOut | Truncated)
        await self._close_upstream()
        self._flush_trimmer()
        paid = self._budget.paid(self.log.text_length)
        self._tries = 1 if paid else self._tries + 1
        self._finish_call()
        if isinstance(error, TimedOut):
            self._usage.mark_partial()
        resumes = self._resumes < MAX_RESUMES and resume is not None
        exhausted = self._budget.exceeded(
            self.log.text_length,
            (_now_ms() - self._started_ms) / 1000,
            refused=refused,
            resumed=resumes,
        )
        step = next_step(
            FailureContext(
                error=error,
                tries=self._tries,
                failures=self._budget.failures + 1,
                resumes=self._resumes,
                resumable=resume is not None,
                exhausted=exhausted is not None,
                shown=self._shown,
                tools_begun=self._parts.tools_begun,
                capabilities=self._capabilities(self.model),
                next_capabilities=self._capabilities(self._fallbacks[0])
                if self._fallbacks
                else None,
                limits=self._budget.limits,
            )
        )
        if isinstance(step, GiveUp):
            if exhausted is not None and error.retryable:
                message = f"The provider isn't called again: {exhausted}."
                self._add(Notice("call-limit", message, {"calls": self._budget.calls}))
            raise error
        return self._attempt_of(step, error, resume, refused=refused)

    def _attempt_of(
        self,
        step: Resume | Retry | Continue | FallBack,
        error: GranthaError,
        resume: str | None,
        *,
        refused: bool,
    ) -> Attempt:
        why = {"error": error.to_json()}
        details = {**why, "delay_ms": round(step.delay * 1000), "tries": self._tries}
        if refused:
            details["refused"] = True
        if isinstance(step, Resume):
            details["resumed"] = True
        self._announce(Notice("retrying", error.message, details))
        match step:
            case Resume():
                self._resumes += 1
                return Attempt(delay=step.delay, resume=resume)
            case Retry():
                return Attempt(delay=step.delay)
            case Continue():
                mode = self._continuation_mode()
                self._seam("provider-lost", mode, {}, why)
                return Attempt(mode, step.delay)
            case FallBack():
                before, self.model = self.model, self._fallbacks.pop(0)
                self._tries = 0
                mode = self._continuation_mode()
                self._seam("fallback", mode, {"model": [before, self.model]}, why)
                return Attempt(mode, step.delay)

    async def _attempt_after_change(self, command: ChangeOptions) -> Attempt:
        self._commands.clear()
        self.lifecycle.move_to("changing")
        self._flush_trimmer()
        await self._close_upstream()
        self._finish_call()
        changes = option_changes(
            (self.model, self.options.to_json()), (command.model, command.options.to_json())
        )
        self.model, self.options = command.model, command.options
        mode = self._continuation_mode()
        self._seam("options", mode, changes, {})
        return Attempt(mode)

    def _seam(
        self,
        reason: SeamReason,
        mode: ContinuationMode | None,
        changes: JsonObject,
        details: JsonObject,
    ) -> None:
        self._parts.end_segment()
        length = self.log.text_length
        options = self.options.to_json()
        self._announce(Seam(reason, mode, self.model, options, length, changes, details))

    def _announce(self, event: Event) -> None:
        """Adds an event that stands before an upstream call, and counts that call."""
        self._budget.announced(event, self.log.text_length)
        self._add(event)

    def _finish_call(self) -> None:
        """A call broke off: records its usage, also for a next owner."""
        if self._usage.finish(self._capabilities(self.model), complete=False):
            usage = self._usage.total()
            if usage is not None:
                self._add(UsageReport(usage))

    def _options_left(self) -> Options:
        """Options of the next call: what of max_tokens is left after the text so far."""
        limit = self.options.max_tokens
        if limit is None or not self.log.deltas:
            return self.options
        written = self._usage.output_tokens()
        if self._usage.is_complete():
            return replace(self.options, max_tokens=limit - written)
        # Deltas are only close to tokens, so an estimate leaves room for the vendor to end the answer.
        left = limit - max(written, self.log.deltas)
        return replace(self.options, max_tokens=max(left, min(limit, _MIN_TOKENS_LEFT)))

    def _limit_reached(self) -> bool:
        """Whether nothing more fits, or the providers' own counts reach max_tokens.

        For the latter, deltas are never taken for tokens.
        """
        limit = self.options.max_tokens
        reached = limit is not None and 0 < limit <= self._usage.output_tokens()
        return reached or self._length.full

    def _capabilities(self, model: str) -> Capabilities:
        try:
            provider, name = self._models.resolve(model)
            return provider.capabilities(name)
        except GranthaError:
            return Capabilities(instruction=False)

    def _continuation_mode(self) -> ContinuationMode | None:
        """How the present model continues the text so far; None when there is none."""
        return self._capabilities(self.model).continuation if self.log.text_length else None

    async def _close_upstream(self) -> bool | None:
        """Closes the upstream; whether the provider confirmed, None when there was none."""
        upstream, self._upstream = self._upstream, None
        if upstream is None:
            return None
        closing = asyncio.ensure_future(upstream.aclose())
        # Not wait_for: one that ignores being cancelled would keep us for ever.
        await asyncio.wait({closing}, timeout=self._close_timeout)
        if not closing.done():
            closing.cancel()
            return False
        return _retrieve_exception(closing) is None and bool(closing.result())

    # ---- ends --------------------------------------------------------------------------------------

    async def _hand_over(self) -> None:
        if self.lifecycle.running:
            self.lifecycle.move_to("handed-over")
        await self._close_upstream()

    async def _stopped(self, command: Stop) -> None:
        confirmed = await self._close_upstream()
        closed_ms = _now_ms() - command.at
        self._flush_trimmer()
        self._usage.finish(self._capabilities(self.model), complete=False)
        self._receipt = StopReceipt(closed_ms, confirmed, self.log.deltas)
        if command.abandoned:
            self._add(Notice("abandoned", "Stopped: the client left and nobody else was reading."))
        self._end("stopped", None, receipt=self._receipt.to_json())

    def _end_failed(self, error: GranthaError) -> None:
        self._flush_trimmer()
        self._usage.finish(self._capabilities(self.model), complete=False)
        self._end("failed", None, error=error.to_json())

    def _end(
        self,
        ending: Ending,
        finished: Finished | None,
        error: JsonObject | None = None,
        receipt: JsonObject | None = None,
    ) -> None:
        self.lifecycle.move_to("ending")
        self._parts.end()
        usage = self._usage.total()
        if usage is not None:
            self._add(UsageReport(usage))
        self._add(
            GenerationEnd(
                ending=ending,
                finish_reason=finished.reason if finished else None,
                native_finish_reason=finished.native if finished else None,
                usage=usage,
                timings=self._timings.result(_now_ms(), usage),
                text_length=self.log.text_length,
                sha256=self.log.digest(),
                error=error,
                receipt=receipt,
                stop_sequence=finished.stop_sequence if finished else None,
            )
        )
        self.lifecycle.move_to(ending)

    def _add(self, event: Event) -> None:
        self._timings.apply(_now_ms(), event)
        self.log.add(event)


def _retrieve_exception(done: asyncio.Future[Any]) -> BaseException | None:
    """The exception of a future; retrieving it keeps asyncio from warning."""
    if not done.done():
        # A task that ignores its cancellation still ends some day.
        done.add_done_callback(_retrieve_exception)
        return None
    if done.cancelled():
        return asyncio.CancelledError()
    error = done.exception()
    if error is not None and not isinstance(error, GranthaError):
        _log.error("an abandoned upstream call failed", exc_info=error)
    return error


def _internal_error() -> Internal:
    return Internal("Grantha had an internal error.")


def _now_ms() -> float:
    return time.monotonic() * 1000
