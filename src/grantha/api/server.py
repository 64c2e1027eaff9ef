"""Runs the server: the socket, the lock of the data folder, and the log line with address and models.

Refuses to start where it would be exposed without a token. Every reason not to start
is one error with what to do.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO

import uvicorn
from typing_extensions import override

from grantha.api.app import assemble, check_database, prepared_folder
from grantha.api.http.request_timeouts import timeout_protocol_for
from grantha.api.http.socket_protocol import SocketProtocol
from grantha.api.http.unread_replies import UnreadReplies
from grantha.api.start_checks import CannotStart, check_exposure, check_references
from grantha.api.systemd import inherited_socket, notify
from grantha.config import Settings
from grantha.engine.supervisor import Supervisor
from grantha.providers.registry import LOCAL, ProviderCard, Registry

_CLOSE_TIMEOUT = (
    3  # seconds that connections have to close once every answer has ended or was handed over
)
_KEEP_ALIVE_TIMEOUT = 30  # seconds an idle connection stays open between two requests
_SWITCH_INTERVAL = 0.0005  # seconds a thread may hold the GIL while another waits for it
_GC_THRESHOLDS = (10_000, 20, 20)  # new containers before a look at the youngest, and so on
_MAX_WS_MESSAGE = 1024 * 1024
_SEND_BUFFER = 256 * 1024  # bytes that the system keeps for each client
_log = logging.getLogger(__name__)


def serve(settings: Settings, on_ready: Callable[[str], None] | None = None) -> None:
    """Serves until SIGINT or SIGTERM. `on_ready` gets the address once requests are answered.

    Raises `CannotStart`, `BadRequest` or `StorageFailed` with what to do.
    """
    inherited = inherited_socket(settings.variables)
    host = inherited.getsockname()[0] if inherited is not None else settings.host
    check_exposure(settings, host)
    registry = Registry(settings)
    check_references(settings, registry)
    folder = prepared_folder(settings)
    with lock_folder(folder), inherited or _bind(settings) as listening:
        # Connections inherit it. By itself the system would keep megabytes for a client that doesn't read.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        check_database(settings)
        app, supervisor = assemble(settings, registry)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=timeout_protocol_for(settings.header_timeout, settings.body_timeout),
            ws=SocketProtocol,
            ws_max_size=_MAX_WS_MESSAGE,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            limit_concurrency=settings.max_connections,
            timeout_keep_alive=_KEEP_ALIVE_TIMEOUT,
            timeout_graceful_shutdown=_CLOSE_TIMEOUT,
        )
        logging.getLogger("uvicorn.error").addFilter(_without_trace)
        drain = _Drain(supervisor, settings.drain)
        report = partial(notify, settings.variables)
        server = _Server(
            config,
            registry,
            listening,
            drain,
            inherited=inherited is not None,
            report=report,
            on_ready=on_ready,
        )
        # uvicorn raises the signal again once everything has ended. Ctrl-C is the usual way to stop a
        # server in a terminal, no error.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])


def _without_trace(record: logging.LogRecord) -> bool:
    """A log filter: what a client sent wrongly is one line, not a traceback as for a bug of ours."""
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
        record.exc_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


class _Server(uvicorn.Server):
    """Logs its address once it serves; on shutdown, lets answers end before it closes connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        registry: Registry,
        listening: socket.socket,
        drain: _Drain,
        *,
        inherited: bool,
        report: Callable[[str], None],
        on_ready: Callable[[str], None] | None,
    ) -> None:
        super().__init__(config)
        self._drain = drain
        self._inherited = inherited
        self._report = report
        self._on_ready = on_ready
        self._registry = registry
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: asyncio.Task[None] | None = None
        host, port = listening.getsockname()[:2]
        self._address = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        unread = UnreadReplies(self.server_state.connections)
        self._watching = asyncio.create_task(unread.watch())
        _tune_interpreter()
        _log.info("Grantha serves on %s; %s", self._address, _models(self._registry.providers()))
        self._report("READY=1")
        if self._on_ready is not None:
            self._on_ready(self._address)

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        # A signal handler may interrupt anything, so the work itself runs in the event loop.
        if self._loop is not None:
            if self.force_exit:
                self._loop.call_soon_threadsafe(self._drain.hurry)
            elif sig == signal.SIGINT:
                self._loop.call_soon_threadsafe(self._drain.announce)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._report("STOPPING=1")
        # uvicorn waits for open streams first, and those wait for their answers. Until then new
        # clients are told to come back, unless the next server gets them from the same socket.
        if self._inherited:
            for server in self.servers:
                server.close()
        await self._drain.run()
        if self._drain.hurried:
            # Connections are cut, but the store and the local model's process still end well, which
            # uvicorn would skip. What it says about the cut connections is no news.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            self.config.timeout_graceful_shutdown = 0
            self.force_exit = False
        await super().shutdown(sockets)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)


