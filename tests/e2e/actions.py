"""What a person does on the page, in a few words: ask, wait for a state, read the answer.

Everything that looks waits. What is on screen for a moment only is read from a record: see `listen`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, Route, expect

from tests.server import Server, until

PACED = {
    "description": "Counts, as fast as its gate allows",
    "capabilities": {"prefix": True},
    "rate": 400,
    "gate": "go",
    "steps": [{"repeat": "word{n} ", "start": 0, "count": 400}],
}
# Pixels between the reader and the end of the conversation.
AWAY = "e => e.scrollHeight - e.scrollTop - e.clientHeight"
_LISTEN = """
window.announced = [];
new MutationObserver(() => {
  for (const region of document.querySelectorAll('[role=status], [role=alert], [role=log]')) {
    const text = region.textContent.trim().replace(/\\s+/g, ' ');
    if (text && window.announced.at(-1) !== text) window.announced.push(text);
  }
}).observe(document, { subtree: true, childList: true, characterData: true });
"""


def open_page(page: Page, server: Server, path: str = "/") -> None:
    """Goes to a screen of the chat and waits until it can be typed in."""
    page.goto(server.url + path)
    expect(composer(page)).to_be_visible()


def composer(page: Page) -> Locator:
    """The field that messages are written in."""
    return page.get_by_role("textbox", name="Message", exact=True)


def listen(page: Page) -> None:
    """Records from the next page load on what a screen reader would say; see `announced`."""
    page.add_init_script(_LISTEN)


def announced(page: Page, text: str) -> None:
    """Waits until a live region has held this text, be it for a moment: a toast, a status, a sentence."""
    page.wait_for_function("text => window.announced.some(one => one.includes(text))", arg=text)


def hold_posts(page: Page, address: str) -> list[Route]:
    """The POSTs to an address, as they come: each is held until it is continued."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    page.route(address, hold)
    return held


def eventually(page: Page, found: Callable[[], bool], what: str) -> None:
    """Waits for what Playwright's events report. They arrive only while it is called."""

    def looked() -> bool:
        page.evaluate("0")
        return found()

    until(looked, what)


def choose_model(page: Page, model: str) -> None:
    """Through the picker, as a person does."""
    page.get_by_role("button", name="Model:").click()
    page.get_by_role("combobox", name="Find a model").fill(model)
    option(page, model).click()
    chosen(page, model)


def option(page: Page, model: str) -> Locator:
    """A model in the open picker, by its id."""
    return page.get_by_role("listbox", name="Models").get_by_title(model, exact=True)


def chosen(page: Page, model: str) -> None:
    """Waits until this model, named by its id, is the one that answers next."""
    expect(
        page.get_by_role("button", name="Model:").get_by_title(model, exact=True)
    ).to_be_visible()


def ask(page: Page, text: str) -> None:
    """Writes and sends."""
    composer(page).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def counting(page: Page, server: Server, words: int, question: str = "Count") -> None:
    """Asks for an answer that counts; `words` of it are there, the rest waits for the gate "go"."""
    model = server.script("paced", PACED)
    server.allow("go", words)
    open_page(page, server)
    choose_model(page, model)
    ask(page, question)
    has_text(page, f"word{words - 1}")


def scroll_away(page: Page, pixels: int) -> None:
    """Scrolls a long conversation back from its end by the wheel, and waits until it has come to rest.

    A scroll by script would not do: the page follows the end until the reader leaves it.
    """
    scroller = page.get_by_role("region", name="Conversation", exact=True)
    pane = scroller.element_handle()
    page.wait_for_function(f"e => e.scrollTop > 0 && ({AWAY})(e) <= 2", arg=pane)
    scroller.hover()
    scroller.evaluate(
        f"""(e, pixels) => {{
              const there = () => e.scrollTop === 0 || ({AWAY})(e) >= pixels - 2;
              window.rest = new Promise((done) => {{
                e.addEventListener('scrollend', () => there() && done());
              }});
            }}""",
        pixels,
    )
    page.mouse.wheel(0, -pixels)
    page.evaluate("window.rest")


def answer(page: Page, status: str | None = None) -> Locator:
    """The last answer on screen, waited for when a status is named."""
    every = page.locator("article[data-role=assistant]")
    if status is not None:
        expect(every.last).to_have_attribute("data-status", status)
    return every.last


def text_of(page: Page) -> str:
    """The text of the last answer as it is now, without its foot, with single spaces."""
    return " ".join(" ".join(answer(page).locator(".prose").all_inner_texts()).split())


def is_text(page: Page, text: str | re.Pattern[str]) -> None:
    """Waits until this is the whole text of the last answer, whatever its white space."""
    expect(answer(page).locator(".prose")).to_have_text(text, use_inner_text=True)


def has_text(page: Page, text: str) -> None:
    """Waits until the last answer holds this text."""
    expect(answer(page).locator(".prose").last).to_contain_text(text)
