"""The server dies in mid-answer: nothing that was on screen is lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.actions import (
    PACED,
    answer,
    ask,
    choose_model,
    has_text,
    is_text,
    open_page,
    text_of,
)
from tests.server import Server

pytestmark = pytest.mark.faults


def test_after_kill_and_restart_the_answer_goes_on_with_a_seam(page: Page, server: Server) -> None:
    model = server.script("paced", PACED)
    server.allow("go", 60)
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Count")
    has_text(page, "word59")
    shown = text_of(page)
    server.kill()
    answer(page, "stalled")
    is_text(page, shown)
    server.allow("go")
    server.start()
    answer(page, "done")
    expect(page.get_by_role("note")).to_contain_text("continued after a restart")
    is_text(page, re.compile(r"^word0 word1 [\s\S]*\bword59\b[\s\S]*\bword399\s*$"))


def test_an_answer_that_cannot_go_on_is_interrupted_and_says_so(page: Page, server: Server) -> None:
    script = {**PACED, "capabilities": {"prefix": False, "instruction": False}}
    model = server.script("stuck", script)
    server.allow("go", 60)
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Count")
    has_text(page, "word59")
    shown = text_of(page)
    server.restart()
    answer(page, "interrupted")
    is_text(page, shown)
    expect(page.get_by_role("alert")).to_contain_text("Interrupted when the server stopped")


def test_a_message_sent_while_the_server_is_away_arrives_once(page: Page, server: Server) -> None:
    open_page(page, server)
    ask(page, "First")
    answer(page, "done")
    server.kill()
    ask(page, "Second")
    expect(page.locator("article[data-role=user]").last).to_contain_text("Second")
    server.start()
    expect(page.locator("article[data-role=assistant]")).to_have_count(2)
    answer(page, "done")
    expect(page.locator("article[data-role=user] .question-text")).to_have_text(["First", "Second"])
