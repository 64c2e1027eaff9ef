"""What lies between the page and its server may hold text back, forbid sockets, stall, cut or drip.

The answer comes whole all the same, without a reload, and the page says truly what is going on.
"""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.actions import (
    PACED,
    answer,
    ask,
    choose_model,
    composer,
    eventually,
    has_text,
    is_text,
    open_page,
    text_of,
)
from tests.e2e.proxies import WEBSOCKET, FaultyProxy, nginx_before
from tests.server import DEADLINE, Server

pytestmark = pytest.mark.faults

WHOLE = "".join(f"word{n} " for n in range(400))
BUFFERS = """
      proxy_buffering on;
      proxy_ignore_headers X-Accel-Buffering;
"""
GZIP = """
      proxy_set_header Accept-Encoding "";
      gzip on;
      gzip_proxied any;
      gzip_min_length 1;
      gzip_types text/event-stream application/x-ndjson application/json;
"""
FORBIDDEN = "      return 403;\n"
NOT_UPGRADED = ""  # no Upgrade header goes through: the server sees a plain GET

# On a loaded machine the first byte may take the 3 s after which the page goes around a proxy.
PATIENT = """
const start = window.setTimeout;
window.setTimeout = (job, ms, ...more) => start(job, ms === 3000 ? 60_000 : ms, ...more);
"""

StartNginx = Callable[..., str]


@pytest.fixture
def proxy(nginx: str, tmp_path: Path, server: Server) -> Iterator[StartNginx]:
    """Starts an nginx in front of the server and gives its URL; ends it after the test."""
    with ExitStack() as running:

        def start(rules: str, live: str = WEBSOCKET) -> str:
            before = nginx_before(nginx, tmp_path / "nginx", server.port, rules=rules, live=live)
            return running.enter_context(before)

        yield start


@pytest.fixture
def faulty(server: Server) -> Iterator[FaultyProxy]:
    """A TCP proxy before the server; it always misbehaves in the same order."""
    made = FaultyProxy(server.port, seed=20)
    yield made
    made.close()


class TransportRecorder:
    """What the page asked for: which transports it read by, and whether it mended its text."""

    def __init__(self, page: Page) -> None:
        self.accepted: list[str] = []
        self.sockets = 0
        self.whole = 0
        page.on("request", lambda request: self._request(request.url, request.headers))
        page.on("websocket", lambda socket: socket.on("framesent", self._sent))

    def _request(self, url: str, headers: dict[str, str]) -> None:
        if "/api/generations/" in url and "/events" in url:
            self.accepted.append(headers.get("accept", ""))
        elif "/api/generations/" in url:
            self.whole += 1

    def _sent(self, body: str | bytes) -> None:
        self.sockets += "subscribe" in str(body)

    @property
    def polls(self) -> int:
        """How many long polls."""
        return self.accepted.count("application/x-ndjson")


def begin(page: Page, server: Server, url: str, words: int = 20) -> None:
    """Opens the page through what lies between, and asks; `words` of the answer may be written."""
    model = server.script("paced", PACED)
    server.allow("go", words)
    page.goto(url)
    expect(composer(page)).to_be_visible()
    choose_model(page, model)
    page.evaluate("window.neverReloaded = true")
    ask(page, "Count")


def _offline(page: Page) -> Locator:
    """What the list of conversations says while the server is away."""
    return page.get_by_role("status").filter(has_text="No connection to the server. Reconnecting…")


def is_whole(page: Page, server: Server, seen: TransportRecorder | None = None) -> None:
    """The text on screen is the one whose hash ends the log, and it came by the log alone."""
    answer(page, "done")
    conversation = server.call("GET", "/api/conversations").expect(200)["items"][0]["id"]
    messages = server.call("GET", f"/api/conversations/{conversation}").expect(200)["messages"]
    end = messages[-1]["end"]
    assert end["sha256"] == hashlib.sha256(WHOLE.encode()).hexdigest()
    is_text(page, WHOLE)
    assert page.evaluate("window.neverReloaded") is True
    if seen is not None:
        assert seen.whole == 0, "the text had to be fetched again"


def test_a_proxy_that_holds_text_back_is_named_and_gone_around_by_the_socket(
    page: Page, server: Server, proxy: StartNginx
) -> None:
    seen = TransportRecorder(page)
    begin(page, server, proxy(BUFFERS + GZIP))
    has_text(page, "word19")
    notice = page.get_by_role("status").filter(has_text="something between this page")
    expect(notice).to_contain_text("No text arrived for 3 s")
    expect(notice).to_contain_text("Switched to WebSocket at record")
    expect(notice).to_contain_text("Nothing is missing")
    eventually(page, lambda: seen.sockets == 1, "the subscription over the socket")
    assert seen.accepted == ["text/event-stream"]
    server.allow("go")
    is_whole(page, server, seen)
    ask(page, "Again")
    answer(page, "done")
    expect(page.locator("article[data-role=assistant]")).to_have_count(2)
    assert seen.accepted == ["text/event-stream"], "what worked was not remembered"


def test_text_that_comes_in_bursts_is_seen_as_held_back(
    page: Page, server: Server, faulty: FaultyProxy
) -> None:
    # The notice stands for as long as the answer is written: the gate holds its last word.
    model = server.script("steady", {"rate": 25, "gate": "go", "steps": PACED["steps"]})
    server.allow("go", 399)
    page.goto(faulty.url)
    choose_model(page, model)
    seen = TransportRecorder(page)
    page.evaluate("window.neverReloaded = true")
    faulty.hold(2.5)
    ask(page, "Count")
    notice = page.get_by_role("status").filter(has_text="something between this page")
    expect(notice).to_contain_text("Text is arriving in bursts")
    expect(notice).to_contain_text("Switched to WebSocket")
    server.allow("go")
    is_whole(page, server, seen)


