"""The list of conversations: names, pins, deleting with undo, and very many rows."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.actions import answer, ask, composer, open_page
from tests.server import Server, until


def choose(page: Page, title: str, action: str) -> None:
    page.get_by_role("link", name=title, exact=True).hover()
    page.get_by_role("button", name=f"More actions for “{title}”").click()
    page.get_by_role("menuitem", name=action, exact=True).click()


def test_a_conversation_is_renamed_pinned_and_deleted_with_undo(page: Page, server: Server) -> None:
    server.conversation(title="Tides")
    server.conversation(title="Winds")
    open_page(page, server)
    choose(page, "Tides", "Rename")
    page.get_by_role("textbox", name="Title").fill("Tide tables")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Tide tables", exact=True)).to_be_visible()
    choose(page, "Tide tables", "Pin")
    expect(page.get_by_role("heading", name="Pinned")).to_be_visible()
    choose(page, "Winds", "Delete")
    expect(page.get_by_role("link", name="Winds", exact=True)).to_have_count(0)
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Winds", exact=True)).to_be_visible()


def test_another_tab_sees_what_this_one_does(context: BrowserContext, server: Server) -> None:
    here, there = context.new_page(), context.new_page()
    open_page(here, server)
    open_page(there, server)
    ask(here, "Hello from here")
    answer(here, "done")
    expect(there.locator(".row-line")).to_have_count(1)
    there.goto(here.url)
    answer(there, "done")
    composer(there).fill("And then?")
    choose(here, "Hello from here", "Delete")
    expect(there.locator(".row-line")).to_have_count(0)
    notice = there.get_by_role("alert")
    expect(notice).to_contain_text("This conversation was deleted")
    notice.get_by_role("button", name="Restore").click()
    expect(there.locator(".row-line")).to_have_count(1)
    expect(notice).to_have_count(0)
    choose(here, "Hello from here", "Delete")
    notice.get_by_role("button", name="Move draft to a new chat").click()
    expect(there.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    expect(composer(there)).to_have_value("And then?")


def test_many_conversations_cost_what_few_do(page: Page, server: Server) -> None:
    for n in range(300):
        server.conversation(title=f"Number {n}")
    open_page(page, server)
    rows = page.locator(".row-line")
    expect(page.get_by_role("link", name="Number 299", exact=True)).to_be_visible()
    assert rows.count() < 80
    listed = page.get_by_role("region", name="Conversations")
    oldest = page.get_by_role("link", name="Number 0", exact=True)

    def scrolled_to_the_oldest() -> bool:
        listed.evaluate("e => e.scrollTop = e.scrollHeight")
        return oldest.count() == 1

    until(scrolled_to_the_oldest, "the oldest conversation")
    assert rows.count() < 80
