"""The program of a child process: one model in llama.cpp's own server, on a loopback port of its choice.

The only place that imports xllamacpp. Knows nothing of the rest of Grantha, so that it starts in the time
that the library takes. It never outlives its parent, however that ends: the kernel kills it (Linux), and
the end of the pipe at its standard input makes it leave (everywhere, once the model is loaded).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from grantha.providers.local import openmp
from grantha.providers.local.worker_protocol import WorkerConfig, WorkerReport

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_OOM_SCORE = Path("/proc/self/oom_score_adj")
ERRORS_ONLY = 1  # llama.cpp's verbosity: output beyond errors could hold a prompt
HTTP_SPARE = 8  # threads beyond one per slot, for slot status and for requests that are ending


def main() -> None:
    """Reads its configuration, loads the model, reports, and serves until the pipe ends."""
    # Ctrl-C in the terminal is for the server, which may let answers finish first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    openmp.use_bundled_if_missing()
    reports = _claim_stdout()
    config = WorkerConfig.from_line(_first_line())
    _die_with_parent(config.parent)
    _lower_priority(config.niceness)
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    try:
        server = _serve(config)
    except Exception as error:  # noqa: BLE001  the parent decides; the trace would be noise
        library = openmp.missing_library(error) if isinstance(error, ImportError) else None
        failure = f"{type(error).__name__}: {error}"
        os.write(reports, WorkerReport(failure=failure, missing_library=library).to_line())
        os._exit(1)
    os.write(reports, WorkerReport(address=server.listening_address).to_line())
    threading.Event().wait()


def _serve(config: WorkerConfig) -> Any:  # xllamacpp ships no types
    import xllamacpp  # type: ignore[import-untyped]

    params = xllamacpp.CommonParams()
    params.verbosity = ERRORS_ONLY
    params.model.path = config.path
    params.model_alias = {config.name}
    params.api_keys = [config.key]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    params.n_parallel = config.slots
    params.n_ctx = config.slots * config.context
    params.n_threads_http = config.slots + HTTP_SPARE
    params.cpuparams.n_threads = config.threads
    params.cpuparams_batch.n_threads = config.threads
    params.n_batch = params.n_ubatch = config.batch
    # Each slot keeps its own conversation; a second copy of them would take up to 8 GB.
    params.cache_ram_mib = 0
    params.embedding = config.embedding
    for name, value in config.sampling.items():
        setattr(params.sampling, name, value)
    return xllamacpp.Server(params)


def _claim_stdout() -> int:
    """A private copy of standard output; what native code prints goes to standard error."""
    reports = os.dup(1)
    os.dup2(2, 1)
    return reports


def _first_line() -> bytes:
    # Unbuffered: what follows the line belongs to the thread that waits for the end.
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(0)
        line += byte
    return bytes(line)


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before this request to the kernel.
    if os.getppid() != parent:
        os._exit(0)


def _lower_priority(niceness: int) -> None:
    os.nice(niceness)
    with contextlib.suppress(OSError):
        # Where memory runs out, the model goes and the server stays.
        _OOM_SCORE.write_text("500", encoding="ascii")


def _exit_at_end_of_input() -> None:
    while os.read(0, 4096):
        pass
    # Without the destructors of the native library, which wait for what it is computing.
    os._exit(0)


if __name__ == "__main__":
    main()
