"""Every screen, in both themes and at phone width, is judged by axe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.actions import answer, ask, choose_model, open_page, option
from tests.e2e.conftest import new_context
from tests.server import Server

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def start(page: Page, server: Server) -> None:
    open_page(page, server)
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()


def answered(page: Page, server: Server) -> None:
    open_page(page, server)
    choose_model(page, "scripted/tour")
    ask(page, "Show me everything")
    answer(page, "done")
    page.get_by_role("button", name="Copy", exact=True).wait_for()


def writing(page: Page, server: Server) -> None:
    open_page(page, server)
    choose_model(page, "scripted/temperature")
    ask(page, "Go")
    answer(page, "writing")


def steering(page: Page, server: Server) -> None:
    writing(page, server)
    page.get_by_role("button", name="Live controls").click()
    page.get_by_role("dialog", name="Live controls").wait_for()


def editing(page: Page, server: Server) -> None:
    answered(page, server)
    page.locator("article[data-role=user]").hover()
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_role("button", name="Send as a new version").wait_for()


def failed(page: Page, server: Server) -> None:
    open_page(page, server)
    choose_model(page, "scripted/failing")
    ask(page, "Go")
    answer(page, "failed")


def missing_key(page: Page, server: Server) -> None:
    conversation = server.conversation(model="anthropic/claude-haiku-4-5", title="Without a key")
    open_page(page, server, f"/c/{conversation}")
    ask(page, "Hello")
    answer(page, "failed")


def side_by_side(page: Page, server: Server) -> None:
    open_page(page, server)
    page.get_by_role("button", name="Model:").click()
    for model in ("scripted/hello", "scripted/tour"):
        option(page, model).click(modifiers=["Shift"])
    page.keyboard.press("Escape")
    ask(page, "Both")
    for n in range(2):
        expect(page.locator(".pair article").nth(n)).to_have_attribute("data-status", "done")


def picking(page: Page, server: Server) -> None:
    open_page(page, server)
    page.get_by_role("button", name="Model:").click()
    page.get_by_role("listbox", name="Models").wait_for()


def palette(page: Page, server: Server) -> None:
    open_page(page, server)
    page.keyboard.press("Control+k")
    page.get_by_role("dialog", name="Commands").wait_for()


def keys(page: Page, server: Server) -> None:
    open_page(page, server)
    page.get_by_role("region", name="New chat").focus()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard").wait_for()


def options(page: Page, server: Server) -> None:
    answered(page, server)
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Command").fill("options")
    expect(page.get_by_role("option", name="Conversation options")).to_be_visible()
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Conversation options").wait_for()


def searched(page: Page, server: Server) -> None:
    server.ended(server.ask("scripted/hello", "Is a script read?")["id"])
    page.goto(server.url + "/search?q=script&days=7")
    expect(page.get_by_role("region", name="Search", exact=True).locator("a.hit")).to_have_count(2)


def hit(page: Page, server: Server) -> None:
    searched(page, server)
    page.get_by_role("region", name="Search", exact=True).locator("a.hit").first.click()
    expect(page.get_by_role("group", name="Search hits")).to_contain_text("Hit 2 of 2")
    answer(page, "done")


def usage(page: Page, server: Server) -> None:
    page.goto(server.url + "/usage")
    expect(page.get_by_role("heading", name="Usage", level=1)).to_be_visible()
    page.locator("dl.figures").wait_for()


def settings(section: str) -> Callable[[Page, Server], None]:
    def opened(page: Page, server: Server) -> None:
        page.goto(f"{server.url}/settings#{section}")
        expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
        page.locator(".section h2").wait_for()

    opened.__name__ = f"settings_{section}"
    return opened


SCREENS = [
    start,
    answered,
    writing,
    steering,
    editing,
    failed,
    missing_key,
    side_by_side,
    picking,
    palette,
    keys,
    options,
    searched,
    hit,
    usage,
    *[
        settings(name)
        for name in ("providers", "models", "appearance", "language", "keyboard", "server")
    ],
]


def violations(page: Page) -> list[str]:
    page.add_script_tag(path=str(AXE))
    # Text that is being faded or moved is judged where it comes to rest, if it ever does.
    page.evaluate(
        """Promise.allSettled(document.getAnimations()
             .filter((one) => one.effect.getComputedTiming().endTime !== Infinity)
             .map((one) => one.finished))"""
    )
    found = page.evaluate(
        "(tags) => axe.run({ runOnly: tags, resultTypes: ['violations'] })"
        ".then((r) => r.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html}`)))",
        WCAG,
    )
    return [str(line)[:300] for line in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: str(screen.__name__))
def test_axe_finds_nothing(
    browser: Browser, server: Server, screen: Callable[[Page, Server], None], theme: str
) -> None:
    # The policy is bypassed for axe, which the page itself would never load.
    with new_context(
        browser, color_scheme=theme, reduced_motion="reduce", bypass_csp=True
    ) as context:
        page = context.new_page()
        screen(page, server)
        assert violations(page) == []


@pytest.mark.parametrize("screen", [start, answered, writing, settings("providers")])
def test_axe_finds_nothing_on_a_phone(
    browser: Browser, server: Server, screen: Callable[[Page, Server], None]
) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with new_context(browser, **phone, bypass_csp=True) as context:
        page = context.new_page()
        screen(page, server)
        assert violations(page) == []
        page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")


def test_forced_colours_leave_edges_and_what_is_chosen(page: Page, server: Server) -> None:
    page.emulate_media(forced_colors="active")
    open_page(page, server)
    ask(page, "Hello")
    answer(page, "done")
    page.wait_for_function(
        """() => {
             const edge = (one) => parseFloat(getComputedStyle(document.querySelector(one)).borderTopWidth);
             const chosen = getComputedStyle(document.querySelector('.row[aria-current]')).backgroundColor;
             return edge('.composer') > 0 && chosen !== getComputedStyle(document.body).backgroundColor;
           }"""
    )
