"""The deploy guide is true: its commands run, and proxies take its configurations and stream."""

import os
import re
import shutil
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blocks import blocks
from tests.nginx import running_nginx
from tests.server import DEADLINE, MakeServer, Server, reserved_port

GUIDE = "deploy.md"
PROGRAM = Path(sys.executable).with_name("grantha")


def _placed(text: str, root: Path) -> str:
    """The text with the system's folders below a folder of the test."""
    return re.sub(r"(?<![\w./])/(etc|var|opt)/", rf"{root}/\1/", text)


def test_the_commands_leave_a_private_environment_and_a_backup(
    server: Server, tmp_path: Path
) -> None:
    program = tmp_path / "opt/grantha/bin/grantha"
    program.parent.mkdir(parents=True)
    program.symlink_to(PROGRAM)
    shutil.copytree(server.data_dir, tmp_path / "var/lib/grantha")
    (tmp_path / "var/lib/grantha-backup").mkdir()
    script = "set -eu\n" + "".join(blocks(GUIDE, "sh", server.url))
    subprocess.run(["bash", "-c", _placed(script, tmp_path)], check=True, timeout=DEADLINE)
    environment = tmp_path / "etc/grantha/environment"
    assert environment.stat().st_mode & 0o777 == 0o600
    lines = environment.read_text().splitlines()
    assert re.fullmatch(r"GRANTHA_TOKEN=[0-9a-f]{64}", lines[0])
    assert lines[1:3] == ["GRANTHA_ALLOWED_HOSTS=chat.example", "GRANTHA_TRUSTED_PROXIES=127.0.0.1"]
    backup = (tmp_path / "var/lib/grantha-backup/by-hand.db").read_bytes()
    assert backup.startswith(b"SQLite format 3\0")


def test_the_backup_unit_makes_backups_and_drops_old_ones(server: Server, tmp_path: Path) -> None:
    unit = (Path(__file__).parents[2] / "deploy/systemd/grantha-backup.service").read_text()
    folder = tmp_path / "var/lib/grantha-backup"
    folder.mkdir(parents=True)
    old = folder / "grantha-20200101T000000.db"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    program = tmp_path / "opt/grantha/bin/grantha"
    program.parent.mkdir(parents=True)
    program.symlink_to(PROGRAM)
    commands = re.findall(r"^ExecStart(?:Post)?=(.+)$", unit, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        subprocess.run(
            # In units a percent sign is doubled, and the shell's own quotes are systemd's too.
            ["bash", "-c", _placed(command.replace("%%", "%"), tmp_path)],
            env={**os.environ, "GRANTHA_DATA_DIR": str(server.data_dir)},
            check=True,
            timeout=DEADLINE,
        )
    (kept,) = folder.iterdir()
    assert re.fullmatch(r"grantha-\d{8}T\d{6}\.db", kept.name)


@pytest.fixture
def through_nginx(
    server_factory: MakeServer, nginx: str, tmp_path: Path
) -> Iterator[tuple[Server, int, ssl.SSLContext]]:
    """A server, and the HTTPS port of an nginx before it that is set up as the guide says."""
    server = server_factory({"GRANTHA_ALLOWED_HOSTS": "chat.example"}).start()
    folder = tmp_path / "nginx"
    folder.mkdir()
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=chat.example", "-addext", "subjectAltName=DNS:chat.example"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    (sites,) = blocks(GUIDE, "nginx", server.url)
    sites = sites.replace("/etc/letsencrypt/live/chat.example", str(folder))
    sites = re.sub(r"^ +listen \[::\]:.*\n", "", sites, flags=re.MULTILINE)
    with reserved_port() as plain, reserved_port() as secure:
        sites = sites.replace("listen 80;", f"listen 127.0.0.1:{plain};")
        sites = sites.replace("listen 443 ", f"listen 127.0.0.1:{secure} ")
        with running_nginx(nginx, folder, secure, sites):
            yield server, secure, ssl.create_default_context(cafile=certificate)


def test_an_answer_streams_through_nginx_and_its_certificate(
    through_nginx: tuple[Server, int, ssl.SSLContext],
) -> None:
    server, port, trusted = through_nginx
    # The certificate is chat.example's, and the name leads nowhere here.
    trusted.check_hostname = False
    server.script("gated", {"gate": "held", "steps": [{"text": "one two three"}]})
    server.allow("held", 1)
    request = urllib.request.Request(
        f"https://127.0.0.1:{port}/chat/completions/stream",
        b'{"messages": [{"role": "user", "content": "Go"}], "model": "scripted/gated"}',
        {"Content-Type": "application/json", "Host": "chat.example"},
    )
    with urllib.request.urlopen(request, timeout=DEADLINE, context=trusted) as reply:
        assert reply.headers["Strict-Transport-Security"]
        lines = iter(reply)
        first = next(line for line in lines if b'"content"' in line)
        assert b"one" in first  # it came through while the rest wasn't written yet
        server.allow("held")
        assert any(b'"done":true' in line.replace(b" ", b"") for line in lines)


def test_caddy_takes_the_configuration(tmp_path: Path) -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("Caddy isn't installed (Debian: apt-get install caddy)")
    (own,) = blocks(GUIDE, "caddyfile", "http://127.0.0.1:8000")
    (tmp_path / "Caddyfile").write_text(own.replace("/var/log/caddy", str(tmp_path)))
    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")],
        env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Valid configuration" in done.stdout + done.stderr
    assert "not formatted" not in done.stderr
