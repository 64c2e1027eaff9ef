"""The real server as a process of its own: started, killed, frozen, stopped and started again.

`server` is a fresh one with the scripted provider and an empty data folder; `server_factory` makes
more, with settings of their own. A server keeps its port, folder and log over restarts, as a client
that reconnects expects. Every process is ended by its id when the test is over.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

T = TypeVar("T")
DEADLINE = 120.0  # seconds that anything here may take before it counts as hung
_INHERITED = {  # nothing of the developer's own surroundings reaches a test
    name: value
    for name, value in os.environ.items()
    if not name.startswith("GRANTHA_") and not name.endswith(("_API_KEY", "_BASE_URL"))
}


class Server:
    """One server. `env` and `command` may be changed between two starts; `scripts` is its script folder."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.data_dir = folder / "data"
        self.scripts = folder / "scripts"
        self.log = folder / "server.log"
        self._reserved = reserve_port()
        self.port: int = self._reserved.getsockname()[1]
        self.env: dict[str, str] = {
            "GRANTHA_SCRIPTED": "1",
            "GRANTHA_LOCAL_ENABLED": "0",
            "GRANTHA_DEFAULT_MODEL": "scripted/hello",
            "GRANTHA_SCRIPT_DIR": str(self.scripts),
            **(env or {}),
        }
        self.command = [sys.executable, "-m", "grantha", "serve"]
        self.process: subprocess.Popen[bytes] | None = None
        self.scripts.mkdir(parents=True, exist_ok=True)

    # ---- life --------------------------------------------------------------------------------

    def start(self, *, ready: bool = True, **popen: Any) -> Server:
        """Starts the process and, unless told not to, waits until `/readyz` answers 200.

        `popen` goes to `subprocess.Popen`, for example a `preexec_fn` that sets a limit.
        """
        environ = {
            **_INHERITED,
            "GRANTHA_DATA_DIR": str(self.data_dir),
            "GRANTHA_PORT": str(self.port),
            **self.env,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.log.parent,
                env=environ,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                **popen,
            )
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Polls `/readyz`; fails with the server's own output if it ends or stays unready."""
        until(self._is_ready, "the server to be ready", hint=self.output)

    def kill(self) -> None:
        """`kill -9`, at once, and waits until the process is gone."""
        self._signal(signal.SIGKILL)
        self._reap()

    def terminate(self, *, wait: bool = True) -> None:
        """Asks it to stop in order (SIGTERM); waits for that unless told not to."""
        self._signal(signal.SIGTERM)
        if wait:
            self._reap()

    def restart(self) -> Server:
        """`kill -9`, then a start with the same folder and port."""
        self.kill()
        return self.start()

    def freeze(self) -> None:
        """SIGSTOP: the process keeps its sockets and does nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends the process whatever its state; for fixtures."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            if "COVERAGE_PROCESS_CONFIG" in os.environ:  # a killed process writes no figures
                self.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(timeout=DEADLINE)
            self.kill()
        self._reserved.close()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self.process is not None, "the server wasn't started"
        return self.process.pid

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The same for WebSockets."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        """The database file."""
        return self.data_dir / "grantha.db"

    def output(self) -> str:
        """What the server has printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # ---- scripts and calls ---------------------------------------------------------------------

    def script(self, name: str, body: Mapping[str, Any]) -> str:
        """Writes a script file; returns its model id."""
        (self.scripts / f"{name}.json").write_text(json.dumps(body), encoding="utf-8")
        return f"scripted/{name}"

    def gated_count(self, name: str, count: int) -> str:
        """A model that writes `counted(count)` only as far as the gate of this name is opened."""
        steps = [{"repeat": "w{n} ", "count": count}]
        body = {"gate": f"{name}.gate", "steps": steps, "capabilities": {"prefix": True}}
        return self.script(name, body)

    def allow(self, gate: str, chunks: int | str = "open") -> None:
        """Lets a script with this `gate` write so many pieces in all, or all of them."""
        path = self.scripts / gate
        path.with_suffix(".new").write_text(str(chunks), encoding="utf-8")
        path.with_suffix(".new").replace(path)  # never seen half written

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """One request with a JSON body; an error status is a reply as well."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as reply:
                return HttpReply(reply.status, dict(reply.headers), reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return HttpReply(error.code, dict(error.headers), error.read())

    def conversation(self, **body: object) -> str:
        """A new conversation's id."""
        return str(self.call("POST", "/api/conversations", body).expect(201)["id"])

    def ask(
        self, model: str, text: str = "Go", conversation: str | None = None, **body: object
    ) -> dict[str, Any]:
        """Starts an answer; returns the generation as JSON."""
        conversation = conversation or self.conversation()
        path = f"/api/conversations/{conversation}/generations"
        return self.call("POST", path, {"text": text, "model": model, **body}).expect(201)

    def generation(self, generation: str) -> dict[str, Any]:
        """The answer as it is now."""
        return self.call("GET", f"/api/generations/{generation}").expect(200)

    def ended(self, generation: str, deadline: float = DEADLINE) -> dict[str, Any]:
        """The answer once it has ended."""
        return until(
            lambda: g if (g := self.generation(generation))["status"] != "running" else None,
            f"generation {generation} to end",
            deadline=deadline,
            hint=self.output,
        )

    # ---- helpers below -------------------------------------------------------------------------

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"The server ended with {self.process.returncode}:\n{self.output()}")
        try:
            return self.call("GET", "/readyz").status == 200
        except OSError:
            return False

    def _signal(self, number: int) -> None:
        assert self.process is not None, "the server wasn't started"
        self.process.send_signal(number)

    def _reap(self) -> None:
        assert self.process is not None
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"The server doesn't end:\n{self.output()}")


