"""A real nginx with a configuration of the test's own; all its files are in the test's folder."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import DEADLINE, until


@contextmanager
def running_nginx(program: str, folder: Path, port: int, http: str) -> Iterator[None]:
    """Runs nginx until the block ends; inside the block it listens on `port`.

    `http` is what stands in the `http` block. The test fails with nginx's error log if it doesn't start.
    """
    folder.mkdir(exist_ok=True)
    configuration, log = folder / "nginx.conf", folder / "error.log"
    configuration.write_text(_configuration(folder, http), encoding="utf-8")
    process = subprocess.Popen(
        [program, "-p", str(folder), "-e", str(log), "-c", str(configuration)],
        stdin=subprocess.DEVNULL,
    )

    def listens() -> bool:
        if process.poll() is not None:
            pytest.fail(f"nginx exited with {process.returncode}:\n{log.read_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens, "nginx to listen")
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _configuration(folder: Path, http: str) -> str:
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Started by root, its workers would else belong to a user who may not enter the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 128; }}
http {{
access_log off;
{temporary}
{http}
}}
"""
