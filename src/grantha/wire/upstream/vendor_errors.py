"""Maps a vendor's failure to one class of our error tree, whether it is a status, a body or an event.

| checked in this order | example |
|---|---|
| the vendor's own code | insufficient_quota, context_length_exceeded, overloaded_error |
| the status | 401, 402, 403, 404, 408, 429, 5xx |
| its message, as the last resort | "maximum context length", "API key not valid" |

Keeps two promises: no key and no stretch of the user's text ever gets into an error. So the vendor's
message is quoted only when it holds neither.
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from grantha import errors
from grantha.errors import ProviderError

SEARCHED_LENGTH = 2000  # characters of a vendor's message that are searched: it may be a whole page
QUOTED_LENGTH = 300  # characters of it that we pass on
SECRET_RUN = 8  # characters of a secret, in a row, that no message may hold
MIN_SECRET_LENGTH = 4  # characters: a shorter key protects nothing, and every message would hold it
MIN_HEADER_LENGTH = 20  # characters of a header that may be a key: shorter ones are content types
SHARED_LENGTH = 20  # a substring this long that is also in the conversation is the user's text
COMPARED_LENGTH = (
    512 * 1024
)  # characters of a conversation: comparing more would hold the event loop

_CODES: dict[str, type[ProviderError]] = {
    # OpenAI and those who follow it
    "invalid_api_key": errors.KeyRejected,
    "incorrect_api_key": errors.KeyRejected,
    "authentication_error": errors.KeyRejected,
    "invalid_authentication": errors.KeyRejected,
    "invalid_authentication_error": errors.KeyRejected,
    "permission_error": errors.AccessDenied,
    "permission_denied": errors.AccessDenied,
    "insufficient_quota": errors.QuotaExhausted,
    "billing_hard_limit_reached": errors.QuotaExhausted,
    "billing_not_active": errors.QuotaExhausted,
    "billing_error": errors.QuotaExhausted,
    "exceeded_current_quota_error": errors.QuotaExhausted,
    "insufficient_balance": errors.QuotaExhausted,
    "arrearage": errors.QuotaExhausted,
    "rate_limit_exceeded": errors.RateLimited,
    "rate_limit_error": errors.RateLimited,
    "rate_limit_reached_error": errors.RateLimited,
    "too_many_requests": errors.RateLimited,
    "model_not_found": errors.ModelNotFound,
    "model_not_exist": errors.ModelNotFound,
    "modelnotfound": errors.ModelNotFound,
    "deploymentnotfound": errors.ModelNotFound,
    "resource_not_found_error": errors.ModelNotFound,
    "model_decommissioned": errors.ModelNotFound,
    "context_length_exceeded": errors.ContextOverflow,
    "exceed_context_size_error": errors.ContextOverflow,
    "string_above_max_length": errors.ContextOverflow,
    "content_filter": errors.ContentBlocked,
    "content_policy_violation": errors.ContentBlocked,
    "responsibleaipolicyviolation": errors.ContentBlocked,
    "data_inspection_failed": errors.ContentBlocked,
    "datainspectionfailed": errors.ContentBlocked,
    "server_overloaded": errors.Overloaded,
    "engine_overloaded_error": errors.Overloaded,
    "slow_down": errors.Overloaded,
    "insufficient_system_resource": errors.Overloaded,
    "tool_use_failed": errors.ProviderFailed,
    "server_error": errors.ProviderFailed,
    "internal_error": errors.ProviderFailed,
    # Anthropic
    "overloaded_error": errors.Overloaded,
    "not_found_error": errors.ModelNotFound,
    "request_too_large": errors.ContextOverflow,
    "timeout_error": errors.TimedOut,
    "api_error": errors.ProviderFailed,
    # Google
    "api_key_invalid": errors.KeyRejected,
    "unauthenticated": errors.KeyRejected,
    "quota_per_day": errors.QuotaExhausted,
    "resource_exhausted": errors.RateLimited,
    "unavailable": errors.Overloaded,
    "deadline_exceeded": errors.TimedOut,
    "internal": errors.ProviderFailed,
    # AWS
    "throttlingexception": errors.RateLimited,
    "servicequotaexceededexception": errors.QuotaExhausted,
    "serviceunavailableexception": errors.Overloaded,
    "modelnotreadyexception": errors.Overloaded,
    "internalserverexception": errors.ProviderFailed,
    "modelstreamerrorexception": errors.ProviderFailed,
    "modelerrorexception": errors.ProviderFailed,
    "modeltimeoutexception": errors.TimedOut,
    "accessdeniedexception": errors.AccessDenied,
    "unrecognizedclientexception": errors.KeyRejected,
    "invalidsignatureexception": errors.KeyRejected,
    "expiredtokenexception": errors.KeyRejected,
    "resourcenotfoundexception": errors.ModelNotFound,
}

_STATUSES: dict[int, type[ProviderError]] = {
    401: errors.KeyRejected,
    402: errors.QuotaExhausted,
    403: errors.AccessDenied,
    404: errors.ModelNotFound,
    408: errors.TimedOut,
    413: errors.ContextOverflow,
    429: errors.RateLimited,
    498: errors.Overloaded,  # Groq: flex capacity exceeded
    503: errors.Overloaded,
    504: errors.TimedOut,
    529: errors.Overloaded,  # Anthropic
}

# Only for a code and status that say no more than "bad request" or nothing at all.
_MESSAGE_PATTERNS: tuple[tuple[re.Pattern[str], type[ProviderError]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (
            (
                r"api[- ]key (is |you provided is )?(not valid|invalid|expired|incorrect)"
                r"|(invalid|incorrect|wrong|no such) api[- ]key"
            ),
            errors.KeyRejected,
        ),
        (
            (
                r"context (length|window|size)|maximum context|too many tokens|prompt is too long"
                r"|input is too long|exceeds? the (maximum|available|model)[^.]*(token|context)"
                r"|input token count|range of input length|exceed context limit"
                r"|maximum prompt length|reduce the length of the (messages|input|prompt)"
            ),
            errors.ContextOverflow,
        ),
        (r"content (filter|management|policy)|inappropriate content", errors.ContentBlocked),
        (r"credit balance|insufficient (balance|credit|quota|funds)", errors.QuotaExhausted),
        (
            (
                r"model\b.*\b(not found|not exist|does ?n.t exist|not available)"
                r"|model identifier is invalid|(unknown|invalid|no such) model\b"
            ),
            errors.ModelNotFound,
        ),
        (r"overloaded|at capacity", errors.Overloaded),
    )
)

# llama.cpp reports a text that is to be embedded and doesn't fit as a failure of its own.
_TEXT_TOO_LARGE = "is too large to process"

_TITLES: dict[type[ProviderError], str] = {
    errors.KeyRejected: "{who} doesn't accept the key",
    errors.AccessDenied: "{who} doesn't let this key use {what}",
    errors.ModelNotFound: "{who} doesn't offer {what}",
    errors.QuotaExhausted: "The account at {who} has no credit left",
    errors.RateLimited: "{who} asks for fewer requests",
    errors.Overloaded: "{who} is overloaded",
    errors.ContentBlocked: "{who}'s content filter blocked {what}",
    errors.ContextOverflow: "The conversation is too long for {what} at {who}",
    errors.RequestRefused: "{who} refused the request to {what}",
    errors.TimedOut: "{who} took too long",
    errors.ProviderFailed: "{who} reports an internal failure",
}
# Quoting these would show parts of the key or the text that was blocked.
_NEVER_QUOTED = (errors.KeyRejected, errors.ContentBlocked)


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """A failure as a vendor reports it. `retry_after` is the retry delay the body names."""

    code: str | None = None
    message: str = ""
    retry_after: float | None = None
    param: str | None = None
    status: int | None = None
    failed_generation: str | None = (
        None  # what the model wrote before its tool call turned out invalid
    )


# A vendor may send back a key with a part of it masked: "sk-ab***yz", "AIza...9f", "****9f3a", "sk-ab••".
_MASKED = re.compile(r"[\w-]*(?:\*{3,}|•{2,})[\w*•.-]*(?<!\.)|[\w-]+(?:\.{3,}|…)[\w.-]*\w")
# The beginning of a key before an ellipsis, which may be an ordinary word as well.
_BEGINNING = re.compile(r"([\w-]{4,})(?:\.{3}|…)")
# The access key's id in a signature of AWS, which its words may repeat.
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)")
_PUBLIC_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "content-type",
        "host",
        "traceparent",
        "tracestate",
        "user-agent",
    }
)


class ErrorFactory:
    """Makes the errors of one call. `secrets` and `texts` are what no error may quote."""

    def __init__(
        self,
        provider: str,
        model: str = "",
        secrets: Sequence[str] = (),
        texts: Sequence[str] = (),
    ) -> None:
        self.provider = provider
        self.model = model
        self._secrets = _secrets(secrets, MIN_SECRET_LENGTH)
        self._texts = texts

    def from_report(
        self, seen: ErrorReport, status: int | None = None, header_retry_after: float | None = None
    ) -> ProviderError:
        """The error for what a vendor reported; `header_retry_after` is the retry-after of the headers, in
        seconds.
        """
        status = status or seen.status
        kind = error_class(status, seen.code, seen.message)
        native = seen.code or (str(status) if status else None)
        return kind(
            self._message(kind, status, seen.message),
            provider=self.provider,
            retry_after=header_retry_after if header_retry_after is not None else seen.retry_after,
            native=self.quotable(native or "") or None,
        )

    def add_secrets(self, headers: Mapping[str, str]) -> None:
        """Values in a request's headers are secret, too: fetched tokens, signatures."""
        values = [value for name, value in headers.items() if name.lower() not in _PUBLIC_HEADERS]
        self.add_secret(*(value.rpartition(" ")[2] for value in values))
        self.add_secret(*(found[1] for value in values if (found := _CREDENTIAL.search(value))))

    def add_secret(self, *secrets: str) -> None:
        """What else is sent and may come back, such as a token in a form."""
        self._secrets += _secrets(secrets, MIN_HEADER_LENGTH)

    def truncated(self, native: str | None = None) -> ProviderError:
        """The reply ended without the terminal sign, or with a vendor's finish reason for being cut."""
        return errors.Truncated(
            f"{self.provider} broke off in the middle of the answer",
            provider=self.provider,
            native=native,
        )

    def malformed(self, what: str) -> ProviderError:
        """The reply isn't what its dialect allows; `what` is a rule, never content."""
        return errors.MalformedReply(
            f"The reply of {self.provider} can't be read: {what}",
            advice="Check that the provider's base URL serves this dialect.",
            provider=self.provider,
        )

    def quotable(self, message: str) -> str:
        """The vendor's message on one line, shortened; empty if it holds a key or the user's text.

        Beside a conversation of more than `COMPARED_LENGTH` characters only codes are quoted: what is too
        short to be the user's text.
        """
        message = _MASKED.sub("***", " ".join(message.split()))
        if self.holds_secret(message):
            return ""
        if len(message) > QUOTED_LENGTH:
            message = message[: QUOTED_LENGTH - 1] + "…"
        return "" if self._quotes_conversation(message) else message

    def holds_secret(self, text: str) -> bool:
        """Whether a text holds a key, a part of one, or one in another spelling."""
        folded = text.casefold()
        if any(_repeats(folded, spelling) for s in self._secrets for spelling in _spellings(s)):
            return True
        beginnings = [found[1] for found in _BEGINNING.finditer(folded)]
        return any(s.casefold().startswith(begun) for s in self._secrets for begun in beginnings)

    def _message(self, kind: type[ProviderError], status: int | None, message: str) -> str:
        title = _TITLES[kind].format(who=self.provider, what=self.model or "this model")
        if status and kind in {errors.ProviderFailed, errors.RequestRefused}:
            title += f" (HTTP {status})"
        quoted = "" if kind in _NEVER_QUOTED else self.quotable(message)
        return f"{title}: {quoted}" if quoted else title

    def _quotes_conversation(self, message: str) -> bool:
        texts = self._texts
        if sum(map(len, texts)) > COMPARED_LENGTH:
            if len(message) >= SHARED_LENGTH:
                return True
            texts = [text for text in texts if len(text) <= SEARCHED_LENGTH]
        known = [" ".join(text.split()) for text in texts]
        if any(len(text) >= 4 and text in message for text in known):
            return True
        return any(_share_run(message, text, SHARED_LENGTH) for text in known)


def error_class(status: int | None, code: str | None, message: str) -> type[ProviderError]:
    """The class for a failure; `RequestRefused` for an unexplained 4xx, `ProviderFailed` for the
    rest.
    """
    if _TEXT_TOO_LARGE in message:
        return errors.ContextOverflow
    by_code = _CODES.get((code or "").lower())
    if by_code is not None and not (by_code is errors.ProviderFailed and status in _STATUSES):
        return by_code
    by_status = _STATUSES.get(status or 0)
    if by_status is errors.RateLimited and _matches(errors.QuotaExhausted, message):
        return errors.QuotaExhausted
    if by_status is not None:
        return by_status
    if status is not None and status >= 500:
        return errors.ProviderFailed
    for pattern, kind in _MESSAGE_PATTERNS:
        if pattern.search(message):
            return kind
    named = any(word in (code or "").lower() for word in ("invalid", "validation"))
    refused = named or (status is not None and 400 <= status < 500)
    return errors.RequestRefused if refused else errors.ProviderFailed


def parse_error_report(body: Any) -> ErrorReport | None:
    """A vendor's error body, in any of the known shapes; None if it isn't an error.

    Knows `{"error": {...}}`, `{"error": "text"}`, the flat `{"object": "error", ...}`, Gemini's
    list of one, AWS's `{"message"}`, FastAPI's `{"detail"}`.
    """
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, Mapping):
        return None
    error = body.get("error")
    if isinstance(error, Mapping):
        return _report_from_object(error)
    if isinstance(error, str) and error:
        return ErrorReport(_error_code(body), error[:SEARCHED_LENGTH])
    if body.get("object") == "error" or "message" in body or "detail" in body:
        return _report_from_object(body)
    return None


