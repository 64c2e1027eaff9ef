"""Keeps one model's child process running for as long as it is used.

    unloaded ──borrowed──▶ loading ──reports──▶ ready ──unused for a while──▶ unloaded
                  ▲            │                   │
                  │            │ can't be loaded   │ dies
                  │            ▼                   ▼
                  │         refused            waiting (back-off) ──▶ loading
                  └── file changed ┘               │ dies again and again
                                                   ▼
                                                refused, for a while

A crash affects only the calls in flight: they fail as retryable, the next ones wait
for the new process. One task owns the process; nothing else starts or ends one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from grantha.errors import ModelNotFound, ProviderError, ProviderFailed, TimedOut
from grantha.providers.base import READY, Readiness
from grantha.providers.http import HttpPool
from grantha.providers.local import machine
from grantha.providers.local.model_files import ModelFile
from grantha.providers.local.worker_process import LoadFailed, Worker
from grantha.providers.local.worker_protocol import WorkerConfig

FIRST_PAUSE = 0.1  # seconds before a dead child is started again; doubled at each quick death
MAX_PAUSE = 10.0
STABLE = 30.0  # seconds after which a death counts as the first one again
MAX_DEATHS = 6
REFUSAL = 30.0  # seconds without a new attempt after so many deaths

WorkerState = Literal["unloaded", "loading", "ready", "waiting"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadRefusal:
    """Why there is no child. `until` (monotonic) is None if retrying can't succeed."""

    error: LoadFailed
    file_state: tuple[int, int] | None
    until: float | None


