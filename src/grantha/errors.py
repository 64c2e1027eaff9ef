"""The one error tree. Every failure that a person or a client can meet is one of these classes.

    GranthaError
    ├── CallerError              whose fault: caller
    │   ├── BadRequest           400 bad_request
    │   ├── Unauthorized         401 unauthorized
    │   ├── Forbidden            403 forbidden
    │   ├── NotFound             404 not_found
    │   ├── UnknownModel         404 unknown_model
    │   ├── UnknownProvider      404 unknown_provider
    │   ├── TooSlow              408 too_slow
    │   ├── Conflict             409 conflict
    │   ├── Trimmed              410 trimmed
    │   ├── TooLarge             413 too_large
    │   ├── WrongMediaType       415 wrong_media_type
    │   ├── Unsupported          422 unsupported
    │   └── MissingKey           503 missing_key
    ├── ProviderError            whose fault: provider
    │   ├── KeyRejected          502 key_rejected
    │   ├── AccessDenied         502 access_denied
    │   ├── ModelNotFound        502 model_not_found
    │   ├── QuotaExhausted       502 quota_exhausted
    │   ├── RateLimited          503 rate_limited          retryable
    │   ├── Overloaded           503 overloaded            retryable
    │   ├── ContentBlocked       502 content_blocked
    │   ├── ContextOverflow      502 context_overflow
    │   ├── RequestRefused       502 request_refused
    │   ├── Unreachable          502 unreachable           retryable
    │   ├── TimedOut             504 timed_out             retryable
    │   ├── Truncated            502 truncated             retryable
    │   ├── MalformedReply       502 malformed_reply
    │   └── ProviderFailed       502 provider_failed       retryable
    └── ServerError              whose fault: us
        ├── StorageFull          507 storage_full
        ├── StorageFailed        503 storage_failed
        ├── StorageLost          503 storage_lost
        ├── Fenced               409 fenced (another owner has the generation)
        ├── Busy                 503 busy                  retryable
        ├── ShuttingDown         503 shutting_down         retryable
        ├── Interrupted          503 interrupted           retryable
        └── Internal             500 internal

The message says what happened and to what; `advice` says what to do. Neither ever holds a key or
a user's text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, NotRequired

from typing_extensions import TypedDict

Fault = Literal["caller", "provider", "us"]
_MAX_PAUSE = 7 * 86400.0  # seconds


class ErrorObject(TypedDict):
    """An error as JSON, in events and in every API of ours; an absent member is unknown."""

    code: str
    message: str
    fault: NotRequired[Fault]
    retryable: NotRequired[bool]
    advice: NotRequired[str]
    provider: NotRequired[str]
    retry_after: NotRequired[float]
    native: NotRequired[str]


class GranthaError(Exception):
    """Base of the tree. `retry_after` is in seconds; `native` is the vendor's own code."""

    code: str  # of the leaves alone: a class that only groups others is never raised
    http_status: int = 500
    retryable: ClassVar[bool] = False
    fault: ClassVar[Fault] = "us"
    default_advice: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        provider: str | None = None,
        retry_after: float | None = None,
        native: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice or self.default_advice
        self.provider = provider
        self.retry_after = _pause(retry_after)
        self.native = native

    def to_json(self) -> ErrorObject:
        """The form in events, problem+json and views; absent values are left out."""
        body: ErrorObject = {
            "code": self.code,
            "message": self.message,
            "fault": self.fault,
            "retryable": self.retryable,
        }
        if self.advice:
            body["advice"] = self.advice
        if self.provider is not None:
            body["provider"] = self.provider
        if self.retry_after is not None:
            body["retry_after"] = self.retry_after
        if self.native is not None:
            body["native"] = self.native
        return body


class CallerError(GranthaError):
    """The request can't be carried out as it was sent."""

    fault = "caller"
    http_status = 400


class BadRequest(CallerError):
    """Malformed, missing or contradictory input."""

    code = "bad_request"


class Unauthorized(CallerError):
    """No access token, or a wrong one."""

    code = "unauthorized"
    http_status = 401


class Forbidden(CallerError):
    """The caller may not do this: a foreign origin, an unknown host name."""

    code = "forbidden"
    http_status = 403


class NotFound(CallerError):
    """There is no such thing, or it belongs to another subject."""

    code = "not_found"
    http_status = 404


class UnknownModel(NotFound):
    """No provider offers this model id."""

    code = "unknown_model"


class UnknownProvider(NotFound):
    """No provider of this name is known."""

    code = "unknown_provider"


class TooSlow(CallerError):
    """The body didn't arrive within its deadline."""

    code = "too_slow"
    http_status = 408


class Conflict(CallerError):
    """The request contradicts the present state, or an idempotency key is used for another body."""

    code = "conflict"
    http_status = 409


class Trimmed(CallerError):
    """The requested records have been deleted; the snapshot is still there."""

    code = "trimmed"
    http_status = 410


class TooLarge(CallerError):
    """Body, message or image above its limit."""

    code = "too_large"
    http_status = 413


class WrongMediaType(CallerError):
    """The body isn't of a media type that this call takes."""

    code = "wrong_media_type"
    http_status = 415


