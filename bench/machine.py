"""What is read from the operating system: CPU time, memory, names. Linux only, as `/proc` is."""

from __future__ import annotations

import os
import platform
import resource
import sqlite3
from pathlib import Path

SERVER_CORE, CLIENT_CORE = 0, 1


def pin(core: int) -> None:
    """Keeps this process on one core, where there is one to choose."""
    cores = sorted(os.sched_getaffinity(0) | set(range(os.cpu_count() or 1)))
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[core % len(cores)]})


def most_files() -> None:
    """As many open files as this user may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of processes, all threads, to the nanosecond where the scheduler tells it."""
    return sum(_cpu(pid) for pid in pids)


def _cpu(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task")
    try:
        spent = [(task / "schedstat").read_text().split()[0] for task in tasks.iterdir()]
        return sum(map(int, spent)) / 1e9
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kb(pids: list[int]) -> int:
    """Resident memory that is the processes' own and shared, in kB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if children.exists():
        for child in children.read_text().split():
            found.extend(family(int(child)))
    return found


def described() -> str:
    """The machine in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return (
        f"{os.cpu_count()} cores {model}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )
