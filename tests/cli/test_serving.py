"""`grantha` without a command: it serves, and shows the page to a person who has a desktop."""

from __future__ import annotations

from pathlib import Path

from grantha import __version__
from tests.cli.command import Terminal, piped, run
from tests.server import MakeServer, Server, until


def test_without_a_command_it_serves_and_prints_the_address(server_factory: MakeServer) -> None:
    server = server_factory()
    with piped(server) as process:
        until(lambda: _answers(server), "the server to answer")
        process.terminate()
        _, printed = process.communicate()

    assert f"Grantha serves on {server.url}" in printed


def test_in_a_terminal_with_a_desktop_it_opens_the_page(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    server = server_factory()
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    desktop = {"BROWSER": str(browser), "DISPLAY": ":99"}
    with Terminal(server, env=desktop) as window:
        until(opened.exists, "the page to be opened", hint=lambda: window.text)
        window.interrupt()
        window.finish()

    assert opened.read_text() == f"{server.url}\n"


def test_the_version_is_an_option_too(shared: Server) -> None:
    assert run(shared, "--version").stdout == f"{__version__}\n"
    assert run(shared, "version").stdout == f"{__version__}\n"


def test_an_unknown_command_still_serves_nothing(shared: Server) -> None:
    done = run(shared, "sreve")

    assert done.returncode == 2
    assert "No such command" in done.stderr


def _answers(server: Server) -> bool:
    try:
        return server.call("GET", "/healthz").status == 200
    except OSError:
        return False
