"""Images by URL and documents, sent by the vendors' own clients."""

from __future__ import annotations

import base64
from typing import Any

import anthropic
import openai
import pytest

from tests.compat_clients.conftest import CompatServer
from tests.documents import samples

URL = "https://pictures.example/cat.png"
PAPER = samples.pdf(["The cord is cut."])


def question_parts(server: CompatServer, location: str) -> list[dict[str, Any]]:
    """The parts of the question, as the native API shows them."""
    found = server.ended(server.located(location))
    conversation = server.call("GET", f"/api/conversations/{found['conversation']}").expect(200)
    parts: list[dict[str, Any]] = conversation["messages"][-2]["parts"]
    return parts


def pdf_block(content: bytes) -> Any:
    data = base64.b64encode(content).decode()
    source = {"type": "base64", "media_type": "application/pdf", "data": data}
    return {"type": "document", "title": "Cord.pdf", "source": source}


def test_a_model_that_reads_no_pdf_gets_its_text(
    anthropic_client: anthropic.Anthropic, compat_server: CompatServer
) -> None:
    raw = anthropic_client.messages.with_raw_response.create(
        model="scripted/hello",
        max_tokens=99,
        messages=[{"role": "user", "content": [pdf_block(PAPER)]}],
    )
    (part,) = question_parts(compat_server, raw.headers["location"])
    assert part == {
        "type": "file",
        "name": "Cord.pdf",
        "media_type": "application/pdf",
        "text": "[Page 1]\n\nThe cord is cut.",
    }


def test_a_pdf_without_text_is_refused_with_what_to_do(
    anthropic_client: anthropic.Anthropic,
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=r"no text.*A model that reads PDFs"):
        anthropic_client.messages.create(
            model="scripted/hello",
            max_tokens=99,
            messages=[{"role": "user", "content": [pdf_block(samples.pdf([""]))]}],
        )


def test_a_model_that_reads_pdfs_gets_it_as_it_is(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    model = compat_server.script(
        "reads-pdfs", {"capabilities": {"documents": True}, "steps": [{"text": "Cut."}]}
    )
    data = base64.b64encode(PAPER).decode()
    file: Any = {
        "type": "input_file",
        "filename": "Cord.pdf",
        "file_data": f"data:application/pdf;base64,{data}",
    }
    made = openai_client.responses.with_raw_response.create(
        model=model, input=[{"role": "user", "content": [file]}]
    )
    (part,) = question_parts(compat_server, made.headers["location"])
    assert (part["text"], part["media_type"]) == ("", "application/pdf")
    reply = compat_server.call("GET", part["url"])
    assert reply.status == 200
    assert reply.body == PAPER
    items = openai_client.responses.input_items.list(made.parse().id).data
    assert items[0].to_dict()["content"] == [file]


def test_an_image_by_url_is_kept_as_its_url(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    raw = openai_client.chat.completions.with_raw_response.create(
        model="scripted/hello",
        messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]}],
    )
    (part,) = question_parts(compat_server, raw.headers["location"])
    assert part == {"type": "image", "media_type": "", "url": URL}
