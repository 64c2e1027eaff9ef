"""Reading while an answer is written: the view stays where the reader is, and speech keeps a calm pace."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.actions import (
    AWAY,
    PACED,
    announced,
    answer,
    ask,
    choose_model,
    composer,
    has_text,
    listen,
    open_page,
    scroll_away,
)
from tests.server import Server

PARAGRAPHS = {
    **PACED,
    "steps": [{"repeat": "Paragraph {n} of the text.\n\n", "start": 0, "count": 400}],
}
TOP = "() => document.querySelector('.prose').getBoundingClientRect().top"


def test_text_that_is_being_read_does_not_move_and_a_button_brings_back(
    page: Page, server: Server
) -> None:
    model = server.script("long", PARAGRAPHS)
    server.allow("go", 60)
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Write")
    has_text(page, "Paragraph 59")
    pane = page.get_by_role("region", name="Conversation", exact=True).element_handle()
    scroll_away(page, 400)
    back = page.get_by_role("button", name="Jump to latest")
    expect(back).to_be_visible()
    before = page.evaluate(TOP)
    server.allow("go", 120)
    has_text(page, "Paragraph 119")
    assert page.evaluate(TOP) == before, "text moved while it was read"
    back.click()
    expect(back).to_have_count(0)
    server.allow("go", 180)
    has_text(page, "Paragraph 179")
    page.wait_for_function(f"e => ({AWAY})(e) <= 2", arg=pane)  # it is followed again
    # The browser's own search scrolls without wheel or key, and isn't pulled back either.
    hit = answer(page).get_by_text("Paragraph 100 of the text.")  # it is announced elsewhere, too
    hit.evaluate("hit => hit.scrollIntoView({ block: 'center' })")
    expect(back).to_be_visible()
    before = page.evaluate(TOP)
    server.allow("go", 240)
    has_text(page, "Paragraph 239")
    assert page.evaluate(TOP) == before, "the hit of a search was left"
    server.allow("go")
    answer(page, "done")


def test_back_and_a_reload_return_to_where_the_reader_was(page: Page, server: Server) -> None:
    model = server.script("long", {"steps": [{"repeat": "Leaf {n}.\n\n", "count": 60}]})
    conversation = server.conversation(title="Leaves")
    for number in range(6):
        made = server.ask(model, f"Question {number}", conversation)
        server.ended(made["id"])
    server.conversation(title="Other")
    open_page(page, server, f"/c/{conversation}")
    expect(page.locator("article[data-role=user]")).to_have_count(6)
    scroll_away(page, 5000)
    place = """() => [...document.querySelectorAll('article')].map((one) => one.getBoundingClientRect())
      .findIndex(({ top, bottom }) => top < 300 && bottom > 300)"""
    read = page.evaluate(place)
    top = f"() => document.querySelectorAll('article')[{read}].getBoundingClientRect().top"
    before = page.evaluate(top)
    page.get_by_role("link", name="Other", exact=True).click()
    expect(page.get_by_role("heading", name="Other", level=1)).to_be_visible()
    expect(page.locator("article")).to_have_count(0)
    for go in (page.go_back, page.reload):
        go()
        expect(page.locator("article[data-role=user]")).to_have_count(6)
        page.wait_for_function(f"before => Math.abs(({top})() - before) <= 1", arg=before)
    expect(page.get_by_role("button", name="Jump to latest")).to_be_visible()


def test_the_end_stays_in_view_while_the_composer_grows(page: Page, server: Server) -> None:
    model = server.script("long", {"steps": [{"repeat": "Leaf {n}.\n\n", "count": 60}]})
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Write")
    foot = answer(page, "done").get_by_role("button", name="Regenerate")
    expect(foot).to_be_in_viewport(ratio=1)
    high = composer(page).evaluate("e => e.clientHeight")
    composer(page).fill("\n".join(str(n) for n in range(6)))
    page.wait_for_function(
        "([e, high]) => e.clientHeight > high + 60", arg=[composer(page).element_handle(), high]
    )
    page.wait_for_function(f"() => ({AWAY})(document.querySelector('.scroll')) <= 2")


def test_streamed_text_is_announced_by_sentence_and_its_end_by_a_word(
    page: Page, server: Server
) -> None:
    words = "The cord kept **every** leaf. It was cut, and"
    model = server.script(
        "spoken", {"rate": 200, "gate": "go", "steps": [{"text": f"{words} mended."}]}
    )
    server.allow("go", 9)
    listen(page)
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Tell me")
    # What is said stays only until there is something else to say.
    announced(page, "The cord kept every leaf.")
    assert "It was cut" not in " ".join(page.evaluate("window.announced"))
    server.allow("go")
    announced(page, "It was cut, and mended.")
    announced(page, "Answer finished")


def test_the_whole_conversation_is_printed_without_the_frame(page: Page, server: Server) -> None:
    conversation = server.conversation(title="Printed")
    for number in range(8):
        made = server.ask("scripted/hello", f"Question {number}", conversation)
        server.ended(made["id"])
    # Older turns are drawn in idle time, which never comes here.
    page.add_init_script(
        "window.requestIdleCallback = () => 0; window.cancelIdleCallback = () => {};"
    )
    open_page(page, server, f"/c/{conversation}")
    questions = page.locator("article[data-role=user]")
    expect(questions).to_have_count(4)
    page.evaluate(
        """() => window.addEventListener('beforeprint', () => {
          window.printed = [...document.querySelectorAll('article')].map((one) => one.textContent);
        })"""
    )
    assert page.pdf().startswith(b"%PDF-")
    printed = page.evaluate("window.printed")
    assert len(printed) == 16
    assert [f"Question {n}" in printed[2 * n] for n in range(8)] == [True] * 8
    assert all("one word at a time." in answer for answer in printed[1::2])
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", name="Printed")).to_be_visible()
    expect(page.get_by_role("navigation", name="Conversations")).to_be_hidden()
    expect(composer(page)).to_be_hidden()
    expect(page.get_by_role("button")).to_have_count(0)
