"""What can go wrong between a client and its server, as errors of the one tree.

A problem reply becomes the class that its code names, so that `except MissingKey` works on both sides
of the wire. Only here exist: the server is away, its reply is none of Grantha's, its log doesn't add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grantha import errors
from grantha.errors import CallerError, GranthaError, ServerError, Trimmed

PROBLEM = "application/problem+json"


class ServerAway(GranthaError):
    """No answer from the server: refused, cut or silent. `sent` tells if it may have heard us."""

    code = "server_away"
    http_status = 503
    retryable = True

    def __init__(self, message: str, *, advice: str = "", sent: bool = True) -> None:
        super().__init__(message, advice=advice)
        self.sent = sent


class StrangeReply(GranthaError):
    """What answered isn't Grantha, or a Grantha that this client doesn't understand."""

    code = "strange_reply"
    http_status = 502
    default_advice = "Look if this is the address of a Grantha server, and its version."


class TrimmedLog(Trimmed):
    """The records were deleted; `snapshot` is the JSON of the whole answer."""

    def __init__(self, message: str, *, advice: str = "", snapshot: Mapping[str, Any]) -> None:
        super().__init__(message, advice=advice)
        self.snapshot = snapshot


class BrokenLog(GranthaError):
    """Records are missing, or the text isn't the one that the end record proves."""

    code = "broken_log"
    default_advice = "Read the answer again from its start."


def error_from(status: int, body: Mapping[str, Any]) -> GranthaError:
    """The error that a problem+json body, or the `error` of an event, tells of."""
    kind = _KINDS.get(str(body.get("code")))
    if kind is None:
        kind = CallerError if 400 <= status < 500 else ServerError
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


def _by_code() -> dict[str, type[GranthaError]]:
    # In the order of the file: where a branch shares its code with a leaf, the leaf comes later.
    return {
        kind.code: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, GranthaError)
    }


_KINDS = _by_code()
