"""The documents are true: their examples run, and their tables match the code."""

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from grantha import errors
from grantha.config import Settings
from grantha.events import _KINDS
from tests.nginx import running_nginx
from tests.server import DEADLINE, MakeServer, Server, reserved_port

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text(encoding="utf-8")
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")
ONLY_IN_FILE = {"fallbacks", "timeouts", "providers"}


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    found: list[list[str]] = []
    for line in text.partition(f"\n{heading}\n")[2].splitlines():
        if line.startswith("|"):
            found.append([cell.strip() for cell in line[1:-1].split("|")])
        elif found:
            break
    return found[2:]


def test_the_examples_of_the_protocol_run_one_after_another(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    server = server_factory({"GRANTHA_DEFAULT_MODEL": "scripted/lesson"})
    # The second answer is changed and stopped while it is written, however long each call takes.
    short, long = ({"rate": 100, "steps": [{"repeat": "w{n} ", "count": n}]} for n in (40, 10**6))
    attempts = [short, long, long, short]
    server.script("lesson", {"capabilities": {"prefix": True}, "attempts": attempts})
    server.start()
    blocks = _blocks(PROTOCOL, "sh")
    script = "set -eu\n" + "\n".join(
        f"printf '\\n=== {n}\\n'\n{block}" for n, block in enumerate(blocks)
    )
    ran = subprocess.run(
        ["bash", "-c", script],
        env={"GRANTHA": server.url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = dict(part.split("\n", 1) for part in ran.stdout.split("\n=== ")[1:])
    first, repeated, caught_up, changed, contract, problem = (said[str(n)] for n in range(1, 7))
    assert re.match(r"id: 1-\d+\nretry: \d+\n\ndata: ", first)
    assert '"kind":"snapshot"' in first
    assert '"ending":"done"' in first  # in the tail or, on a slow machine, in the snapshot
    assert repeated.strip() == "200"
    assert '"frames":' in caught_up
    assert '"applied":true' in changed
    assert '"stopped":true' in changed
    assert '"done":true' in contract
    assert '"role":"assistant"' in contract
    assert '"code":"not_found"' in problem


def test_the_protocol_lists_every_call_and_no_other(shared: Server) -> None:
    described = shared.call("GET", "/openapi.json").expect(200)["paths"]
    vendors = ("/v1/", "/ai-sdk/", "/ollama/")
    calls = {
        f"{method.upper()} {path}"
        for path, methods in described.items()
        for method in methods
        if not path.startswith(vendors)
    }
    listed = {row[0].strip("`") for row in _rows(PROTOCOL, "## Endpoints")}
    assert listed - calls == {"WS /api/live", "WS /ws/chat"}
    assert calls - listed == set()


def test_the_protocol_lists_every_kind_of_frame() -> None:
    listed = {row[0].strip("`") for row in _rows(PROTOCOL, "## Frames")}
    assert listed == {*_KINDS, "hello", "snapshot"}


def test_the_protocol_lists_every_code_under_its_status() -> None:
    listed = {
        code: statuses
        for statuses, codes in _rows(PROTOCOL, "## Errors")
        for code in re.findall(r"`(\w+)`", codes)
    }
    kinds = [found for found in vars(errors).values() if isinstance(found, type)]
    codes = {
        kind.code: str(kind.http_status)
        for kind in kinds
        if issubclass(kind, errors.GranthaError)
        and hasattr(kind, "code")  # abstract ones have none
    }
    del codes["fenced"]  # never leaves the server
    assert codes.keys() == listed.keys()
    assert [code for code, status in codes.items() if status not in listed[code]] == []


def test_the_settings_are_listed_with_their_defaults() -> None:
    listed = {row[0].strip("`"): row[1].strip("`") for row in _rows(OPERATIONS, "## Settings")}
    expected = {}
    for name, field in Settings.model_fields.items():
        if name in {"variables", "sources"}:
            continue
        default: Any = field.get_default(call_default_factory=True)
        shown = {True: "true", False: "false"}.get(default) if isinstance(default, bool) else None
        if default is None or default == () or name == "timeouts":
            shown = ""
        key = name if name in ONLY_IN_FILE else f"GRANTHA_{name.upper()}"
        expected[key] = str(default) if shown is None else shown
    assert listed == expected


def test_the_metrics_that_are_listed_are_those_that_there_are(shared: Server) -> None:
    listed = set(re.findall(r"`(grantha_\w+)`", OPERATIONS.partition("| metric |")[2]))
    shared.ended(shared.ask("scripted/count-3")["id"])
    reported = shared.call("GET", "/metrics").body.decode()
    families = re.findall(r"^# TYPE (grantha_\w+) (\w+)$", reported, re.MULTILINE)
    there = {name for name, kind in families if not name.endswith("_created")}
    assert {name.removesuffix("_total") for name in listed} == {
        name.removesuffix("_total") for name in there
    }


@pytest.fixture
def proxied(server_factory: MakeServer, nginx: str, tmp_path: Path) -> Iterator[tuple[Server, int]]:
    """A server, and the port of an nginx in front of it, configured as documented."""
    server = server_factory({"GRANTHA_ALLOWED_HOSTS": "chat.example"}).start()
    (site,) = _blocks(OPERATIONS, "nginx")
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    with reserved_port() as port:
        site = site.replace("listen 80", f"listen 127.0.0.1:{port}")
        with running_nginx(nginx, tmp_path / "nginx", port, site):
            yield server, port


async def test_the_nginx_configuration_passes_streams_on_as_they_come(
    proxied: tuple[Server, int],
) -> None:
    server, port = proxied
    steps = [{"repeat": "word{n} ", "count": 5}]
    made = server.ask(server.script("gated", {"gate": "nginx.gate", "steps": steps}))
    url = f"http://127.0.0.1:{port}/api/generations/{made['id']}/events"
    async with aiohttp.ClientSession(headers={"Host": "chat.example"}) as session:
        async with session.get(url) as reply, asyncio.timeout(DEADLINE):
            text = ""
            for count in (1, 2, 3):
                server.allow("nginx.gate", count)
                while f"word{count - 1} " not in text:
                    text += (await reply.content.readany()).decode()
                assert f"word{count} " not in text
            server.allow("nginx.gate")
            text += (await reply.content.read()).decode()
        assert "generation-end" in text
        live = f"ws://127.0.0.1:{port}/api/live"
        same = {"Origin": "http://chat.example"}
        async with session.ws_connect(live, headers=same) as opened:
            assert (await opened.receive_json(timeout=DEADLINE))["type"] == "hello"
