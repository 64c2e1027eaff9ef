"""Files and long text come from outside: dropped anywhere, pasted anywhere."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.e2e.actions import answer, composer, open_page
from tests.server import Server

DATA = """([name, text]) => {
  const data = new DataTransfer();
  if (name) data.items.add(new File([text], name, { type: 'text/plain' }));
  else data.setData('text/plain', text);
  return data;
}"""
PASTE = """(target, [name, text, html]) => {
  const data = new DataTransfer();
  if (name) data.items.add(new File([text], name, { type: 'text/plain' }));
  if (html || !name) data.setData('text/plain', html || text);
  if (html) data.setData('text/html', `<b>${html}</b>`);
  return target.dispatchEvent(
    new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
  );
}"""
LONG = "Leaf of the book.\n" * 12_000


def drag(page: Page, place: Locator, event: str, text: str, name: str = "") -> None:
    """Moves a file, or text when it has no name, over a place of the page, or drops it there."""
    data = page.evaluate_handle(DATA, [name, text])
    place.dispatch_event(event, {"dataTransfer": data})


def paste(place: Locator, text: str, name: str = "", html: str = "") -> bool:
    """Pastes a file, text, or a file beside formatted text; returns whether it was left to the browser."""
    return bool(place.evaluate(PASTE, [name, text, html]))


def attached(page: Page) -> Locator:
    return page.locator(".attachments li")


def test_a_file_can_be_dropped_anywhere(page: Page, server: Server) -> None:
    open_page(page, server)
    drag(page, page.locator("main"), "dragover", "Leaf", "leaf.txt")
    expect(page.locator(".drop-here")).to_have_text("Drop files here to attach them")
    drag(page, page.locator("nav").first, "drop", "Leaf", "leaf.txt")
    expect(attached(page)).to_have_text("leaf.txt")
    expect(page.locator(".drop-here")).to_have_count(0)
    page.get_by_role("button", name="Model:").click()
    drag(page, page.get_by_role("combobox", name="Find a model"), "drop", "Other", "other.txt")
    expect(attached(page)).to_have_count(2)


def test_dropped_text_goes_into_the_message(page: Page, server: Server) -> None:
    open_page(page, server)
    composer(page).fill("Explain: ")
    drag(page, page.locator("main"), "drop", "a thread of leaves")
    expect(composer(page)).to_have_value("Explain: a thread of leaves")
    expect(composer(page)).to_be_focused()


def test_a_file_dropped_where_nothing_takes_it_does_not_replace_the_page(
    page: Page, server: Server
) -> None:
    page.goto(server.url + "/settings")
    expect(page.get_by_role("heading", name="Settings", exact=True)).to_be_visible()
    data = page.evaluate_handle(DATA, ["leaf.txt", "Leaf"])
    over = """(data) => {
      const event = new DragEvent('dragover', { dataTransfer: data, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
      return [event.defaultPrevented, data.dropEffect];
    }"""
    assert page.evaluate(over, data) == [True, "none"]


def test_long_pasted_text_becomes_an_attachment(page: Page, server: Server) -> None:
    open_page(page, server)
    composer(page).fill("Summarise this")
    assert paste(composer(page), "A short note"), "short text is pasted by the browser"
    assert not paste(composer(page), LONG)
    expect(attached(page)).to_contain_text("Pasted text.txt")
    assert not paste(composer(page), LONG)
    expect(attached(page).nth(1)).to_contain_text("Pasted text 2.txt")
    expect(composer(page)).to_have_value("Summarise this")
    page.get_by_role("button", name="Remove Pasted text 2.txt").click()
    page.get_by_role("button", name="Send", exact=True).click()
    answer(page, "done")
    conversation = server.call("GET", "/api/conversations").expect(200)["items"][0]["id"]
    parts = server.call("GET", f"/api/conversations/{conversation}").expect(200)["messages"][0][
        "parts"
    ]
    assert [part["type"] for part in parts] == ["file", "text"]
    assert parts[0]["text"] == LONG
    assert parts[1]["text"] == "Summarise this"


def test_long_pasted_text_can_go_into_the_message_after_all(page: Page, server: Server) -> None:
    open_page(page, server)
    composer(page).fill("Here: ")
    paste(composer(page), LONG[:18_000])
    page.get_by_role("button", name="Insert into message").click()
    expect(composer(page)).to_have_value("Here: " + LONG[:18_000])
    expect(attached(page)).to_have_count(0)


def test_what_is_pasted_outside_of_a_field_comes_to_the_message(page: Page, server: Server) -> None:
    open_page(page, server)
    body = page.locator("body")
    assert not paste(body, "pasted")
    expect(composer(page)).to_have_value("pasted")
    assert not paste(body, "Leaf", "leaf.txt")
    expect(attached(page)).to_have_text("leaf.txt")
    page.get_by_role("button", name="Model:").click()
    assert paste(page.get_by_role("combobox", name="Find a model"), "words"), (
        "another field keeps what is pasted into it"
    )
    expect(composer(page)).to_have_value("pasted")


def test_formatted_text_beside_its_picture_is_pasted_as_text(page: Page, server: Server) -> None:
    open_page(page, server)
    assert paste(composer(page), "picture", "table.txt", html="A1 B1"), (
        "the browser pastes the text"
    )
    expect(attached(page)).to_have_count(0)
