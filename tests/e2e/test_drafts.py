"""What is written and not yet sent belongs to its conversation, and nothing takes its place."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.actions import answer, ask, composer, eventually, hold_posts, open_page
from tests.e2e.test_features import GIVE_IMAGE, PIXEL_TEXT
from tests.server import Server

UNSENT = re.compile("Your message wasn’t sent")
FAULT = {"title": "Storage failed", "detail": "The database can't be written.", "code": "storage"}


def test_what_is_attached_stays_with_the_draft_of_its_conversation(
    page: Page, server: Server
) -> None:
    server.conversation(title="Rivers")
    server.conversation(title="Tides")
    open_page(page, server)
    thumbnail = page.get_by_role("img", name="pixel.png")
    page.get_by_role("link", name="Rivers", exact=True).click()
    expect(page.get_by_role("heading", name="Rivers", level=1)).to_be_visible()
    page.evaluate(GIVE_IMAGE, ["paste", PIXEL_TEXT])
    expect(thumbnail).to_be_visible()
    page.get_by_role("link", name="Tides", exact=True).click()
    expect(page.get_by_role("heading", name="Tides", level=1)).to_be_visible()
    expect(thumbnail).to_have_count(0)
    page.get_by_role("link", name="Rivers", exact=True).click()
    expect(thumbnail).to_be_visible()


def test_what_is_typed_while_a_conversation_is_created_is_kept_for_the_next_message(
    page: Page, server: Server
) -> None:
    held = hold_posts(page, "**/api/conversations")
    open_page(page, server)
    with page.expect_request(lambda request: request.method == "POST"):
        ask(page, "First")
    expect(composer(page)).to_have_value("")
    composer(page).fill("Second")
    eventually(page, lambda: bool(held), "the request to be held")
    held[0].continue_()
    answer(page, "done")
    expect(composer(page)).to_have_value("Second")
    page.reload()
    expect(composer(page)).to_have_value("Second")


def test_a_new_message_leaves_the_unsent_one_where_it_is(page: Page, server: Server) -> None:
    _send_refused(page, server, "First")
    ask(page, "Second")
    answer_of_second = page.locator("article[data-role=assistant][data-status=done]")
    expect(answer_of_second).to_have_count(1)
    notice = page.get_by_role("alert").filter(has_text=UNSENT)
    expect(notice).to_have_count(1)
    expect(page.locator("article[data-role=user]").filter(has_text="First")).to_be_visible()
    notice.get_by_role("button", name="Try again").click()
    expect(answer_of_second).to_have_count(2)
    expect(notice).to_have_count(0)
    expect(page.locator("article[data-role=user] .question-text")).to_have_text(["Second", "First"])


def test_an_unsent_message_can_be_taken_back_to_the_composer(page: Page, server: Server) -> None:
    _send_refused(page, server, "First")
    page.get_by_role("alert").get_by_role("button", name="Edit").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(composer(page)).to_have_value("First")


def test_an_unsent_message_is_a_draft_again_after_a_reload(page: Page, server: Server) -> None:
    _send_refused(page, server, "First")
    page.reload()
    expect(composer(page)).to_have_value("First")


def _send_refused(page: Page, server: Server, text: str) -> None:
    """Opens a conversation and sends a question that the server refuses, once."""
    conversation = server.conversation(title="Estuaries")
    open_page(page, server, f"/c/{conversation}")
    page.route(
        f"**/api/conversations/{conversation}/generations",
        lambda route: route.fulfill(status=507, json=FAULT),
        times=1,
    )
    ask(page, text)
    answer(page, "failed")
    expect(page.get_by_role("alert")).to_contain_text(UNSENT)
