"""The fold here and the fold in the page give the same for every log in `fixtures/wire/fold`.

The page's own tests read the same files. A change of the fold begins with a fixture.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grantha.chat import parts_to_json
from grantha.events import event_from, payload_of
from grantha.fold import Fold, fold

FIXTURES = sorted(Path(__file__).parent.parent.joinpath("fixtures/wire/fold").glob("*.json"))


def folded(rows: list[dict[str, Any]]) -> Fold:
    events = [
        event_from(row["kind"], json.dumps({k: v for k, v in row.items() if k != "kind"}))
        for row in rows
    ]
    return fold(event for event in events if event is not None)


def as_json(result: Fold) -> dict[str, Any]:
    return {
        "parts": parts_to_json(result.parts()),
        "text": result.text(),
        "text_length": result.text_length,
        "seams": [json.loads(payload_of(seam)) for seam in result.seams],
        "citations": [json.loads(payload_of(citation)) for citation in result.citations],
        "usage": result.usage.to_json() if result.usage else None,
        "ending": result.end.ending if result.end else None,
    }


def test_there_are_logs_to_fold() -> None:
    assert len(FIXTURES) >= 10


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: str(path.stem))
def test_a_log_folds_to_what_its_fixture_says(path: Path) -> None:
    fixture = json.loads(path.read_text(encoding="utf-8"))
    assert as_json(folded(fixture["events"])) == fixture["expected"]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: str(path.stem))
def test_the_end_record_counts_what_the_fold_counts(path: Path) -> None:
    result = folded(json.loads(path.read_text(encoding="utf-8"))["events"])
    if result.end is not None:
        assert result.end.text_length == result.text_length == len(result.text())
