"""A slow disk for a server under test, and where its writing stands.

Copied into a folder of the server's PYTHONPATH as `sitecustomize`, it waits before and after each commit.
A server that is killed before it loses the transaction; after it, everything is stored and nobody was told.
Files say how long to wait and at which of the two to stop altogether, so that a test kills at that place.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any, Literal

from typing_extensions import override

Stage = Literal["before", "after"]
_FOLDER = "SLOW_DISK"  # the environment variable that names the folder of the two files


class SlowDisk:
    """`folder` is an empty one of its own; `seconds` are waited before and after each commit."""

    def __init__(self, folder: Path, seconds: float) -> None:
        folder.mkdir()
        shutil.copy(__file__, folder / "sitecustomize.py")
        self.env = {"PYTHONPATH": str(folder), _FOLDER: str(folder)}
        self._files = _Files(folder)
        self._files.seconds.write_text(str(seconds))
        self._files.held.write_text("")
        self._files.stage.write_text("")

    def hold(self, stage: Stage | None) -> None:
        """Every commit stops at this stage from now on; None lets them all go."""
        self._files.held.write_text(stage or "")

    def is_at(self, pid: int, stage: Stage) -> bool:
        """Whether this process waits before or after a commit now."""
        return self._files.stage.read_text() == f"{pid} {stage}"

    def recover(self) -> None:
        """The disk is as fast as ever from now on."""
        self._files.seconds.write_text("0")


class _Files:
    def __init__(self, folder: Path) -> None:
        self.seconds = folder / "seconds"
        self.held = folder / "held"
        self.stage = folder / "stage"


class _SlowConnection(sqlite3.Connection):
    @override
    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *parameters)
        _wait("before")
        try:
            return super().execute(sql, *parameters)
        finally:
            _wait("after")


def _wait(stage: Stage) -> None:
    files = _Files(Path(os.environ[_FOLDER]))
    files.stage.write_text(f"{os.getpid()} {stage}")
    time.sleep(float(files.seconds.read_text()))
    while files.held.read_text() == stage:
        time.sleep(0.01)
    files.stage.write_text("")


if __name__ == "sitecustomize":
    from sqlite3 import dbapi2

    _plain = dbapi2.connect

    def _slow(*arguments: Any, **named: Any) -> sqlite3.Connection:
        return _plain(*arguments, factory=_SlowConnection, **named)

    vars(dbapi2)["connect"] = vars(sqlite3)["connect"] = _slow
