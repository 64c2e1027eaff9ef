"""Documents become text in a child process that can do no harm, and every failure has its own words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from grantha.documents import document_text as kinds
from grantha.documents.converter import DocumentConverter
from grantha.documents.document_text import DocumentText
from grantha.errors import BadRequest, Busy, TooLarge, Unsupported
from tests.documents import prying_child, samples
from tests.documents.samples import paragraph, table

MOST = 100_000


async def convert(data: bytes, name: str = "paper", most: int = MOST) -> DocumentText:
    return await DocumentConverter(most, os.environ).convert(name, sent(data))


async def sent(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 65_536):
        yield data[at : at + 65_536]


async def test_a_pdf_gives_the_text_of_each_page_below_its_number() -> None:
    found = await convert(samples.pdf(["The cord is cut.", "Na\xefve caf\xe9"]))
    assert found == DocumentText(
        kinds.PDF, "[Page 1]\n\nThe cord is cut.\n\n[Page 2]\n\nNa\xefve caf\xe9", 2
    )


async def test_a_word_file_gives_headings_lists_and_tables_as_markdown() -> None:
    body = (
        paragraph("Minutes", "Heading1")
        + paragraph("*Nine* of snake_case came.")
        + table([["Name", "Age"], ["Ada", "36"]])
    )
    found = await convert(samples.word(body))
    assert found == DocumentText(
        kinds.WORD,
        "# Minutes\n\n*Nine* of snake_case came.\n\n| Name | Age |\n| --- | --- |\n| Ada | 36 |",
    )


async def test_a_workbook_gives_each_sheet_as_csv_below_its_name() -> None:
    sheets: dict[str, list[list[str | float]]] = {
        "Sales": [["Month", "Sum"], ["May", 1200.0], ["June, all", 2.5]],
        "Empty": [],
    }
    found = await convert(samples.excel(sheets))
    assert found == DocumentText(
        kinds.EXCEL, '## Sales\n\nMonth,Sum\nMay,1200\n"June, all",2.5\n\n## Empty', 2
    )


async def test_a_presentation_gives_its_slides_in_the_order_in_which_they_are_shown() -> None:
    found = await convert(samples.powerpoint([("First\nA point", "Say hello."), ("Second", "")]))
    assert found == DocumentText(
        kinds.POWERPOINT,
        "[Slide 1]\n\nFirst\nA point\n\nNotes: Say hello.\n\n[Slide 2]\n\nSecond",
        2,
    )


async def test_a_long_document_is_cut_and_says_so() -> None:
    found = await convert(samples.pdf([f"Line {n} of many" for n in range(40)]), most=100)
    assert found.truncated
    assert found.pages == 40
    assert 80 < len(found.text) <= 100
    assert found.text.startswith("[Page 1]\n\nLine 0 of many")


DAMAGED = samples.pdf(["x"])[:60]
BOMB = samples.claiming(samples.word(paragraph("x")), 600 * 1024 * 1024)
LEVELS = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
LAUGHS = f'<!DOCTYPE d [<!ENTITY a "ha">{LEVELS}]>'


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (DAMAGED, BadRequest, "paper is damaged."),
        (samples.word("<w:p>"), BadRequest, "paper is damaged."),
        (samples.word(paragraph("&j;"), LAUGHS), BadRequest, "paper is damaged."),
        (b"PK\x03\x04" + bytes(100), BadRequest, "paper is damaged."),
        (samples.LOCKED_PDF, BadRequest, "paper is protected by a password."),
        (samples.pdf([""]), BadRequest, "paper has no text."),
        (samples.excel({"Nothing": []}), BadRequest, "paper has no text."),
        (BOMB, TooLarge, "paper takes more time or memory than a document may."),
        (b"\x7fELF" + bytes(100), Unsupported, "paper isn't a document that can be read"),
        (samples.archive({"a.txt": "a"}), Unsupported, "paper isn't a document that can be read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000), Unsupported, "paper isn't a document"),
        (b"", Unsupported, "paper isn't a document that can be read"),
    ],
    ids=["cut", "xml", "entities", "zip", "locked", "scanned", "sheet", "bomb", "elf", "other", "ole", "0"],
)  # fmt: skip
async def test_what_gives_no_text_is_refused_with_its_reason(
    data: bytes, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as raised:
        await convert(data)
    assert str(raised.value).startswith(words)
    assert raised.value.advice  # type: ignore[attr-defined]


async def test_a_parser_has_no_keys_and_may_write_no_file() -> None:
    variables = {
        **os.environ,
        "OPENAI_API_KEY": "sk-secret",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    converter = DocumentConverter(MOST, variables, prying_child.__name__)
    found = await converter.convert("paper", sent(b"x"))
    assert found.text.startswith("no key; No usable temporary directory")


async def test_a_document_whose_client_leaves_is_dropped_and_its_turn_passed_on() -> None:
    converter = DocumentConverter(MOST, os.environ)
    never = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield b"%PDF-"
        await never.wait()

    waiting = [asyncio.create_task(converter.convert("paper", stuck())) for _ in range(22)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await converter.convert("paper", sent(samples.pdf(["x"])))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await converter.convert("paper", sent(samples.pdf(["x"])))).pages == 1
