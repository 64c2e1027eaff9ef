"""The search: hits with their places, filters, all of them; a hit leads to its message and marks it."""

from __future__ import annotations

import zlib
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.e2e.actions import answer, open_page
from tests.server import Server

# What the browser has marked, by the name of the highlight.
MARKED = (
    """name => [...(CSS.highlights.get(name) ?? [])].map(range => range.toString()).join('|')"""
)
IN_VIEW = """() => {
  const [range] = CSS.highlights.get('hit-current') ?? [];
  if (!range) return false;
  const at = range.getBoundingClientRect();
  const box = document.querySelector('.scroll').getBoundingClientRect();
  return at.height > 0 && at.top >= box.top && at.bottom <= box.bottom;
}"""
FILLING = "\n\n".join(f"Paragraph {number} of the pilots’ book." for number in range(60))


def said(
    server: Server, text: str, question: str, conversation: str, **more: Any
) -> dict[str, Any]:
    """An ended answer with this text."""
    model = server.script(f"says-{zlib.crc32(text.encode())}", {"steps": [{"text": text}]})
    generation = server.ask(model, question, conversation, **more)
    server.ended(generation["id"])
    return generation


def field(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Search conversations")


def hits(page: Page) -> Locator:
    return page.get_by_role("region", name="Search", exact=True).locator("a.hit")


def bar(page: Page) -> Locator:
    return page.get_by_role("group", name="Search hits")


def expect_marked(page: Page, text: str) -> None:
    """The current hit is marked and in view."""
    page.wait_for_function(f"text => ({MARKED})('hit-current') === text", arg=text)
    page.wait_for_function(IN_VIEW)


def test_a_hit_leads_to_its_message_and_the_keys_to_the_next_one(
    page: Page, server: Server
) -> None:
    conversation = server.conversation(title="Berths")
    text = f"{FILLING}\n\nAt *low* water the quay dries.\n\n{FILLING}"
    first = said(server, text, "Is there water at low tide?", conversation)
    said(server, f"Nothing here. {FILLING}", "And later?", conversation)
    open_page(page, server)
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Search").click()
    expect(field(page)).to_be_focused()
    field(page).fill("LOW wát")
    expect(hits(page)).to_have_count(2)
    expect(hits(page).first.locator("mark")).to_have_text(["low", "water"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(hits(page).first).to_be_focused()
    page.keyboard.press("Enter")
    expect(bar(page).get_by_role("status")).to_have_text("Hit 2 of 2 here, for “LOW wát”")
    expect(page).to_have_url(
        f"{server.url}/c/{conversation}?message={first['message']}&q=LOW+w%C3%A1t"
    )
    expect_marked(page, "low water")
    bar(page).get_by_role("button", name="Next hit").click()
    expect(bar(page).get_by_role("status")).to_contain_text("Hit 1 of 2")
    expect_marked(page, "water")
    page.keyboard.press("ArrowUp")
    expect_marked(page, "low water")
    bar(page).get_by_role("link", name="All hits").click()
    expect(hits(page)).to_have_count(2)
    page.go_back()
    expect_marked(page, "low water")
    bar(page).get_by_role("button", name="Close the search hits").click()
    expect(bar(page)).to_have_count(0)
    page.wait_for_function(f"() => ({MARKED})('hit') === ''")
    expect(page).to_have_url(f"{server.url}/c/{conversation}")


def test_a_hit_in_a_version_that_is_not_shown_brings_it_on_screen(
    page: Page, server: Server
) -> None:
    conversation = server.conversation(title="Versions")
    old = said(server, "潮汐表是根据月球计算的。", "Explain tides", conversation)
    said(server, "By the moon.", "Why are there tides?", conversation, parent=None)
    page.goto(f"{server.url}/search?q=汐表")
    hits(page).click()
    expect_marked(page, "汐表")
    expect(answer(page)).to_contain_text("潮汐表")
    expect(page.locator(f"#m-{old['parent']}")).to_contain_text("Explain tides")
    # All of it is in view.
    expect(page.get_by_role("button", name="Jump to latest")).to_have_count(0)


def test_every_hit_is_reached_and_filters_narrow_them(page: Page, server: Server) -> None:
    conversation = server.conversation(title="Words")
    model = server.script("echo", {"steps": [{"text": "A tide."}]})
    for number in range(30):
        server.ended(server.ask(model, f"tide {number}", conversation)["id"])
    page.goto(f"{server.url}/search?q=tide")
    found = page.get_by_role("region", name="Search", exact=True).get_by_role("status")
    expect(found).to_have_text("The first 50 hits")
    expect(page.get_by_role("button", name="More hits")).to_be_attached()
    hits(page).nth(49).scroll_into_view_if_needed()  # near the end, more are loaded
    expect(hits(page)).to_have_count(60)
    expect(found).to_contain_text("60 hits in 1 conversation")
    hits(page).nth(55).focus()
    page.keyboard.press("Enter")
    expect(bar(page)).to_be_visible()
    page.go_back()
    expect(hits(page).nth(55)).to_be_in_viewport()
    page.get_by_role("combobox", name="Messages", exact=True).select_option("Questions")
    expect(hits(page)).to_have_count(30)
    page.get_by_role("combobox", name="Model", exact=True).select_option("scripted/hello")
    expect(found).to_have_text("No results for “tide”.")
    expect(page).to_have_url(f"{server.url}/search?q=tide&model=scripted%2Fhello&role=user")
    page.reload()
    expect(found).to_have_text("No results for “tide”.")
