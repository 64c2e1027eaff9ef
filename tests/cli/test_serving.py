"""`grantha` without a command: it serves, and shows the page to a person who has a desktop."""

from __future__ import annotations

import signal
from pathlib import Path

from grantha import __version__
from tests.cli.command import Terminal, piped, run
from tests.scripts import counted
from tests.server import DEADLINE, MakeServer, Server, until


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


def test_ctrl_c_twice_ends_immediately_and_the_answer_continues_later(
    server_factory: MakeServer,
) -> None:
    server = server_factory({"GRANTHA_DRAIN": "600"}).start()
    generation = server.ask(server.gated_count("slow", 60))["id"]
    _interrupt_while_it_answers(server)
    assert server.process is not None
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(DEADLINE) == 0
    assert "Traceback" not in server.output()
    assert "ERROR" not in server.output()
    # It went on by itself, so that it ends as it would have.
    server.start()
    server.allow("slow.gate")
    assert server.ended(generation)["text"] == counted(60)


def test_ctrl_c_once_lets_the_answer_end(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_DRAIN": "600"}).start()
    generation = server.ask(server.gated_count("slow", 60))["id"]
    _interrupt_while_it_answers(server)
    server.allow("slow.gate")
    assert server.process is not None
    assert server.process.wait(DEADLINE) == 0
    assert f"generation {generation} ended done" in server.output()


def test_an_unknown_command_still_serves_nothing(shared: Server) -> None:
    done = run(shared, "sreve")

    assert done.returncode == 2
    assert "No such command" in done.stderr


def _interrupt_while_it_answers(server: Server) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGINT)
    said = "Waiting for 1 answer, Ctrl-C again to quit"
    until(lambda: said in server.output(), "the server to say what it waits for")


def _answers(server: Server) -> bool:
    try:
        return server.call("GET", "/healthz").status == 200
    except OSError:
        return False
