"""`grantha chat` in a terminal: Markdown, seams, the last line, and text that can't harm it."""

from __future__ import annotations

import pytest
from rich.console import Console

from grantha.cli.markdown import THEME, AnswerMarkdown, stable_length, strip_controls
from tests.cli.command import Terminal
from tests.server import MakeServer, Server

ANSWER = """# Title

A paragraph with `code` and List<String>
over two lines.

1. one

   still one
2. two
   - deep

> quoted

```python
x = 1

# not a heading
```

| a | b |
|---|---|
| 1 | 2 |

---

The end.
"""


def test_markdown_is_drawn_and_the_last_line_tells_the_numbers(shared: Server) -> None:
    with Terminal(shared, "chat", "Show", "-m", "scripted/tour") as window:
        code = window.finish()

    assert code == 0
    tail = window.text[window.text.rindex("Reasoned for") :]
    assert "A small tour" in tail
    assert "# A small tour" not in tail
    assert "**bold**" not in tail
    assert '    return f"Hello, {name}!"' in tail
    assert "[1] An example of a source https://example.org/tour" in tail
    assert "✓" in tail
    assert "66 tokens · scripted/tour" in tail


def test_ctrl_c_stops_and_the_last_line_says_so(shared: Server) -> None:
    with Terminal(shared, "chat", "Count", "-m", "scripted/temperature") as window:
        window.wait_for("1003:")
        window.interrupt()
        code = window.finish()

    assert code == 130
    assert "■ Stopped" in window.text


def test_a_change_leaves_a_seam_below_its_block(shared: Server) -> None:
    generation = shared.ask("scripted/temperature")["id"]
    with Terminal(shared, "chat", "--attach", generation) as window:
        window.wait_for("1003:")
        shared.call("PATCH", f"/api/generations/{generation}", {"temperature": 0.5}).expect(200)
        window.wait_for(":0.50")
        window.interrupt()
        window.finish()

    assert "─○─ temperature unset → 0.5 from here · true continuation" in window.text


def test_a_killed_server_is_reported_waited_for_and_read_on(server_factory: MakeServer) -> None:
    server = server_factory().start()
    model = server.gated_count("killed", 200)
    server.allow("killed.gate", 30)
    with Terminal(server, "chat", "Count", "-m", model) as window:
        window.wait_for("w20 ")
        server.kill()
        window.wait_for("No response from the server, retrying")
        server.allow("killed.gate")
        server.start()
        code = window.finish()

    assert code == 0
    assert "continued after restart" in window.text
    assert "w199" in window.text


def test_an_answer_longer_than_the_window_ends_whole(shared: Server) -> None:
    with Terminal(shared, "chat", "Go", "-m", "scripted/count-500", rows=10) as window:
        code = window.finish()

    assert code == 0
    words = window.text[window.text.rindex("w0 ") :].split()
    assert [word for word in words if word.startswith("w")] == [f"w{n}" for n in range(500)]


def test_control_characters_of_a_model_do_not_reach_the_terminal(shared: Server) -> None:
    model = shared.script(
        "hostile",
        {"steps": [{"text": "before\x1b[2J\x1b]0;owned\x07\x9b31m after\n", "split": "whole"}]},
    )
    with Terminal(shared, "chat", "Go", "-m", model) as window:
        window.finish()

    assert "\x1b[2J" not in window.seen
    assert "\x1b]0;" not in window.seen
    assert "before[2J]0;owned31m after" in window.text


def test_models_in_a_terminal_say_what_each_provider_needs(shared: Server) -> None:
    with Terminal(shared, "models", columns=100) as window:
        code = window.finish()

    assert code == 0
    assert "● scripted/hello  default" in window.text
    assert "ANTHROPIC_API_KEY isn't set" in window.text


def test_a_replay_in_a_terminal_draws_like_the_answer(shared: Server) -> None:
    generation = shared.ask("scripted/tour")["id"]
    shared.ended(generation)
    with Terminal(shared, "replay", generation, "--speed", "50") as window:
        code = window.finish()

    assert code == 0
    assert "A small tour" in window.text
    assert "✓" in window.text


def test_drawing_block_by_block_gives_the_same_as_drawing_at_once() -> None:
    tail, blocks = "", []
    for character in ANSWER:
        tail += character
        if done := stable_length(tail):
            blocks.append(tail[:done])
            tail = tail[done:]
    blocks.append(tail)

    assert "".join(blocks) == ANSWER
    assert "\n\n".join(_drawn(block).strip("\n") for block in blocks) == _drawn(ANSWER).strip("\n")


def test_nothing_is_stable_while_its_block_may_grow() -> None:
    assert stable_length("1. one\n\n2") == 0
    assert stable_length("```\n# open\n\nfence\n") == 0
    assert stable_length("a\n\nb\n") == len("a\n\n")


@pytest.mark.parametrize("text", ["a\x1bb", "a\x00b", "a\x7fb", "a\x85b", "a\rb"])
def test_cleaning_leaves_no_control_character(text: str) -> None:
    assert strip_controls(text) == "ab"
    assert strip_controls("a\tb\nc é 👋") == "a\tb\nc é 👋"


def test_no_line_ends_in_blanks_that_would_be_copied() -> None:
    lines = _drawn(ANSWER).split("\n")

    assert [line for line in lines if line != line.rstrip()] == []


def test_doctor_draws_every_finding_whole(server_factory: MakeServer) -> None:
    server = server_factory()
    with Terminal(server, "doctor", columns=60) as window:
        window.finish()

    assert str(server.data_dir) in "".join(line.strip() for line in window.text.split("\n"))


def _drawn(text: str) -> str:
    console = Console(theme=THEME, width=60, force_terminal=False)
    with console.capture() as captured:
        console.print(AnswerMarkdown(text))
    return captured.get()
