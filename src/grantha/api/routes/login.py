"""The page's sign-in: exchanges the access token for an http-only cookie."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from grantha.api.http.bodies import StrictRoute
from grantha.api.http.security import COOKIE, cookie_value
from grantha.api.schemas.requests import Body
from grantha.api.state import app_state
from grantha.errors import Unauthorized

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["access"])
_YEAR = 365 * 24 * 3600


class LoginBody(Body):
    """The access token of this server."""

    token: str = Field(min_length=1, max_length=1000)


@router.post("/login", status_code=204)
async def login(body: LoginBody, request: Request) -> Response:
    """Sets the cookie; 401 for a wrong token."""
    state = app_state(request)
    token = state.settings.token
    reply = Response(status_code=204)
    if token is None:
        return reply
    if not hmac.compare_digest(body.token.encode(), token.encode()):
        await state.wrong_tokens.refuse(request.scope, body.token)
        raise Unauthorized("That isn't this server's access token.")
    reply.set_cookie(
        COOKIE,
        cookie_value(token),
        max_age=_YEAR,
        httponly=True,
        samesite="strict",
        secure=state.proxies.is_https(request.scope),
    )
    return reply


@router.post("/logout", status_code=204)
async def logout() -> Response:
    """Forgets the cookie."""
    reply = Response(status_code=204)
    reply.delete_cookie(COOKIE)
    return reply
