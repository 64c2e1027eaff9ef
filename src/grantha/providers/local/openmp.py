"""Gives a model's process an OpenMP runtime, which llama.cpp's wheel needs and doesn't carry.

xllamacpp links `libgomp.so.1`, part of GCC's runtime, which a bare Debian and most slim container images
lack. The `local` extra brings LLVM's OpenMP runtime, which offers GCC's interface in a file of the same
name (https://openmp.llvm.org/design/Runtimes.html). The system's own library is used if it has one.

Imports nothing of Grantha: the process starts as fast as llama.cpp allows.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path

LIBRARY = "libgomp.so.1"
BUNDLED = f"cmeel.prefix/lib/{LIBRARY}"  # as the package cmeel-libomp lays it out in site-packages
_SEARCH_PATH = "LD_LIBRARY_PATH"
_MISSING = re.compile(r"^(lib\S+\.so[.\d]*): cannot open shared object file")
# Debian's and Ubuntu's packages of the libraries that the wheel links, beyond the C library itself.
_PACKAGES = {LIBRARY: "libgomp1", "libstdc++.so.6": "libstdc++6"}


def use_bundled_if_missing() -> None:
    """Starts this program again with the bundled library in reach, if the system has none.

    The dynamic loader reads its search path only when a program starts. Loading the bundled file by hand
    isn't enough: its own name inside is `libomp.so`, so it isn't accepted for the linked one.
    Call it before anything is read from standard input.
    """
    if sys.platform != "linux" or _loads(LIBRARY):
        return
    bundled = _bundled()
    environment = dict(os.environ)  # noqa: TID251  this program's own, to be handed on unchanged
    searched = environment.get(_SEARCH_PATH, "")
    if bundled is None or str(bundled.parent) in searched.split(os.pathsep):
        return  # the import reports what is missing
    paths = [str(bundled.parent), *filter(None, [searched])]
    environment[_SEARCH_PATH] = os.pathsep.join(paths)
    os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606  no shell, the same program


def missing_library(error: ImportError) -> str | None:
    """The file name of the shared library whose absence made an import fail, if that is why."""
    found = _MISSING.match(str(error))
    return found[1] if found else None


def how_to_install(library: str) -> str:
    """One sentence with the command that installs a missing library."""
    package = _PACKAGES.get(library)
    if package is None:
        return f"Install your system's package with {library}, then start Grantha again."
    return f"Install it, on Debian or Ubuntu with `apt-get install {package}`, then start Grantha again."


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _bundled() -> Path | None:
    paths = (Path(entry, BUNDLED) for entry in sys.path)
    return next((path for path in paths if path.is_file()), None)
