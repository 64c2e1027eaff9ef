"""One child process, from start to exit: spawning, output, requests, reaping.

Owns the process, its pipes and its slots. Why it runs is the supervisor's concern. The end of its
standard error is kept and never printed.

The kernel kills the child when the *thread* that started it ends (PR_SET_PDEATHSIG): start it from the
thread that runs the event loop for as long as the server lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from grantha.errors import ProviderError, ProviderFailed, Truncated, Unreachable
from grantha.providers.http import HttpPool
from grantha.providers.local import openmp
from grantha.providers.local import worker as worker_program
from grantha.providers.local.slots import Slots
from grantha.providers.local.worker_protocol import WorkerConfig, WorkerReport
from grantha.wire.lenient_json import dumps
from grantha.wire.upstream.vendor_errors import ErrorFactory

PROGRAM = worker_program.__name__
TAIL = 16 * 1024  # bytes of standard error that are kept
REAP_SECONDS = 2.0  # seconds in which a broken socket may turn out to be a dead process
STOP_SECONDS = 2.0  # seconds a child may take to exit on its own
POLL = 0.004  # seconds between two checks of a slot
DRAIN_POLL = 0.05  # the same, once no call waits for it

_LOADING = re.compile(r"(?:error loading model|unknown model architecture)[^:]*:\s*(.+)")
_ERROR_LINE = re.compile(r"^[\d.]+ E (.+)$", re.MULTILINE)
_PREFIXES = re.compile(r"^(?:llama_model_loader: |\S+\s+\S+: )")
_ASSERTION = re.compile(r"GGML_ASSERT\([^)]*\) failed")


class LoadFailed(Exception):
    """The model failed to load. `final`: it will fail again until its file changes.

    `missing_library` is set when the cause is not the file but a library that the system lacks.
    """

    def __init__(self, reason: str, *, final: bool, missing_library: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.missing_library = missing_library

    @property
    def advice(self) -> str:
        """What the user can do about it; empty if only time helps."""
        if self.missing_library is not None:
            return openmp.how_to_install(self.missing_library)
        return "Replace its file, or choose another model." if self.final else ""


class Worker:
    """A process that is ready for calls. Made by `start`; `stop` must be awaited in the end."""

    def __init__(
        self, process: asyncio.subprocess.Process, config: WorkerConfig, http: HttpPool
    ) -> None:
        self._process = process
        self._stdin, self._stdout, self._stderr = _pipes(process)
        self._config = config
        self._http = http
        self._error_factory = ErrorFactory("local", config.name, (config.key,))
        self._address = ""
        self.name = config.name
        self._tail = bytearray()
        self._listening = asyncio.create_task(self._listen(), name=f"stderr of {config.name}")
        self._exit = asyncio.create_task(self._await_exit(), name=f"exit of {config.name}")
        self._draining: set[asyncio.Task[None]] = set()
        self.slots = Slots(config.slots)

    @staticmethod
    async def start(
        config: WorkerConfig,
        variables: Mapping[str, str],
        http: HttpPool,
        deadline: float,
        on_spawn: Callable[[int], None] = lambda _: None,
    ) -> Worker:
        """A child that has loaded its model within `deadline` seconds. Raises `LoadFailed`.

        `on_spawn` is called with the process's id when loading begins.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", PROGRAM),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(variables),
                start_new_session=True,
            )
        except OSError as error:
            raise LoadFailed(
                f"its process can't be started: {error.strerror}", final=False
            ) from error
        worker = Worker(process, config, http)
        on_spawn(process.pid)
        try:
            async with asyncio.timeout(deadline):
                worker._address = await worker._await_report()
        except TimeoutError as error:
            await worker.stop()
            raise LoadFailed(f"it took longer than {deadline:g} s", final=False) from error
        except BaseException:
            await worker.stop()
            raise
        return worker

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def key(self) -> str:
        """The key of its requests; in no error and no log."""
        return self._config.key

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._exit.done()

    @property
    def exit_reason(self) -> str:
        """How the process ended, for an error's text."""
        code = self._process.returncode
        if code is None:
            return "it is still running"
        said = _ASSERTION.search(self._tail.decode("utf-8", "replace"))
        detail = f", {said[0]}" if said else ""
        if code >= 0:
            return f"its process ended with status {code}{detail}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        if -code == signal.SIGILL:
            detail += ", this processor may be too old for the installed xllamacpp"
        return f"its process was ended by {name}{detail}"

    async def wait_ended(self, seconds: float | None = None) -> bool:
        """Waits for the process's end, at most so long; whether it has ended."""
        await asyncio.wait({self._exit}, timeout=seconds)
        return self._exit.done()

    def url(self, path: str) -> str:
        """The address of one of the child's own endpoints."""
        return f"{self._address}{path}"

    def headers(self) -> dict[str, str]:
        """The headers of every request to the child.

        Each has its own connection: llama.cpp closes idle ones, and a request that meets
        such an end would fail for nothing.
        """
        return {
            "Authorization": f"Bearer {self._config.key}",
            "Content-Type": "application/json",
            "Connection": "close",
        }

    async def fetch(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A small call to the child. Raises `ProviderError`."""
        payload = None if body is None else dumps(body)
        return await self._http.fetch(
            self.url(path), self.headers(), self._error_factory, body=payload
        )

    async def post(self, path: str, body: bytes, error_factory: ErrorFactory) -> bytes:
        """A call to the child, as bytes both ways. Raises `ProviderError`."""
        return await self._http.fetch_bytes(
            self.url(path), self.headers(), error_factory, body=body
        )

    async def warm_slots(self) -> None:
        """Computes the beginning of every conversation, in every free slot, before the first request."""
        for slot in range(self._config.slots):
            if self.slots.acquire_if_free(slot):
                question = {"messages": [{"role": "user", "content": "."}], "max_tokens": 1}
                with contextlib.suppress(ProviderError):  # only time is lost
                    await self.fetch("/v1/chat/completions", {**question, "id_slot": slot})
                self.slots.release(slot)

    async def idle(self, slot: int, seconds: float) -> bool:
        """Whether the slot was seen idle within the time. A process that is gone computes nothing."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._until_idle(slot, POLL)
                return True
        return self.ended

    def release(self, slot: int, *, idle: bool) -> None:
        """Gives the slot back, once it is idle."""
        if idle or self.ended:
            self.slots.release(slot)
            return
        task = asyncio.create_task(
            self._release_when_idle(slot), name=f"slot {slot} of {self._config.name}"
        )
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)

    async def explain_error(self, error: ProviderError) -> ProviderError:
        """The error, or its cause if the process has died."""
        # A broken socket is noticed a moment before the process is reaped; a reply needs no such wait.
        broken = isinstance(error, Unreachable | Truncated)
        if self.ended or (broken and await self.wait_ended(REAP_SECONDS)):
            return ProviderFailed(
                f"The local model {self._config.name} broke off: {self.exit_reason}",
                advice="It is being started again.",
                provider="local",
            )
        return error

    async def stop(self) -> None:
        """Ends the process, if it hasn't, and reaps it. Idempotent."""
        self._stdin.close()
        if not await self.wait_ended(0 if self._address == "" else STOP_SECONDS):
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        for task in list(self._draining):
            task.cancel()
        await asyncio.gather(self._exit, self._listening, *self._draining, return_exceptions=True)

    async def _await_report(self) -> str:
        with contextlib.suppress(ConnectionError):  # then the exit status is more specific
            self._stdin.write(self._config.to_line())
            await self._stdin.drain()
        line = await self._stdout.readline()
        if not line:
            await self._exit
            raise LoadFailed(self.exit_reason, final=False)
        report = WorkerReport.from_line(line)
        library = report.missing_library
        if library is not None:
            reason = f"the system library {library} is missing"
            raise LoadFailed(reason, final=True, missing_library=library)
        if report.address is None:
            await self._listening
            raise LoadFailed(self._reason(report.failure or ""), final=True)
        return report.address

    def _reason(self, failure: str) -> str:
        """llama.cpp's reason for refusing the file, without the path."""
        text = self._tail.decode("utf-8", "replace")
        found = _LOADING.search(text) or _ERROR_LINE.search(text)
        reason = _PREFIXES.sub("", found[1]).strip() if found else failure
        path = Path(self._config.path)
        return reason.replace(str(path), path.name)[:300] or "llama.cpp gives no reason"

    async def _listen(self) -> None:
        while fragment := await self._stderr.read(4096):
            self._tail += fragment
            del self._tail[:-TAIL]

    async def _await_exit(self) -> None:
        await self._process.wait()
        self.slots.close(
            ProviderFailed(
                f"The local model {self._config.name} is gone: {self.exit_reason}",
                provider="local",
            )
        )

    async def _until_idle(self, slot: int, pause: float) -> None:
        while not self.ended:
            with contextlib.suppress(ProviderError):
                if not await self._is_busy(slot):
                    return
            await asyncio.sleep(pause)

    async def _is_busy(self, slot: int) -> bool:
        rows = await self.fetch("/slots")
        return any(row.get("id") == slot and row.get("is_processing") for row in rows)

    async def _release_when_idle(self, slot: int) -> None:
        await self._until_idle(slot, DRAIN_POLL)
        self.slots.release(slot)


def _pipes(
    process: asyncio.subprocess.Process,
) -> tuple[asyncio.StreamWriter, asyncio.StreamReader, asyncio.StreamReader]:
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    if stdin is None or stdout is None or stderr is None:
        raise ValueError("the process was started without pipes")
    return stdin, stdout, stderr
