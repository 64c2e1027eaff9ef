"""The reader's account of a log: what it takes, what it refuses, what it proves."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from grantha.client.errors import BrokenLog
from grantha.client.log_verifier import LogVerifier
from grantha.events import RecordId, TextDelta

OPEN = {"id": "1-0", "kind": "open", "previous": None, "model": "scripted/x"}


def _delta(at: str, text: str, **more: Any) -> dict[str, Any]:
    return {"id": at, "kind": "text-delta", "part": 0, "text": text, **more}


def _end(at: str, text: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": at,
        "kind": "generation-end",
        "ending": "done",
        "finish_reason": "stop",
        "native_finish_reason": None,
        "usage": None,
        "timings": {},
        "text_length": len(text),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        **changes,
    }


def _fed(*bodies: dict[str, Any], after: str = "0-0") -> LogVerifier:
    verifier = LogVerifier("g_1", RecordId.parse(after))
    for body in bodies:
        verifier.verify(body)
    return verifier


def test_a_whole_log_is_taken_and_proven() -> None:
    verifier = _fed(
        OPEN, _delta("1-1", "Grüß "), _delta("1-2", "dich 👋"), _end("1-3", "Grüß dich 👋")
    )

    assert verifier.ended
    assert verifier.last == (1, 3)


def test_a_frame_of_many_records_moves_the_cursor_by_as_many() -> None:
    verifier = _fed(OPEN, _delta("1-7", "abc", records=7), _end("1-8", "abc"))

    assert verifier.ended


def test_a_record_that_was_taken_before_is_given_once() -> None:
    verifier = _fed(OPEN, _delta("1-1", "a"))

    assert verifier.verify(_delta("1-1", "a")) is None
    frame = verifier.verify(_delta("1-2", "b"))
    assert frame is not None
    assert frame.event == TextDelta(0, "b")


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param(_delta("1-3", "c"), id="a record"),
        pytest.param(_delta("1-3", "bc", records=1), id="a record of a merged frame"),
        pytest.param(_delta("2-1", "c"), id="the opening of an epoch"),
        pytest.param({**OPEN, "id": "2-0", "previous": "1-2"}, id="the end of the epoch before"),
        pytest.param({**OPEN, "id": "2-0", "previous": None}, id="what the epoch follows"),
    ],
)
def test_a_gap_is_refused_and_the_cursor_stays_before_it(missing: dict[str, Any]) -> None:
    verifier = _fed(OPEN, _delta("1-1", "a"))

    with pytest.raises(BrokenLog, match=r"missing between 1-1 and"):
        verifier.verify(missing)
    assert verifier.last == (1, 1)


def test_an_epoch_that_names_the_last_id_before_continues() -> None:
    verifier = _fed(
        OPEN,
        _delta("1-1", "a"),
        {**OPEN, "id": "2-0", "previous": "1-1"},
        _delta("2-1", "b"),
        _end("2-2", "ab"),
    )

    assert verifier.ended


@pytest.mark.parametrize(
    "changes",
    [{"sha256": "0" * 64}, {"text_length": 3}],
    ids=["another text", "another length"],
)
def test_an_end_that_does_not_match_the_text_is_refused(changes: dict[str, Any]) -> None:
    verifier = _fed(OPEN, _delta("1-1", "ab"))

    with pytest.raises(BrokenLog, match="proves"):
        verifier.verify(_end("1-2", "ab", **changes))


def test_reading_from_the_middle_checks_order_and_cannot_prove_the_text() -> None:
    verifier = _fed(_delta("1-5", "e"), _end("1-6", "abcde"), after="1-4")

    assert verifier.ended


def test_a_kind_of_a_newer_server_is_left_out_but_counted() -> None:
    verifier = _fed(OPEN)

    assert verifier.verify({"id": "1-1", "kind": "aroma", "of": "coffee"}) is None
    assert verifier.verify(_delta("1-2", "a")) is not None


@pytest.mark.parametrize(
    "body", [{"kind": "hello", "epoch": 1}, {"id": "1-4", "kind": "snapshot", "text": "abc"}]
)
def test_what_is_no_record_does_not_move_the_cursor(body: dict[str, Any]) -> None:
    verifier = _fed(OPEN)

    assert verifier.verify(body) is None
    assert verifier.last == (1, 0)


@pytest.mark.parametrize(
    "body",
    [
        {"id": "1:1", "kind": "text-delta", "part": 0, "text": "a"},
        {"id": "1-1", "kind": "text-delta", "part": 0},
        {"id": "1-1"},
    ],
)
def test_a_record_that_cannot_be_read_is_a_broken_log(body: dict[str, Any]) -> None:
    with pytest.raises(BrokenLog):
        _fed(OPEN).verify(body)
