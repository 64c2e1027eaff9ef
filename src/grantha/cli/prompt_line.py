"""The line that a person writes in: editing and history by readline, several lines, completion.

A line that ends in a backslash goes on; three quotes begin and end a text of any number of lines. What
is pasted stays together, where the terminal can tell.
"""

from __future__ import annotations

import contextlib
import os
import readline
from collections.abc import Callable, Mapping
from pathlib import Path

PROMPT, MORE = "> ", "… "
_QUOTES = '"""'
_LENGTH = 1000  # entries of the history


class PromptLine:
    """`complete` returns completions of a word, from the whole line and the word itself."""

    def __init__(self, history: Path, complete: Callable[[str, str], list[str]]) -> None:
        self._history = history
        self._complete = complete
        self._candidates: list[str] = []

    def open(self) -> None:
        """Reads the history and sets up line editing."""
        with contextlib.suppress(OSError):
            readline.read_history_file(self._history)
        readline.set_history_length(_LENGTH)
        readline.set_completer(self._next_candidate)
        readline.set_completer_delims(" ")
        libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
        if not libedit:
            readline.parse_and_bind("set enable-bracketed-paste on")

    def read(self) -> str:
        """One message. Raises EOFError for Ctrl-D and KeyboardInterrupt for Ctrl-C."""
        text = input(PROMPT)
        if text.lstrip().startswith(_QUOTES):
            text = _until_quotes(text.lstrip().removeprefix(_QUOTES))
        else:
            while text.endswith("\\"):
                text = text[:-1] + "\n" + input(MORE)
        self._write_history()
        return text.strip()

    def _write_history(self) -> None:
        # A history that can't be saved is no reason to stop.
        with contextlib.suppress(OSError):
            self._history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._history, os.O_CREAT | os.O_WRONLY, 0o600))
            readline.write_history_file(self._history)

    def _next_candidate(self, word: str, number: int) -> str | None:
        if number == 0:
            self._candidates = self._complete(readline.get_line_buffer(), word)
        return self._candidates[number] if number < len(self._candidates) else None


def history_file(variables: Mapping[str, str]) -> Path:
    """Where the history is kept, by the XDG base directories."""
    state = variables.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "grantha" / "chat_history"


def _until_quotes(text: str) -> str:
    lines = [text]
    while _QUOTES not in lines[-1]:
        lines.append(input(MORE))
    lines[-1] = lines[-1].partition(_QUOTES)[0]
    return "\n".join(lines)
