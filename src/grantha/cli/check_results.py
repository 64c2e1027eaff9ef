"""Results of checks and how they are printed: one line each, with advice if there is any."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from grantha.cli.labels import join_sentences


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`error` keeps Grantha from working, `warning` part of it; `off` is available but not in use."""

    state: Literal["ok", "off", "warning", "error"]
    name: str
    message: str
    advice: str = ""


_SMALL_ROOM = 100 * 1024 * 1024  # bytes
_LOOKED_FOR = re.compile(
    r"^(No .+|Nothing) answers at http://127\.0\.0\.1:|\(127\.0\.0\.1:11434\) can't be reached"
)
_GLYPHS = {
    "ok": ("✓", "accent"),
    "off": ("○", "muted"),
    "warning": ("!", "warning"),
    "error": ("✗", "error"),
}


def folder_result(folder: str, free: int) -> CheckResult:
    """The data folder and its room, in bytes."""
    if free < _SMALL_ROOM:
        return CheckResult(
            "error", "data folder", f"{folder} has {free:,} bytes left.", "Free some space."
        )
    return CheckResult("ok", "data folder", f"{folder}, {free / 1024**3:.1f} GiB free")


def page_result(*, built: bool) -> CheckResult:
    """Whether there is a page."""
    if built:
        return CheckResult("ok", "page", "built")
    return CheckResult(
        "off", "page", "isn't built; the API works without it", "Run `make build-page`."
    )


def provider_results(found: list[CheckResult], not_set_up: list[str]) -> list[CheckResult]:
    """The results of the providers that are set up, and the others in one line."""
    found = [_unless_only_looked_for(result) for result in found]
    if not any(result.state == "ok" for result in found):
        found = [
            *found,
            CheckResult(
                *("error", "models", "No model is available."),
                "Set a provider's key, or get the local model with `grantha models fetch`.",
            ),
        ]
    if not_set_up:
        others = ", ".join(not_set_up)
        found = [
            *found,
            CheckResult("off", "not set up", others, "`grantha models` says what each needs."),
        ]
    return found


def _unless_only_looked_for(result: CheckResult) -> CheckResult:
    """Model servers are looked for on their usual ports: one that isn't running there is no problem."""
    if result.state == "warning" and _LOOKED_FOR.search(result.message):
        return replace(result, state="off")
    return result


def print_results(results: Sequence[CheckResult]) -> None:
    """Prints to stdout: a table in a terminal, plain lines in a pipe."""
    if sys.stdout.isatty():
        _print_table(results)
        return
    for result in results:
        advice = result.advice if result.state != "ok" else ""
        # A message without advice needn't be a sentence.
        text = join_sentences(result.message, advice) if advice else result.message
        print(f"{_GLYPHS[result.state][0]} {result.name}: {text}")


def print_first_step(results: Sequence[CheckResult]) -> None:
    """Prints what to do first: about the first error, else the first warning, else nothing."""
    for state in ("error", "warning"):
        for result in results:
            if result.state == state:
                what = join_sentences(result.advice or result.message)
                print(f"\nFirst ({result.name}): {what}")
                return
    print("\nEverything that is set up works.")


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
