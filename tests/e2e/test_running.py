"""Everything that runs can be seen and stopped, wherever one is."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.e2e.actions import (
    PACED,
    answer,
    ask,
    choose_model,
    counting,
    eventually,
    has_text,
    hold_posts,
    open_page,
)
from tests.server import Server


def running(page: Page) -> Locator:
    """The list of answers that run elsewhere."""
    return page.get_by_role("region", name="Running")


def test_an_answer_elsewhere_is_listed_opened_and_stopped(page: Page, server: Server) -> None:
    counting(page, server, 3)
    expect(running(page)).to_have_count(0)
    page.get_by_role("button", name="New chat", exact=True).click()
    link = running(page).get_by_role("link")
    expect(link).to_contain_text("Count")
    link.click()
    has_text(page, "word2")
    expect(running(page)).to_have_count(0)
    page.goto(server.url + "/settings")
    running(page).get_by_role("button", name=re.compile("^Stop “Count”")).click()
    expect(running(page)).to_have_count(0)
    conversation = server.call("GET", "/api/conversations").expect(200)["items"][0]["id"]
    open_page(page, server, f"/c/{conversation}")
    answer(page, "stopped")


def test_a_later_answer_that_a_new_version_hides_stays_in_reach(page: Page, server: Server) -> None:
    model = server.script("paced", PACED)
    server.allow("go", 3)
    open_page(page, server)
    ask(page, "First")
    answer(page, "done")
    choose_model(page, model)
    ask(page, "Second")
    has_text(page, "word2")
    page.locator("article[data-role=assistant]").first.hover()
    page.get_by_role("button", name="Regenerate").first.click()
    expect(page.locator("article[data-role=assistant]")).to_have_count(1)
    has_text(page, "word2")
    link = running(page).get_by_role("link")
    expect(link).to_have_count(1)
    link.click()
    expect(page.locator("article[data-role=user]")).to_have_count(2)
    has_text(page, "word2")
    expect(link).to_have_count(1)
    link.click()
    expect(page.locator("article[data-role=user]")).to_have_count(1)
    page.keyboard.press("Escape")
    answer(page, "stopped")
    expect(link).to_have_count(1)
    page.keyboard.press("Escape")
    expect(running(page)).to_have_count(0)


def test_a_first_answer_is_drawn_live_although_another_conversation_was_opened(
    page: Page, server: Server
) -> None:
    server.conversation(title="Rivers")
    model = server.script("paced", PACED)
    server.allow("go", 5)
    held = hold_posts(page, "**/api/conversations")
    open_page(page, server)
    choose_model(page, model)
    with page.expect_request(lambda request: request.method == "POST"):
        ask(page, "First")
    page.get_by_role("link", name="Rivers", exact=True).click()
    eventually(page, lambda: bool(held), "the request to be held")
    held[0].continue_()
    link = running(page).get_by_role("link")
    expect(link).to_have_count(1)
    expect(page.get_by_role("heading", name="Rivers", level=1)).to_be_visible()
    link.click()
    has_text(page, "word4")
    server.allow("go", 20)
    has_text(page, "word19")
    server.allow("go")
    answer(page, "done")
    ask(page, "Second")
    expect(page.locator("article[data-role=user]")).to_have_count(2)
