"""Writes one generation: calls the provider, segment by segment, until there is an end.

Owns the upstream call and the order of seams. One task runs `run`; one inner task a segment pulls the
provider, so that stop and changed options act at once, whatever the provider is doing. Readers are
unknown here. The log is never written by anybody else while this runs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from grantha.analytics.cost import added, cost_usd
from grantha.analytics.timings import Timings
from grantha.chat import (
    Call,
    Capabilities,
    Continuation,
    Ending,
    JsonObject,
    Message,
    Options,
    Usage,
)
from grantha.engine.continuation import Joint, continued_call
from grantha.engine.lifecycle import Lifecycle
from grantha.engine.log import Log
from grantha.engine.parts import PartWriter
from grantha.engine.policy import (
    FallBack,
    GiveUp,
    GoOn,
    Resume,
    Retry,
    Situation,
    Step,
    next_step,
)
from grantha.errors import Conflict, GranthaError, Internal, Truncated, Unsupported
from grantha.events import (
    Accepted,
    Cited,
    Event,
    Finished,
    GenerationEnd,
    Notice,
    Reasoning,
    Seam,
    SeamReason,
    Text,
    ToolCall,
    UpstreamEvent,
    UsageReport,
    UsageSeen,
)
from grantha.providers.base import Provider, Upstream

_log = logging.getLogger(__name__)
_MOST_PENDING = 64 * 1024  # bytes that may wait for the store before the provider isn't read on
_CLOSE_PATIENCE = 2.0  # seconds that an upstream may take to close


class Models(Protocol):
    """Where model ids lead to."""

    def resolve(self, model_id: str) -> tuple[Provider, str]:
        """The provider and its own model id; raises a `CallerError`."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written: the conversation so far and the options. `model` is `provider/model`.

    `continues` is set when the log already holds text that is to be gone on with.
    """

    history: tuple[Message, ...]
    model: str
    options: Options
    fallbacks: tuple[str, ...] = ()
    continues: SeamReason | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a stop went: `closed_ms` from the request until the upstream was closed."""

    closed_ms: float | None
    confirmed: bool | None
    pieces: int

    def to_json(self) -> dict[str, Any]:
        """For the end record and the API."""
        return {
            "closed_ms": None if self.closed_ms is None else round(self.closed_ms, 1),
            "confirmed": self.confirmed,
            "pieces": self.pieces,
        }


@dataclass(frozen=True, slots=True)
class _Stop:
    at: float


@dataclass(frozen=True, slots=True)
class _Change:
    model: str
    options: Options