def parse_retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (seconds or an HTTP date); never
    negative.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) * scale
        except ValueError:
            seconds = _seconds_until(text, now or datetime.now(UTC))
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _seconds_until(date: str, now: datetime) -> float:
    """NaN for text that isn't an HTTP date."""
    try:
        until = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return math.nan
    if until.tzinfo is None:  # "-0000": a time in UTC from an unknown time zone
        until = until.replace(tzinfo=UTC)
    return (until - now).total_seconds()


def _secrets(values: Iterable[str], shortest: int) -> tuple[str, ...]:
    return tuple(value for value in values if len(value) >= shortest)


def _spellings(secret: str) -> Iterator[str]:
    """A secret as a vendor may repeat it, in lower case: as it is, in a URL, in base64."""
    yield secret.casefold()
    if (quoted := quote(secret, safe="")) != secret:
        yield quoted.casefold()
    data = secret.encode()
    # Three spellings, by where in the encoded text the secret begins; without the letters that also
    # encode what stands beside it.
    for before, first in ((0, 0), (1, 2), (2, 3)):
        encoded = b64encode(bytes(before) + data).decode().rstrip("=")
        inner = encoded[first : len(encoded) - bool((before + len(data)) % 3)]
        if len(inner) >= SECRET_RUN:
            yield inner.casefold()
            if "+" in inner or "/" in inner:
                yield inner.replace("+", "-").replace("/", "_").casefold()


