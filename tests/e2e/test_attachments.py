"""Files are checked when they are attached, made sendable where the browser can, and survive a refusal."""

from __future__ import annotations

import json
import os
import re
import struct

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.documents import samples
from tests.e2e.actions import announced, answer, ask, composer, listen, open_page
from tests.server import Server

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20"/></svg>'


def bitmap(side: int) -> bytes:
    """A BMP of noise: no browser sends it smaller than it is, no vendor takes it."""
    pixels = os.urandom(side * side * 3)
    head = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    return (
        head
        + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, len(pixels), 0, 0, 0, 0)
        + pixels
    )


def attach(page: Page, name: str, media_type: str, data: bytes) -> None:
    """Through the file chooser's input, as the paper clip opens it."""
    file: FilePayload = {"name": name, "mimeType": media_type, "buffer": data}
    page.locator("input[type=file]").set_input_files(file)


def sent_image(server: Server) -> dict[str, object]:
    """The image part of the only question on the server."""
    conversation = server.call("GET", "/api/conversations").expect(200)["items"][0]["id"]
    messages = server.call("GET", f"/api/conversations/{conversation}").expect(200)["messages"]
    parts = [part for part in messages[0]["parts"] if part["type"] == "image"]
    assert len(parts) == 1
    return dict(parts[0])


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("paper.pdf", b"%PDF-1.7\n1 0 obj\n", "paper.pdf is damaged."),
        ("letter.docx", b"PK\x03\x04\x14\x00\x06\x00", "letter.docx is damaged."),
        ("scan.pdf", samples.pdf([""]), "scan.pdf has no text."),
        ("program.txt", b"\x7fELF\x02\x01\x01\x00", "program.txt isn’t a file that can be read."),
    ],
)
def test_a_file_without_text_is_refused_when_it_is_attached(
    page: Page, server: Server, name: str, data: bytes, said: str
) -> None:
    listen(page)
    open_page(page, server)
    attach(page, name, "", data)
    announced(page, said)
    expect(page.locator(".attachments li")).to_have_count(0)


def test_a_document_is_read_before_it_can_be_sent_as_text(page: Page, server: Server) -> None:
    page.route("**/api/documents/text?*", lambda _route: None)  # no reply for now
    open_page(page, server)
    attach(page, "minutes.pdf", "application/pdf", samples.pdf(["All agreed."]))
    files = page.locator(".attachments li")
    expect(files).to_have_text("Reading minutes.pdf…")
    composer(page).fill("Who agreed?")
    composer(page).press("Enter")
    expect(page.locator(".toast")).to_have_text("minutes.pdf is still being read.")
    page.get_by_role("button", name="Remove minutes.pdf").click()
    expect(files).to_have_count(0)

    page.unroute("**/api/documents/text?*")
    attach(page, "minutes.pdf", "application/pdf", samples.pdf(["All agreed."]))
    expect(files).to_have_text("minutes.pdf")
    composer(page).press("Enter")
    answer(page, "done")
    conversation = server.call("GET", "/api/conversations").expect(200)["items"][0]["id"]
    question = server.call("GET", f"/api/conversations/{conversation}").expect(200)["messages"][0]
    file, text = question["parts"]
    assert (file["type"], file["text"]) == ("file", "[Page 1]\n\nAll agreed.")
    assert text["text"] == "Who agreed?"


def test_an_image_that_cannot_be_decoded_is_refused_when_it_is_attached(
    page: Page, server: Server
) -> None:
    listen(page)
    open_page(page, server)
    attach(page, "photo.heic", "image/heic", b"\x00\x00\x00\x18ftypheic")
    announced(page, "can’t read photo.heic")
    expect(page.locator(".attachments li")).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "media_type", "data"),
    [("drawing.svg", "image/svg+xml", SVG), ("noise.bmp", "image/bmp", bitmap(1500))],
    ids=["svg", "large bmp"],
)
def test_other_images_are_converted_and_scaled_until_they_can_be_sent(
    page: Page, server: Server, name: str, media_type: str, data: bytes
) -> None:
    open_page(page, server)
    attach(page, name, media_type, data)
    expect(page.locator(".attachments img")).to_be_visible()
    ask(page, "What is this?")
    answer(page, "done")
    image = sent_image(server)
    assert image["media_type"] in {"image/png", "image/jpeg"}
    shown = page.locator("article[data-role=user] img")
    expect(shown).to_have_js_property("complete", True)
    expect(shown).not_to_have_js_property("naturalWidth", 0)


def test_a_refused_first_question_comes_back_and_leaves_no_conversation(
    page: Page, server: Server
) -> None:
    def refuse(route: Route) -> None:
        body = {"title": "Refused", "detail": "The image is broken.", "code": "bad_request"}
        route.fulfill(status=422, content_type="application/problem+json", body=json.dumps(body))

    page.route("**/api/conversations/*/generations", refuse, times=1)
    listen(page)
    open_page(page, server)
    attach(page, "drawing.svg", "image/svg+xml", SVG)
    expect(page.locator(".attachments img")).to_be_visible()
    ask(page, "What is this?")
    announced(page, "The image is broken.")
    expect(page).to_have_url(re.compile(r"/$"))
    expect(composer(page)).to_have_value("What is this?")
    expect(page.locator(".attachments img")).to_be_visible()
    expect(page.locator(".row-line")).to_have_count(0)
    assert server.call("GET", "/api/conversations").expect(200)["items"] == []
    page.get_by_role("button", name="Send", exact=True).click()
    answer(page, "done")
