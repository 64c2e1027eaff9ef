"""Models are downloaded from the settings: seen while they arrive, paused, cancelled, used, deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.downloads.file_host import FileHost, serving
from tests.e2e.actions import announced, chosen, listen, open_page
from tests.e2e.conftest import new_context
from tests.e2e.test_accessibility import violations
from tests.providers.local.conftest import PAIRS, gguf
from tests.server import MakeServer, Server, reserved_port

CONTENT = gguf(PAIRS) + b"\7" * 4_000_000


@pytest.fixture
def host() -> Iterator[FileHost]:
    """Serves a model."""
    with serving(FileHost(CONTENT)) as started:
        yield started


@pytest.fixture
def machine(server_factory: MakeServer) -> Iterator[Server]:
    """A server that may download from this machine, and reaches no hub."""
    with reserved_port() as port:
        env = {
            "GRANTHA_LOCAL_ENABLED": "1",
            "GRANTHA_DOWNLOAD_NETWORKS": "127.0.0.0/8",
            "HF_ENDPOINT": f"http://127.0.0.1:{port}",
        }
        yield server_factory(env).start()


def _open(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/settings#local")
    expect(page.get_by_role("heading", name="Local models")).to_be_visible()
    expect(page.get_by_role("button", name="Download Qwen3 0.6B")).to_be_visible()


def _rows(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name=name).get_by_role("listitem")


def _start(page: Page, host: FileHost, sha256: str = "") -> None:
    page.get_by_label("URL of a GGUF file").fill(host.url)
    page.get_by_label("SHA-256").fill(sha256)
    page.get_by_role("button", name="Download", exact=True).click()


def test_a_model_arrives_while_the_page_is_away_and_is_used_at_once(
    page: Page, machine: Server, host: FileHost
) -> None:
    host.allow(2_000_000)
    listen(page)
    _open(page, machine)
    _start(page, host, hashlib.sha256(CONTENT).hexdigest())
    row = _rows(page, "Available to download").filter(has_text="own.gguf")
    expect(row.get_by_text("2 MB of 4 MB")).to_be_visible()
    expect(row.get_by_role("progressbar", name="Downloading")).to_have_js_property(
        "value", 2_000_000
    )
    # Another one would have to wait.
    other = page.get_by_role("button", name="Download Qwen3 0.6B")
    expect(other).to_have_attribute("aria-disabled", "true")
    other.press("Enter")
    announced(page, "Finish or remove own.gguf first.")
    page.goto("about:blank")
    host.allow(None)
    _open(page, machine)
    expect(row).to_have_count(0)
    row = _rows(page, "Installed").filter(has_text="own.gguf")
    row.get_by_role("button", name="Start a chat").click()
    chosen(page, "local/own")


def test_a_download_is_paused_resumed_and_cancelled_with_the_keyboard(
    page: Page, machine: Server, host: FileHost
) -> None:
    host.allow(2_000_000)
    _open(page, machine)
    _start(page, host)
    own = page.get_by_role("listitem").filter(has_text="own.gguf")
    expect(own).to_contain_text("2 MB of 4 MB")
    # The focus is where it can be stopped, and stays there.
    expect(page.get_by_role("button", name="Pause own.gguf")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume own.gguf")).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="own.gguf: Paused")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause own.gguf")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(own).to_have_count(0)
    expect(page.get_by_role("heading", name="Local models")).to_be_focused()
    assert not list((machine.data_dir / "models").glob("*own*"))


def test_the_focus_goes_on_with_a_finished_model(
    page: Page, machine: Server, host: FileHost
) -> None:
    host.allow(2_000_000)
    _open(page, machine)
    _start(page, host)
    expect(page.get_by_role("button", name="Pause own.gguf")).to_be_focused()
    host.allow(None)
    expect(page.get_by_role("button", name="Start a chat Little One")).to_be_focused()


def test_an_installed_model_is_deleted_once_that_is_confirmed(page: Page, machine: Server) -> None:
    path = machine.data_dir / "models/own.gguf"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(CONTENT)
    _open(page, machine)
    rows = _rows(page, "Installed")
    builtin = rows.filter(has_text="SmolLM2 135M")
    expect(builtin.get_by_text("included with Grantha")).to_be_visible()
    expect(builtin.get_by_role("button")).to_have_count(1)
    expect(builtin.get_by_role("button", name="Start a chat")).to_be_visible()
    row = rows.filter(has_text="own.gguf")
    row.get_by_role("button", name="Delete Little One").press("Enter")
    expect(row.get_by_text("Delete this model and free 4 MB?")).to_be_visible()
    expect(row.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(row.get_by_role("button", name="Delete Little One")).to_be_focused()
    assert path.exists()
    page.keyboard.press("Enter")
    expect(row.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(row).to_have_count(0)
    expect(page.get_by_role("heading", name="Local models")).to_be_focused()
    assert not path.exists()


def test_a_model_that_a_setting_names_stays_and_the_reason_is_said(
    page: Page, server_factory: MakeServer
) -> None:
    env = {"GRANTHA_LOCAL_ENABLED": "1", "GRANTHA_DEFAULT_MODEL": "local/own"}
    server = server_factory(env)
    path = server.data_dir / "models/own.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    _open(page, server.start())
    row = _rows(page, "Installed").filter(has_text="own.gguf")
    row.get_by_role("button", name="Delete Little One").click()
    row.get_by_role("button", name="Delete Little One").click()
    expect(row.get_by_role("alert")).to_contain_text("GRANTHA_DEFAULT_MODEL names own")
    assert path.exists()


@pytest.mark.parametrize("phone", [False, True])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(
    browser: Browser, machine: Server, host: FileHost, theme: Literal["light", "dark"], phone: bool
) -> None:
    host.allow(2_000_000)
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 800}
    # The policy is bypassed for axe, which the page itself would never load.
    with new_context(
        browser, viewport=size, color_scheme=theme, reduced_motion="reduce", bypass_csp=True
    ) as context:
        path = machine.data_dir / "models/other.gguf"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(CONTENT)
        page = context.new_page()
        _open(page, machine)
        assert violations(page) == []
        page.get_by_role("button", name="Delete Little One").click()
        expect(page.get_by_text("Delete this model and free 4 MB?")).to_be_visible()
        assert violations(page) == []
        _start(page, host)
        own = page.get_by_role("listitem").filter(has_text="own.gguf")
        expect(own).to_contain_text("2 MB of 4 MB")
        assert violations(page) == []
        page.get_by_role("button", name="Cancel own.gguf").click()
        expect(own).to_have_count(0)
        page.get_by_role("button", name="Download Qwen3.5 4B").click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert violations(page) == []
        page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")


def test_the_model_picker_leads_here(page: Page, machine: Server) -> None:
    open_page(page, machine)
    page.get_by_role("button", name="Model:").click()
    dialog = page.locator(".models.pop")
    dialog.get_by_role("link", name="Get more local models").click()
    expect(page.get_by_role("heading", name="Local models")).to_be_visible()


def test_an_error_is_shown_where_the_download_was_started(
    page: Page, machine: Server, host: FileHost
) -> None:
    _open(page, machine)
    page.get_by_role("button", name="Download Qwen3.5 4B").click()
    row = page.get_by_role("listitem").filter(has_text="Qwen3.5 4B")
    expect(row.get_by_role("alert")).to_contain_text("No connection. 127.0.0.1 can't be reached")
    _start(page, host, "0" * 64)
    own = page.get_by_role("listitem").filter(has_text="own.gguf")
    expect(own.get_by_role("alert")).to_contain_text("The file isn’t usable.")
    own.get_by_role("button", name="Dismiss").click()
    expect(own).to_have_count(0)
    page.get_by_label("URL of a GGUF file").fill("https://models.example/model.zip")
    page.get_by_label("SHA-256").fill("")
    page.get_by_role("button", name="Download", exact=True).click()
    form = page.locator("form").filter(has=page.get_by_label("URL of a GGUF file"))
    expect(form.get_by_role("alert")).to_contain_text("isn't the name of a GGUF file")


def test_a_disk_that_is_too_small_is_reported_before_anything_arrives(
    page: Page, machine: Server
) -> None:
    folder: Path = machine.data_dir / "models"
    models = machine.call("GET", "/api/local-models").expect(200)
    full = {**models, "free": 1_000_000_000}
    page.route("**/api/local-models", lambda route: route.fulfill(json=full))
    _open(page, machine)
    row = page.get_by_role("listitem").filter(has_text="Qwen3.5 4B")
    expect(row.get_by_text("Doesn’t fit: 1 GB free on the server’s disk.")).to_be_visible()
    assert not list(folder.glob(".*.part"))
