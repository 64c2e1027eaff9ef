"""What is asked while an answer is written waits for its end, in order, and is never lost."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.actions import answer, ask, composer, counting, has_text
from tests.e2e.test_features import GIVE_IMAGE, PIXEL_TEXT
from tests.server import Server


def test_messages_that_wait_are_sent_one_after_the_other(page: Page, server: Server) -> None:
    counting(page, server, 10, "First")
    ask(page, "Second")
    ask(page, "Third")
    expect(page.locator(".queued")).to_contain_text(["Second", "Third"])
    expect(page.locator("article[data-role=user]")).to_have_count(1)
    server.allow("go")
    expect(page.locator("article[data-role=user] .question-text")).to_have_text(
        ["First", "Second", "Third"]
    )
    answer(page, "done")
    expect(page.locator("article[data-role=assistant]")).to_have_count(3)


def test_a_message_that_waits_comes_back_to_be_edited_with_its_image(
    page: Page, server: Server
) -> None:
    counting(page, server, 10, "First")
    page.evaluate(GIVE_IMAGE, ["paste", PIXEL_TEXT])
    expect(page.get_by_role("img", name="pixel.png")).to_be_visible()
    ask(page, "And this?")
    page.get_by_role("button", name="Edit queued message").click()
    expect(page.locator(".queued")).to_have_count(0)
    expect(composer(page)).to_have_value("And this?")
    expect(page.locator(".attachments img")).to_have_count(1)


def test_a_message_that_waits_is_a_draft_again_after_a_reload(page: Page, server: Server) -> None:
    counting(page, server, 10, "First")
    ask(page, "Not yet sent")
    expect(page.locator(".queued")).to_contain_text("Sends when this answer finishes:")
    page.reload()
    has_text(page, "word9")
    expect(composer(page)).to_have_value("Not yet sent")
