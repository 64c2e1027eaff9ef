"""The page's sign-in: exchanges the access token for an http-only cookie, and takes that back."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from grantha.api.http.bodies import StrictRoute
from grantha.api.logins import COOKIE, LOGIN_SECONDS, cookie_of
from grantha.api.schemas.requests import Body
from grantha.api.state import app_state
from grantha.errors import Unauthorized

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["access"])


class LoginBody(Body):
    """The access token of this server."""

    token: str = Field(min_length=1, max_length=1000)


@router.post("/login", status_code=204)
async def login(body: LoginBody, request: Request) -> Response:
    """Sets the cookie; 401 for a wrong token."""
    state = app_state(request)
    reply = Response(status_code=204)
    if state.settings.token is None:
        return reply
    if not state.access.is_token(body.token):
        await state.wrong_tokens.refuse(request.scope, body.token)
        raise Unauthorized("That isn't this server's access token.")
    reply.set_cookie(
        COOKIE,
        await state.logins.add(),
        max_age=LOGIN_SECONDS,
        httponly=True,
        samesite="strict",
        secure=state.proxies.is_https(request.scope),
    )
    return reply


@router.post("/logout", status_code=204)
async def logout(request: Request) -> Response:
    """Ends the login of this cookie on the server, with the streams and sockets it has opened."""
    state = app_state(request)
    await state.logins.end(cookie_of(request.headers))
    reply = Response(status_code=204)
    reply.delete_cookie(
        COOKIE, httponly=True, samesite="strict", secure=state.proxies.is_https(request.scope)
    )
    return reply