class _Drain:
    """Lets running answers end before the server does, until a second Ctrl-C."""

    def __init__(self, supervisor: Supervisor, seconds: float) -> None:
        self._supervisor = supervisor
        self._seconds = seconds
        self._hurry = asyncio.Event()

    @property
    def hurried(self) -> bool:
        """Whether nothing is to be waited for."""
        return self._hurry.is_set()

    def announce(self) -> None:
        """Logs what the shutdown is waiting for, if anything."""
        if running := self._supervisor.running:
            answers = "1 answer" if running == 1 else f"{running} answers"
            _log.info("Waiting for %s, Ctrl-C again to quit", answers)

    def hurry(self) -> None:
        """Ends the waiting. The text of running answers is stored, and the next start recovers them."""
        self._hurry.set()

    async def run(self) -> None:
        """Returns when every answer has ended or was handed over."""
        draining = asyncio.create_task(self._supervisor.aclose(self._seconds))
        hurried = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            await self._supervisor.aclose(0)
        hurried.cancel()
        await draining


def _tune_interpreter() -> None:
    """Tunes the interpreter for a server, once everything is loaded."""
    # The writer's thread needs the interpreter's lock again after each statement. At 5 ms, the default,
    # a busy loop would make it wait longer than the disk does.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    # Modules and routes live as long as the process: looking through them at every full collection
    # took 30 ms, in which no stream moved.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    gc.enable()


def _models(usable_models: Iterable[ProviderCard]) -> str:
    """The usable providers, for the log. The local model loads in the background and logs when it has."""
    usable_models = list(usable_models)
    ready = [card.title for card in usable_models if card.readiness.state == "ready"]
    loading = [
        card.title
        for card in usable_models
        if card.name == LOCAL and card.readiness.state == "loading"
    ]
    known = [("ready", ready), ("loading", loading)]
    said = [f"{state}: {', '.join(titles)}" for state, titles in known if titles]
    return "; ".join(said) or "no model is ready"


def lock_folder(folder: Path) -> IO[str]:
    """Holds the folder's lock as long as it is open: a second server would take over our answers.

    Raises `CannotStart` while another has it.
    """
    lock = (folder / "serve.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise CannotStart(
            f"Another Grantha serves from the folder {str(folder)!r}.",
            advice="Stop that one, or set GRANTHA_DATA_DIR to another folder.",
        ) from error
    return lock


def _reason(error: OSError) -> str:
    # `create_server` adds the address to the system's own words; those of a name's lookup have no errno.
    unknown_name = isinstance(error, socket.gaierror)
    return str(error.strerror) if unknown_name or not error.errno else os.strerror(error.errno)


def _bind(settings: Settings) -> socket.socket:
    try:
        return socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=2048,
        )
    except OSError as error:
        port, host = settings.label("port"), settings.label("host")
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(
                f"{port} is {settings.port}, and that port on {settings.host} is in use.",
                advice="Set it to a free port (0 finds one), or stop the program that uses it.",
            ) from error
        if error.errno == errno.EACCES:
            raise CannotStart(
                f"{port} is {settings.port}, which this user may not listen on.",
                advice="Set it to a port above 1023.",
            ) from error
        raise CannotStart(
            f"{host} is {settings.host!r}, which can't be listened on: {_reason(error)}.",
            advice="Set it to an address of this machine, such as 127.0.0.1.",
        ) from error
