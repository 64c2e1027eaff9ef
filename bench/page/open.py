"""What the page costs before any answer: first load, a long conversation, a long list.

`python -m bench.page.open` serves 10,000 conversations, one of 500 messages and one of 2,000 from a
folder of its own and drives a headless Chromium (`CHROMIUM=` if it isn't /usr/bin/chromium). The
page must be built. Times are the browser's own, from the click or the start of the load to the
frame that shows the result. Chromium draws in software here: with a screen card they are shorter.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect, sync_playwright

from bench import table
from bench.rig import grantha, upstream
from bench.store import fill
from grantha.storage.base import FILE_NAME

CONVERSATIONS = 10_000
LENGTHS = {
    500: (300, 1000),
    2000: (300, 3000),
}  # messages: budgets for the first and the last of them, in ms
TITLE = "A conversation of {} messages"
WORDS = (
    "the", "of", "and", "book", "leaf", "cord", "stylus", "margin", "number", "order", "word", "line",
)  # fmt: skip
LAST = "The end of answer {}."
_WATCH = """
  window.tasks = [];
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.tasks.push(task.duration);
  }).observe({ type: 'longtask', buffered: true });
  window.shown = (found) => new Promise((done) => {
    const frame = () => found()
      ? requestAnimationFrame(() => setTimeout(() => done(performance.now())))
      : requestAnimationFrame(frame);
    frame();
  });
"""
_USABLE = "shown(() => document.querySelector('#message') && document.querySelector('.row'))"
_OPENED = """async (last) => {
  window.tasks.length = 0;
  const began = performance.now();
  document.querySelector('a.row[href="/c/' + window.wanted + '"]').click();
  const has = () => [...document.querySelectorAll('article[data-role=assistant]')].at(-1);
  const at = await shown(() => has()?.textContent.includes(last));
  return at - began;
}"""
# Until the first question, which is rendered last, is there: the time, and how many ends of answers are.
_DRAWN = """async () => {
  window.tasks.length = 0;
  const began = performance.now();
  document.querySelector('a.row[href="/c/' + window.wanted + '"]').click();
  const first = () => document.querySelector('.page .question-text');
  const at = await shown(() => first()?.textContent === 'Question 1?');
  const found = document.querySelector('.scroll').textContent.match(/The end of answer \\d+\\./g);
  return [at - began, new Set(found).size];
}"""
_SCRIPT = """() => performance.getEntriesByType('resource')
  .filter((one) => one.name.endsWith('.js'))
  .reduce((sum, one) => sum + one.encodedBodySize, 0)"""
_SCROLLED = """async () => {
  window.tasks.length = 0;
  const list = document.querySelector('.list');
  const frames = [];
  let last = performance.now();
  for (let n = 0; n < 240; n++) {
    list.scrollTop += 900;
    const at = await new Promise((done) => requestAnimationFrame(done));
    frames.push(at - last);
    last = at;
  }
  return frames;
}"""


def program(repeat: int) -> list[list[object]]:
    """Rows: what, value, budget."""
    with (
        tempfile.TemporaryDirectory(prefix="grantha-bench-") as folder,
        upstream() as host,
    ):
        settings = {"GRANTHA_DATA_DIR": folder}
        with grantha(host.port, None, settings):
            pass  # makes the tables
        fill(Path(folder) / FILE_NAME, CONVERSATIONS, 2)
        with grantha(host.port, None, settings) as running, sync_playwright() as playwright:
            base = f"http://127.0.0.1:{running.port}"
            wanted = {length: _imported(base, length) for length in LENGTHS}
            program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            rows = [
                *_first_load(browser, base, repeat),
                *(
                    row
                    for each in wanted.items()
                    for row in _long_conversation(browser, base, *each, repeat)
                ),
                *_long_list(browser, base, repeat),
            ]
            browser.close()
    return rows


def main() -> None:
    """Prints the table."""
    options = table.arguments(__doc__ or "")
    table.show("The page, before an answer", ["what", "value", "budget"], program(options.repeat))


# ---- helpers below -------------------------------------------------------------------------------


def _first_load(browser: Browser, base: str, repeat: int) -> list[list[object]]:
    cold, warm, script = [], [], 0
    for _ in range(repeat):
        context = _context(browser)
        page = context.new_page()
        page.goto(base)
        cold.append(page.evaluate(_USABLE))
        script = page.evaluate(_SCRIPT)
        page.wait_for_load_state("networkidle")
        page.reload()
        warm.append(page.evaluate(_USABLE))
        context.close()
    return [
        ["script of the first load, packed, kB", script / 1000, "150"],
        ["usable, nothing cached, ms", table.median(cold), "1000"],
        ["usable, once more, ms", table.median(warm), ""],
    ]


def _long_conversation(
    browser: Browser, base: str, length: int, wanted: str, repeat: int
) -> list[list[object]]:
    first, drawn, worked, worst = [], [], [], []
    questions = length // 2
    last = LAST.format(questions)
    for _ in range(repeat):
        with _listing(browser, base, length, wanted) as page:
            first.append(page.evaluate(_OPENED, last))
        with _listing(browser, base, length, wanted) as page:
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            before = _cpu(session)
            ms, ends = page.evaluate(_DRAWN)
            worked.append(1000 * (_cpu(session) - before))
            if ends != questions:
                raise RuntimeError(f"only {ends} of {questions} answers are there")
            drawn.append(ms)
            worst.append(page.evaluate("Math.max(0, ...window.tasks)"))
    budgets = LENGTHS[length]
    return [
        [
            f"{length:,} messages: from the click to the last of them, ms",
            table.median(first),
            budgets[0],
        ],
        ["until all are there, ms", table.median(drawn), budgets[1]],
        ["of it CPU time of the main thread, ms", table.median(worked), ""],
        ["longest task of it, ms", table.median(worst), ""],
    ]


def _cpu(session: CDPSession) -> float:
    """Seconds that the page's main thread has worked."""
    found = session.send("Performance.getMetrics")["metrics"]
    return next(float(one["value"]) for one in found if one["name"] == "TaskDuration")


