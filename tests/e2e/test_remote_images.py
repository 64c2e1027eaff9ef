"""Images of other hosts in an answer: a placeholder, and after a click the image, by the server alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.actions import answer, ask, choose_model, open_page
from tests.image_host import ImageHost, Reply, serving_images
from tests.server import MakeServer, Server


@pytest.fixture
def host() -> Iterator[ImageHost]:
    with serving_images() as made:
        yield made


@pytest.fixture
def allowing(server_factory: MakeServer) -> Server:
    return server_factory({"GRANTHA_IMAGE_NETWORKS": "127.0.0.1"}).start()


def show(page: Page, server: Server, text: str) -> None:
    """An answer of this text."""
    model = server.script("images", {"steps": [{"text": text}]})
    open_page(page, server)
    choose_model(page, model)
    ask(page, "Show me")
    answer(page, "done")


def test_an_image_loads_after_a_click_and_only_through_the_server(
    page: Page, allowing: Server, host: ImageHost
) -> None:
    others: list[str] = []
    page.on(
        "request",
        lambda sent: (
            None
            if sent.url.startswith((allowing.url, "data:", f"blob:{allowing.url}"))
            else others.append(sent.url)
        ),
    )
    page.on("console", lambda m: others.append(m.text) if "Content Security" in m.text else None)
    show(page, allowing, f"A dot: ![a dot]({host.url}/held/dot.png) and more.")
    text = answer(page).locator(".prose")
    place = f"127.0.0.1:{host.port}"
    load = text.get_by_role("button", name=f"Load image from {place}")
    expect(load).to_contain_text("a dot")
    assert host.requests == []
    load.click()
    expect(text.get_by_role("button", name=f"Loading image from {place}")).to_be_visible()
    host.open()
    expect(text.get_by_role("img", name="a dot")).to_have_js_property("naturalWidth", 1)
    assert host.paths == ["/held/dot.png"]
    assert others == []


def test_an_image_that_fails_says_why_and_can_be_tried_again(
    page: Page, allowing: Server, host: ImageHost
) -> None:
    host.replies["/dot.png"] = Reply(b"<svg/>", headers={"Content-Type": "image/svg+xml"})
    show(page, allowing, f"![a dot]({host.url}/dot.png)")
    text = answer(page).locator(".prose")
    text.get_by_role("button", name="Load image").click()
    expect(text).to_contain_text("isn't a PNG, JPEG, GIF or WebP image")
    link = text.get_by_role("link", name=f"Open on 127.0.0.1:{host.port}")
    expect(link).to_have_attribute("href", f"{host.url}/dot.png")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    host.replies.clear()
    text.get_by_role("button", name="Try again").click()
    expect(text.get_by_role("img", name="a dot")).to_have_js_property("naturalWidth", 1)


def test_an_image_of_a_private_network_is_not_loaded(
    page: Page, server: Server, host: ImageHost
) -> None:
    show(page, server, f"![a dot]({host.url}/dot.png)")
    text = answer(page).locator(".prose")
    text.get_by_role("button", name="Load image").click()
    expect(text).to_contain_text("private network")
    expect(text).to_contain_text("GRANTHA_IMAGE_NETWORKS")
    assert host.requests == []
