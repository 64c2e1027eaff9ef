"""What the page costs while an answer is written: mixed Markdown at 200 tokens a second.

`python -m bench.page.streaming` starts a server with a scripted model and drives a headless Chromium
(`CHROMIUM=` if it isn't /usr/bin/chromium). The page must be built; all of it is on screen. A token
is counted as four characters. Times are CPU times of the page's main thread, so that other work on
the machine doesn't count; Chromium draws in software, in threads of its own. `--quick` writes for 20
seconds instead of 100.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from bench import table
from bench.rig import grantha

RATE = 200  # tokens a second
TOKEN = 4  # characters
LONG_MS = 50.0
WORDS = (
    "the", "of", "leaf", "cord", "stylus", "margin", "number", "order", "line", "ink", "polished",
)  # fmt: skip
MARKED = ("**{}**", "*{}*", "`{}`", "[{0}](https://example.org/{0})", "~~{}~~", "$x_{{{}}} + 1$")
# Counts the frames in which the foot of the answer stands elsewhere than in the one before, once the
# text fills the view; looks after each was painted. The browser's own layout shifts count scrolling.
_WATCH_FOOT = """() => {
  window.moved = 0;
  let last = null;
  const look = () => requestAnimationFrame(() => setTimeout(() => {
    const foot = document.querySelector('.answer-footer');
    const top = foot?.getBoundingClientRect().top ?? null;
    const fills = document.querySelector('.scroll').scrollTop > 5;
    if (fills && last !== null && Math.abs(top - last) >= 1) window.moved += 1;
    last = fills ? top : null;
    look();
  }));
  look();
}"""
_ENDED = """() => new Promise((done) => {
  const answer = document.querySelector('article[data-role=assistant]');
  new MutationObserver(() => answer.dataset.status === 'done' && done())
    .observe(answer, { attributes: true });
})"""


def program(*, quick: bool) -> list[list[object]]:
    """Rows: what, value, budget."""
    seconds = 20 if quick else 100
    text = mixed(random.Random(7), seconds * RATE * TOKEN)
    with tempfile.TemporaryDirectory(prefix="grantha-bench-") as folder:
        fragment = sum(map(len, text.split())) / len(text.split()) + 1  # words with their spaces
        script = {"rate": RATE * TOKEN / fragment, "steps": [{"text": text}]}
        Path(folder, "mixed.json").write_text(json.dumps(script), encoding="utf-8")
        settings = {
            "GRANTHA_SCRIPTED": "1",
            "GRANTHA_SCRIPT_DIR": folder,
            "GRANTHA_DEFAULT_MODEL": "scripted/mixed",
        }
        with grantha(0, None, settings) as running, sync_playwright() as playwright:
            program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-GB")
            page.set_default_timeout((seconds + 60) * 1000)
            rows = []
            for measured in (_costs, _foot):
                page.goto(f"http://127.0.0.1:{running.port}")
                page.wait_for_load_state("networkidle")
                rows += measured(page)
            browser.close()
    return rows


def mixed(chance: random.Random, characters: int) -> str:
    """Headings, prose, lists, code, tables, formulas and quotes, the same every time."""
    parts: list[str] = []
    number = 0
    while sum(map(len, parts)) < characters:
        number += 1
        parts += [f"## Part {number}\n\n", _paragraph(chance), _paragraph(chance), _list(chance)]
        parts += [_paragraph(chance), _code(chance)] if number % 2 == 0 else []
        parts += [_table(chance)] if number % 3 == 0 else []
        parts += (
            ["$$\n\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}\n$$\n\n"]
            if number % 4 == 0
            else []
        )
        parts += [f"> {_paragraph(chance)}"] if number % 5 == 0 else []
    return "".join(parts)


def main() -> None:
    """Prints the table."""
    options = table.arguments(__doc__ or "")
    rows = program(quick=options.quick)
    table.show("The page, while an answer is written", ["what", "value", "budget"], rows)


# ---- helpers below -------------------------------------------------------------------------------


def _costs(page: Page) -> list[list[object]]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    _send_question(page)
    long_tasks = _traced(session)
    before, began = _metrics(session), page.evaluate("performance.now()")
    page.evaluate(_ENDED)  # asks nothing meanwhile: that would be work of the page as well
    after, ended = _metrics(session), page.evaluate("performance.now()")
    wall = (ended - began) / 1000

    def share(name: str) -> str:
        return f"{100 * (after[name] - before[name]) / wall:.1f} %"

    return [
        [f"main thread, share of a core, over {wall:.0f} s", share("TaskDuration"), "12 %"],
        ["of it script", share("ScriptDuration"), ""],
        ["of it styles", share("RecalcStyleDuration"), ""],
        ["of it layout", share("LayoutDuration"), ""],
        [f"tasks over {LONG_MS:.0f} ms of CPU", _listed(long_tasks()), "none"],
    ]


def _foot(page: Page) -> list[list[object]]:
    _send_question(page)
    page.evaluate(_WATCH_FOOT)
    page.evaluate(_ENDED)
    page.wait_for_timeout(500)  # what follows the end: numbers take the place of the state
    return [["frames in which the foot moved", page.evaluate("window.moved"), "0"]]


def _send_question(page: Page) -> None:
    page.get_by_role("textbox", name="Message").fill("Write")
    page.get_by_role("button", name="Send", exact=True).click()
    answer = page.locator("article[data-role=assistant]")
    expect(answer).to_have_attribute("data-status", "writing", timeout=30_000)


def _metrics(session: CDPSession) -> dict[str, float]:
    found = session.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in found}


def _traced(session: CDPSession) -> Callable[[], list[float]]:
    """Records the main thread's long tasks, in ms of CPU, until the returned function is called."""
    events: list[dict[str, Any]] = []
    finished = False

    def collected(chunk: dict[str, Any]) -> None:
        events.extend(
            one
            for one in chunk["value"]
            if one.get("name") == "thread_name" or one.get("tdur", 0) > LONG_MS * 1000
        )

    def completed(_: object) -> None:
        nonlocal finished
        finished = True

    session.on("Tracing.dataCollected", collected)
    session.on("Tracing.tracingComplete", completed)
    config = {"includedCategories": ["toplevel"], "recordMode": "recordContinuously"}
    session.send("Tracing.start", {"traceConfig": config, "transferMode": "ReportEvents"})

    def end() -> list[float]:
        session.send("Tracing.end")
        while not finished:
            session.send("Performance.getMetrics")  # events arrive only while something is called
        renderers = {
            (one["pid"], one["tid"])
            for one in events
            if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"
        }
        return [
            one["tdur"] / 1000
            for one in events
            if one["name"].endswith("RunTask") and (one["pid"], one["tid"]) in renderers
        ]

    return end