class WorkerSupervisor:
    """`config` builds the file's configuration, blocking, and raises `LoadFailed`. `idle` in seconds."""

    def __init__(
        self,
        file: ModelFile,
        config: Callable[[], WorkerConfig],
        variables: Mapping[str, str],
        http: HttpPool,
        *,
        idle: float,
        deadline: float,
    ) -> None:
        self.file = file
        self._config = config
        self._variables = variables
        self._http = http
        self._idle = idle
        self._deadline = deadline
        self._state: WorkerState = "unloaded"
        self._worker: Worker | None = None
        self._next: asyncio.Future[Worker] | None = None
        self._task: asyncio.Task[None] | None = None
        self._leases = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unneeded = asyncio.Event()
        self._refusal: LoadRefusal | None = None
        self._loading: int | None = None  # the id of a process that isn't ready yet

    @property
    def worker(self) -> Worker | None:
        """The process that is ready now, if one is."""
        return self._worker

    def readiness(self) -> Readiness:
        """Ready while unloaded too: the first call loads the model."""
        refusal = self._current_refusal()
        if refusal is not None and refusal.until is None:
            error = refusal.error
            return Readiness("off", f"It can't be loaded: {error.reason}", error.advice)
        if refusal is not None:
            return Readiness(
                "unreachable",
                f"It keeps ending: {refusal.error.reason}",
                "Try again in a while.",
            )
        if self._state == "loading":
            return Readiness("loading", "It is being loaded", progress=self._progress())
        if self._state == "waiting":
            return Readiness("loading", "It ended unexpectedly and is started again")
        return READY

    @property
    def missing_library(self) -> str | None:
        """The library that the system lacks, if that is why the model can't be loaded."""
        refusal = self._current_refusal()
        return refusal.error.missing_library if refusal is not None else None

    def idle_left(self) -> float:
        """Seconds until the model is unloaded, if nobody uses it from now on."""
        if self._timer is None:
            return self._idle
        return max(0.0, self._timer.when() - asyncio.get_running_loop().time())

    async def acquire(self) -> Worker:
        """The running child, started if need be; `release` must follow. Raises `ProviderError`."""
        self._leases += 1
        self._stop_timer()
        try:
            self._raise_if_refused()
            # The process may be gone a moment before our task has seen it.
            if self._worker is not None and not self._worker.ended:
                return self._worker
            async with asyncio.timeout(self._deadline):
                return await asyncio.shield(self._next_worker())
        except LoadFailed as error:
            self.release()
            raise self._error(error) from error
        except TimeoutError as error:
            self.release()
            raise TimedOut(
                f"The local model {self.file.name} wasn't ready within {self._deadline:g} s",
                provider="local",
            ) from error
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """A caller is done; after the last one, the model is unloaded once it has been idle."""
        self._leases -= 1
        self._start_timer()

    def unload_if_removed(self) -> None:
        """Unloads the model, once it isn't used, if its file is gone: the disk has the room only then."""
        if self.file.state is None:
            self._start_timer()

    async def warm(self) -> None:
        """Loads the model ahead of its use. Raises `ProviderError`."""
        worker = await self.acquire()
        try:
            await worker.warm_slots()
        finally:
            self.release()

    async def aclose(self) -> None:
        """Ends the process."""
        self._stop_timer()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._next is not None:
            self._next.cancel()

    def _next_worker(self) -> asyncio.Future[Worker]:
        """The next child; starts it if no other call has."""
        if self._next is None or self._next.done():
            self._next = asyncio.get_running_loop().create_future()
            # The waiting callers may have gone; a failure that nobody awaits isn't a bug.
            self._next.add_done_callback(lambda done: done.cancelled() or done.exception())
        if self._task is None or self._task.done():
            # Immediately: until the task runs, the model would be shown as ready without being loaded.
            self._state = "loading"
            self._task = asyncio.create_task(self._run(), name=f"supervisor of {self.file.name}")
        return self._next

    async def _run(self) -> None:
        deaths = 0
        while True:
            self._state = "loading"
            try:
                worker = await self._start()
            except LoadFailed as error:
                self._fail(error)
                return
            born = time.monotonic()
            self._publish_worker(worker)
            try:
                died = await self._wait_until_unneeded_or_dead(worker)
            finally:
                self._worker = None
                await _to_its_end(worker.stop())
            if not died and not self._leases:
                self._state = "unloaded"
                return
            if not died:
                continue
            deaths = 1 if time.monotonic() - born > STABLE else deaths + 1
            _log.warning("The local model %s ended: %s", self.file.name, worker.exit_reason)
            if deaths >= MAX_DEATHS:
                self._fail(LoadFailed(worker.exit_reason, final=False))
                return
            self._state = "waiting"
            await asyncio.sleep(min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** (deaths - 1)))

    async def _start(self) -> Worker:
        started = time.monotonic()
        config = await asyncio.to_thread(self._config)
        try:
            worker = await Worker.start(
                config, self._variables, self._http, self._deadline, self._on_spawn
            )
        finally:
            self._loading = None
        took = time.monotonic() - started
        _log.info("The local model %s is ready, loaded in %.1f s", self.file.name, took)
        return worker

    def _on_spawn(self, pid: int) -> None:
        self._loading = pid

    def _progress(self) -> float | None:
        """llama.cpp reports no progress: the part of the file that is in memory is used instead."""
        state = self.file.state
        held = machine.resident_bytes(self._loading) if self._loading is not None else None
        if held is None or state is None or not state[0]:
            return None
        return round(min(0.99, held / state[0]), 2)

    def _publish_worker(self, worker: Worker) -> None:
        self._state, self._worker, self._refusal = "ready", worker, None
        self._unneeded.clear()
        if self._next is not None and not self._next.done():
            self._next.set_result(worker)
        self._start_timer()

    async def _wait_until_unneeded_or_dead(self, worker: Worker) -> bool:
        """True when it died, False when it is no longer used."""
        unneeded = asyncio.create_task(self._unneeded.wait())
        wait_ended = asyncio.create_task(worker.wait_ended())
        try:
            await asyncio.wait({unneeded, wait_ended}, return_when=asyncio.FIRST_COMPLETED)
            return not self._unneeded.is_set()
        finally:
            unneeded.cancel()
            wait_ended.cancel()
            await asyncio.gather(unneeded, wait_ended, return_exceptions=True)

    def _fail(self, error: LoadFailed) -> None:
        said = f"{error.reason}. {error.advice}".strip()
        _log.warning("The local model %s can't be loaded: %s", self.file.name, said)
        until = None if error.final else time.monotonic() + REFUSAL
        self._refusal = LoadRefusal(error, self.file.state, until)
        self._state = "unloaded"
        if self._next is not None and not self._next.done():
            self._next.set_exception(error)

    def _current_refusal(self) -> LoadRefusal | None:
        refusal = self._refusal
        if refusal is None or refusal.file_state != self.file.state:
            return None
        if refusal.until is not None and refusal.until <= time.monotonic():
            return None
        return refusal

    def _raise_if_refused(self) -> None:
        refusal = self._current_refusal()
        if refusal is not None:
            raise self._error(refusal.error, refusal.until)

    def _error(self, error: LoadFailed, until: float | None = None) -> ProviderError:
        said = f"The local model {self.file.name} can't be loaded: {error.reason}"
        if error.final:
            return ModelNotFound(said, advice=error.advice, provider="local")
        left = None if until is None else max(0.0, until - time.monotonic())
        return ProviderFailed(said, provider="local", retry_after=left)

    def _start_timer(self) -> None:
        self._stop_timer()
        if self._leases == 0 and self._worker is not None:
            loop = asyncio.get_running_loop()
            idle = self._idle if self.file.state is not None else 0
            self._timer = loop.call_later(idle, self._unload)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _unload(self) -> None:
        # At once, so that a call in the next moment waits for a new process.
        self._worker = None
        self._unneeded.set()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Awaits the work to its end, also if that is cancelled: a process left behind is nobody's."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
