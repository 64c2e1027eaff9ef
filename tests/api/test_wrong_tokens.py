"""Wrong access tokens: logged with the client's address, answered later each time, known to fail2ban."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from grantha.api.client_address import TrustedProxies
from grantha.api.wrong_tokens import WrongTokens
from tests.api.conftest import TOKEN, until_listening
from tests.blocks import blocks
from tests.server import MakeServer, Server

_ADDRESS = r"(?P<addr>[0-9a-f.:]+)"  # what fail2ban puts in place of <ADDR>, as far as we need it


def _scope(peer: str | None, forwarded: Iterable[str] = (), **more: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
    return {"type": "http", "scheme": "http", "client": peer and (peer, 1), "headers": headers}


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "address"),
    [
        ([], "203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        (["127.0.0.1"], "203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        (["127.0.0.1"], "127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        (["127.0.0.1"], "127.0.0.1", ["10.0.0.1, 198.51.100.1"], "198.51.100.1"),
        (["127.0.0.1"], "127.0.0.1", ["10.0.0.1", "198.51.100.1"], "198.51.100.1"),
        (["127.0.0.0/8", "10.0.0.0/8"], "127.0.0.1", ["1.2.3.4, 10.0.0.9"], "1.2.3.4"),
        (["127.0.0.1"], "127.0.0.1", [], "127.0.0.1"),
        (["127.0.0.1"], "127.0.0.1", ["nonsense\nWARNING"], "127.0.0.1"),
        (["127.0.0.1"], "127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        (["::1"], "::1", ["[2001:db8::5]:4711"], "2001:db8::5"),
        (["127.0.0.1"], "::ffff:127.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ([], None, ["198.51.100.1"], "unknown"),
        ([], "", [], "unknown"),
    ],
)
def test_only_trusted_proxies_say_who_calls(
    trusted: list[str], peer: str | None, forwarded: list[str], address: str
) -> None:
    assert TrustedProxies(trusted).client_address(_scope(peer, forwarded)) == address


def test_only_trusted_proxies_say_that_the_client_came_by_https() -> None:
    scope = _scope("127.0.0.1", x_forwarded_proto="https")

    assert TrustedProxies(["127.0.0.1"]).is_https(scope)
    assert not TrustedProxies([]).is_https(scope)
    assert not TrustedProxies(["127.0.0.1"]).is_https(_scope("127.0.0.1"))


@pytest.fixture
def guarded(server_factory: MakeServer) -> Server:
    """A server with a token, behind a proxy on this machine."""
    server = server_factory({"GRANTHA_TOKEN": TOKEN, "GRANTHA_TRUSTED_PROXIES": "127.0.0.1"})
    server.start(ready=False)
    until_listening(server)
    return server


def test_every_kind_of_wrong_token_is_logged_once_with_the_address(guarded: Server) -> None:
    for number, headers in enumerate(
        (
            {"Authorization": "Bearer wrong-1"},
            {"x-api-key": "wrong-2"},
            {"Cookie": "grantha_token=wrong-3"},
        )
    ):
        for _ in range(2):
            _get(guarded, headers, f"198.51.100.{number}")
    for _ in range(2):
        login = guarded.call("POST", "/api/login", {"token": "wrong-4"}, _from("198.51.100.3"))
        assert login.status == 401
    assert guarded.call("GET", "/api/models", headers=_from("198.51.100.4")).status == 401

    assert _addresses(guarded) == [f"198.51.100.{number}" for number in range(4)]
    assert "wrong-" not in guarded.output()


def test_further_guesses_wait_longer_and_the_right_token_never(guarded: Server) -> None:
    began = time.monotonic()
    for number in range(3):
        _get(guarded, {"Authorization": f"Bearer wrong-{number}"}, "198.51.100.9")
    assert time.monotonic() - began > 0.5 + 1 + 2  # a lower bound: no load makes it shorter

    right = {**_from("198.51.100.9"), "Authorization": f"Bearer {TOKEN}"}
    assert guarded.call("GET", "/api/models", headers=right).status == 200
    assert _addresses(guarded) == ["198.51.100.9"] * 3


def test_the_cookie_is_secure_behind_https(guarded: Server) -> None:
    for scheme, secure in (("https", True), ("http", False)):
        headers = {**_from("198.51.100.1"), "X-Forwarded-Proto": scheme}
        reply = guarded.call("POST", "/api/login", {"token": TOKEN}, headers)
        assert reply.status == 204
        assert ("secure" in reply.headers["set-cookie"].lower()) is secure


def test_the_guide_s_filter_finds_the_address_in_the_log_and_the_journal(guarded: Server) -> None:
    _get(guarded, {"Authorization": "Bearer wrong"}, "2001:db8::5")
    pattern = re.compile(_filter()["failregex"].replace("<ADDR>", _ADDRESS))
    (line,) = [line for line in guarded.output().splitlines() if "Wrong" in line]
    # fail2ban cuts the time off the lines of a file; the journal's have host and program before them.
    for seen in (line[23:], f"host grantha[7]: {line}"):
        found = pattern.search(seen)
        assert found is not None, seen
        assert found["addr"] == "2001:db8::5"


def test_fail2ban_itself_takes_the_filter(guarded: Server, tmp_path: Path) -> None:
    program = shutil.which("fail2ban-regex")
    if program is None:
        pytest.skip("fail2ban isn't installed")
    _get(guarded, {"Authorization": "Bearer wrong"}, "198.51.100.77")
    filter_file = tmp_path / "grantha.conf"
    filter_file.write_text(blocks("deploy.md", "ini", guarded.url)[0])
    done = subprocess.run(
        [program, "--print-all-matched", str(guarded.log), str(filter_file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 matched" in done.stdout, done.stdout + done.stderr
    assert "198.51.100.77" in done.stdout


def _filter() -> Mapping[str, str]:
    parser = configparser.RawConfigParser()
    parser.read_string(blocks("deploy.md", "ini", "")[0])
    return parser["Definition"]


def _from(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def _get(server: Server, headers: Mapping[str, str], address: str) -> None:
    reply = server.call("GET", "/api/models", headers={**headers, **_from(address)})
    assert reply.status == 401


def _addresses(server: Server) -> list[str]:
    return re.findall(
        rf"WARNING Wrong access token from {_ADDRESS}$", server.output(), re.MULTILINE
    )


async def test_only_so_many_addresses_are_remembered() -> None:
    guesses = WrongTokens(TrustedProxies(()))
    for n in range(10_100):
        address = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
        for token in ("", *map(str, range(20 if n == 10_099 else 1))):
            guesses._count(address, token)
    assert len(guesses._guesses) == 10_000
    assert len(guesses._guesses["10.0.39.115"].tokens) == 8
