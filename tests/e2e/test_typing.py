"""Typing as people do: on phones, with input methods, with another Enter key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.actions import answer, ask, composer, counting, open_page
from tests.e2e.conftest import new_context
from tests.server import Server

PRESS = """(area, [key, init]) => {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...init });
  area.dispatchEvent(event);
}"""


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A tab on a phone: touch, no hover, no mouse."""
    size = {"width": 390, "height": 844}
    with new_context(browser, viewport=size, has_touch=True, is_mobile=True) as context:
        yield context.new_page()


def test_enter_starts_a_new_line_on_a_phone_and_send_sends(phone: Page, server: Server) -> None:
    open_page(phone, server)
    box = composer(phone)
    box.tap()
    box.press_sequentially("One\nTwo")
    expect(box).to_have_value("One\nTwo")
    expect(phone.locator("article")).to_have_count(0)
    phone.get_by_role("button", name="Send", exact=True).tap()
    answer(phone, "done")


def test_what_enter_does_can_be_chosen(page: Page, server: Server) -> None:
    page.goto(server.url + "/settings#keyboard")
    page.get_by_role("combobox", name="Enter key").select_option("newline")
    open_page(page, server)
    box = composer(page)
    box.press_sequentially("One\nTwo")
    expect(box).to_have_value("One\nTwo")
    box.press("Control+Enter")
    answer(page, "done")


def test_a_question_can_be_edited_on_a_phone(phone: Page, server: Server) -> None:
    open_page(phone, server)
    composer(phone).fill("First")
    phone.get_by_role("button", name="Send", exact=True).tap()
    answer(phone, "done")
    edit = phone.get_by_role("button", name="Edit", exact=True)
    expect(edit).to_have_css("opacity", "1")
    edit.tap()
    field = phone.get_by_role("textbox", name="Edit your message")
    for one in (composer(phone), field):
        expect(one).to_have_css("font-size", "16px")  # iOS zooms into anything smaller
    field.fill("Second")
    phone.get_by_role("button", name="Send as a new version").tap()
    answer(phone, "done")
    expect(phone.locator("article[data-role=user]")).to_contain_text("2 of 2")


def test_the_menus_of_the_list_are_visible_where_nothing_hovers(
    phone: Page, server: Server
) -> None:
    open_page(phone, server)
    composer(phone).fill("First")
    phone.get_by_role("button", name="Send", exact=True).tap()
    answer(phone, "done")
    phone.get_by_role("button", name="Conversations").tap()
    expect(phone.locator(".row-line button")).to_have_css("opacity", "1")


@pytest.mark.parametrize(
    "init", [{"isComposing": True}, {"keyCode": 229}], ids=["composing", "code 229"]
)
def test_a_key_of_an_input_method_neither_sends_nor_stops(
    page: Page, server: Server, init: dict[str, object]
) -> None:
    counting(page, server, 20)
    box = composer(page)
    box.fill("にほん")
    box.evaluate(PRESS, ["Enter", init])
    expect(box).to_have_value("にほん")
    box.evaluate(PRESS, ["Escape", init])
    server.allow("go")
    answer(page, "done")
    expect(page.locator("article[data-role=user]")).to_have_count(1)


def test_ctrl_enter_sends_as_well(page: Page, server: Server) -> None:
    open_page(page, server)
    box = composer(page)
    box.fill("First")
    box.press("Control+Enter")
    answer(page, "done")
    ask(page, "Second")
    expect(page.locator("article[data-role=user]")).to_have_count(2)