class HttpReply:
    """An HTTP reply, read whole."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    def json(self) -> Any:
        """The body decoded."""
        return json.loads(self.body)

    def expect(self, status: int) -> dict[str, Any]:
        """The body, if the status is this one; the test fails otherwise."""
        assert self.status == status, f"{self.status} instead of {status}: {self.body[:2000]!r}"
        found: dict[str, Any] = self.json()
        return found


class MakeServer(Protocol):
    """What `server_factory` gives: a server that isn't started yet."""

    def __call__(self, env: Mapping[str, str] | None = None) -> Server: ...


@pytest.fixture
def server_factory(tmp_path: Path) -> Iterator[MakeServer]:
    """Makes servers, each with a folder of its own; ends them all after the test."""
    made: list[Server] = []

    def make(env: Mapping[str, str] | None = None) -> Server:
        made.append(Server(tmp_path / f"server-{len(made)}", env))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def server(server_factory: MakeServer) -> Server:
    """A started server with the scripted provider alone."""
    return server_factory().start()


def reserve_port() -> socket.socket:
    """A socket bound to a port of 127.0.0.1; until it is closed, the system gives that port to nobody.

    A server that sets SO_REUSEADDR listens there all the same. Without the reservation, the port of a
    server that is restarting becomes, now and then, the local port of some client's connection.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


@contextmanager
def reserved_port() -> Iterator[int]:
    """The number of a port that is reserved for the length of a block; see `reserve_port`."""
    with reserve_port() as reserved:
        yield reserved.getsockname()[1]


def until(
    found: Callable[[], T | None],
    what: str,
    *,
    deadline: float = DEADLINE,
    hint: Callable[[], str] | None = None,
) -> T:
    """Asks again until something true is found; fails after `deadline` seconds, naming it."""
    end = time.monotonic() + deadline
    while True:
        if value := found():
            return value
        if time.monotonic() > end:
            said = f"\n{hint()}" if hint else ""
            pytest.fail(f"Waited {deadline:.0f} s for {what}.{said}")
        time.sleep(0.01)
