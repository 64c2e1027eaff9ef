"""Errors as problem+json (RFC 9457), for everything that fails before the first record.

At the paths of the compatible APIs they have the vendor's format instead.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from grantha.api.route_rule import error_format
from grantha.api.schemas.responses import Problem
from grantha.errors import BadRequest, CallerError, GranthaError, Internal
from grantha.wire.compat.view import client_status

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


def problem(error: GranthaError, **more: Any) -> Response:
    """The reply for an error; `more` are further members."""
    body = problem_json(error).model_copy(update=more)
    return body.response(error.http_status, _headers(error), MEDIA_TYPE)


def error_response(scope: Scope, error: GranthaError) -> Response:
    """The reply for an error, in the format that the clients of this path expect."""
    vendor = error_format(scope)
    if vendor is None:
        return problem(error)
    # Without it these clients retry after every 429 and 5xx, even if the account has no credit.
    headers = {**_headers(error), "x-should-retry": "true" if error.retryable else "false"}
    status = vendor.statuses.get(error.code) or client_status(error)
    return JSONResponse(vendor.body(error), status, headers)


def problem_json(error: GranthaError) -> Problem:
    """An error as a problem: `detail` is its message, the other members are those of its JSON."""
    members: dict[str, Any] = dict(error.to_json())
    return Problem(
        type="about:blank",
        title=HTTPStatus(error.http_status).phrase,
        status=error.http_status,
        detail=members.pop("message"),
        **members,
    )


def install(app: FastAPI) -> None:
    """Makes every error of the app a problem; unexpected errors are logged and reported without details."""

    async def ours(request: Request, error: Exception) -> Response:
        failure = error if isinstance(error, GranthaError) else Internal("Grantha failed.")
        return error_response(request.scope, failure)

    async def invalid(request: Request, error: Exception) -> Response:
        return error_response(request.scope, first_validation_error(error))

    async def http(request: Request, error: Exception) -> Response:
        failure = error if isinstance(error, HTTPException) else HTTPException(500)
        reply = error_response(request.scope, error_for_status(failure.status_code))
        reply.headers.update(failure.headers or {})  # such as Allow
        return reply

    async def unexpected(request: Request, error: Exception) -> Response:
        _log.error(
            "%s %s failed unexpectedly",
            request.method,
            request.url.path,
            exc_info=error,
        )
        return error_response(request.scope, Internal("Grantha had an internal error."))

    app.add_exception_handler(GranthaError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexpected)


def _headers(error: GranthaError) -> dict[str, str]:
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(ceil(error.retry_after))
    if error.http_status == 408:
        headers["connection"] = "close"
    if error.http_status == 401:
        headers["www-authenticate"] = 'Bearer realm="Grantha"'
    return headers


def first_validation_error(error: Exception) -> BadRequest:
    """The first thing wrong with a body, by place and rule: the input itself isn't repeated."""
    errors: Sequence[Any] = []
    if isinstance(error, RequestValidationError):
        errors = error.errors()
    elif isinstance(error, ValidationError):
        errors = error.errors(include_input=False, include_url=False, include_context=False)
    if not errors:
        return BadRequest("The request isn't valid.")
    first = errors[0]
    place = ".".join(str(item) for item in first["loc"] if item != "body")
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    where = f"{place!r}: " if place else ""
    return BadRequest(
        f"The request isn't valid: {where}{first['msg']}{more}.", advice="See /docs for its form."
    )


def error_for_status(status: int) -> GranthaError:
    """An error of the framework as one of ours."""
    phrases = {
        404: "Nothing exists at this address.",
        405: "This address doesn't support this method.",
        400: "The body can't be read.",
    }
    return FrameworkError(phrases.get(status, HTTPStatus(status).phrase + "."), status)


class FrameworkError(CallerError):
    """An error that the framework raises as a bare HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.code = HTTPStatus(status).phrase.lower().replace(" ", "_")
        self.http_status = status
