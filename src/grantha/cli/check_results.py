"""Results of checks and how they are printed: one line each, with advice where there is any."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`error` keeps Grantha from working, `warning` part of it; `off` is available but not in use."""

    state: Literal["ok", "off", "warning", "error"]
    name: str
    message: str
    advice: str = ""


_GLYPHS = {
    "ok": ("✓", "accent"),
    "off": ("○", "muted"),
    "warning": ("!", "warning"),
    "error": ("✗", "error"),
}


def print_results(results: Sequence[CheckResult]) -> None:
    """Prints to stdout: a table in a terminal, plain lines in a pipe."""
    if sys.stdout.isatty():
        _print_table(results)
        return
    for result in results:
        advice = f" {result.advice}" if result.state != "ok" else ""
        print(f"{_GLYPHS[result.state][0]} {result.name}: {result.message}{advice}".rstrip())


def _print_table(results: Sequence[CheckResult]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from grantha.cli.markdown import THEME

    console = Console(theme=THEME, highlight=False)
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")  # paths must stay complete
    for result in results:
        glyph, style = _GLYPHS[result.state]
        text = Text(result.message, "" if result.state in {"ok", "off"} else style)
        if result.advice and result.state != "ok":
            text.append(f"\n{result.advice}", "muted")
        table.add_row(Text(glyph, style), Text(result.name), text)
    console.print(table)
