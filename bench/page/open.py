"""What the page costs before any answer: first load, a long conversation, a long list.

`python -m bench.page.open` serves 10,000 conversations and one of 500 messages from a folder of its
own and drives a headless Chromium (`CHROMIUM=` if it isn't /usr/bin/chromium). The page must be
built. Times are the browser's own, from the click or the start of the load to the frame that shows
the result. Chromium draws in software here, so times with a screen card are shorter.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bench import table
from bench.rig import grantha, upstream
from bench.store import fill
from grantha.storage.base import FILE_NAME

CONVERSATIONS = 10_000
QUESTIONS = 250  # each with an answer
TITLE = "A long conversation"
WORDS = (
    "the", "of", "and", "book", "leaf", "cord", "stylus", "margin", "number", "order", "word", "line",
)  # fmt: skip
LAST = f"The end of answer {QUESTIONS}."
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
            wanted = _imported(base)
            program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            rows = [
                *_first_load(browser, base, repeat),
                *_long_conversation(browser, base, wanted, repeat),
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


def _long_conversation(browser: Browser, base: str, wanted: str, repeat: int) -> list[list[object]]:
    first, again, worst = [], [], []
    for _ in range(repeat):
        context = _context(browser)
        page = context.new_page()
        page.goto(base)
        expect(page.get_by_role("link", name=TITLE)).to_be_visible()
        page.wait_for_load_state("networkidle")
        page.evaluate("(id) => (window.wanted = id)", wanted)
        first.append(page.evaluate(_OPENED, LAST))
        _settled(page)
        worst.append(page.evaluate("Math.max(0, ...window.tasks)"))
        page.get_by_role("button", name="New chat").first.click()
        expect(page.locator("article")).to_have_count(0)
        again.append(page.evaluate(_OPENED, LAST))
        context.close()
    return [
        [f"{2 * QUESTIONS} messages, from the click, ms", table.median(first), "300"],
        ["the same once more, ms", table.median(again), ""],
        ["longest task of it, ms", table.median(worst), ""],
    ]


def _settled(page: Page) -> None:
    """Older turns are drawn in idle moments: until all of them are there."""
    expect(page.locator("article[data-role=user]")).to_have_count(QUESTIONS, timeout=120_000)


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


def _imported(base: str) -> str:
    """Brings the long conversation in through the import; its id."""
    body = json.dumps(_document()).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{base}/api/import", body, headers)
    with urllib.request.urlopen(request) as reply:
        found: list[str] = json.load(reply)["conversations"]
    return found[0]


def _document() -> dict[str, Any]:
    chance = random.Random(5)  # the same texts every time
    messages: list[dict[str, Any]] = []
    for number in range(1, QUESTIONS + 1):
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
    conversation = {"title": TITLE, "messages": messages, "leaf": messages[-1]["id"]}
    return {"format": "grantha", "version": 1, "conversations": [conversation]}


def _answer(chance: random.Random, number: int) -> str:
    prose = [" ".join(chance.choices(WORDS, k=60)).capitalize() + "." for _ in range(3)]
    code = "```python\n" + "".join(f"value_{n} = {n} + call('x')\n" for n in range(12)) + "```"
    points = "\n".join(f"- **{chance.choice(WORDS)}**: `{n}`, then *more*" for n in range(5))
    return "\n\n".join([*prose, "## Points", points, code, f"The end of answer {number}."])


if __name__ == "__main__":
    main()
