"""Errors between a client and its server, part of the tree in `grantha.errors`.

A problem+json response is raised as the class of its code, so that `except MissingKey` works on both sides
of the wire. Defined only here: the server is unreachable, its response isn't Grantha's, its log is broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grantha.errors import BadRequest, GranthaError, Internal, Trimmed, by_code

PROBLEM_JSON = "application/problem+json"


class ServerUnavailable(GranthaError):
    """No response: refused, cut off or timed out. `sent` says whether the request may have arrived."""

    code = "server_unavailable"
    http_status = 503
    retryable = True

    def __init__(self, message: str, *, advice: str = "", sent: bool = True) -> None:
        super().__init__(message, advice=advice)
        self.sent = sent


class TlsFailed(GranthaError):
    """No trusted connection: the certificate, its name or its date, or no TLS at all."""

    code = "tls_failed"
    http_status = 502


class UnexpectedResponse(GranthaError):
    """The response isn't from Grantha, or from a version that this client doesn't understand."""

    code = "unexpected_response"
    http_status = 502
    default_advice = "Check that this is the address of a Grantha server, and its version."


class TrimmedLog(Trimmed):
    """The records were deleted; `snapshot` is the JSON of the whole answer."""

    def __init__(self, message: str, *, advice: str = "", snapshot: Mapping[str, Any]) -> None:
        super().__init__(message, advice=advice)
        self.snapshot = snapshot


class BrokenLog(GranthaError):
    """Records are missing, or the text doesn't match the hash in the end record."""

    code = "broken_log"
    default_advice = "Read the answer again from its start."


def error_from(status: int, body: Mapping[str, Any]) -> GranthaError:
    """The error described by a problem+json body or by the `error` of an event."""
    kind = by_code(body.get("code")) or (BadRequest if 400 <= status < 500 else Internal)
    text = body.get("detail") or body.get("message") or f"The server answered {status}."
    advice = str(body.get("advice", ""))
    if kind is Trimmed and "snapshot" in body:
        return TrimmedLog(str(text), advice=advice, snapshot=body["snapshot"])
    retry_after = body.get("retry_after")
    return kind(
        str(text),
        advice=advice,
        provider=body.get("provider"),
        retry_after=float(retry_after) if retry_after is not None else None,
        native=body.get("native"),
    )
