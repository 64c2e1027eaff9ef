"""What a model gets from this machine: its engine, threads, environment variables, memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from grantha.config import child_variables

ENGINE = "xllamacpp"
_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")

# llama.cpp's threads meet some 400 times a token. With libgomp's own default they spin at each meeting
# for as long as it takes: where another process wants a core too, a prompt then takes ten times as long.
# Without any spinning (OMP_WAIT_POLICY=passive) three quarters of the speed are lost.
# https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html
# LLVM's runtime, where it stands in for libgomp, does best without any: by default it spins for 200 ms.
# https://openmp.llvm.org/design/Runtimes.html#kmp-blocktime
_SPINNING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}


def has_engine() -> bool:
    """Whether the extra `local` is installed, which brings llama.cpp."""
    return find_spec(ENGINE) is not None


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables a child gets, out of the server's own."""
    return {**child_variables(variables), **_SPINNING}


def threads() -> int:
    """How many threads compute: the physical cores, taking two logical ones for one above four."""
    usable = _usable_cores()
    limit = _cpu_quota()
    count = usable if limit is None else max(1, min(usable, round(limit)))
    return count if count <= 4 else max(4, count // 2)


def resident_bytes(pid: int) -> int | None:
    """Bytes of memory that a process holds; None where the system doesn't say (Linux does)."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def memory() -> int | None:
    """Bytes of memory that this machine, or its container, has in all; None where it isn't known."""
    try:
        installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
    try:
        return min(installed, int(_MEMORY_LIMIT.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no container, or "max"
        return installed


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _cpu_quota() -> float | None:
    """Cores that a container may use (cgroup v2, cpu.max: quota and period, or "max")."""
    try:
        quota, period = _CPU_LIMIT.read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
