"""What the page can do beside asking and reading: files, images, replay, keys, languages, an app."""

from __future__ import annotations

import base64
import json
import re
import socket
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.actions import (
    announced,
    answer,
    ask,
    choose_model,
    chosen,
    composer,
    is_text,
    listen,
    open_page,
)
from tests.e2e.conftest import LAN_HOST
from tests.e2e.test_conversation_list import choose
from tests.server import MakeServer, Server, until

PIXEL_TEXT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q"
    "DwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PIXEL = base64.b64decode(PIXEL_TEXT)
TITLE = "The end of a tide"
GIVE_IMAGE = """
([type, encoded]) => {
  const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], 'pixel.png', { type: 'image/png' }));
  const area = document.querySelector('#message');
  const event = type === 'paste'
    ? new ClipboardEvent('paste', { clipboardData: given, bubbles: true, cancelable: true })
    : new DragEvent('drop', { dataTransfer: given, bubbles: true, cancelable: true });
  area.dispatchEvent(event);
}
"""


def ask_and_wait(page: Page, server: Server, text: str = "The estuary is tidal.") -> None:
    """Asks a question whose answer is this text, and waits for its end and the model's title."""
    attempts = [{"steps": [{"text": one}]} for one in (text, TITLE)]
    model = server.script("fixed", {"attempts": attempts})
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Where does the tide end?")
    answer(page, "done")
    expect(page.locator("header h1")).to_have_text(TITLE)


def exported(page: Page, title: str, form: str) -> str:
    """The text of the file that a row's menu gives."""
    with page.expect_download() as download:
        choose(page, title, form)
    return Path(download.value.path()).read_text(encoding="utf-8")


def test_an_export_can_be_read_and_imported_again(
    page: Page, server: Server, tmp_path: Path
) -> None:
    ask_and_wait(page, server)
    markdown = exported(page, TITLE, "Export as Markdown")
    assert "Where does the tide end?" in markdown
    assert "The estuary is tidal." in markdown
    own = exported(page, TITLE, "Export as JSON")
    assert json.loads(own)["format"] == "grantha"
    choose(page, TITLE, "Delete")
    expect(page.locator(".row-line")).to_have_count(0)
    expect(page).to_have_url(server.url + "/")
    page.goto(server.url + "/settings#transfer")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    file = tmp_path / "export.json"
    file.write_text(own, encoding="utf-8")
    chooser.value.set_files(file)
    imported = page.get_by_role("status").filter(has_text="1 conversation imported.")
    expect(imported).to_be_visible()
    page.goto(server.url)
    page.get_by_role("link", name=TITLE, exact=True).click()
    answer(page, "done")
    is_text(page, "The estuary is tidal.")


def test_an_import_that_finds_the_server_busy_can_be_sent_again(
    page: Page, server: Server, tmp_path: Path
) -> None:
    tree = [{"id": "1", "parent": None, "role": "user", "parts": [{"type": "text", "text": "Hi"}]}]
    whole = {"format": "grantha", "version": 1, "conversations": [{"messages": tree}]}
    file = tmp_path / "export.json"
    file.write_text(json.dumps(whole))

    def status() -> int:
        return server.call("POST", "/api/import", {}).status

    page.goto(f"{server.url}/settings#transfer")
    button = page.get_by_role("button", name="Choose files")
    section = page.get_by_role("region", name="Settings")
    with socket.create_connection(("127.0.0.1", server.port)) as other:
        other.sendall(
            b"POST /api/import HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n"
            b"Content-Type: application/json\r\n\r\n["
        )
        until(lambda: status() == 503, "the other import to be running")
        with page.expect_file_chooser() as chooser:
            button.click()
        chooser.value.set_files(file)
        expect(section.get_by_role("alert")).to_contain_text("Another import is running")
    until(lambda: status() == 400, "the other import to be given up")
    section.get_by_role("button", name="Try again").click()
    expect(section.get_by_role("status")).to_have_text("1 conversation imported.")
    expect(section.get_by_role("alert")).to_have_count(0)


def test_a_file_that_is_no_export_is_refused_with_a_message(
    page: Page, server: Server, tmp_path: Path
) -> None:
    page.goto(server.url + "/settings#transfer")
    file = tmp_path / "notes.json"
    file.write_text("not JSON at all", encoding="utf-8")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files(file)
    refused = page.get_by_role("alert").filter(
        has_text="notes.json: Nothing was imported. The file isn't JSON"
    )
    expect(refused).to_be_visible()