class Runner:
    """One generation of this process. `read_text` gives all durable text of the log."""

    def __init__(
        self,
        plan: Plan,
        log: Log,
        models: Models,
        read_text: Callable[[], Awaitable[str]],
        requested: float,
    ) -> None:
        self.model = plan.model
        self.options = plan.options
        self.log = log
        self.lifecycle = Lifecycle()
        self.parts = PartWriter(self._add, _wall_ms)
        self._plan = plan
        self._models = models
        self._read_text = read_text
        self._timings = Timings(requested)
        self._fallbacks = list(plan.fallbacks)
        self._control: asyncio.Future[_Stop | _Change] | None = None
        self._upstream: Upstream | None = None
        self._joint = Joint("")
        self._finished: Finished | None = None
        self._receipt: Receipt | None = None
        self._usage: Usage | None = None  # of the segments that ended
        self._segment_usage: Usage | None = None
        self._lost_usage = False  # a segment was cut: its usage is unknown
        self._tries = 0
        self._resumes = 0
        self._shown = plan.continues is not None
        self.ended = asyncio.Event()

    # ---- control, from other tasks -----------------------------------------------------------

    async def stop(self) -> Receipt | None:
        """Ends as `stopped`; returns once the upstream is closed. None if it had ended already."""
        if self.lifecycle.running:
            self._tell(_Stop(_now_ms()))
        await self.ended.wait()
        return self._receipt

    def change(self, model: str, options: Options) -> Continuation | None:
        """Goes on under other options from the next token; returns how.

        Raises `Conflict` when it isn't running, `Unsupported` with the reason when the model can't.
        """
        if not self.lifecycle.running:
            raise Conflict("This answer has ended.", advice="Change the next one.")
        how = self._how_to_change(model, options)
        self._tell(_Change(model, options))
        return how

    def _tell(self, word: _Stop | _Change) -> None:
        # A stop wins over a change that hasn't been acted upon; a later change replaces an earlier.
        if self._control is None:
            return
        if not self._control.done():
            self._control.set_result(word)
        elif not isinstance(self._control.result(), _Stop):
            self._control = asyncio.get_running_loop().create_future()
            self._control.set_result(word)

    def _how_to_change(self, model: str, options: Options) -> Continuation | None:
        provider, name = self._models.resolve(model)
        capabilities = provider.capabilities(name)
        for option in ("temperature", "top_p"):
            wanted = getattr(options, option)
            if wanted is not None and not getattr(capabilities, option):
                raise Unsupported(f"{model} takes no {option}.", advice="Choose another model.")
        if not self._shown:
            return None
        if self.parts.tools_begun:
            raise Unsupported(
                "This answer calls tools; it can't be changed while it is written.",
                advice="The change acts from the next answer.",
            )
        if capabilities.continuation is None:
            raise Unsupported(
                f"{model} can't go on from a partial answer.",
                advice="The change acts from the next answer.",
            )
        return capabilities.continuation

    # ---- the run -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Writes until the end record is added. Cancelling it hands the generation over."""
        self._control = asyncio.get_running_loop().create_future()
        try:
            await self._segments()
        except asyncio.CancelledError:
            if self.lifecycle.running:
                self.lifecycle.to("handed")
            await self._close()
            raise
        except GranthaError as error:
            self._end_failed(error)
        except Exception:  # noqa: BLE001  recorded, and told to the reader
            _log.exception("generation %s failed by a defect", self.log.generation)
            self._end_failed(Internal("Grantha met an error of its own."))
        finally:
            self.ended.set()

    async def _segments(self) -> None:
        delay, resume = 0.0, None
        how: Continuation | None = None
        if self._plan.continues is not None and self.log.text_length:
            how = self._continuation_of(self.model)
        while True:
            error = await self._segment(how, delay, resume)
            delay, resume = 0.0, None
            word = self._control.result() if self._control and self._control.done() else None
            if isinstance(word, _Stop):
                await self._stopped(word)
                return
            if isinstance(word, _Change):
                how = await self._changed(word)
                if self._budget_spent():
                    self._end("done", Finished("length"))
                    return
            elif error is None:
                self._end("done", self._finished or Finished("unknown"))
                return
            else:
                resume = self._upstream.resume_token if self._upstream else None
                await self._close()
                step = self._step_after(error, resume)
                if isinstance(step, GiveUp):
                    raise error
                how, delay = self._take_step(step, error)
                resume = resume if isinstance(step, Resume) else None

    async def _segment(
        self, how: Continuation | None, delay: float, resume: str | None
    ) -> GranthaError | None:
        """One upstream call. None when it finished or somebody spoke; else why it failed."""
        control = self._control
        if control is None or control.done():
            return None
        pull = asyncio.create_task(self._pull(how, delay, resume))
        waited: set[asyncio.Future[Any]] = {pull, control}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not pull.done():
                pull.cancel()
                await asyncio.wait({pull}, timeout=_CLOSE_PATIENCE)
        if not pull.done() or pull.cancelled():
            return None
        error = pull.exception()
        if error is None or isinstance(error, GranthaError):
            return error
        raise error

    async def _pull(self, how: Continuation | None, delay: float, resume: str | None) -> None:
        if delay:
            self.lifecycle.to("waiting")
            await asyncio.sleep(delay)
        self.lifecycle.to("calling")
        self._finished = None
        provider, name = self._models.resolve(self.model)
        call = await self._call(name, how)
        self._timings.called(_now_ms())
        upstream = await provider.open(call, resume)
        self._upstream = upstream
        self.lifecycle.to("writing")
        async for batch in upstream:
            self._take(batch)
            if self.log.pending_bytes > _MOST_PENDING:
                await self.log.flushed()
            if self.log.fenced:
                raise asyncio.CancelledError
        self._flush_joint()
        if not self._is_finished():
            raise Truncated(f"{provider.name} ended the reply without saying that it is complete.")
        await self._close()

    def _is_finished(self) -> bool:
        return self._finished is not None

    async def _call(self, name: str, how: Continuation | None) -> Call:
        options = self._options_left()
        self._joint = Joint("")
        if how is None:
            return Call(name, self._plan.history, options)
        text = await self._read_text()
        if how == "instruction":
            self._joint = Joint(text)
        return continued_call(name, self._plan.history, options, text, how)

    def _take(self, batch: Sequence[UpstreamEvent]) -> None:
        for event in batch:
            match event:
                case Text():
                    self._text(event)
                case Reasoning():
                    self.parts.reasoning(event)
                case ToolCall():
                    self._flush_joint()
                    self.parts.tool_call(event)
                    self._progress()
                case Accepted():
                    details = {"model": event.model, "upstream_id": event.upstream_id}
                    self._add(Notice("accepted", "", {k: v for k, v in details.items() if v}))
                case Cited():
                    self.parts.cite(event)
                case UsageSeen():
                    self._segment_usage = event.usage
                case Finished():
                    self._finished = event

    def _text(self, event: Text) -> None:
        text = self._joint.feed(event.text)
        if text:
            self.parts.text(event if text is event.text else replace(event, text=text))
            self._progress()

    def _flush_joint(self) -> None:
        if rest := self._joint.finish():
            self.parts.text(Text(rest))
            self._progress()

    def _progress(self) -> None:
        self._shown = True
        self._tries = 0

    # ---- between segments ------------------------------------------------------------------------

    def _step_after(self, error: GranthaError, resume: str | None) -> Step:
        self._tries += 1
        self._lost_usage = True
        situation = Situation(
            error=error,
            tries=self._tries,
            resumes=self._resumes,
            resumable=resume is not None,
            shown=self._shown,
            tools_begun=self.parts.tools_begun,
            capabilities=self._capabilities(self.model),
            next_capabilities=self._capabilities(self._fallbacks[0]) if self._fallbacks else None,
        )
        return next_step(situation)

    def _take_step(
        self, step: Resume | Retry | GoOn | FallBack, error: GranthaError
    ) -> tuple[Continuation | None, float]:
        delay = 0.0 if isinstance(step, Resume | FallBack) else step.delay
        details = {"error": error.to_json(), "delay_ms": round(delay * 1000), "tries": self._tries}
        self._add(Notice("retrying", error.message, details))
        match step:
            case Resume():
                self._resumes += 1
                return None, 0.0
            case Retry():
                return None, delay
            case GoOn():
                how = self._continuation_of(self.model) if self.log.text_length else None
                self._seam("provider-lost", how, {}, {"error": error.to_json()})
                return how, delay
            case FallBack():
                before, self.model = self.model, self._fallbacks.pop(0)
                self._tries = 0
                self._seam(
                    "fallback",
                    step.how,
                    {"model": [before, self.model]},
                    {"error": error.to_json()},
                )
                return step.how if self.log.text_length else None, 0.0

    async def _changed(self, word: _Change) -> Continuation | None:
        self.lifecycle.to("changing")
        self._control = asyncio.get_running_loop().create_future()
        self._flush_joint()
        await self._close()
        changes: dict[str, Any] = {}
        before, after = self.options.to_json(), word.options.to_json()
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                changes[name] = [before.get(name), after.get(name)]
        if word.model != self.model:
            changes["model"] = [self.model, word.model]
        self.model, self.options = word.model, word.options
        self._lost_usage = self._lost_usage or self._segment_usage is None
        how = self._continuation_of(self.model) if self.log.text_length else None
        self._seam("options", how, changes, {})
        return how

    def _seam(
        self, reason: SeamReason, how: Continuation | None, changes: JsonObject, details: JsonObject
    ) -> None:
        self.parts.end_segment()
        self._usage = (
            added(self._usage, self._segment_usage) if self._usage else self._segment_usage
        )
        self._segment_usage = None
        self._add(
            Seam(
                reason,
                how,
                self.model,
                self.options.to_json(),
                self.log.text_length,
                changes,
                details,
            )
        )

    def _options_left(self) -> Options:
        """Options of the next call: what of max_tokens is left after the text so far."""
        most = self.options.max_tokens
        if most is None or not self.log.pieces:
            return self.options
        return replace(self.options, max_tokens=max(1, most - self.log.pieces))

    def _budget_spent(self) -> bool:
        most = self.options.max_tokens
        return most is not None and self.log.pieces >= most

    def _capabilities(self, model: str) -> Capabilities:
        try:
            provider, name = self._models.resolve(model)
        except GranthaError:
            return Capabilities(instruction=False)
        return provider.capabilities(name)

    def _continuation_of(self, model: str) -> Continuation | None:
        return self._capabilities(model).continuation

    async def _close(self) -> bool | None:
        """Closes the upstream; whether the provider confirmed, None when there was none."""
        upstream, self._upstream = self._upstream, None
        if upstream is None:
            return None
        try:
            return await asyncio.wait_for(upstream.aclose(), _CLOSE_PATIENCE)
        except TimeoutError:
            return False

    # ---- ends --------------------------------------------------------------------------------------

    async def _stopped(self, word: _Stop) -> None:
        confirmed = await self._close()
        closed_ms = _now_ms() - word.at
        self._flush_joint()
        self._lost_usage = self._lost_usage or self._segment_usage is None
        self._receipt = Receipt(closed_ms, confirmed, self.log.pieces)
        self._end("stopped", None, receipt=self._receipt.to_json())

    def _end_failed(self, error: GranthaError) -> None:
        self._flush_joint()
        self._end("failed", None, error=error.to_json())

    def _end(
        self,
        ending: Ending,
        finished: Finished | None,
        error: JsonObject | None = None,
        receipt: JsonObject | None = None,
    ) -> None:
        self.lifecycle.to("ending")
        self.parts.end()
        usage = self._total_usage()
        if usage is not None:
            self._add(UsageReport(usage))
        self._add(
            GenerationEnd(
                ending=ending,
                finish_reason=finished.reason if finished else None,
                native_finish_reason=finished.native if finished else None,
                usage=usage,
                timings=self._timings.result(_now_ms()),
                text_length=self.log.text_length,
                sha256=self.log.digest(),
                error=error,
                receipt=receipt,
            )
        )
        self.lifecycle.to(ending)

    def _total_usage(self) -> Usage | None:
        if self._lost_usage:
            return None  # what a cut call used is unknown, and unknown is never 0
        total = self._segment_usage
        if self._usage is not None:
            total = added(self._usage, self._segment_usage)
        cost = cost_usd(total, self._capabilities(self.model))
        return total if total is None or cost is None else replace(total, cost_usd=cost)

    def _add(self, event: Event) -> None:
        self._timings.apply(_now_ms(), event)
        self.log.add(event)


def _now_ms() -> float:
    return time.monotonic() * 1000


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