@contextlib.contextmanager
def _listing(browser: Browser, base: str, length: int, wanted: str) -> Iterator[Page]:
    """A fresh start page whose list has the conversation that is to be opened."""
    context = _context(browser)
    page = context.new_page()
    page.goto(base)
    expect(page.get_by_role("link", name=TITLE.format(length), exact=True)).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.evaluate("(id) => (window.wanted = id)", wanted)
    yield page
    context.close()


def _long_list(browser: Browser, base: str, repeat: int) -> list[list[object]]:
    context = _context(browser)
    page = context.new_page()
    page.goto(base)
    page.evaluate(_USABLE)
    listed = page.locator(".list")
    while page.evaluate("document.querySelector('.rows').clientHeight") < 32 * CONVERSATIONS:
        listed.evaluate("list => list.scrollTop = list.scrollHeight")
        page.wait_for_timeout(20)
    worst, median, tasks = [], [], []
    for _ in range(repeat):
        listed.evaluate("list => list.scrollTop = 0")
        frames = page.evaluate(_SCROLLED)
        median.append(table.median(frames))
        worst.append(table.percentile(frames, 0.99))
        tasks.append(page.evaluate("Math.max(0, ...window.tasks)"))
    context.close()
    return [
        [f"frame while scrolling {CONVERSATIONS:,} rows, p50, ms", table.median(median), "17"],
        ["the same, p99, ms", table.median(worst), ""],
        ["longest task of it, ms", table.median(tasks), "50"],
    ]


def _context(browser: Browser) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    context.add_init_script(_WATCH)
    return context


def _imported(base: str, length: int) -> str:
    """Brings a conversation of this many messages in through the import; its id."""
    body = json.dumps(_document(length)).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{base}/api/import", body, headers)
    with urllib.request.urlopen(request) as reply:
        found: list[str] = json.load(reply)["conversations"]
    return found[0]


def _document(length: int) -> dict[str, Any]:
    chance = random.Random(5)  # the same texts every time
    messages: list[dict[str, Any]] = []
    for number in range(1, length // 2 + 1):
        for role, text in (("user", f"Question {number}?"), ("assistant", _answer(chance, number))):
            name = f"m{len(messages)}"
            messages.append(
                {
                    "id": name,
                    "parent": f"m{len(messages) - 1}" if messages else None,
                    "role": role,
                    "parts": [{"type": "text", "text": text}],
                    "status": "done" if role == "assistant" else None,
                }
            )
    conversation = {"title": TITLE.format(length), "messages": messages, "leaf": messages[-1]["id"]}
    return {"format": "grantha", "version": 1, "conversations": [conversation]}


def _answer(chance: random.Random, number: int) -> str:
    prose = [" ".join(chance.choices(WORDS, k=60)).capitalize() + "." for _ in range(3)]
    code = "```python\n" + "".join(f"value_{n} = {n} + call('x')\n" for n in range(12)) + "```"
    points = "\n".join(f"- **{chance.choice(WORDS)}**: `{n}`, then *more*" for n in range(5))
    return "\n\n".join([*prose, "## Points", points, code, LAST.format(number)])


if __name__ == "__main__":
    main()
