"""`grantha chat` without a prompt, in a terminal: lines, commands, Ctrl-C, history."""

from __future__ import annotations

import base64
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Terminal
from tests.server import MakeServer, Server

READY = "> "
ANSWERED = "tokens · scripted/"


@pytest.fixture
def window(shared: Server, tmp_path: Path) -> Iterator[Terminal]:
    """A session that waits for its first line."""
    with _session(shared, tmp_path) as opened:
        opened.wait_for(READY)
        yield opened


def _session(server: Server, state: Path, *words: str) -> Terminal:
    env = {"XDG_STATE_HOME": str(state)}
    return Terminal(server, "chat", "-m", "scripted/count-3", *words, env=env, columns=120)


def _say(window: Terminal, text: str, until: str = ANSWERED) -> str:
    """Types a line, waits for a text and for the next prompt; returns what was written."""
    window.forget()
    window.type(text + "\n")
    window.wait_for(until)
    window.wait_for("\n" + READY)
    return window.text


def _conversation(server: Server) -> dict[str, Any]:
    row = server.call("GET", "/api/conversations").expect(200)["items"][0]
    return server.call("GET", f"/api/conversations/{row['id']}").expect(200)


def _questions(server: Server) -> list[list[dict[str, Any]]]:
    return [m["parts"] for m in _conversation(server)["messages"] if m["role"] == "user"]


def test_a_conversation_is_held_until_ctrl_d(shared: Server, window: Terminal) -> None:
    assert "w0 w1 w2" in _say(window, "One")
    _say(window, "Two")
    window.type("\x04")

    assert window.finish() == 0
    assert [parts[0]["text"] for parts in _questions(shared)] == ["One", "Two"]


def test_lines_that_go_on_are_one_message(shared: Server, window: Terminal) -> None:
    window.type("first\\\n")
    window.wait_for("… ")
    _say(window, "second")
    window.type('"""a list:\n')
    _say(window, '\n- one\n- two"""')

    assert [parts[0]["text"] for parts in _questions(shared)] == [
        "first\nsecond",
        "a list:\n\n- one\n- two",
    ]


def test_a_message_that_begins_with_a_slash_is_written_with_two(
    shared: Server, window: Terminal
) -> None:
    _say(window, "//etc/hosts?")

    assert _questions(shared)[0][0]["text"] == "/etc/hosts?"


def test_an_answer_is_tried_again_by_another_model(shared: Server, window: Terminal) -> None:
    _say(window, "Go")
    assert "written by scripted/hello" in _say(window, "/model hello", "written by")
    assert "Hello! This answer" in _say(window, "/retry")

    answers = [m for m in _conversation(shared)["messages"] if m["role"] == "assistant"]
    assert [m["model"] for m in answers] == ["scripted/count-3", "scripted/hello"]
    assert len({m["parent"] for m in answers}) == 1


def test_the_system_prompt_is_set_before_and_within_a_conversation(
    shared: Server, window: Terminal
) -> None:
    _say(window, "/system Be brief.", "is set")
    _say(window, "Go")
    assert _conversation(shared)["system_prompt"] == "Be brief."
    _say(window, "/system Be long.", "is set")
    assert _conversation(shared)["system_prompt"] == "Be long."
    assert "Be long." in _say(window, "/system", "Be long.")


def test_a_file_goes_with_the_next_message_alone(
    shared: Server, window: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "my notes.txt"
    file.write_text("Some notes.")
    _say(window, f"/attach {file}", "goes with")
    _say(window, "What is in it?")
    _say(window, "And now?")

    first, second = _questions(shared)
    assert first[0] == {
        "type": "file",
        "name": "my notes.txt",
        "media_type": "text/plain",
        "text": "Some notes.",
    }
    assert [part["type"] for part in first + second] == ["file", "text", "text"]


def test_the_last_answer_is_copied_by_the_terminal(window: Terminal) -> None:
    _say(window, "Go")
    _say(window, "/copy", "are sent to the terminal's clipboard")

    found = re.search(r"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", window.seen)
    assert found is not None
    assert base64.b64decode(found[1]).decode() == "w0 w1 w2 "


def test_a_new_conversation_is_begun(shared: Server, window: Terminal) -> None:
    _say(window, "One")
    _say(window, "/new", "another conversation")
    _say(window, "Two")

    assert [parts[0]["text"] for parts in _questions(shared)] == ["Two"]


def test_mistakes_are_reported_and_the_session_continues(window: Terminal, tmp_path: Path) -> None:
    assert "Did you mean /retry?" in _say(window, "/retyr", "Did you mean")
    assert "There is no question yet." in _say(window, "/retry", "question yet")
    assert "There is no answer yet." in _say(window, "/copy", "answer yet")
    assert "can't be read" in _say(window, f"/attach {tmp_path / 'nowhere'}", "can't be read")
    assert "Did you mean scripted/hello?" in _say(window, "/model scripted/helo", "Did you mean")
    _say(window, "/model scripted/count-3", "written by")
    assert "/attach FILE" in _say(window, "/help", "Ctrl-C stops an answer.")
    _say(window, "Go")
    window.type("/quit\n")

    assert window.finish() == 0


def test_ctrl_c_stops_the_answer_and_not_the_session(shared: Server, window: Terminal) -> None:
    _say(window, "/model scripted/temperature", "written by")
    window.forget()
    window.type("Count\n")
    window.wait_for("1003:")
    window.interrupt()
    window.wait_for("■ Stopped")
    window.wait_for("\n" + READY)
    window.forget()
    window.interrupt()
    window.wait_for("Ctrl-D leaves.")
    _say(window, "/model scripted/count-3", "written by")
    assert "w0 w1 w2" in _say(window, "Go")


def test_the_history_is_kept_for_its_owner_and_read_again(
    shared: Server, window: Terminal, tmp_path: Path
) -> None:
    _say(window, "An old question")
    history = tmp_path / "grantha" / "chat_history"
    assert history.read_text().splitlines() == ["An old question"]
    assert stat.S_IMODE(history.stat().st_mode) == 0o600

    with _session(shared, tmp_path) as second:
        second.wait_for(READY)
        _say(second, "\x1b[A")
    assert _questions(shared)[0][0]["text"] == "An old question"


def test_tab_completes_commands(window: Terminal) -> None:
    window.type("/he\t")
    window.wait_for("/help")
    _say(window, "", "Ctrl-C stops an answer.")


def test_a_session_goes_on_in_an_old_conversation(shared: Server, tmp_path: Path) -> None:
    conversation = shared.conversation()
    shared.ended(shared.ask("scripted/count-5", "One", conversation)["id"])
    with _session(shared, tmp_path, "--conversation", conversation[-8:]) as window:
        window.wait_for(READY)
        _say(window, "Two")

    stored = shared.call("GET", f"/api/conversations/{conversation}").expect(200)
    assert [m["role"] for m in stored["messages"]] == ["user", "assistant"] * 2


def test_without_a_server_there_is_no_session(server_factory: MakeServer, tmp_path: Path) -> None:
    with _session(server_factory(), tmp_path) as window:
        assert window.finish() == 1

    assert "grantha serve" in window.text
    assert READY not in window.text
