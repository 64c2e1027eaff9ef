"""The command line as a person starts it: a process, with a pipe or a terminal of its own."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Self

import pytest

from tests.server import DEADLINE, Server

_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\))")
_QUIET = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("GRANTHA_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"))
    and not name.endswith(("_API_KEY", "_BASE_URL"))
}


def environ(server: Server, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Settings that lead to a server and its folder."""
    return {
        **_QUIET,
        "GRANTHA_PORT": str(server.port),
        "GRANTHA_DATA_DIR": str(server.data_dir),
        "GRANTHA_LOCAL_ENABLED": "0",
        "TERM": "xterm-256color",
        **(more or {}),
    }


def command(*words: str) -> list[str]:
    """The command line of `grantha` with these words."""
    return [sys.executable, "-m", "grantha", *words]


def run(
    server: Server,
    *words: str,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """One command to its end, its output piped; without `stdin` there is no input."""
    return subprocess.run(
        command(*words),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=environ(server, env),
        cwd=cwd,
        check=False,
    )


@contextlib.contextmanager
def piped(server: Server, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on running, its output piped."""
    process = subprocess.Popen(
        command(*words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ(server),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def read_until(stream: IO[str] | None, text: str) -> str:
    """What a process writes until this text has come."""
    assert stream is not None
    found = ""
    while text not in found:
        chunk = stream.read(1)
        assert chunk, f"it ended before {text!r}: {found!r}"
        found += chunk
    return found


class Terminal:
    """A command in a terminal window of its own. `seen` is everything it has written so far."""

    def __init__(
        self,
        server: Server,
        *words: str,
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.seen = ""
        self._near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            command(*words),
            stdin=far,
            stdout=far,
            stderr=far,
            env=environ(server, env),
            start_new_session=True,
        )
        os.close(far)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._near)

    @property
    def text(self) -> str:
        """What was written, without colours and movements of the cursor."""
        return _ESCAPES.sub("", self.seen).replace("\r\n", "\n").replace("\r", "\n")

    def wait_for(self, text: str) -> None:
        """Reads until the text has been written."""
        end = time.monotonic() + DEADLINE
        while text not in self.text:
            if not self._read(end):
                pytest.fail(f"Never saw {text!r} in:\n{self.text}")

    def finish(self) -> int:
        """Reads to the end; returns the exit code."""
        end = time.monotonic() + DEADLINE
        while self._read(end):
            pass
        return self.process.wait(DEADLINE)

    def type(self, text: str) -> None:
        """Keys, as a person presses them; Return is a line feed."""
        os.write(self._near, text.encode())

    def forget(self) -> None:
        """Starts `seen` again, so that the next text waited for is a new one."""
        self.seen = ""

    def interrupt(self) -> None:
        """Ctrl-C, once the command waits for something.

        Between writing its prompt and waiting for a key, Python's `input()` leaves a signal until the
        next key comes, and the prompt is all that can be seen from here.
        """
        state = Path(f"/proc/{self.process.pid}/stat")
        end = time.monotonic() + DEADLINE
        while state.read_text().rpartition(") ")[2][0] != "S":
            assert time.monotonic() < end, "the command never waited"
            time.sleep(0.005)
        self.process.send_signal(signal.SIGINT)

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self._near], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return False
        try:
            chunk = os.read(self._near, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            return False
        self.seen += self._decoder.decode(chunk)  # a read may end within a character
        return bool(chunk)
