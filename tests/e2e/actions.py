"""What a person does on the page, in a few words: ask, wait for a state, read the answer."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.server import Server

PACED = {
    "description": "Counts, as fast as its gate allows",
    "capabilities": {"prefix": True},
    "rate": 400,
    "gate": "go",
    "steps": [{"repeat": "word{n} ", "start": 0, "count": 400}],
}


def open_page(page: Page, server: Server, path: str = "/") -> None:
    """Goes to a screen of the chat and waits until it can be typed in."""
    page.goto(server.url + path)
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()


def choose_model(page: Page, model: str) -> None:
    """Through the picker, as a person does."""
    page.get_by_role("button", name="Model:").click()
    page.get_by_role("combobox", name="Find a model").fill(model)
    page.get_by_role("option", name=model).first.click()
    expect(page.get_by_role("button", name="Model:")).to_contain_text(model)


def ask(page: Page, text: str) -> None:
    """Writes and sends."""
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("button", name="Send").click()


def counting(page: Page, server: Server, words: int, question: str = "Count") -> None:
    """Asks for an answer that counts; `words` of it are there, the rest waits for the gate "go"."""
    model = server.script("paced", PACED)
    server.allow("go", words)
    open_page(page, server)
    choose_model(page, model)
    ask(page, question)
    has_text(page, f"word{words - 1}")


def answer(page: Page, status: str | None = None) -> Locator:
    """The last answer on screen, waited for when a status is named."""
    every = page.locator("article[data-role=assistant]")
    if status is not None:
        expect(every.last).to_have_attribute("data-status", status)
    return every.last


def text_of(page: Page) -> str:
    """The text of the last answer, without its foot, with single spaces."""
    return " ".join(" ".join(answer(page).locator(".text").all_inner_texts()).split())


def has_text(page: Page, text: str) -> None:
    """Waits until the last answer holds this text."""
    expect(answer(page).locator(".text").last).to_contain_text(text)
