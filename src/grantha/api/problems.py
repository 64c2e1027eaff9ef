"""Errors as problem+json (RFC 9457), for everything that fails before the first record."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from grantha.errors import BadRequest, CallerError, GranthaError, Internal

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


def problem(error: GranthaError, **more: Any) -> Response:
    """The reply for an error; `more` are further members."""
    body = problem_json(error) | more
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(round(error.retry_after))
    if error.http_status == 408:
        headers["connection"] = "close"
    if error.http_status == 401:
        headers["www-authenticate"] = 'Bearer realm="Grantha"'
    content = json.dumps(body, ensure_ascii=False).encode()
    return Response(content, error.http_status, headers, MEDIA_TYPE)


def problem_json(error: GranthaError) -> dict[str, Any]:
    """The members of a problem."""
    body = error.to_json()
    detail = body.pop("message")
    return {
        "type": "about:blank",
        "title": HTTPStatus(error.http_status).phrase,
        "status": error.http_status,
        "detail": detail,
        **body,
    }


def install(app: FastAPI) -> None:
    """Makes every error of the app a problem; a defect is logged and told without its trace."""

    async def ours(_request: Request, error: Exception) -> Response:
        return problem(error if isinstance(error, GranthaError) else Internal("Grantha failed."))

    async def invalid(_request: Request, error: Exception) -> Response:
        return problem(_first_invalid(error))

    async def http(_request: Request, error: Exception) -> Response:
        told = error if isinstance(error, HTTPException) else HTTPException(500)
        reply = problem(of_status(told.status_code))
        reply.headers.update(told.headers or {})  # such as Allow
        return reply

    async def defect(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed by a defect", request.method, request.url.path, exc_info=error)
        return problem(Internal("Grantha met an error of its own."))

    app.add_exception_handler(GranthaError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, defect)


def _first_invalid(error: Exception) -> BadRequest:
    """The first thing wrong with a body, by place and rule: the input itself isn't repeated."""
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    if not errors:
        return BadRequest("The request isn't valid.")
    first = errors[0]
    place = ".".join(str(item) for item in first["loc"] if item != "body")
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    where = f"{place!r}: " if place else ""
    return BadRequest(
        f"The request isn't valid: {where}{first['msg']}{more}.", advice="See /docs for its form."
    )


def of_status(status: int) -> GranthaError:
    """An error of the framework as one of ours."""
    phrases = {
        404: "There is nothing at this address.",
        405: "This address doesn't take this method.",
        400: "The body can't be read.",
    }

    class Http(CallerError):
        """An error of the framework."""

        code = HTTPStatus(status).phrase.lower().replace(" ", "_")
        http_status = status

    return Http(phrases.get(status, HTTPStatus(status).phrase + "."))
