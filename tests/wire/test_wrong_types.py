"""Vendors put any JSON into any field: none of it is a defect of ours, and nothing absurd is passed on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from grantha.chat import MAX_COUNT, Usage
from grantha.errors import GranthaError
from grantha.events import UpstreamEvent, UsageSeen
from grantha.wire.upstream.vendor_errors import parse_error_report, parse_retry_after
from tests.wire.recorded import BODY_PARSERS, ERROR_FACTORY, Recorded, recorded

WRONG: tuple[Any, ...] = (5, "x", None, [], {}, [5], {"x": 5}, True, -1, 1e308, 10**400, [None])
TEXT = {
    *("text", "signature", "call_id", "name", "arguments", "url", "title", "quoted"),
    *("native", "upstream_id", "model", "code", "message"),
}
# Of each dialect a few replies that together have all of its fields: all recorded ones take minutes.
NAMES = {
    *("web-search", "two-tools", "thinking-with-signature", "signature-on-a-tool-call", "failed"),
    *("search-with-a-source-without-address", "prompt-blocked", "tool-calls", "tools-in-parallel"),
    *(
        "url-citations",
        "groq-tool-use-failed-after-200",
        "cost-with-a-key-of-ones-own",
        "annotation",
    ),
    *("reasoning-details", "function-call", "logprobs", "cached-input", "citations-at-vertex"),
}
STREAMED = [
    case
    for case in recorded()
    if case.name in NAMES and not case.is_body and case.dialect != "bedrock"
]
BODIES = [case for case in recorded() if case.is_body and "status" not in case.expected]
REFUSALS = [case for case in recorded() if "status" in case.expected]


def mutants(value: Any) -> Iterator[Any]:
    """The value with each of its members replaced by each of the wrong ones."""
    if isinstance(value, dict):
        members: Any = value.items()
    else:
        members = enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        for other in (*WRONG, *mutants(member)):
            changed = value.copy()
            changed[key] = other
            yield changed


def parsed(case: Recorded) -> Any:
    """The JSON of a body; None where it is no JSON."""
    with suppress(ValueError):
        return json.loads(case.body)
    return None


def check(events: list[UpstreamEvent]) -> None:
    """Every field has its type, and every count is one."""
    for event in events:
        for name in TEXT & set(event.__slots__):
            value = getattr(event, name)
            assert value is None or isinstance(value, str), event
        if isinstance(event, UsageSeen):
            for count in event.usage.to_json().values():
                assert count is True or 0 <= count <= MAX_COUNT, event


@pytest.mark.parametrize("case", STREAMED, ids=str)
def test_a_streamed_reply_with_wrong_types(case: Recorded) -> None:
    lines = case.body.split(b"\n")
    for number, line in enumerate(lines):
        head, brace, rest = line.partition(b"{")
        for mutant in mutants(json.loads(brace + rest)) if brace else ():
            lines[number] = head + json.dumps(mutant).encode()
            decoder = case.decoder()
            check(decoder.feed(b"\n".join(lines)))
            with suppress(GranthaError):
                check(decoder.finish())
        lines[number] = line


@pytest.mark.parametrize("case", BODIES, ids=str)
def test_a_whole_reply_with_wrong_types(case: Recorded) -> None:
    for mutant in mutants(parsed(case)):
        with suppress(GranthaError):
            check(BODY_PARSERS[case.dialect](json.dumps(mutant).encode()))


@pytest.mark.parametrize("case", REFUSALS, ids=str)
def test_a_refusal_with_wrong_types(case: Recorded) -> None:
    for mutant in mutants(parsed(case)):
        report = parse_error_report(mutant)
        if report is not None:
            json.dumps(ERROR_FACTORY.from_report(report, 400).to_json(), allow_nan=False)


@pytest.mark.parametrize(
    "value",
    ["inf", "-inf", "nan", "1e999", "-5", "Thu, 01 Jan 2026 00:00:30 -0000", "9" * 5000, ""],
)
def test_a_wait_is_a_number_of_seconds_or_unknown(value: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        wait = parse_retry_after({name: value})
        assert wait is None or 0 <= wait < 1e300
    details = {"error": {"details": [{"retryDelay": f"{value}s"}]}}
    report = parse_error_report(details)
    assert report is not None
    error = ERROR_FACTORY.from_report(report, 429)
    assert error.retry_after is None or error.retry_after <= 7 * 86400


@pytest.mark.parametrize("value", [-1, 10**30, float("inf"), float("nan"), True, "5", [5], 1.5])
def test_a_count_that_no_answer_can_have_is_unknown(value: Any) -> None:
    usage = Usage.from_json({"input_tokens": value, "output_tokens": 7})
    assert usage == Usage(None, 7)
