"""The messages between server and child at its start: one line of JSON each.

The configuration goes through the child's standard input, so that neither key nor path is on a command
line. That pipe then stays open and empty: its end means for the child that the server is gone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """How to run one model. `context` is in tokens for each of the `slots`; `batch` in tokens.

    `parent` is the process that the child belongs to, `niceness` is added to its own. With `embedding` it
    makes vectors and nothing else.
    """

    path: str
    name: str
    key: str = field(repr=False)
    parent: int
    threads: int
    slots: int
    context: int
    batch: int
    niceness: int = 10
    embedding: bool = False
    sampling: dict[str, float] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """One line, line feed included."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def from_line(line: bytes) -> WorkerConfig:
        """Inverse of `to_line`. Raises ValueError or TypeError for anything else."""
        return WorkerConfig(**json.loads(line))


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """The child's one line: its address (`http://127.0.0.1:port`), or why there is none.

    `missing_library` is the file name of a shared library that the system lacks.
    """

    address: str | None = None
    failure: str | None = None
    missing_library: str | None = None

    def to_line(self) -> bytes:
        """One line, line feed included."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def from_line(line: bytes) -> WorkerReport:
        """Inverse of `to_line`. Raises ValueError for anything else."""
        body: Any = json.loads(line)
        if not isinstance(body, dict):
            raise ValueError("not a report")
        return WorkerReport(
            *(_text(body.get(name)) for name in ("address", "failure", "missing_library"))
        )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
