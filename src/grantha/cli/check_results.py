"""What a check found, and how it is shown: one line each, with advice below where there is some."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """`bad` keeps Grantha from working, `weak` only a part of it; `off` could be used and isn't."""

    state: Literal["good", "off", "weak", "bad"]
    about: str
    what: str
    advice: str = ""


_GLYPHS = {"good": ("✓", "live"), "off": ("○", "fact"), "weak": ("!", "warn"), "bad": ("✗", "bad")}


def show(findings: Sequence[Finding]) -> None:
    """Prints them to stdout: a table for a person, lines that a program can search for a pipe."""
    if sys.stdout.isatty():
        _draw(findings)
        return
    for finding in findings:
        advice = f" {finding.advice}" if finding.state != "good" else ""
        print(f"{_GLYPHS[finding.state][0]} {finding.about}: {finding.what}{advice}".rstrip())


def _draw(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from grantha.cli.markdown import THEME

    console = Console(theme=THEME, highlight=False)
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")  # half a path is no path
    for finding in findings:
        glyph, style = _GLYPHS[finding.state]
        said = Text(finding.what, "" if finding.state in {"good", "off"} else style)
        if finding.advice and finding.state != "good":
            said.append(f"\n{finding.advice}", "fact")
        table.add_row(Text(glyph, style), Text(finding.about), said)
    console.print(table)
