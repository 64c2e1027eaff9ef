"""Several models on one question: their answers stand side by side and can be read so."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.actions import ask, open_page, option, scroll_away
from tests.server import Server


def test_a_short_answer_stays_in_view_while_a_long_one_beside_it_is_read(
    page: Page, server: Server
) -> None:
    long = server.script("long", {"steps": [{"repeat": "Leaf {n} of the book.\n\n", "count": 80}]})
    short = server.script("short", {"steps": [{"text": "The cord is cut."}]})
    _ask_all(page, server, [long, short])
    scroll_away(page, 300)
    leaf = page.locator("article").get_by_text("Leaf 40 of the book.", exact=True)
    leaf.scroll_into_view_if_needed()
    expect(page.locator("article p", has_text="The cord is cut.")).to_be_in_viewport()
    foot = page.locator("article", has_text="The cord is cut.").locator("footer")
    expect(foot).to_be_in_viewport()
    # Next to nothing is between the answer and its foot.
    page.wait_for_function(
        """() => {
             const article = [...document.querySelectorAll('article[data-role=assistant]')].at(-1);
             const box = (name) => article.querySelector(name).getBoundingClientRect();
             return box('footer').top - box('.prose').bottom < 24;
           }"""
    )


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_columns_of_eight_models_are_wide_enough_to_read(
    page: Page, server: Server, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    names = [f"m{n}" for n in range(8)]
    _ask_all(page, server, [server.script(n, {"steps": [{"text": f"I am {n}."}]}) for n in names])
    page.wait_for_function(
        "[...document.querySelectorAll('.pair article')].every(one => one.clientWidth >= 270)"
    )


def test_each_of_several_answers_can_be_copied_and_answered_again(
    page: Page, server: Server
) -> None:
    names = [server.script(n, {"steps": [{"text": f"I am {n}."}]}) for n in ("left", "right")]
    _ask_all(page, server, names)
    right = page.locator(".pair article", has_text="I am right.")
    copy = right.get_by_role("button", name="Copy answer")
    copy.hover()
    expect(copy).to_have_attribute("title", "Copy answer")
    copy.click()
    expect(page.locator(".toast")).to_have_text("Copied")
    right.get_by_role("button", name="Regenerate").click()
    again = page.locator("article[data-role=assistant]")
    expect(again).to_have_count(1)
    expect(again).to_have_accessible_name("Right")
    expect(again).to_contain_text("3 of 3")


def test_only_the_failed_one_of_several_is_tried_again(page: Page, server: Server) -> None:
    fails = server.script("fails", {"steps": [{"error": "request_refused"}]})
    _ask_all(
        page, server, [server.script("works", {"steps": [{"text": "Fine."}]}), fails], failing=1
    )
    failed = page.locator(".pair article[data-status=failed]")
    failed.get_by_role("button", name="Try again").click()
    again = page.locator("article[data-role=assistant]")
    expect(again).to_have_count(1)
    expect(again).to_have_accessible_name("Fails")
    expect(again).to_contain_text("3 of 3")


def _ask_all(page: Page, server: Server, models: list[str], failing: int = 0) -> None:
    """One question to all of them, waited for until the last has answered; so many of them fail."""
    open_page(page, server)
    page.get_by_role("button", name="Model:").click()
    first, *rest = models
    for model in (
        first,
        "scripted/hello",
        *rest,
    ):  # the default was best_coding; a second time lets it go
        page.get_by_role("combobox", name="Find a model").fill(model)
        option(page, model).click(modifiers=["Shift"])
    page.keyboard.press("Escape")
    ask(page, "What holds a book together?")
    done = page.locator(".pair article[data-status=done]")
    expect(done).to_have_count(len(models) - failing)
