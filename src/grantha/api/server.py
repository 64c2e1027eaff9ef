"""Serving: the socket, one server for a folder, and the line that says where and what is ready.

Refuses to start where it would be exposed without a token. Everything that keeps it from starting
is one error with what to do.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

import uvicorn
from typing_extensions import override

from grantha.api.app import assemble, check_database, prepared_folder
from grantha.api.http.request_timeouts import timeout_protocol_for
from grantha.api.http.security import LOOPBACK
from grantha.api.systemd import inherited_socket, notify
from grantha.config import Settings
from grantha.errors import CallerError
from grantha.providers.registry import LOCAL, ProviderCard, Registry

_CLOSE_TIMEOUT = (
    3  # seconds that connections have to close once every answer has ended or was handed over
)
_KEEP_ALIVE_TIMEOUT = 30  # seconds an idle connection stays open between two requests
_SWITCH_INTERVAL = 0.0005  # seconds a thread may keep the interpreter while another wants it
_GC_THRESHOLDS = (10_000, 20, 20)  # new containers before a look at the youngest, and so on
_MAX_WS_MESSAGE = 1024 * 1024


class CannotStart(CallerError):
    """The server can't start; message and advice are the one line that a person gets."""

    code = "cannot_start"


def serve(settings: Settings, on_ready: Callable[[str], None] | None = None) -> None:
    """Serves until SIGINT or SIGTERM. `on_ready` gets the address once requests are answered.

    Raises `CannotStart` or `StorageFailed` with what to do.
    """
    inherited = inherited_socket(settings.variables)
    host = inherited.getsockname()[0] if inherited is not None else settings.host
    _check_exposure(settings, host)
    folder = prepared_folder(settings)
    with _lock_folder(folder), inherited or _bind(settings) as listening:
        check_database(settings)
        registry = Registry(settings)
        app, supervisor = assemble(settings, registry)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=timeout_protocol_for(settings.header_timeout, settings.body_timeout),
            ws="websockets-sansio",
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
        drain = partial(supervisor.aclose, settings.drain)
        report = partial(notify, settings.variables)
        server = _Server(config, registry, listening, drain, report=report, on_ready=on_ready)
        # uvicorn raises the signal again once everything has ended. Ctrl-C is the usual way to stop a
        # server in a terminal, no error.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """Says where it serves once it does; stopping, lets answers end before connections do."""

    def __init__(
        self,
        config: uvicorn.Config,
        registry: Registry,
        listening: socket.socket,
        drain: Callable[[], Awaitable[None]],
        *,
        report: Callable[[str], None],
        on_ready: Callable[[str], None] | None,
    ) -> None:
        super().__init__(config)
        self._drain = drain
        self._report = report
        self._on_ready = on_ready
        self._registry = registry
        host, port = listening.getsockname()[:2]
        self._address = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _tune_interpreter()
        logging.getLogger("grantha").info(
            "Grantha serves on %s; %s", self._address, _models(self._registry.providers())
        )
        self._report("READY=1")
        if self._on_ready is not None:
            self._on_ready(self._address)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._report("STOPPING=1")
        # uvicorn waits for open streams first, and those wait for their answers.
        for server in self.servers:
            server.close()
        await self._drain()
        await super().shutdown(sockets)


def _tune_interpreter() -> None:
    """Tells the interpreter what kind of program this is, now that everything is loaded."""
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
    """Which providers can be used. The local model loads in the background, and says when it has."""
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


def _check_exposure(settings: Settings, host: str) -> None:
    if "*" in settings.cors_origins and not settings.token:
        raise CannotStart(
            "Refusing to serve: pages of any origin could call this server, and no token is set.",
            advice="Set GRANTHA_TOKEN to a long secret, or name the origins you trust.",
        )
    if host not in LOOPBACK and not settings.token:
        raise CannotStart(
            f"Refusing to serve on {host}: others could reach it, and no token is set.",
            advice="Set GRANTHA_TOKEN to a long secret, or serve on 127.0.0.1.",
        )


def _lock_folder(folder: Path) -> IO[str]:
    """Holds the folder's lock as long as it is open: a second server would take over our answers."""
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


def _bind(settings: Settings) -> socket.socket:
    try:
        return socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=2048,
        )
    except OSError as error:
        where = f"port {settings.port} on {settings.host}"
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(
                f"Can't serve: {where} is in use.",
                advice="Set GRANTHA_PORT to a free port (0 finds one).",
            ) from error
        raise CannotStart(
            f"Can't serve on {where}: {error.strerror or error}.",
            advice="Look at GRANTHA_HOST and GRANTHA_PORT.",
        ) from error
