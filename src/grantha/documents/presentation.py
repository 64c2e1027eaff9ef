"""PowerPoint files: the text of each slide below its number, and its notes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from grantha.documents.office_archive import OfficeArchive
from grantha.documents.text_buffer import TextBuffer

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_SLIDE = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_PRESENTATION = "ppt/presentation.xml"


def read_presentation(data: bytes, text: TextBuffer) -> int:
    """The number of slides, which are in the order in which they are shown."""
    archive = OfficeArchive(data)
    targets = _related(archive, _PRESENTATION)
    listed = _parsed(archive, _PRESENTATION).iter(f"{_SLIDE}sldId")
    slides = [targets[slide.attrib[_ID]][1] for slide in listed]
    for number, slide in enumerate(slides, 1):
        if text.full:
            break
        blocks = ["\n".join(_lines(_parsed(archive, slide)))]
        for kind, target in _related(archive, slide).values():
            if kind.endswith("/notesSlide"):
                blocks.append("Notes: " + " ".join(_lines(_parsed(archive, target))))
        text.add("\n\n".join(blocks), f"[Slide {number}]")
    return len(slides)


def _lines(root: ET.Element) -> Iterator[str]:
    """Paragraphs, and rows of tables with a tab between cells."""
    in_tables = {p for row in root.iter(f"{_DRAWING}tr") for p in row.iter(f"{_DRAWING}p")}
    for element in root.iter():
        if element.tag == f"{_DRAWING}tr":
            cells = element.iter(f"{_DRAWING}tc")
            yield "\t".join(" ".join(map(_words, cell.iter(f"{_DRAWING}p"))) for cell in cells)
        elif (
            element.tag == f"{_DRAWING}p"
            and element not in in_tables
            and (words := _words(element))
        ):
            yield words


def _words(paragraph: ET.Element) -> str:
    return "".join(run.text or "" for run in paragraph.iter(f"{_DRAWING}t")).strip()


def _related(archive: OfficeArchive, part: str) -> dict[str, tuple[str, str]]:
    """The kind and the path of what a part refers to, by id."""
    folder, name = posixpath.split(part)
    relations = f"{folder}/_rels/{name}.rels"
    if not archive.has(relations):
        return {}
    return {
        relation.attrib["Id"]: (
            relation.attrib["Type"],
            posixpath.normpath(posixpath.join(folder, relation.attrib["Target"])).lstrip("/"),
        )
        for relation in _parsed(archive, relations).iter(_RELATION)
    }


def _parsed(archive: OfficeArchive, name: str) -> ET.Element:
    # Expat bounds what entities expand to, and this process what it may take.
    return ET.fromstring(archive.read(name))  # noqa: S314
