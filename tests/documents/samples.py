"""Small documents of every kind, written by hand: no program that makes them is needed."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping, Sequence

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"

# One blank page, encrypted with the password "secret".
LOCKED_PDF = base64.b64decode(
    "JVBERi0xLjMKJeLjz9MKMSAwIG9iago8PAovUHJvZHVjZXIgPGIxNjM2OWVjMTQ+Cj4+CmVuZG9iagoyIDAgb2Jq"
    "Cjw8Ci9UeXBlIC9QYWdlcwovQ291bnQgMQovS2lkcyBbIDQgMCBSIF0KPj4KZW5kb2JqCjMgMCBvYmoKPDwKL1R5"
    "cGUgL0NhdGFsb2cKL1BhZ2VzIDIgMCBSCj4+CmVuZG9iago0IDAgb2JqCjw8Ci9UeXBlIC9QYWdlCi9SZXNvdXJj"
    "ZXMgPDwKPj4KL01lZGlhQm94IFsgMC4wIDAuMCAxMDAgMTAwIF0KL1BhcmVudCAyIDAgUgo+PgplbmRvYmoKNSAw"
    "IG9iago8PAovViAxCi9SIDIKL0xlbmd0aCA0MAovUCA0Mjk0OTY3MjkyCi9GaWx0ZXIgL1N0YW5kYXJkCi9PIDxl"
    "NWE4ZDI2ODdiZDlkMGNmZjk0NmI3YWM1NWY1MTA4MWRjZjBkMTE2NTU0YzRiZmNiMGE1ZTQ0NmY2OWVhNDhhPgov"
    "VSA8ZTI1YmY1MzZiMzhiMzQ2Yjc4ZWI0NjZiMDUzM2YwYTllNWJiYjExODNkZTg4MzIyMjA5OGQwOTQ0NmVmNGFj"
    "Yz4KPj4KZW5kb2JqCnhyZWYKMCA2CjAwMDAwMDAwMDAgNjU1MzUgZiAKMDAwMDAwMDAxNSAwMDAwMCBuIAowMDAw"
    "MDAwMDU5IDAwMDAwIG4gCjAwMDAwMDAxMTggMDAwMDAgbiAKMDAwMDAwMDE2NyAwMDAwMCBuIAowMDAwMDAwMjYx"
    "IDAwMDAwIG4gCnRyYWlsZXIKPDwKL1NpemUgNgovUm9vdCAzIDAgUgovSW5mbyAxIDAgUgovSUQgWyA8YzQ5ODFh"
    "Mzk0ZmE0MjVkNzFlNmFjYmQ2YTEyMWU2NTU+IDxjNDk4MWEzOTRmYTQyNWQ3MWU2YWNiZDZhMTIxZTY1NT4gXQov"
    "RW5jcnlwdCA1IDAgUgo+PgpzdGFydHhyZWYKNDc1CiUlRU9GCg=="
)


def pdf(pages: Sequence[str]) -> bytes:
    """A PDF with a line of text on each page."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for page in pages:
        number = len(objects) + 1
        kids.append(f"{number} 0 R")
        drawing = f"BT /F1 12 Tf 20 100 Td ({page}) Tj ET".encode("latin-1")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents {number + 1} 0 R "
            "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica "
            "/Encoding /WinAnsiEncoding >> >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing))
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(pages)} >>".encode()
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )
    return bytes(out)


def archive(members: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in members.items():
            made.writestr(name, body)
    return out.getvalue()


def claiming(made: bytes, size: int) -> bytes:
    """The archive, whose first member claims to expand to so many bytes."""
    at = made.index(b"PK\x01\x02") + 24
    return made[:at] + size.to_bytes(4, "little") + made[at + 4 :]


def word(body: str, prologue: str = "") -> bytes:
    """A Word file with the given paragraphs; see `paragraph` and `table`."""
    return archive(
        {
            "[Content_Types].xml": f'<Types xmlns="{_TYPES}"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName='
            '"/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
            'wordprocessingml.document.main+xml"/></Types>',
            "_rels/.rels": _relations({"r1": ("officeDocument", "word/document.xml")}),
            "word/document.xml": f'{prologue}<w:document xmlns:w="{_WORD}"><w:body>{body}'
            "</w:body></w:document>",
        }
    )


def paragraph(text: str, style: str = "") -> str:
    """A paragraph of a Word file, such as `Heading1`."""
    styled = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{styled}<w:r><w:t>{text}</w:t></w:r></w:p>"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table of a Word file."""
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def excel(sheets: Mapping[str, Sequence[Sequence[str | float]]]) -> bytes:
    """An Excel workbook."""
    relations, listed, members = {}, "", {}
    for number, (name, rows) in enumerate(sheets.items(), 1):
        relations[f"r{number}"] = ("worksheet", f"worksheets/sheet{number}.xml")
        listed += f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>'
        lines = "".join(
            f'<row r="{at}">' + "".join(map(_cell, row)) + "</row>"
            for at, row in enumerate(rows, 1)
        )
        members[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{_SHEET}"><sheetData>{lines}</sheetData></worksheet>'
        )
    return archive(
        {
            "_rels/.rels": _relations({"r1": ("officeDocument", "xl/workbook.xml")}),
            "xl/_rels/workbook.xml.rels": _relations(relations),
            "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>{listed}'
            "</sheets></workbook>",
            **members,
        }
    )


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def powerpoint(slides: Sequence[tuple[str, str]]) -> bytes:
    """A presentation of slides, each with its text and its notes, stored in the opposite order."""
    relations, listed = {}, ""
    members: dict[str, str | bytes] = {}
    for number, (text, notes) in enumerate(slides):
        stored = len(slides) - number
        relations[f"r{stored}"] = ("slide", f"slides/slide{stored}.xml")
        listed += f'<p:sldId id="{256 + number}" r:id="r{stored}"/>'
        members[f"ppt/slides/slide{stored}.xml"] = _drawn("sld", text)
        if notes:
            members[f"ppt/slides/_rels/slide{stored}.xml.rels"] = _relations(
                {"r1": ("notesSlide", f"../notesSlides/notes{stored}.xml")}
            )
            members[f"ppt/notesSlides/notes{stored}.xml"] = _drawn("notes", notes)
    return archive(
        {
            "_rels/.rels": _relations({"r1": ("officeDocument", "ppt/presentation.xml")}),
            "ppt/_rels/presentation.xml.rels": _relations(relations),
            "ppt/presentation.xml": f'<p:presentation xmlns:p="{_SLIDE}" xmlns:r="{_OFFICE}">'
            f"<p:sldIdLst>{listed}</p:sldIdLst></p:presentation>",
            **members,
        }
    )


def _drawn(kind: str, text: str) -> str:
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f'<p:{kind} xmlns:p="{_SLIDE}" xmlns:a="{_DRAWING}">{lines}</p:{kind}>'


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="{key}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for key, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{_RELATIONS}">{listed}</Relationships>'
