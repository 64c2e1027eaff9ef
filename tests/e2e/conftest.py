"""The page in a real Chromium, against the real server with the scripted provider.

Everything here is marked `browser`. Waits are for a state, with a deadline, never for a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.server import DEADLINE

# A name that Chromium does not take for this machine: plain HTTP there is no secure origin, as on a LAN.
LAN_HOST = "grantha.test"
LAN = f"--host-resolver-rules=MAP {LAN_HOST} 127.0.0.1"
BUILT = Path(__file__).parents[2] / "src/grantha/static/index.html"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for a module; every test has contexts of its own.

    Not for the session: while Playwright runs, its event loop does too, and no asyncio test after it
    could start one.
    """
    if not BUILT.exists():
        pytest.fail("The page isn't built; run `make build-page`.")
    expect.set_options(timeout=DEADLINE * 1000)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", LAN])
        yield started
        started.close()


@contextmanager
def new_context(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A fresh profile of an English reader on a desktop screen; `options` go to Playwright."""
    desktop = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}
    fresh = browser.new_context(**{**desktop, **options})
    fresh.set_default_timeout(DEADLINE * 1000)
    try:
        yield fresh
    finally:
        fresh.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile that may write to the clipboard."""
    with new_context(browser, permissions=["clipboard-write"]) as fresh:
        yield fresh


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """One tab."""
    return context.new_page()
