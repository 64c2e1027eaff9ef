"""Every recorded reply gives its events, however its bytes are cut."""

from __future__ import annotations

import pytest

from grantha.errors import GranthaError
from tests.wire.recorded import BODY_PARSERS, Recorded, decoded, matches, plain, recorded, refused

ALL = recorded()
STREAMED = [case for case in ALL if not case.is_body]
BODIES = [case for case in ALL if case.is_body and "status" not in case.expected]
REFUSALS = [case for case in ALL if "status" in case.expected]


@pytest.mark.parametrize("case", STREAMED, ids=str)
def test_a_reply_in_one_chunk_gives_its_events(case: Recorded) -> None:
    actual = decoded(case.decoder(), [case.body])
    assert matches(case.expected, actual), actual


@pytest.mark.parametrize("case", STREAMED, ids=str)
def test_a_reply_byte_by_byte_gives_the_same_events(case: Recorded) -> None:
    actual = decoded(case.decoder(), (bytes([byte]) for byte in case.body))
    assert matches(case.expected, actual), actual


@pytest.mark.parametrize("case", STREAMED, ids=str)
def test_a_reply_cut_in_two_anywhere_gives_the_same_events(case: Recorded) -> None:
    for at in range(1, len(case.body)):
        actual = decoded(case.decoder(), [case.body[:at], case.body[at:]])
        assert matches(case.expected, actual), (at, actual)


@pytest.mark.parametrize("case", STREAMED, ids=str)
def test_a_reply_that_ends_anywhere_gives_only_text_that_was_sent(case: Recorded) -> None:
    full = _said(decoded(case.decoder(), [case.body]))
    for at in range(len(case.body)):
        part = _said(decoded(case.decoder(), [case.body[:at]]))
        # Half a surrogate pair at the very end becomes U+FFFD, and half a tag stays text.
        kept = part.rstrip("\ufffd")
        assert full.startswith(kept) or kept.strip() in full or "<" in kept, (at, part)


@pytest.mark.parametrize("case", BODIES, ids=str)
def test_a_whole_reply_gives_its_events(case: Recorded) -> None:
    try:
        actual = plain(BODY_PARSERS[case.dialect](case.body))
    except GranthaError as error:
        actual = plain([], error)
    assert matches(case.expected, actual), actual


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_a_refused_request_becomes_its_error(case: Recorded) -> None:
    actual = refused(case.expected["status"], case.body)
    assert matches(case.expected, actual), actual


@pytest.mark.parametrize("case", ALL, ids=str)
def test_a_fixture_says_what_it_is_about(case: Recorded) -> None:
    assert case.expected["about"].endswith(".")


def _said(actual: dict[str, object]) -> str:
    events = actual["events"]
    assert isinstance(events, list)
    return "".join(str(event.get("text", "")) for event in events)