class Unsupported(CallerError):
    """The model or the endpoint can't do this, and nothing was changed."""

    code = "unsupported"
    http_status = 422


class MissingKey(CallerError):
    """The provider's key isn't set on this server."""

    code = "missing_key"
    http_status = 503


class ProviderError(GranthaError):
    """The upstream refused, failed or went away."""

    fault = "provider"
    http_status = 502


class KeyRejected(ProviderError):
    """The provider doesn't accept the key (401)."""

    code = "key_rejected"
    default_advice = "Check the key on the server, then start Grantha again."


class AccessDenied(ProviderError):
    """The key is valid but may not do this (403)."""

    code = "access_denied"


class ModelNotFound(ProviderError):
    """The provider doesn't offer this model to this key."""

    code = "model_not_found"
    default_advice = "Choose another model."


class QuotaExhausted(ProviderError):
    """The account has no credit left; waiting doesn't help."""

    code = "quota_exhausted"
    default_advice = "Look at the account's billing page, or choose another model."


class RateLimited(ProviderError):
    """Too many requests for now; `retry_after` says how long."""

    code = "rate_limited"
    http_status = 503
    retryable = True


class Overloaded(ProviderError):
    """The provider has no capacity for the moment."""

    code = "overloaded"
    http_status = 503
    retryable = True


class ContentBlocked(ProviderError):
    """The provider's content filter refused the prompt or cut the answer."""

    code = "content_blocked"
    default_advice = "Change the question, or choose another model."


class ContextOverflow(ProviderError):
    """The conversation is longer than the model's context."""

    code = "context_overflow"
    default_advice = "Start a new chat, or choose a model with a longer context."


class RequestRefused(ProviderError):
    """The provider rejected the request as invalid (400, 422)."""

    code = "request_refused"


class Unreachable(ProviderError):
    """No connection: name, route, TLS, refused or reset before the reply began."""

    code = "unreachable"
    retryable = True


class TimedOut(ProviderError):
    """Connecting, the first byte or the next chunk took longer than its limit."""

    code = "timed_out"
    http_status = 504
    retryable = True


class Truncated(ProviderError):
    """The reply ended without its dialect's terminal sign."""

    code = "truncated"
    retryable = True


class MalformedReply(ProviderError):
    """The reply breaks the rules of its dialect."""

    code = "malformed_reply"


class ProviderFailed(ProviderError):
    """The provider reports a failure of its own (5xx, an error event)."""

    code = "provider_failed"
    retryable = True


class ServerError(GranthaError):
    """Our own failure."""


class StorageFull(ServerError):
    """The disk is full; nothing stored is lost."""

    code = "storage_full"
    http_status = 507
    default_advice = "Free some space on the server's disk."


class StorageFailed(ServerError):
    """The database can't be read or written."""

    code = "storage_failed"
    http_status = 503


class StorageLost(ServerError):
    """The database was deleted, replaced or cut short while it was in use: only a restart helps."""

    code = "storage_lost"
    http_status = 503
    default_advice = "Stop Grantha, run `grantha restore` with a backup, and start it again."


class Fenced(ServerError):
    """A late write by an owner that has lost the generation; it must stop writing."""

    code = "fenced"
    http_status = 409


class Busy(ServerError):
    """A limit of this server is reached; nothing was begun."""

    code = "busy"
    http_status = 503
    retryable = True
    default_advice = "Try again in a moment."


class ShuttingDown(ServerError):
    """The server is stopping and takes no new work."""

    code = "shutting_down"
    http_status = 503
    retryable = True
    default_advice = "Try again in a moment."


class Interrupted(ServerError):
    """The server stopped during a generation that couldn't be continued after the restart."""

    code = "interrupted"
    http_status = 503
    retryable = True
    default_advice = "Continue it or write it again."


class Internal(ServerError):
    """A bug; the server's log has the traceback."""

    code = "internal"
    default_advice = "Try again; if it stays, look at the server's log."


def by_code(code: object) -> type[GranthaError] | None:
    """The class of an error code; None for a code that isn't known."""
    for cls in _subclasses(GranthaError):
        # A subclass with the code of its base adds to it, and isn't what the code stands for.
        if "code" in vars(cls) and cls.code == code:
            return cls
    return None


def error_from_json(body: Mapping[str, object]) -> GranthaError:
    """An error as an exception again, of its own class: the inverse of `to_json`."""
    retry_after, native, provider = (body.get(key) for key in ("retry_after", "native", "provider"))
    return (by_code(body.get("code")) or Internal)(
        str(body.get("message", "")),
        advice=str(body.get("advice", "")),
        provider=None if provider is None else str(provider),
        retry_after=float(retry_after) if isinstance(retry_after, int | float) else None,
        native=None if native is None else str(native),
    )


def _pause(seconds: float | None) -> float | None:
    # A provider may send any number, and infinity can be neither stored nor slept.
    if seconds is None or not math.isfinite(seconds):
        return None
    return min(max(0.0, seconds), _MAX_PAUSE)


def _subclasses(cls: type[GranthaError]) -> Iterator[type[GranthaError]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _subclasses(sub)
