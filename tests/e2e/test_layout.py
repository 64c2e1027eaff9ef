"""Nothing on the page is cut off, covered or turned the wrong way."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.actions import answer, ask, choose_model, has_text, open_page, scroll_away
from tests.server import Server

SEEN = """(selector) => {
  const found = document.querySelector(selector);
  const box = found.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return found.contains(top);
}"""


def test_the_margin_of_an_earlier_exchange_is_seen(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    open_page(page, server)
    for n, question in enumerate(("First", "Second"), 1):
        ask(page, question)
        expect(page.locator("article[data-status=done]")).to_have_count(n)
    for part in ("user] time", "assistant] .answer-header span"):
        page.wait_for_function(SEEN, arg=f"article[data-role={part}")


def test_a_menu_at_the_lower_edge_opens_upwards(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 1024, "height": 400})
    open_page(page, server)
    ask(page, "First")
    answer(page, "done").get_by_role("button", name="More").click()
    last = page.get_by_role("menuitem", name="Inspector")
    expect(last).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("menuitem").first).to_be_focused()


def test_hebrew_runs_from_the_right_on_an_english_page(page: Page, server: Server) -> None:
    text = "שלום `f(x)` עולם\n\n| א | ב |\n|---|---|\n| 1 | 2 |"
    model = server.script("hebrew", {"steps": [{"text": text}]})
    open_page(page, server)
    choose_model(page, model)
    ask(page, "שלום")
    answer(page, "done")
    page.wait_for_function(
        """() => {
             const found = document.querySelector('article[data-role=assistant] .prose p');
             const text = document.createRange();
             text.selectNodeContents(found);
             return found.getBoundingClientRect().right - text.getBoundingClientRect().right < 2;
           }"""
    )
    code = answer(page).locator(".prose p code")
    expect(code).to_have_css("unicode-bidi", "isolate")
    expect(code).to_have_css("direction", "ltr")
    page.wait_for_function(
        """() => {
             const [first, second] = document.querySelectorAll('article[data-role=assistant] th');
             return first.getBoundingClientRect().left >= second.getBoundingClientRect().right - 1;
           }"""
    )


def test_notes_of_seams_that_are_close_stand_below_each_other(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    # A gate counts the words of one call: three stand between two seams, however fast the machine is.
    words = {"repeat": "{n}:{temperature} ", "start": 1000, "count": 200}
    model = server.script(
        "threes", {"gate": "go", "capabilities": {"prefix": True}, "steps": [words]}
    )
    server.allow("go", 3)
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Go")
    has_text(page, "1002:")
    answer(page).get_by_role("button", name="Live controls").click()
    notes = page.get_by_role("note").locator(".note")
    for count, value in enumerate(("1.5", "0.5", "1.1"), 1):
        page.get_by_role("slider", name="Temperature").fill(value)
        expect(notes).to_have_count(count)
    expect(notes.nth(2)).to_have_css("position", "absolute")
    page.wait_for_function(
        """() => {
             // The model's name stands above them, the first of which belongs to the first line.
             const notes = [...document.querySelectorAll('.answer-header, .seam .note')];
             const boxes = notes.map((note) => note.getBoundingClientRect());
             const apart = boxes.every((box, n) => n === 0 || box.top >= boxes[n - 1].bottom);
             return apart && notes.some((note) => note.style.translate !== '');
           }"""
    )


def test_a_code_block_keeps_its_edges_once_the_browser_may_skip_it(
    page: Page, server: Server
) -> None:
    code = "```python\nprint('an edge')\n```\n\n"
    filler = {"repeat": "Paragraph {n}.\n\n", "start": 0, "count": 60}
    model = server.script("edges", {"steps": [{"text": code}, filler]})
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Code?")
    answer(page, "done")
    scroll_away(page, 100_000)
    page.wait_for_function(
        """() => {
             const found = document.querySelector('.virtualized figure.code');
             if (!found) return false;
             const { left, right, top } = found.getBoundingClientRect();
             const at = (x) => found.contains(document.elementFromPoint(x, top + 18));
             return at(left + 3) && at(right - 3);
           }"""
    )


def test_what_the_browser_may_skip_keeps_its_height(page: Page, server: Server) -> None:
    model = server.script(
        "book", {"steps": [{"repeat": "Leaf {n} of the book.\n\n", "count": 100}]}
    )
    open_page(page, server)
    choose_model(page, model)
    ask(page, "First")
    answer(page, "done")
    heights = page.wait_for_function(
        """() => {
             const groups = [...document.querySelectorAll('.group.virtualized')];
             return groups.length === 3 && groups.map((group) => {
               group.style.contentVisibility = 'hidden';
               const skipped = group.clientHeight;
               group.style.contentVisibility = 'visible';
               return [skipped, group.clientHeight];
             });
           }"""
    ).json_value()
    assert all(skipped == drawn > 0 for skipped, drawn in heights), heights
