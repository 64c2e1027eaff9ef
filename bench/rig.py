"""Starts and ends what is measured: the fake upstream, nginx before it, and Grantha, each by its pid.

The server that is measured runs on one core, everything else on another, where the machine has two.
`source` runs the Grantha of another checkout, to compare before and after.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bench.client import Target
from bench.machine import CLIENT_CORE, SERVER_CORE, family, most_files, pin

ROOT = Path(__file__).resolve().parents[1]
_NOT_INHERITED = ("GRANTHA_", "OPENAI_", "PYTHONDONTWRITEBYTECODE")
_SETTLING = 1.5  # seconds in which a started server still works in the background
_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 120s;
    }}
  }}
}}
"""


@dataclass(slots=True)
class Running:
    """One process that was started here."""

    name: str
    process: subprocess.Popen[str]
    port: int
    ready_s: float = 0.0
    lines: list[str] = field(default_factory=list)

    @property
    def pids(self) -> list[int]:
        """It and its children."""
        return family(self.process.pid)

    def target(self, api: str) -> Target:
        """Where the load client connects."""
        return Target(self.name if api != "native" else f"{self.name} native", self.port, api)


@dataclass(frozen=True, slots=True)
class Rig:
    """What runs. `nginx` is None where it isn't installed."""

    upstream: Running
    nginx: Running | None
    grantha: Running

    def targets(self, *, native: bool = False) -> list[tuple[Target, list[int]]]:
        """Each route to the upstream, with the pids of what is in between."""
        found = [(self.upstream.target("openai"), [])]
        found[0] = (Target("direct", self.upstream.port, "openai"), [])
        if self.nginx is not None:
            found.append((self.nginx.target("openai"), self.nginx.pids))
        found.append((self.grantha.target("simple"), self.grantha.pids))
        if native:
            found.append((self.grantha.target("native"), self.grantha.pids))
        return found


@contextlib.contextmanager
def rig(source: Path | None = None, settings: Mapping[str, str] | None = None) -> Iterator[Rig]:
    """Everything, ended at the end."""
    most_files()
    pin(CLIENT_CORE)
    with contextlib.ExitStack() as stack:
        up = stack.enter_context(upstream())
        front = stack.enter_context(nginx(up.port)) if shutil.which("nginx") else None
        server = stack.enter_context(grantha(up.port, source, settings))
        time.sleep(_SETTLING)
        yield Rig(up, front, server)


@contextlib.contextmanager
def upstream() -> Iterator[Running]:
    """The fake model host."""
    with _started("upstream", [sys.executable, "-m", "bench.upstream"], CLIENT_CORE) as running:
        port = _line(running, lambda line: re.match(r"(\d+)$", line))
        running.port = int(port[1])
        yield running


@contextlib.contextmanager
def nginx(upstream_port: int) -> Iterator[Running]:
    """nginx as a plain relay to the upstream: the floor for anything in between."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="grantha-bench-") as folder:
        config = Path(folder, "nginx.conf")
        text = _NGINX.format(
            folder=folder, upstream=upstream_port, port=port, files=16000, connections=8000
        )
        if os.geteuid() == 0:
            text = "user root;\n" + text
        config.write_text(text)
        command = [
            shutil.which("nginx") or "nginx",
            "-p",
            folder,
            "-c",
            str(config),
            "-e",
            "stderr",
        ]
        with _started("nginx", command, SERVER_CORE) as running:
            running.port = port
            _listening(port)
            yield running


@contextlib.contextmanager
def grantha(
    upstream_port: int, source: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Grantha on a free port with an empty data folder, the local model off."""
    with tempfile.TemporaryDirectory(prefix="grantha-bench-") as folder:
        extra = {
            "GRANTHA_DATA_DIR": folder,
            "GRANTHA_PORT": "0",
            "GRANTHA_LOCAL_ENABLED": "false",
            "GRANTHA_TITLES": "false",  # a title is a second call, which isn't measured here
            "GRANTHA_LOG_LEVEL": "info",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}/v1",
            "OPENAI_API_KEY": "bench",
            "PYTHONPATH": str((source or ROOT) / "src"),
            **(settings or {}),
        }
        command = [sys.executable, "-m", "grantha", "serve"]
        started = time.monotonic()
        with _started("grantha", command, SERVER_CORE, extra) as running:
            fake_vendor = r"serves on http://127\.0\.0\.1:(\d+)"
            port = _line(running, lambda line: re.search(fake_vendor, line))
            running.ready_s = time.monotonic() - started
            running.port = int(port[1])
            yield running


@contextlib.contextmanager
def _started(
    name: str, command: list[str], core: int, extra: Mapping[str, str] | None = None
) -> Iterator[Running]:
    def prepare() -> None:
        pin(core)
        most_files()

    kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)}
    # Compiling every module again at each start isn't what an installed server does.
    kept["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir(), "grantha-bench-bytecode"))
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**kept, **(extra or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=prepare,  # noqa: PLW1509  no thread of ours holds a lock that it needs
    )
    running = Running(name, process, 0)
    reading = threading.Thread(target=_collect, args=(process.stdout, running.lines), daemon=True)
    reading.start()
    try:
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reading.join(5)


def _collect(output: IO[str] | None, lines: list[str]) -> None:
    for line in output or ():
        lines.append(line.rstrip())
        del lines[:-200]


def _line(
    running: Running, found: Callable[[str], re.Match[str] | None], patience: float = 30.0
) -> re.Match[str]:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        for line in list(running.lines):
            if match := found(line):
                return match
        if running.process.poll() is not None:
            break
        time.sleep(0.005)
    raise RuntimeError(f"{running.name} didn't start: {running.lines[-20:]}")


def _listening(port: int, patience: float = 10.0) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
