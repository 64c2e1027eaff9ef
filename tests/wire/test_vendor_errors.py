"""How a vendor's words, codes and statuses become one class; and what no error may quote."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantha import errors
from grantha.errors import ProviderError
from grantha.events import Finished
from grantha.wire.upstream.openai_chat_decoder import chat_decoder
from grantha.wire.upstream.openai_chat_profile import DEFAULT_PROFILE
from grantha.wire.upstream.vendor_errors import (
    COMPARED_LENGTH,
    ErrorFactory,
    ErrorReport,
    _share_run,
    error_class,
    parse_error_report,
    parse_retry_after,
)


@pytest.mark.parametrize(
    ("status", "code", "words", "expected"),
    [
        (401, None, "", errors.KeyRejected),
        (429, None, "", errors.RateLimited),
        (429, "insufficient_quota", "", errors.QuotaExhausted),
        (429, None, "Insufficient balance, please recharge", errors.QuotaExhausted),
        (400, "context_length_exceeded", "", errors.ContextOverflow),
        (400, None, "This model's maximum context length is 8192 tokens", errors.ContextOverflow),
        (400, None, "the input token count exceeds the maximum", errors.ContextOverflow),
        (400, "content_policy_violation", "", errors.ContentBlocked),
        (400, "data_inspection_failed", "", errors.ContentBlocked),
        (404, "model_not_found", "", errors.ModelNotFound),
        (400, None, "The model `x` does not exist", errors.ModelNotFound),
        (400, "invalid_value", "temperature must be at most 2", errors.RequestRefused),
        (422, None, "", errors.RequestRefused),
        (500, "server_error", "", errors.ProviderFailed),
        (503, "server_error", "", errors.Overloaded),
        (500, "server_error", "input (9 tokens) is too large to process", errors.ContextOverflow),
        (502, None, "", errors.ProviderFailed),
        (None, "overloaded_error", "", errors.Overloaded),
        (None, None, "Model is overloaded", errors.Overloaded),
        (None, None, "something odd", errors.ProviderFailed),
    ],
)
def test_code_then_status_then_message_decide(
    status: int | None, code: str | None, words: str, expected: type[ProviderError]
) -> None:
    assert error_class(status, code, words) is expected


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no"}},
        {"error": "no"},
        {"object": "error", "message": "no"},
        [{"error": {"message": "no"}}],
        {"message": "no"},
        {"detail": "no"},
    ],
)
def test_every_known_shape_of_an_error_is_read(body: object) -> None:
    report = parse_error_report(body)
    assert report is not None
    assert report.message == "no"


@pytest.mark.parametrize("body", [None, 1, "no", [], {}, {"choices": []}, {"error": None}])
def test_what_is_no_error_is_not_taken_for_one(body: object) -> None:
    assert parse_error_report(body) is None


def test_the_wait_is_read_in_seconds_milliseconds_and_as_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_retry_after({"retry-after": "1.5"}) == 1.5
    assert parse_retry_after({"retry-after": "Thu, 01 Jan 2026 00:00:30 -0000"}, now) == 30.0
    for unusable in ("inf", "-inf", "nan", "1e999", "Thu, 99 Jan 2026", "soon", ""):
        assert parse_retry_after({"retry-after": unusable}) is None, unusable
        assert parse_retry_after({"retry-after-ms": unusable, "retry-after": "2"}) == 2.0
    assert parse_retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert parse_retry_after({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}, now) == 30.0
    assert parse_retry_after({"retry-after": "Wed, 31 Dec 2025 00:00:30 GMT"}, now) == 0.0
    assert parse_retry_after({"retry-after": "soon"}) is None
    assert parse_retry_after({}) is None


def test_a_vendor_s_message_is_quoted_shortened_and_on_one_line() -> None:
    error = ErrorFactory("vendor", "m").from_report(
        ErrorReport(None, "max_tokens\n is " + "x" * 400), 400
    )
    assert error.message.startswith("vendor refused the request to m (HTTP 400): max_tokens is x")
    assert len(error.message) < 360


def test_a_message_that_holds_a_key_is_not_quoted() -> None:
    error_factory = ErrorFactory("vendor", "m", secrets=("sk-secret",))
    assert (
        "sk-secret"
        not in error_factory.from_report(ErrorReport(None, "key sk-secret"), 500).message
    )


@pytest.mark.parametrize(
    "words",
    [
        "You said: my private diary says this, which is bad",
        "Blocked: tiny words",
        "tiny words",
    ],
)
def test_a_message_that_holds_the_user_s_text_is_not_quoted(words: str) -> None:
    texts = ("Dear model, my private diary says this,\nand more.", "tiny words")
    message = (
        ErrorFactory("vendor", "m", texts=texts).from_report(ErrorReport(None, words), 400).message
    )
    assert message == "vendor refused the request to m (HTTP 400)"


KEY = "sk-proj-Qm8rT2vX9zLb4Nc7"


@pytest.mark.parametrize("start", range(len(KEY) - 7))
def test_no_eight_characters_of_a_key_are_quoted(start: int) -> None:
    error_factory = ErrorFactory("vendor", "m", secrets=(KEY,))
    run = KEY[start : start + 8]
    report = ErrorReport(f"code {run}", f"the key ({run}) has no access")
    error = error_factory.from_report(report, 500)
    assert run not in json.dumps(error.to_json())


def test_a_key_is_not_quoted_in_another_spelling() -> None:
    key = f"{KEY}+/="
    error_factory = ErrorFactory("vendor", "m", secrets=(key,))
    for spelled in (
        key.upper(),
        quote(key, safe=""),
        *(b64encode(b"x" * before + key.encode()).decode() for before in range(3)),
        *(urlsafe_b64encode(b"x" * before + key.encode() + b"y").decode() for before in range(3)),
    ):
        error = error_factory.from_report(ErrorReport(None, f"Not valid: {spelled}"), 500)
        assert error.message == "vendor reports an internal failure (HTTP 500)", spelled


def test_a_short_key_is_not_quoted_and_hides_no_other_word() -> None:
    error_factory = ErrorFactory("vendor", "m", secrets=("s3cret", "on"))
    assert error_factory.quotable("The key (s3cret) has expired") == ""
    assert error_factory.quotable("s3cretly, one thing is on") == "s3cretly, one thing is on"


def test_the_beginning_of_a_key_before_an_ellipsis_is_not_quoted() -> None:
    error_factory = ErrorFactory("vendor", "m", secrets=(KEY,))
    assert error_factory.quotable("no access for sk-pro...") == ""
    assert error_factory.quotable("please wait...") == "please wait..."


def test_keys_in_headers_and_forms_are_not_quoted() -> None:
    error_factory = ErrorFactory("vendor", "m")
    error_factory.add_secrets(
        {
            "Authorization": "AWS4-HMAC Credential=AKIDEXAMPLE012345678/2026/eu, Signature="
            + "0" * 64
        }
    )
    error_factory.add_secret("refresh-token-0123456789")
    for said in ("AKIDEXAMPLE0", "refresh-token-0123", "0" * 8):
        assert error_factory.quotable(f"no such key: {said}") == ""
    assert error_factory.quotable("not in the region eu") == "not in the region eu"


def test_the_vendor_s_own_finish_reason_holds_no_key() -> None:
    decoder = chat_decoder(DEFAULT_PROFILE, ErrorFactory("vendor", "m", secrets=(KEY,)))
    chunk = {"choices": [{"delta": {"content": "Hi"}, "finish_reason": f"bad key {KEY}"}]}
    decoder.feed(f"data: {json.dumps(chunk)}\n\n".encode())
    assert decoder.finish()[-1] == Finished("unknown", None)


@pytest.mark.parametrize(
    "masked",
    [
        *("sk-pr***Nc7", "sk-p********Nc7", "sk-p...4Nc7", "AIza…b4Nc7"),
        *("****b4Nc7", "sk-pr****", "sk-••••b4Nc7"),
    ],
)
def test_a_masked_key_is_not_quoted(masked: str) -> None:
    error = ErrorFactory("vendor", "m").from_report(ErrorReport(None, f"no access: {masked}."), 500)
    assert error.message.endswith(": no access: ***.")


def test_a_header_that_is_no_secret_may_be_quoted() -> None:
    error_factory = ErrorFactory("vendor", "m")
    error_factory.add_secrets({"Content-Type": "application/json", "X-Key": KEY})
    report = ErrorReport(None, "application/json is not taken")
    assert "application/json" in error_factory.from_report(report, 500).message


def test_a_rejected_key_is_never_quoted_even_in_part() -> None:
    report = ErrorReport("invalid_api_key", "Incorrect API key provided: sk-ab****yz")
    assert (
        ErrorFactory("vendor").from_report(report, 401).message == "vendor doesn't accept the key"
    )


WORDS = st.text(alphabet="ab ", max_size=60)


@given(WORDS, WORDS, st.integers(2, 12))
def test_a_shared_run_is_found_wherever_it_stands(message: str, text: str, length: int) -> None:
    runs = {message[i : i + length] for i in range(len(message) - length + 1)}
    assert _share_run(message, text, length) == any(run in text for run in runs)


def test_beside_a_very_long_conversation_only_codes_are_quoted() -> None:
    factory = ErrorFactory("Acme", "m", (), ("secret plans", "word " * (COMPARED_LENGTH // 5 + 1)))
    assert factory.quotable("invalid_value") == "invalid_value"
    assert factory.quotable("secret plans!") == ""
    assert factory.quotable("The value of this member is no number.") == ""
