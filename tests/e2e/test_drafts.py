"""What is written and not yet sent belongs to its conversation, and nothing takes its place."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.talk import open_page
from tests.e2e.test_features import GIVE_IMAGE, PIXEL_TEXT
from tests.server import Server


def test_what_is_attached_stays_with_the_draft_of_its_conversation(
    page: Page, server: Server
) -> None:
    server.conversation(title="Rivers")
    server.conversation(title="Tides")
    open_page(page, server)
    thumbnail = page.get_by_role("img", name="pixel.png")
    page.get_by_role("link", name="Rivers").click()
    expect(page.get_by_role("heading", name="Rivers", level=1)).to_be_visible()
    page.evaluate(GIVE_IMAGE, ["paste", PIXEL_TEXT])
    expect(thumbnail).to_be_visible()
    page.get_by_role("link", name="Tides").click()
    expect(page.get_by_role("heading", name="Tides", level=1)).to_be_visible()
    expect(thumbnail).to_have_count(0)
    page.get_by_role("link", name="Rivers").click()
    expect(thumbnail).to_be_visible()