def test_pasted_and_dropped_images_reach_the_server(page: Page, server: Server) -> None:
    open_page(page, server)
    shown = page.locator("article[data-role=user]").last.get_by_role("img", name="Image")
    for n, way in enumerate(("paste", "drop"), 1):
        page.evaluate(GIVE_IMAGE, [way, PIXEL_TEXT])
        expect(page.get_by_role("img", name="pixel.png")).to_be_visible()
        ask(page, f"What is on it? By {way}")
        expect(page.locator("article[data-role=assistant]")).to_have_count(n)
        answer(page, "done")
        expect(shown).to_have_js_property("naturalWidth", 1)
        expect(page.get_by_role("img", name="pixel.png")).to_have_count(0)
    address = shown.get_attribute("src")
    assert address is not None
    assert server.call("GET", address).body == PIXEL


def test_the_inspector_opens_and_replays_the_answer(page: Page, server: Server) -> None:
    model = server.script("brief", {"rate": 40, "steps": [{"repeat": "word{n} ", "count": 40}]})
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Count")
    answer(page, "done")
    answer(page).get_by_role("button", name="Stats for this answer").click()
    panel = page.get_by_role("complementary", name="Inspector")
    expect(panel.get_by_role("heading", name="Timeline")).to_be_visible()
    expect(panel.get_by_role("heading", name="Segments")).to_be_visible()
    expect(panel).to_contain_text(
        re.compile(r"received \d[\d.]* k?B compressed, \d[\d.]* k?B uncompressed")
    )
    panel.get_by_role("button", name="Replay", exact=True).click()
    replayed = panel.locator(".replayed")
    expect(replayed).to_contain_text("word0")
    expect(replayed).to_contain_text("word39")
    expect(panel.get_by_role("button", name="Replay", exact=True)).to_be_visible()
    panel.get_by_role("button", name="Close inspector").click()
    expect(panel).to_have_count(0)


def test_a_long_table_keeps_its_columns_and_stays_a_table(page: Page, server: Server) -> None:
    rows = "".join(f"| Leaf {n} | {n * 7} | about the cord of leaf {n} |\n" for n in range(300))
    table = f"| Name | Figure | Remark |\n| --- | ---: | --- |\n{rows}\nDone."
    model = server.script("table", {"rate": 20_000, "steps": [{"text": table}]})
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Write a table")
    answer(page, "done")
    shown = answer(page).get_by_role("table")
    expect(shown.get_by_role("row")).to_have_count(301)
    expect(shown.get_by_role("columnheader")).to_have_text(["Name", "Figure", "Remark"])
    expect(shown.get_by_role("row", name="Leaf 299")).to_contain_text("2093")
    # The rows of one table stand in the same columns, once all are laid out.
    page.wait_for_function(
        """() => {
             const { rows } = document.querySelector('article[data-role=assistant] table');
             const columns = [...rows].map((row) => [...row.cells]
               .map((cell) => Math.round(cell.getBoundingClientRect().left)).join());
             return new Set(columns).size === 1;
           }"""
    )


def test_a_system_prompt_and_options_can_be_given_before_the_first_question(
    page: Page, server: Server
) -> None:
    open_page(page, server)
    page.get_by_role("button", name="Options", exact=True).click()
    page.get_by_role("textbox", name="System prompt").fill("Answer as a printer would.")
    page.get_by_role("spinbutton", name="Temperature").fill("0.3")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    ask(page, "Hello")
    answer(page, "done")
    conversation = server.call("GET", "/api/conversations").expect(200)["items"][0]["id"]
    kept = server.call("GET", f"/api/conversations/{conversation}").expect(200)
    assert kept["system_prompt"] == "Answer as a printer would."
    assert kept["options"] == {"temperature": 0.3}
    page.get_by_role("button", name="New chat").first.click()
    page.get_by_role("button", name="Options", exact=True).click()
    expect(page.get_by_role("textbox", name="System prompt")).to_have_value("")


def test_options_that_have_no_field_stay_as_another_client_set_them(
    page: Page, server: Server
) -> None:
    conversation = server.conversation(
        title="From a program", options={"stop": ["END"], "top_p": 0.5}
    )
    open_page(page, server, f"/c/{conversation}")
    expect(page.get_by_role("heading", name="From a program")).to_be_visible()
    page.get_by_role("button", name="Options", exact=True).click()
    page.get_by_role("spinbutton", name="Top p").fill("")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    kept = server.call("GET", f"/api/conversations/{conversation}").expect(200)["options"]
    assert kept == {"stop": ["END"]}


