"""Every row of docs/troubleshooting.md: its command is run in a shell, and gives the line beside it."""

from __future__ import annotations

import http.server
import os
import re
import shlex
import shutil
import sqlite3
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from tests.blocks import DOCS
from tests.cli.command import environ
from tests.fake_vendors.tls import self_signed
from tests.server import DEADLINE, Server, reserve_port, until

TOKEN = "a-long-secret-for-tests"
_ROW = re.compile(r"^\| `(?P<command>[^|]+)` \| (?P<line>.+) \|$", re.MULTILINE)
# Each letter shows what a row needs that the folder alone hasn't got.
_FULL_DISK = "GRANTHA_DATA_DIR=full "
_TOML = {
    "broken.toml": "port = ",
    "typo.toml": "prot = 9000\n",
    "banana.toml": '[providers.lan]\nbase_url = "banana"\n',
    "dialect.toml": '[providers.lan]\nbase_url = "http://127.0.0.1:1/v1"\ndialect = "opnai"\n',
    "address.toml": '[providers.antropic]\napi_key = "sk-1"\n',
    "nested.toml": "[timeouts]\nconect = 3\n",
    "fallbacks.toml": '[fallbacks]\n"openai/gpt-5" = ["antropic/claude-sonnet-4-5"]\n',
}


def rows() -> list[tuple[str, str]]:
    """Commands and their lines, as they stand in the document."""
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    return [(found["command"], found["line"].strip("`")) for found in _ROW.finditer(text)]


@dataclass(frozen=True)
class Place:
    """A working folder beside a running server, with everything that the rows name.

    `ports` are those of the document, with what stands for them here.
    """

    server: Server
    folder: Path
    ports: dict[str, int]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """The command in a shell, as a person would type it here."""
        with ExitStack() as prepared:
            if _FULL_DISK in command:
                prepared.enter_context(_full_disk(self.folder / "full"))
            return subprocess.run(
                ["bash", "-c", self.here(command)],
                cwd=self.folder,
                env={
                    **environ(self.server),
                    "GRANTHA_DATA_DIR": "data",
                    "GRANTHA_TOKEN": TOKEN,
                    "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                },
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=DEADLINE,
                check=False,
            )

    def here(self, text: str) -> str:
        """The text with this place's ports instead of the document's."""
        return re.sub(
            r"\b(800[0-3])\b", lambda found: str(self.ports.get(found[1], found[1])), text
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all rows: none of them changes what another needs."""
    folder = tmp_path_factory.mktemp("place")
    with ExitStack() as running:
        page = running.enter_context(_web_server())
        trusted_by_nobody = running.enter_context(_web_server(self_signed(folder)))
        closed = running.enter_context(reserve_port()).getsockname()[1]
        (folder / "grantha.toml").write_text(
            f'[providers.lan]\nbase_url = "http://127.0.0.1:{page}"\n'
            f'[providers.dark]\nbase_url = "http://127.0.0.1:{closed}/v1"\n'
            f'[providers.tls]\nbase_url = "https://127.0.0.1:{trusted_by_nobody}/v1"\n'
        )
        server = Server(folder, {"GRANTHA_TOKEN": TOKEN})
        _fill(folder)
        server.start(ready=False)
        until(lambda: _answers(server), "the server to answer", hint=server.output)
        ports = {"8000": server.port, "8001": page, "8002": trusted_by_nobody, "8003": closed}
        yield Place(server, folder, ports)
        server.close()


@pytest.mark.parametrize(("command", "line"), rows(), ids=lambda value: value[:70])
def test_a_mistake_gives_its_line(place: Place, command: str, line: str) -> None:
    done = place.run(command)

    said = done.stderr.rstrip("\n").split("\n")
    assert said[-1] == place.here(line)
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    # What is wrong with the words of a command comes below its usage.
    assert len(said) == 1 or said[0].startswith("Usage: "), done.stderr


def test_the_table_of_mistakes_is_not_empty() -> None:
    assert len(rows()) >= 40
    assert len({command for command, _ in rows()}) == len(rows())


def _fill(folder: Path) -> None:
    program = folder / "bin" / "grantha"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m grantha "$@"\n')
    program.chmod(0o755)
    for name, text in _TOML.items():
        (folder / name).write_text(text)
    (folder / "notes.txt").write_text("Some notes.\n")
    (folder / "export.zip").write_bytes(b"PK\x03\x04 and so on")
    (folder / "empty.json").write_bytes(b"")
    (folder / "latin.txt").write_bytes(b"na\xefve\n")
    (folder / "photo.heic").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00")
    (folder / "damaged").mkdir()
    (folder / "damaged" / "grantha.db").write_bytes(b"SQLite format 3\0" + b"garbage" * 1000)
    half = folder / "half"
    half.mkdir()
    with closing(sqlite3.connect(half / "grantha.db")) as database:
        database.execute("CREATE TABLE conversations (id TEXT)")
        database.commit()


@contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("mounting a small disk needs root")
    folder.mkdir()
    options = "size=40k,mode=0700"
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        check=False,
        text=True,
    )
    if made.returncode != 0:
        pytest.skip(f"mounting a small disk isn't allowed here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


class _NotFound(http.server.BaseHTTPRequestHandler):
    """Knows no path, and says so in HTML, as web servers do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._refuse()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._refuse()

    def _refuse(self) -> None:
        body = b"<html><h1>404 Not Found</h1></html>"
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None: ...


class _Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Handshakes that a client breaks off are what it is there for."""


@contextmanager
def _web_server(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Its port. It answers every path with a 404 in HTML."""
    with _Quiet(("127.0.0.1", 0), _NotFound) as served:
        if context is not None:
            # The handshake belongs into the thread of its connection: a broken one stops nobody else.
            served.socket = context.wrap_socket(
                served.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield served.server_address[1]
        finally:
            served.shutdown()
            thread.join()


def _answers(server: Server) -> bool:
    try:
        return server.call("GET", "/healthz").status == 200
    except OSError:
        return False
