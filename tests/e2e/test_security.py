"""Nothing a model writes is executed, nothing is fetched without a click, and the page keeps the token."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.e2e.actions import answer, ask, choose_model, has_text, open_page
from tests.server import MakeServer, Server, until

PAYLOADS = [
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1><script>window.hit=1</script></svg>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "<details open ontoggle=window.hit=1>",
    "<a href='javascript:window.hit=1'>a</a>",
    "<form action=javascript:window.hit=1><button>b</button></form>",
    "<style>@import url(https://evil.example/x.css)</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example>",
    "[a](javascript:window.hit=1)",
    "[a](JaVaScRiPt:window.hit=1)",
    "[a](&#106;avascript:window.hit=1)",
    "[a](java\tscript:window.hit=1)",
    "[a](data:text/html,<script>parent.hit=1</script>)",
    "[a](vbscript:x)",
    "<javascript:window.hit=1>",
    "[x]: javascript:window.hit=1\n\n[x]",
    "![a](https://evil.example/pixel.png)",
    "![a](data:image/svg+xml,<svg onload=window.hit=1>)",
    '![a](x "onerror=window.hit=1")',
    "`<img src=x onerror=window.hit=1>`",
    "```html\n<script>window.hit=1</script>\n```",
    (
        "```mermaid\ngraph TD\nA[<img src=x onerror=window.hit=1>]-->B\n"
        'click A "javascript:window.hit=1"\n```'
    ),
    (
        '```mermaid\n%%{init: {"securityLevel": "loose"}}%%\ngraph TD\n'
        "A[<script>window.hit=1</script>]\n```"
    ),
    "$\\href{javascript:window.hit=1}{x}$",
    "$$\\includegraphics{https://evil.example/a.png}$$",
    "$\\htmlData{onclick=window.hit=1}{x}$",
    "|a|\n|-|\n|<img src=x onerror=window.hit=1>|",
    "# <img src=x onerror=window.hit=1>",
    "> <svg/onload=window.hit=1>",
    "- [ ] <img src=x onerror=window.hit=1>",
    "[^1]\n\n[^1]: <img src=x onerror=window.hit=1>",
    "https://evil.example/<script>window.hit=1</script>",
]


def healthy(server: Server) -> bool:
    try:
        return server.call("GET", "/healthz").status == 200
    except OSError:
        return False


def test_no_payload_in_an_answer_runs_or_is_fetched(page: Page, server: Server) -> None:
    foreign: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((server.url, "data:", "blob:")):
            foreign.append(request.url)

    page.on("request", note)
    page.on("dialog", lambda dialog: foreign.append(f"dialog {dialog.message}"))
    text = "\n\n".join(PAYLOADS) + "\n\nThe end."
    model = server.script("payloads", {"steps": [{"text": text, "split": "chars"}]})
    open_page(page, server)
    choose_model(page, model)
    ask(page, "<img src=x onerror=window.hit=1>")
    answer(page, "done")
    has_text(page, "The end.")
    # Diagrams and formulas have been drawn, or have failed to be.
    expect(page.locator(".prose [data-pending]")).to_have_count(0)
    links = page.evaluate(
        "[...document.querySelectorAll('.prose a')].map((one) => [one.getAttribute('href') ?? '', one.rel])"
    )
    assert links
    for href, rel in links:
        assert href.split(":")[0] in {"https", "http", "mailto"}, href
        assert "noopener" in rel
    assert page.evaluate("window.hit") is None
    assert foreign == []
    assert page.locator(".prose script, .prose iframe, .prose form, .prose link").count() == 0
    # Locators look into shadow roots, where a diagram has its own style; outside of them there is none.
    assert page.evaluate("document.querySelectorAll('.prose style').length") == 0


def test_a_title_made_of_markup_is_shown_as_text(page: Page, server: Server) -> None:
    title = "<img src=x onerror=window.hit=1>"
    conversation = server.conversation(title=title)
    open_page(page, server, f"/c/{conversation}")
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.get_by_role("link", name=title, exact=True)).to_be_visible()
    assert page.evaluate("window.hit") is None


def test_the_page_breaks_no_rule_of_its_own_policy(page: Page, server: Server) -> None:
    broken: list[str] = []
    page.on("console", lambda m: broken.append(m.text) if "Content Security" in m.text else None)
    open_page(page, server)
    choose_model(page, "scripted/tour")
    ask(page, "Everything")
    answer(page, "done")
    for path in ("/usage", "/settings"):
        page.goto(server.url + path)
        page.get_by_role("heading", level=1).wait_for()
    assert broken == []


@pytest.mark.parametrize("given", ["right", "wrong"])
def test_a_server_with_a_token_asks_for_it_once(
    page: Page, server_factory: MakeServer, given: str
) -> None:
    server = server_factory({"GRANTHA_TOKEN": "right-token-of-this-server"}).start(ready=False)
    until(lambda: healthy(server), "the server to listen", hint=server.output)
    page.goto(server.url)
    field = page.get_by_role("textbox", name="Access token")
    field.fill("right-token-of-this-server" if given == "right" else "another")
    page.get_by_role("button", name="Sign in").click()
    if given == "wrong":
        expect(page.get_by_role("alert")).to_contain_text("Wrong access token")
        return
    ask(page, "Hello")
    answer(page, "done")
    assert "right-token" not in json.dumps(
        page.evaluate("({...localStorage, cookie: document.cookie})")
    )
    page.reload()
    answer(page, "done")


def test_signing_out_ends_the_login_in_every_tab(
    page: Page, context: BrowserContext, server_factory: MakeServer
) -> None:
    server = server_factory({"GRANTHA_TOKEN": "right-token-of-this-server"}).start(ready=False)
    until(lambda: healthy(server), "the server to listen", hint=server.output)
    page.goto(server.url)
    page.get_by_role("textbox", name="Access token").fill("right-token-of-this-server")
    page.get_by_role("button", name="Sign in").click()
    other = context.new_page()
    open_page(other, server)
    page.goto(f"{server.url}/settings#server")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("textbox", name="Access token")).to_be_visible()
    expect(other.get_by_role("textbox", name="Access token")).to_be_visible()


def test_without_a_token_there_is_nothing_to_sign_out_of(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/settings#server")
    expect(page.get_by_role("definition").filter(has_text="FULL")).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