def test_a_phone_reaches_options_inspector_and_exports_in_the_head(
    page: Page, server: Server
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    ask_and_wait(page, server)
    page.locator("header").get_by_role("button", name="More").click()
    for name in ("Inspector", "Export as Markdown", "Export as JSON"):
        expect(page.get_by_role("menuitem", name=name)).to_be_visible()
    page.get_by_role("menuitem", name="Conversation options").click()
    expect(page.get_by_role("textbox", name="System prompt")).to_be_visible()


def test_the_palette_offers_what_can_be_done_and_sets_the_model_of_a_new_chat(
    page: Page, server: Server
) -> None:
    server.script("other", {"steps": [{"text": "Other."}]})
    open_page(page, server)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="New chat")).to_be_visible()
    expect(page.get_by_role("option", name="Edit your last message")).to_have_count(0)
    page.get_by_role("combobox", name="Command").fill("scripted/other")
    expect(page.get_by_role("option", name="Other", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    chosen(page, "scripted/other")


def test_keys_copy_the_answer_as_it_was_written_and_its_code_alone(
    page: Page, server: Server
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    listen(page)
    text = "Sort **$n_\\text{all}$**:\n\n```python\nleaves.sort()\n```\n\nThat is all."
    ask_and_wait(page, server, text)
    expect(answer(page).locator(".katex .text")).to_be_visible()
    copied = "navigator.clipboard.readText()"
    page.keyboard.press("Alt+c")
    announced(page, "Copied")
    assert page.evaluate(copied) == text
    html = """async () => {
      const [item] = await navigator.clipboard.read();
      return (await item.getType('text/html')).text();
    }"""
    rendered = page.evaluate(html)
    assert "<strong>$n_\\text{all}$</strong>" in rendered
    assert rendered.endswith("<p>That is all.</p>")
    # By hand it is what is seen, without the bar of the code and the foot of the answer.
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.page .turn'))")
    page.keyboard.press("Control+c")
    page.wait_for_function(
        "async (text) => (await navigator.clipboard.readText()).endsWith(text)",
        arg="\n\nSort $n_\\text{all}$:\n\nleaves.sort()\n\nThat is all.",
    )
    assert "<pre><code>leaves.sort()</code></pre>" in page.evaluate(html)
    page.keyboard.press("Alt+Shift+c")
    page.wait_for_function(f"async () => (await {copied}) === 'leaves.sort()\\n'")
    answer(page).get_by_role("button", name="Copy", exact=True).click()
    page.wait_for_function(f"async () => (await {copied}).trimEnd() === 'leaves.sort()'")


def test_a_quotation_of_the_answer_goes_before_what_is_written(page: Page, server: Server) -> None:
    ask_and_wait(page, server)
    composer(page).fill("Why?")
    answer(page).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Quote").click()
    expect(composer(page)).to_have_value("> The estuary is tidal.\n\nWhy?")


def test_a_model_without_its_key_stays_listed_and_leads_to_how_to_set_it(
    page: Page, server: Server
) -> None:
    open_page(page, server)
    page.get_by_role("button", name="Model:").click()
    page.get_by_role("combobox", name="Find a model").fill("anthropic")
    option = page.get_by_role("option", name="ANTHROPIC_API_KEY is not set")
    expect(option).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    expect(page.get_by_text("Set ANTHROPIC_API_KEY").first).to_be_visible()


def test_an_unknown_address_says_so_and_leads_back(page: Page, server: Server) -> None:
    open_page(page, server, "/c/c_nothing")
    thread = page.get_by_role("region", name="Conversation", exact=True)
    expect(thread).to_contain_text("This conversation doesn’t exist")
    thread.get_by_role("link", name="New chat").click()
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    page.goto(server.url + "/nothing")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="New chat").click()
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()


def test_a_conversation_that_could_not_be_read_says_why_and_is_read_again(
    page: Page, server: Server
) -> None:
    conversation = server.conversation(title="Kept")
    fault = {"title": "Storage failed", "detail": "The database can't be read.", "code": "storage"}
    address = f"**/api/conversations/{conversation}"
    page.route(address, lambda route: route.fulfill(status=500, json=fault))
    open_page(page, server, f"/c/{conversation}")
    expect(page.get_by_role("alert")).to_contain_text("The database can't be read.")
    page.unroute(address)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Kept", level=1)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_german_is_kept_over_a_reload(page: Page, server: Server) -> None:
    page.goto(server.url + "/settings#language")
    page.get_by_role("radio", name="Deutsch").click()
    expect(page.get_by_role("heading", name="Einstellungen")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Einstellungen")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.goto(server.url)
    expect(page.get_by_role("textbox", name="Nachricht")).to_be_visible()


def test_the_service_worker_keeps_the_page_and_never_the_conversation(
    page: Page, server: Server
) -> None:
    ask_and_wait(page, server)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()  # from now on the worker answers
    answer(page, "done")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    exported(page, TITLE, "Export as JSON")  # a navigation
    kept = page.evaluate(
        """async () => {
          const found = {};
          for (const name of await caches.keys()) {
            const cache = await caches.open(name);
            for (const request of await cache.keys())
              found[new URL(request.url).pathname] = await (await cache.match(request)).text();
          }
          return found;
        }"""
    )
    assert any(path.endswith(".js") for path in kept)
    assert {path for path in kept if not path.startswith("/_app/immutable/")} == {"/"}
    assert kept["/"].lstrip().lower().startswith("<!doctype html>")
    assert not [path for path, text in kept.items() if "The estuary is tidal." in text]


def test_a_page_opened_without_the_server_fills_itself_when_the_server_is_back(
    page: Page, server: Server
) -> None:
    ask_and_wait(page, server)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    answer(page, "done")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    server.kill()
    page.reload()
    waiting = page.get_by_role("status").filter(has_text="Waiting for the server.")
    offline = page.get_by_role("status").filter(has_text="No connection to the server")
    expect(waiting).to_be_visible()
    expect(offline).to_be_visible()
    server.start()
    answer(page, "done")
    is_text(page, "The estuary is tidal.")
    expect(page.locator(".row-line")).to_have_count(1)
    expect(waiting).to_have_count(0)


def test_copying_works_over_plain_http_on_another_host(
    page: Page, server_factory: MakeServer
) -> None:
    server = server_factory({"GRANTHA_ALLOWED_HOSTS": LAN_HOST}).start()
    listen(page)
    page.goto(f"http://{LAN_HOST}:{server.port}/")
    assert page.evaluate("window.isSecureContext") is False
    choose_model(page, "scripted/tour")
    ask(page, "Show me")
    answer(page, "done")
    box = composer(page)
    answer(page).get_by_role("button", name="Copy answer").click()
    announced(page, "Copied")
    box.focus()
    page.keyboard.press("Control+V")
    expect(box).to_have_value(re.compile("A small tour"))
    box.fill("")
    answer(page).locator("figure").get_by_role("button", name="Copy").click()
    box.focus()
    page.keyboard.press("Control+V")
    expect(box).to_have_value(re.compile("^def greet"))


def test_the_sheet_of_keys_and_the_palette_open_by_keys(page: Page, server: Server) -> None:
    ask_and_wait(page, server)
    page.get_by_role("region", name="Conversation", exact=True).focus()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard")
    expect(sheet).to_contain_text("Stop the answer")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Command").fill("inspector")
    expect(page.get_by_role("option", name="inspector")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Inspector")).to_be_visible()
    expect(page.get_by_role("dialog", name="Commands")).to_have_count(0)


def test_a_dialog_that_opens_while_another_closes_stays_open(page: Page, server: Server) -> None:
    open_page(page, server)
    page.get_by_role("region", name="New chat").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Stop the answer")
    # A browser reports that a dialog was closed in a task of its own: the key comes before it.
    page.evaluate(
        """() => {
             document.querySelector('dialog').close();
             const key = { key: 'k', code: 'KeyK', ctrlKey: true, bubbles: true };
             document.body.dispatchEvent(new KeyboardEvent('keydown', key));
           }"""
    )
    expect(page.get_by_role("dialog", name="Commands")).to_be_visible()


def test_an_edited_question_keeps_its_image(page: Page, server: Server) -> None:
    open_page(page, server)
    page.evaluate(GIVE_IMAGE, ["paste", PIXEL_TEXT])
    expect(page.get_by_role("img", name="pixel.png")).to_be_visible()
    ask(page, "What is it?")
    answer(page, "done")
    page.locator("article[data-role=user]").get_by_role("button", name="Edit").click()
    page.get_by_role("textbox", name="Edit your message").fill("What is on it?")
    page.get_by_role("button", name="Send as a new version").click()
    question = page.locator("article[data-role=user]").last
    expect(question).to_contain_text("2 of 2")
    expect(question.get_by_role("img", name="Image")).to_have_js_property("naturalWidth", 1)