def test_a_proxy_that_holds_events_back_holds_nothing_else(
    server: Server, faulty: FaultyProxy
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", faulty.port, timeout=DEADLINE)
    connection.request("GET", "/openapi.json")
    assert b"text/event-stream" in connection.getresponse().read()
    faulty.hold(3600)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b'{"status":"ok"}'
    connection.close()


@pytest.mark.parametrize("live", [FORBIDDEN, NOT_UPGRADED], ids=["403", "no-upgrade"])
def test_with_buffering_and_no_sockets_long_polls_bring_the_answer(
    page: Page, server: Server, proxy: StartNginx, live: str
) -> None:
    seen = TransportRecorder(page)
    begin(page, server, proxy(BUFFERS + GZIP, live))
    has_text(page, "word19")
    notice = page.get_by_role("status").filter(has_text="something between this page")
    expect(notice).to_contain_text("Switched to long polling")
    eventually(page, lambda: seen.polls > 0, "a long poll")
    assert seen.sockets == 0
    server.allow("go", 100)
    has_text(page, "word99")
    server.allow("go")
    is_whole(page, server, seen)


@pytest.mark.parametrize(
    ("rules", "live"),
    [(GZIP, FORBIDDEN), (BUFFERS, NOT_UPGRADED)],
    ids=["gzip-403", "buffering-no-upgrade"],
)
def test_without_sockets_the_page_works_and_does_not_call_the_server_away(
    page: Page, server: Server, proxy: StartNginx, rules: str, live: str
) -> None:
    page.add_init_script(PATIENT)
    seen = TransportRecorder(page)
    with page.expect_response("**/healthz"):
        begin(page, server, proxy(rules, live))
    has_text(page, "word19")
    server.allow("go")
    is_whole(page, server, seen)
    assert set(seen.accepted) == {"text/event-stream"}
    expect(_offline(page)).to_have_count(0)


def test_a_connection_that_drips_splits_every_frame_and_loses_none(
    page: Page, server: Server, faulty: FaultyProxy
) -> None:
    seen = TransportRecorder(page)
    begin(page, server, faulty.url)
    has_text(page, "word19")
    faulty.drip()
    server.allow("go")
    is_whole(page, server, seen)


def test_connections_cut_at_random_bytes_cost_no_text(
    page: Page, server: Server, faulty: FaultyProxy
) -> None:
    seen = TransportRecorder(page)
    begin(page, server, faulty.url)
    has_text(page, "word19")
    faulty.cut(15)
    for words in range(40, 400, 20):
        server.allow("go", words)
        has_text(page, f"word{words - 1}")
    server.allow("go")
    is_whole(page, server, seen)
    assert faulty.cuts >= 3


def test_a_question_cut_on_its_way_is_sent_once(
    page: Page, server: Server, faulty: FaultyProxy
) -> None:
    server.script("paced", PACED)
    open_page(page, server)
    page.goto(faulty.url)
    ask(page, "Hello")
    answer(page, "done")
    faulty.cut(4)
    ask(page, "Once more")
    expect(page.locator("article[data-role=assistant]")).to_have_count(2)
    answer(page, "done")
    conversation = server.call("GET", "/api/conversations").expect(200)["items"][0]["id"]
    messages = server.call("GET", f"/api/conversations/{conversation}").expect(200)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2


def test_a_connection_that_stalls_is_reported_and_the_answer_continues_after_it(
    page: Page, server: Server, faulty: FaultyProxy
) -> None:
    seen = TransportRecorder(page)
    begin(page, server, faulty.url)
    has_text(page, "word19")
    shown = text_of(page)
    faulty.stall()
    server.allow("go", 60)
    expect(answer(page).locator("footer")).to_contain_text(
        "No response from the server for", timeout=60_000
    )
    expect(answer(page).locator("footer")).to_contain_text("the answer continues on the server")
    answer(page, "stalled")
    is_text(page, shown)
    faulty.flow()
    has_text(page, "word59")
    server.allow("go")
    is_whole(page, server, seen)


def test_offline_is_shown_and_back_online_nothing_was_missed(
    page: Page, context: BrowserContext, server: Server, faulty: FaultyProxy
) -> None:
    seen = TransportRecorder(page)
    begin(page, server, faulty.url)
    has_text(page, "word19")
    # Chromium's switch refuses new connections and leaves open sockets: those end at the wire.
    context.set_offline(True)
    faulty.sever()
    server.allow("go", 60)
    answer(page, "stalled")
    expect(_offline(page)).to_be_visible()
    context.set_offline(False)
    has_text(page, "word59")
    expect(_offline(page)).to_have_count(0)
    server.allow("go")
    is_whole(page, server, seen)


def test_a_tab_that_was_put_to_sleep_shows_everything_when_it_wakes(
    page: Page, context: BrowserContext, server: Server, faulty: FaultyProxy
) -> None:
    seen = TransportRecorder(page)
    begin(page, server, faulty.url)
    has_text(page, "word19")
    sleep = context.new_cdp_session(page)
    sleep.send("Page.setWebLifecycleState", {"state": "frozen"})
    server.allow("go", 200)
    faulty.sever()  # as a network does whose machine sleeps
    sleep.send("Page.setWebLifecycleState", {"state": "active"})
    has_text(page, "word199")
    server.allow("go")
    is_whole(page, server, seen)
