"""systemd accepts the units, and the server takes the socket it is handed and reports its state."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import DEADLINE, MakeServer, Server, until

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
SERVICES = ["grantha.service", "grantha-backup.service"]
MAX_EXPOSURE = 20  # of 100; systemd-analyze calls it 2.0


@pytest.fixture(scope="module")
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze isn't installed (Debian: apt-get install systemd)")
    return found


def test_systemd_accepts_every_unit(analyze: str, tmp_path: Path) -> None:
    program = tmp_path / "grantha"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/opt/grantha/bin/grantha", str(program))
        (tmp_path / unit.name).write_text(text)
    names = [str(tmp_path / unit.name) for unit in UNITS.iterdir()]
    done = subprocess.run(
        [analyze, "verify", "--man=no", *names], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardly_exposed(analyze: str, name: str) -> None:
    done = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", str(UNITS / name)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_PAGER": ""},
    )
    assert "Overall exposure level" in done.stdout, done.stderr
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_a_request_that_came_before_the_server_is_answered(server_factory: MakeServer) -> None:
    server = server_factory()
    with (
        socket.create_server(("127.0.0.1", server.port)) as held,
        socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as early,
    ):
        early.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        _start(server, held, port=1)  # of no account: the socket counts
        answer = early.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 "), server.output()
    assert server.url in server.output()


def test_a_socket_that_is_meant_for_another_process_is_left_alone(
    server_factory: MakeServer,
) -> None:
    server = server_factory({"LISTEN_PID": "1", "LISTEN_FDS": "1"}).start()
    assert server.call("GET", "/healthz").status == 200


def test_a_public_socket_without_a_token_is_refused(server_factory: MakeServer) -> None:
    server = server_factory()
    with socket.create_server(("0.0.0.0", server.port)) as held:
        _start(server, held)
        assert "no token is set" in _refusal(server)


def test_more_sockets_than_one_are_refused(server_factory: MakeServer) -> None:
    server = server_factory()
    with socket.create_server(("127.0.0.1", server.port)) as held:
        _start(server, held, count=2)
        assert "2 sockets" in _refusal(server)


def test_a_socket_of_another_kind_is_refused(server_factory: MakeServer) -> None:
    server = server_factory()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        _start(server, held)
        assert "isn't a listening TCP socket" in _refusal(server)


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_systemd_is_reported_when_the_server_is_ready_and_when_it_stops(
    server_factory: MakeServer, tmp_path: Path, abstract: bool
) -> None:
    name = f"@grantha-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify_socket:
        notify_socket.bind("\0" + name[1:] if abstract else name)
        notify_socket.settimeout(DEADLINE)
        server = server_factory({"NOTIFY_SOCKET": name}).start(ready=False)
        assert notify_socket.recv(100) == b"READY=1"
        assert server.call("GET", "/healthz").status == 200
        server.terminate(wait=False)
        assert notify_socket.recv(100) == b"STOPPING=1"
        until(lambda: not server.alive, "the server to stop", hint=server.output)


def _start(server: Server, held: socket.socket, *, count: int = 1, port: int | None = None) -> None:
    """Starts the server as systemd does: the socket as descriptor 3, its own process id in a variable."""
    with server.log.open("ab") as log:
        server.process = subprocess.Popen(
            [
                # systemd sets the process's own id, which only the process knows before it begins.
                *(
                    "bash",
                    "-c",
                    f'LISTEN_PID=$$ LISTEN_FDS={count} exec "$@" 3<&{held.fileno()}',
                    "",
                ),
                *(sys.executable, "-m", "grantha", "serve"),
            ],
            env={
                **os.environ,
                "GRANTHA_DATA_DIR": str(server.data_dir),
                "GRANTHA_PORT": str(port or server.port),
                **server.env,
            },
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            pass_fds=(held.fileno(),),
        )


def _refusal(server: Server) -> str:
    until(lambda: not server.alive, "the server to give up", hint=server.output)
    words = server.output().strip()
    assert words.startswith("grantha: ")
    assert "\n" not in words
    return words
