"""`grantha chat` in pipes: text alone, questions from everywhere, Ctrl-C, exit codes."""

from __future__ import annotations

import json
import signal

import pytest

from tests.cli.command import Terminal, piped, read_until, run
from tests.scripts import counted
from tests.server import DEADLINE, MakeServer, Server, until

HELLO = "Hello! This answer is read from a script, one word at a time.\n"


def _latest(server: Server) -> str:
    """The newest answer's id."""
    rows = server.call("GET", "/api/conversations").expect(200)["items"]
    return str(rows[0]["generation"])


def _last_prompt(server: Server) -> str:
    """The newest conversation's last question."""
    row = server.call("GET", "/api/conversations").expect(200)["items"][0]
    conversation = server.call("GET", f"/api/conversations/{row['id']}").expect(200)
    requested = [m for m in conversation["messages"] if m["role"] == "user"]
    return "".join(part["text"] for part in requested[-1]["parts"])


def _answers(server: Server) -> bool:
    try:
        return server.call("GET", "/healthz").status == 200
    except OSError:
        return False


def test_a_pipe_gets_the_text_and_nothing_else(shared: Server) -> None:
    done = run(shared, "chat", "Greet", "me", "-m", "scripted/hello")

    assert (done.returncode, done.stdout, done.stderr) == (0, HELLO, "")
    assert _last_prompt(shared) == "Greet me"


@pytest.mark.parametrize(
    ("words", "stdin", "question"),
    [
        (["Explain:"], "a piped text\n", "Explain:\n\na piped text"),
        (["-"], "only piped\n", "only piped"),
        ([], "not even a dash", "not even a dash"),
    ],
)
def test_a_question_is_read_from_a_pipe(
    shared: Server, words: list[str], stdin: str, question: str
) -> None:
    done = run(shared, "chat", *words, "-m", "scripted/hello", stdin=stdin)

    assert done.returncode == 0, done.stderr
    assert _last_prompt(shared) == question


def test_the_last_conversation_continues_with_c(shared: Server) -> None:
    run(shared, "chat", "One", "-m", "scripted/hello")
    done = run(shared, "chat", "-c", "Two", "-m", "scripted/count-3", "--system", "Be brief.")
    row = shared.call("GET", "/api/conversations").expect(200)["items"][0]
    conversation = shared.call("GET", f"/api/conversations/{row['id']}").expect(200)

    assert done.stdout == "w0 w1 w2 \n"
    assert [m["role"] for m in conversation["messages"]] == [
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert conversation["system_prompt"] == "Be brief."


def test_options_reach_the_model(shared: Server) -> None:
    done = run(
        shared,
        *("chat", "Go", "-m", "scripted/temperature"),
        *("--temperature", "0.5", "--max-tokens", "2"),
    )

    assert done.stdout == "1000:0.50 1001:0.50 \n"
    assert "token limit" in done.stderr


def test_json_gives_the_ids_and_every_event_on_a_line(shared: Server) -> None:
    done = run(shared, "chat", "Go", "-m", "scripted/hello", "--json")
    first, *frames = [json.loads(line) for line in done.stdout.splitlines()]

    assert first["generation"] == _latest(shared)
    assert frames[0]["kind"] == "open"
    assert frames[-1]["kind"] == "generation-end"
    assert "".join(f["text"] for f in frames if f["kind"] == "text-delta") + "\n" == HELLO


def test_a_running_answer_is_joined_and_read_whole(shared: Server) -> None:
    generation = shared.ask("scripted/count-60-at-40")["id"]
    done = run(shared, "chat", "--attach", generation)

    assert done.stdout == counted(60) + "\n"


def test_ctrl_c_stops_the_answer_at_the_server(shared: Server) -> None:
    with piped(shared, "chat", "Count", "-m", "scripted/temperature") as process:
        read_until(process.stdout, "1003:")
        process.send_signal(signal.SIGINT)
        code = process.wait(DEADLINE)

    assert code == 130
    assert shared.generation(_latest(shared))["status"] == "stopped"


def test_a_stopped_answer_continues_with_c_and_no_question(shared: Server) -> None:
    generation = shared.ask(shared.gated_count("continued", 60))["id"]
    shared.call("POST", f"/api/generations/{generation}/stop").expect(200)
    shared.allow("continued.gate")
    done = run(shared, "chat", "-c")

    assert done.returncode == 0, done.stderr
    assert done.stdout == counted(60) + "\n"


def test_a_second_ctrl_c_leaves_though_the_server_does_not_answer(
    server_factory: MakeServer,
) -> None:
    server = server_factory().start()
    with Terminal(server, "chat", "Count", "-m", "scripted/temperature") as window:
        window.wait_for("1003:")
        server.freeze()
        window.interrupt()
        window.wait_for("Ctrl-C again exits")
        window.interrupt()
        code = window.finish()

    assert code == 130


def test_an_answer_that_nobody_reads_any_more_is_stopped(shared: Server) -> None:
    with piped(shared, "chat", "Count", "-m", "scripted/temperature") as process:
        read_until(process.stdout, "1003:")
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        code = process.wait(DEADLINE)

    assert code == 1
    assert shared.ended(_latest(shared))["status"] == "stopped"


def test_a_failed_answer_keeps_its_text_and_says_why(shared: Server) -> None:
    done = run(shared, "chat", "Go", "-m", "scripted/failing")

    assert done.returncode == 1
    assert done.stdout == "This answer will not \n"
    assert "filter cut the answer" in done.stderr


def test_a_missing_key_is_named(shared: Server) -> None:
    done = run(shared, "chat", "Go", "-m", "anthropic/claude-sonnet-4-5")

    assert done.returncode == 1
    assert done.stdout == ""
    assert "ANTHROPIC_API_KEY" in done.stderr


def test_a_server_that_is_not_there_is_reported_in_one_line(server_factory: MakeServer) -> None:
    done = run(server_factory(), "chat", "Hello")

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "grantha serve" in done.stderr


@pytest.mark.parametrize(
    ("token", "reported"),
    [
        ({}, "Set GRANTHA_TOKEN"),
        ({"GRANTHA_TOKEN": "wrong"}, "GRANTHA_TOKEN holds a different one"),
    ],
)
def test_a_missing_or_wrong_token_says_which_variable_it_comes_from(
    server_factory: MakeServer, token: dict[str, str], reported: str
) -> None:
    server = server_factory({"GRANTHA_TOKEN": "a-long-secret-for-tests"}).start(ready=False)
    until(lambda: _answers(server), "the server to answer")
    done = run(server, "chat", "Hello", env=token)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert reported in done.stderr


def test_an_unknown_model_is_reported_before_anything_is_sent(shared: Server) -> None:
    done = run(shared, "chat", "Hello", "-m", "scripted/nobody")

    assert (done.returncode, done.stdout) == (1, "")
    assert "scripted has no model 'nobody'" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["chat"],
        ["chat", "--attach", "g_1", "and a question"],
        ["chat", "Hello", "-c", "--conversation", "c_1"],
        ["chat", "Hello", "--modle", "x"],
        ["chat", "Hello", "--temperature", "warm"],
        ["chat", "Hello", "--temperature", "7"],
        ["chat", "Hello", "--url", "somewhere"],
        ["replay"],
        ["export", "--format", "pdf"],
    ],
    ids=" ".join,
)
def test_invalid_arguments_exit_with_2(shared: Server, words: list[str]) -> None:
    done = run(shared, *words)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