def _listed(tasks: list[float]) -> str:
    return ", ".join(f"{ms:.0f} ms" for ms in tasks) or "none"


def _sentence(chance: random.Random, *, marked: bool) -> str:
    words = chance.choices(WORDS, k=chance.randint(8, 21))
    if marked:
        at = chance.randrange(len(words))
        words[at] = chance.choice(MARKED).format(words[at])
    return " ".join(words) + ". "


def _paragraph(chance: random.Random) -> str:
    sentences = (
        _sentence(chance, marked=chance.random() < 0.6) for _ in range(chance.randint(3, 6))
    )
    return "".join(sentences).strip() + "\n\n"


def _list(chance: random.Random) -> str:
    lines = []
    for number in range(1, 6):
        lines.append(f"{number}. {_sentence(chance, marked=True)}")
        lines += [f"   - {_sentence(chance, marked=True)}" for _ in range(chance.randrange(3))]
    return "\n".join(lines) + "\n\n"


def _code(chance: random.Random) -> str:
    lines = [
        f'    {chance.choice(WORDS)}_{n} = read("{chance.choice(WORDS)}", limit={n})  # leaf {n}'
        for n in range(40)
    ]
    return "```python\n" + "\n".join(lines) + "\n```\n\n"


def _table(chance: random.Random) -> str:
    rows = [
        f"| {chance.choice(WORDS)} | {chance.randrange(10_000)} | {_sentence(chance, marked=True)}|"
        for _ in range(8)
    ]
    return "\n".join(["| Name | Count | What it says |", "|:--|--:|---|", *rows]) + "\n\n"


if __name__ == "__main__":
    main()
