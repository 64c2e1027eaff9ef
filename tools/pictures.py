"""Takes the pictures of the README from the running page: `python tools/pictures.py [folder]`.

Starts a server of its own with scripts in a temporary folder, sends questions in a headless Chromium, waits
for states and writes PNG files. Pictures show the page as it is: nothing is drawn over.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
QUESTION = "How were palm-leaf books made, and what kept the leaves in order?"
ANSWER = (
    "A palm-leaf book begins as a stack of blank leaves from the talipot or the palmyra palm. The "
    "leaves are cut to one width, boiled, dried in the shade and rubbed with a smooth stone until "
    "they take a line without tearing.\n\n"
    "At first the scribe uses no ink at all. A steel stylus *incises* each letter, and only then is "
    "the leaf rubbed with lampblack and oil; the black stays in the grooves and is wiped from the "
    "surface.\n\n"
    "## What kept the order\n\n"
    "Two things:\n\n"
    "1. **Numbers.** Every leaf was numbered in its margin.\n"
    "2. **A cord.** One or two holes were pierced through the whole stack, so that a cord could run "
    "through all the leaves and be wound about the wooden boards that closed it.\n\n"
)
MORE = (
    "The word *grantha*, a book, comes from a root that means “to tie”. Cut the cord and you still "
    "have every leaf; lose the numbers, and you have a pile.\n\n"
    "```python\ndef in_order(leaves):\n    return sorted(leaves, key=lambda leaf: leaf.number)\n```\n"
)
SCRIPTS = {
    "palm-leaf": {
        "capabilities": {"prefix": True},
        "rate": 60,
        "steps": [{"text": ANSWER}, {"gate": "first"}, {"text": MORE}, {"gate": "second"}],
    },
    "rivers": {
        "capabilities": {"prefix": True},
        "rate": 200,
        "steps": [
            {"text": "Rivers meander because the outer bank is worn and the inner one is fed. "},
            {"error": "overloaded", "message": "The provider has no capacity for the moment"},
        ],
    },
}


def main() -> None:
    """Takes all of them."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        scripts = Path(work) / "scripts"
        scripts.mkdir()
        for name, script in SCRIPTS.items():
            (scripts / f"{name}.json").write_text(json.dumps(script))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with server(Path(work)) as url:
            take(browser, url, scripts, folder)
        browser.close()


def take(browser: Browser, url: str, scripts: Path, folder: Path) -> None:
    """One conversation through its states."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
    page.goto(url)
    box = page.get_by_role("textbox", name="Message")
    expect(box).to_be_visible()
    page.wait_for_timeout(500)
    page.screenshot(path=folder / "start.png")
    box.fill(QUESTION)
    page.keyboard.press("Enter")
    answer = page.locator("article[data-role=assistant]").last
    expect(answer).to_contain_text("incises", timeout=30_000)
    warm(url, page)
    expect(answer).to_contain_text("boards that closed it", timeout=30_000)
    (scripts / "first").write_text("")
    expect(answer).to_contain_text("in_order", timeout=30_000)
    shoot(page, folder / "writing.png")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    shoot(page, folder / "writing-phone.png")
    page.set_viewport_size({"width": 1440, "height": 900})
    (scripts / "second").write_text("")
    expect(answer).to_have_attribute("data-status", "done", timeout=30_000)
    shoot(page, folder / "done.png")
    page.keyboard.press("Alt+i")
    page.wait_for_timeout(1500)
    shoot(page, folder / "inspector.png")


def warm(url: str, page: Page) -> None:
    """Changes the temperature of the running answer, as the live control does."""
    conversation = page.url.rsplit("/", 1)[-1]
    with urllib.request.urlopen(f"{url}/api/conversations/{conversation}") as reply:
        generation = json.load(reply)["generation"]
    body = json.dumps({"temperature": 0.9}).encode()
    request = urllib.request.Request(
        f"{url}/api/generations/{generation}",
        body,
        {"Content-Type": "application/json"},
        method="PATCH",
    )
    urllib.request.urlopen(request).close()


def shoot(page: Page, path: Path) -> None:
    """A picture once fonts are there and the layout has settled."""
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(700)
    page.screenshot(path=path)


@contextmanager
def server(work: Path) -> Iterator[str]:
    """A server of its own; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environ = {
        **os.environ,
        "GRANTHA_DATA_DIR": str(work / "data"),
        "GRANTHA_PORT": str(port),
        "GRANTHA_SCRIPTED": "1",
        "GRANTHA_SCRIPT_DIR": str(work / "scripts"),
        "GRANTHA_DEFAULT_MODEL": "scripted/palm-leaf",
        "GRANTHA_LOCAL_ENABLED": "false",
        "GRANTHA_TITLES": "false",
    }
    process = subprocess.Popen([sys.executable, "-m", "grantha", "serve"], env=environ)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def wait_for(url: str) -> None:
    """Returns once the server is ready; raises after 30 seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server didn't start.")


if __name__ == "__main__":
    main()