def _repeats(message: str, secret: str) -> bool:
    """Whether a message holds a secret or a part of it; a short one only as a word of its own."""
    if len(secret) >= SECRET_RUN:
        return _share_run(message, secret, SECRET_RUN)
    return re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", message) is not None


def _share_run(message: str, text: str, length: int) -> bool:
    """Whether any `length` characters in a row of the message are in the text.

    Each such run holds one of the blocks of half its length that begin at multiples of `step`, so that
    the text is searched for these few, and then only around those that it has.
    """
    block = length // 2
    step = length - block + 1
    for start in range(0, len(message) - block + 1, step):
        if message[start : start + block] in text:
            first, last = max(0, start + block - length), min(start, len(message) - length)
            if any(message[i : i + length] in text for i in range(first, last + 1)):
                return True
    return False


def _matches(kind: type[ProviderError], message: str) -> bool:
    return any(wanted is kind and pattern.search(message) for pattern, wanted in _MESSAGE_PATTERNS)


def _report_from_object(error: Mapping[str, Any]) -> ErrorReport:
    code = _error_code(error)
    message = _words(error.get("message") or error.get("detail") or error.get("msg"))
    status = error.get("code") if isinstance(error.get("code"), int) else None
    retry_after = None
    for detail in _items(error.get("details")):
        if isinstance(detail, Mapping):
            code, retry_after = _google_detail(detail, code, retry_after)
    param = error.get("param")
    failed_generation = error.get("failed_generation")
    return ErrorReport(
        code,
        message[:SEARCHED_LENGTH],
        retry_after,
        param if isinstance(param, str) else None,
        status if status is not None and 400 <= status < 600 else None,
        failed_generation if isinstance(failed_generation, str) else None,
    )


def _words(said: Any, depth: int = 4) -> str:
    """The text of an error, also from a validation's list of places: `body.x: not permitted`."""
    if isinstance(said, str):
        return said
    if isinstance(said, Mapping) and depth:
        return _words(said.get("detail") or said.get("message") or said.get("msg"), depth - 1)
    if not isinstance(said, list):
        return ""
    places = [
        item for item in said if isinstance(item, Mapping) and isinstance(item.get("msg"), str)
    ]
    return "; ".join(
        f"{'.'.join(map(str, _items(item.get('loc'))))}: {item['msg']}".removeprefix(": ")
        for item in places
    )


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _error_code(error: Mapping[str, Any]) -> str | None:
    inner = error.get("innererror")
    if isinstance(inner, Mapping) and isinstance(inner.get("code"), str):
        return str(
            inner["code"]
        )  # Azure: the outer code is "content_filter", the inner one the policy
    # The most specific first: a known code beats a type that only says "invalid request".
    names = [error.get(key) for key in ("code", "type", "status", "__type")]
    texts = [name for name in names if isinstance(name, str) and name]
    return next((t for t in texts if t.lower() in _CODES), texts[0] if texts else None)


def _google_detail(
    detail: Mapping[str, Any], code: str | None, retry_after: float | None
) -> tuple[str | None, float | None]:
    delay = detail.get("retryDelay")
    if isinstance(delay, str) and re.fullmatch(r"\d+(\.\d+)?s", delay):
        return code, float(delay[:-1])
    if detail.get("reason") == "API_KEY_INVALID":
        return "api_key_invalid", retry_after
    if any("PerDay" in str(violation) for violation in _items(detail.get("violations"))):
        return "quota_per_day", retry_after
    return code, retry_after
