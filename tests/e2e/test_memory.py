"""What a long answer costs the browser: its heap grows with the text, not with the square of it."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page

from tests.e2e.actions import answer, ask, choose_model, open_page
from tests.server import Server

MB = 1_000_000
# 400 kB of text, about 100,000 tokens; each paragraph is finished in a frame of its own or nearly so.
LONG = {
    "description": "Writes paragraphs",
    "rate": 800,
    "steps": [
        {"repeat": "Paragraph {n}: a line of the answer.\n\n", "start": 10_000, "count": 10_000}
    ],
}


def test_the_heap_grows_no_faster_than_the_text(
    page: Page, context: BrowserContext, server: Server
) -> None:
    model = server.script("long", LONG)
    open_page(page, server)
    choose_model(page, model)
    page.set_default_timeout(300_000)
    ask(page, "Write")
    page.wait_for_function(
        "() => document.querySelector('article[data-role=assistant]')?.dataset.status === 'done'"
    )
    answer(page, "done")
    session = context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    assert used < 60 * MB
