"""Excel and OpenDocument spreadsheets: each sheet as CSV below its name."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from grantha.documents.document_text import Unreadable
from grantha.documents.text_buffer import TextBuffer


def read_spreadsheet(data: bytes, text: TextBuffer) -> int:
    """The number of sheets. Raises `Unreadable`, also for old Word and PowerPoint files."""
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in workbook.sheet_names:
            if text.full:
                break
            text.add(_as_csv(workbook.get_sheet_by_name(name).to_python()), f"## {name}")
    except PasswordError as error:
        raise Unreadable("locked") from error
    except CalamineError as error:
        raise Unreadable(
            "unsupported", "Save it in a present format, such as .docx, .xlsx or .pptx."
        ) from error
    return len(workbook.sheet_names)


def _as_csv(rows: Iterable[Iterable[object]]) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for row in rows:
        cells = [_cell(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        writer.writerow(cells)
    return lines.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)
