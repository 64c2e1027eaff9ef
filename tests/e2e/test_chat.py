"""Sending and reading: the answer grows, survives, stops, and can be regenerated."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.actions import (
    PACED,
    answer,
    ask,
    choose_model,
    composer,
    counting,
    has_text,
    is_text,
    open_page,
    option,
)
from tests.server import Server

# Files of the page's routes that this tab has loaded.
NODES = """() => performance.getEntriesByType('resource')
  .filter(({ name, responseEnd }) => name.includes('/nodes/') && responseEnd > 0)
  .map(({ name }) => name)"""


def counted(words: int) -> str:
    """The text of an answer of `PACED` after so many words."""
    return " ".join(f"word{n}" for n in range(words))


def test_an_answer_is_seen_growing(page: Page, server: Server) -> None:
    model = server.script("paced", PACED)
    server.allow("go", 5)
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Count")
    is_text(page, counted(5))
    server.allow("go", 20)
    is_text(page, counted(20))
    server.allow("go")
    answer(page, "done")
    is_text(page, counted(400))


def test_the_first_question_waits_for_no_file_of_the_page(page: Page, server: Server) -> None:
    open_page(page, server, f"/c/{server.conversation()}")
    needed = page.evaluate(NODES)
    open_page(page, server)
    page.wait_for_function(f"needed => needed.every(one => ({NODES})().includes(one))", arg=needed)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    ask(page, "Hello")
    expect(page.get_by_role("heading", name="What would you like to know?")).to_have_count(0)
    expect(page.locator("article[data-role=user]")).to_contain_text("Hello")
    assert not [url for url in requested if "/nodes/" in url]
    answer(page, "done")


def test_a_reload_in_mid_answer_shows_everything_and_goes_on(page: Page, server: Server) -> None:
    counting(page, server, 50)
    page.reload()
    is_text(page, counted(50))
    server.allow("go")
    answer(page, "done")
    is_text(page, counted(400))


def test_stop_ends_the_answer_and_keeps_the_text(page: Page, server: Server) -> None:
    counting(page, server, 30)
    answer(page).get_by_role("button", name="Stop").click()
    answer(page, "stopped")
    expect(answer(page).locator("footer")).to_contain_text("Stopped")
    is_text(page, counted(30))
    page.reload()
    answer(page, "stopped")
    is_text(page, counted(30))


def test_escape_stops_and_continue_goes_on_in_the_same_answer(page: Page, server: Server) -> None:
    counting(page, server, 30)
    page.keyboard.press("Escape")
    answer(page, "stopped")
    server.allow("go")
    answer(page).get_by_role("button", name="Continue").click()
    answer(page, "done")
    expect(page.locator("article[data-role=assistant]")).to_have_count(1)
    expect(page.get_by_role("note")).to_be_visible()
    has_text(page, "word399")


def test_a_continue_that_was_refused_is_tried_again_as_a_continue(
    page: Page, server: Server
) -> None:
    counting(page, server, 30)
    page.keyboard.press("Escape")
    answer(page, "stopped")
    busy = {
        "title": "Busy",
        "detail": "A limit is reached.",
        "code": "busy",
        "advice": "Try again.",
    }
    page.route("**/continue", lambda route: route.fulfill(status=503, json=busy), times=1)
    answer(page).get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("A limit is reached.")
    server.allow("go")
    page.get_by_role("button", name="Try again").click()
    answer(page, "done")
    expect(page.locator("article[data-role=assistant]")).to_have_count(1)
    expect(answer(page)).not_to_contain_text("2 of 2")


def test_a_missing_key_names_the_variable_and_offers_a_model_that_works(
    page: Page, server: Server
) -> None:
    open_page(page, server)
    page.get_by_role("button", name="Model:").click()
    page.get_by_role("combobox", name="Find a model").fill("anthropic")
    refused = page.get_by_role("option", disabled=True).first
    expect(refused).to_contain_text("ANTHROPIC_API_KEY is not set")
    page.keyboard.press("Escape")
    conversation = server.conversation(model="anthropic/claude-haiku-4-5")
    open_page(page, server, f"/c/{conversation}")
    ask(page, "Hello")
    answer(page, "failed")
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("No API key for Anthropic")
    expect(notice).to_contain_text("export ANTHROPIC_API_KEY=…")
    expect(notice).to_contain_text("Your question is saved")
    notice.get_by_role("button", name="Answer with").click()
    answer(page, "done")


def test_a_provider_that_fails_in_mid_answer_keeps_what_was_written(
    page: Page, server: Server
) -> None:
    open_page(page, server)
    choose_model(page, "scripted/failing")
    ask(page, "Go")
    answer(page, "failed")
    expect(page.get_by_role("alert")).to_contain_text("Everything above is saved")
    has_text(page, "This answer will not")
    expect(page.get_by_role("alert").get_by_role("button", name="Regenerate")).to_be_visible()


def test_regenerate_makes_a_version_and_both_can_be_seen(page: Page, server: Server) -> None:
    open_page(page, server)
    ask(page, "Hello")
    answer(page, "done")
    answer(page).get_by_role("button", name="Regenerate").click()
    expect(answer(page)).to_contain_text("2 of 2")
    answer(page, "done")
    # Until the reply is here, a reload might take the request back.
    with page.expect_response(lambda reply: reply.request.method == "PATCH"):
        answer(page).get_by_role("button", name="Previous version").click()
    expect(answer(page)).to_contain_text("1 of 2")
    page.reload()
    expect(answer(page)).to_contain_text("1 of 2")


def test_an_edited_question_is_a_branch_beside_the_old_one(page: Page, server: Server) -> None:
    open_page(page, server)
    ask(page, "First wording")
    answer(page, "done")
    expect(composer(page)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.get_by_role("textbox", name="Edit your message").fill("Second wording")
    page.keyboard.press("Enter")
    question = page.locator("article[data-role=user]")
    expect(question).to_contain_text("Second wording")
    expect(question).to_contain_text("2 of 2")
    answer(page, "done")
    question.get_by_role("button", name="Previous version").click()
    expect(question).to_contain_text("First wording")


def test_temperature_changes_in_mid_answer_and_leaves_a_seam(page: Page, server: Server) -> None:
    open_page(page, server)
    choose_model(page, "scripted/temperature")
    ask(page, "Go")
    answer(page, "writing")
    page.get_by_role("button", name="Live controls").click()
    page.get_by_role("slider", name="Temperature").fill("1.5")
    note = page.get_by_role("note")
    expect(note).to_contain_text("1.5")
    expect(answer(page).locator(".prose")).to_contain_text(":1.5")
    page.keyboard.press("Escape")
    expect(composer(page)).to_be_visible()
    page.keyboard.press("Escape")
    answer(page, "stopped")


def test_several_models_answer_side_by_side(page: Page, server: Server) -> None:
    open_page(page, server)
    page.get_by_role("button", name="Model:").click()
    for model in ("scripted/hello", "scripted/tour"):
        option(page, model).click(modifiers=["Shift"])
    page.keyboard.press("Escape")
    ask(page, "Both")
    answers = page.locator(".pair article[data-role=assistant]")
    expect(answers).to_have_count(2)
    for n in range(2):
        expect(answers.nth(n)).to_have_attribute("data-status", "done")
    answers.last.get_by_role("button", name="Continue from this answer").click()
    ask(page, "More")
    expect(page.locator(".pair")).to_have_count(0)


def test_several_models_can_be_chosen_without_a_shift_key(page: Page, server: Server) -> None:
    open_page(page, server)
    page.get_by_role("button", name="Model:").click()
    page.get_by_role("button", name="Compare models").click()
    option(page, "scripted/tour").click()
    page.get_by_role("button", name="Use 2 models").click()
    ask(page, "Both")
    expect(page.locator(".pair article[data-role=assistant]")).to_have_count(2)


def test_two_controls_moved_at_once_both_apply(page: Page, server: Server) -> None:
    open_page(page, server)
    choose_model(page, "scripted/temperature")
    ask(page, "Go")
    answer(page, "writing")
    page.get_by_role("button", name="Live controls").click()
    # Both in one task: after a moment without a change, the first would be sent by itself.
    controls = page.get_by_role("dialog", name="Live controls")
    expect(controls.get_by_role("slider")).to_have_count(2)
    controls.evaluate(
        """(found) => {
             for (const [n, value] of ['1.5', '1024'].entries()) {
               const slider = found.querySelectorAll('input[type=range]')[n];
               slider.value = value;
               for (const type of ['input', 'change'])
                 slider.dispatchEvent(new Event(type, { bubbles: true }));
             }
           }"""
    )
    note = page.get_by_role("note")
    expect(note).to_contain_text("temperature")
    expect(note).to_contain_text("1,024")


def test_every_tab_shows_the_same_at_the_same_time(context: BrowserContext, server: Server) -> None:
    model = server.script("paced", PACED)
    server.allow("go", 10)
    first = context.new_page()
    open_page(first, server)
    choose_model(first, model)
    ask(first, "Count")
    has_text(first, "word9")
    tabs = [first]
    for _ in range(9):
        tab = context.new_page()
        tab.goto(first.url)
        tabs.append(tab)
    for tab in tabs:
        has_text(tab, "word9")
    server.allow("go")
    for tab in tabs:
        answer(tab, "done")
        is_text(tab, counted(400))


def test_a_draft_is_kept_for_each_conversation(page: Page, server: Server) -> None:
    conversation = server.conversation(title="With a draft")
    open_page(page, server, f"/c/{conversation}")
    composer(page).fill("half a thought")
    page.get_by_role("button", name="New chat").first.click()
    expect(composer(page)).to_have_value("")
    page.get_by_role("link", name="With a draft", exact=True).click()
    expect(composer(page)).to_have_value("half a thought")


def test_a_pause_that_the_provider_asks_for_is_reported(page: Page, server: Server) -> None:
    busy = {"steps": [{"error": "rate_limited", "retry_after": 30}]}
    model = server.script("busy", busy)
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Anybody there?")
    reported = "Rate limited. Retrying in 30 s."
    expect(answer(page, "waiting")).to_contain_text(reported)
    answer(page).get_by_role("button", name="Stop").click()
    answer(page, "stopped")
