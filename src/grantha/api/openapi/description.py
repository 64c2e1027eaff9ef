"""The API's description: `/openapi.json`, and `/docs` as a page without scripts or network access.

Routes declare their successful replies; errors are the same for all of them and are added here, so
that every reply is documented.
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from grantha.api.http.page import CSP
from grantha.api.http.problems import MEDIA_TYPE
from grantha.api.openapi import docs_page
from grantha.api.openapi.examples import EXAMPLES
from grantha.api.route_rule import RouteRule, Rules
from grantha.api.schemas.values import add_values
from grantha.chat import JsonDict

router = APIRouter(include_in_schema=False)
_MEANINGS = {
    "400": "The request is invalid; the message says what is wrong, and where.",
    "401": "The access token is missing or wrong.",
    "403": "The host name isn't this server's, or a page of another site calls.",
    "404": "It doesn't exist, or belongs to somebody else.",
    "408": "The body took too long to arrive.",
    "409": "It conflicts with the current state, or the key was used for another body.",
    "410": "The records are gone; the body holds the snapshot.",
    "413": "The body, or an image in it, is too large.",
    "415": "The Content-Type isn't JSON.",
    "422": "The model can't do this; nothing was changed.",
    "429": "The provider's rate limit is reached.",
    "500": "An internal error; the server's log has the traceback.",
    "502": "The provider failed.",
    "503": "Unavailable: a key isn't set, a limit is reached, or the store rejects records.",
    "504": "The provider took too long.",
    "507": "The server's disk is full.",
}
_ALWAYS = ("401", "403", "500", "503")
_WITH_INPUT = ("400",)
_WITH_PATH = ("404",)
_WITH_BODY = ("408", "409", "413", "415", "404", "507")
_UPSTREAM = ("404", "409", "410", "422", "429", "502", "504")

IDEMPOTENCY: JsonDict = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "description": "A repeated key with the same body joins the first send. Use a new key for each send.",
}
ACCEPT_STREAM: JsonDict = {
    "name": "Accept",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "enum": ["application/json", "text/event-stream"]},
    "description": "With `text/event-stream` the same reply streams the answer.",
}
LOCATION: JsonDict = {
    "schema": {"type": "string"},
    "description": "Where the answer's log can be read.",
}
NATIVE_FRAMES = (
    "Hello",
    "SnapshotFrame",
    "Frame",
)  # the frames of a native transport, in this order


def named(*names: str) -> JsonDict:
    """The schema of this name; of several, any of them."""
    found = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return found[0] if len(found) == 1 else {"anyOf": found}


def failures(*statuses: str) -> dict[int | str, JsonDict]:
    """The `responses` of a router whose calls can fail in these ways."""
    return {int(status): {"description": _MEANINGS[status]} for status in statuses}


def upstream_failures() -> dict[int | str, JsonDict]:
    """The `responses` of a router whose calls wait for a provider."""
    return failures(*_UPSTREAM)


def event_stream(*names: str, last: str | None = None) -> JsonDict:
    """Server-Sent Events whose `data` is JSON of these schemas; `last` is one that isn't JSON."""
    data: JsonDict = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": named(*names),
    }
    if last is not None:
        data = {"anyOf": [{"const": last}, data]}
    return {"schema": {"type": "object", "properties": {"id": {"type": "string"}, "data": data}}}


def response_doc(
    status: int, model: type[BaseModel] | None, description: str, **content: JsonDict
) -> dict[int | str, JsonDict]:
    """The `responses` of a route that succeeds. `content` names further media types."""
    body: JsonDict = {"description": description}
    if model is not None:
        body["model"] = model
    if content:
        body["content"] = {_media(name): value for name, value in content.items()}
    return {status: body}


def install(app: FastAPI, rules: Rules) -> None:
    """Sets the app's description, which is built on the first request."""

    def described() -> JsonDict:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app, rules)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend it


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The description as JSON."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The description as a page."""
    page = docs_page.page(request.app.openapi())
    return HTMLResponse(page, headers={"Content-Security-Policy": CSP})


# ---- helpers below -------------------------------------------------------------------------------


def _media(name: str) -> str:
    """`text_event_stream` as `text/event-stream`."""
    return name.replace("_", "/", 1).replace("_", "-")


def _described(app: FastAPI, rules: Rules) -> JsonDict:
    whole = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes
    )
    schemas = whole["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    add_values(schemas)
    from grantha.api.openapi.compat import components  # slow, and only wanted here

    schemas |= components()
    for name, sample in EXAMPLES.items():
        if name in schemas:
            schemas[name]["examples"] = [sample]
    whole["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in whole["paths"].items():
        for operation in methods.values():
            _complete(path, operation, rules.find(path))
    return whole


def _complete(path: str, operation: JsonDict, rule: RouteRule) -> None:
    replies: JsonDict = operation["responses"]
    if _is_validation(replies.get("422")):
        del replies["422"]
    if not rule.public:
        operation["security"] = [{"token": []}, {}]
    for status in _statuses(path, operation, rule):
        replies.setdefault(status, {"description": _MEANINGS[status], "content": _content(rule)})
    for status, reply in replies.items():
        if status in _MEANINGS and not reply.get("content"):
            reply["content"] = _content(rule)
    operation["responses"] = dict(sorted(replies.items()))


def _statuses(path: str, operation: JsonDict, rule: RouteRule) -> set[str]:
    wanted = set(_ALWAYS)
    if operation.get("parameters") or "requestBody" in operation:
        wanted.update(_WITH_INPUT)
    if "{" in path:
        wanted.update(_WITH_PATH)
    if "requestBody" in operation or IDEMPOTENCY in operation.get("parameters", []):
        wanted.update(_WITH_BODY)
    if rule.error_formats:
        wanted.update(_UPSTREAM)
    return wanted


def _is_validation(reply: JsonDict | None) -> bool:
    return reply is not None and "HTTPValidationError" in str(reply)


def _content(rule: RouteRule) -> JsonDict:
    if rule.error_formats:
        names = [found.schema for found in rule.error_formats]
        return {"application/json": {"schema": named(*names)}}
    return {MEDIA_TYPE: {"schema": named("Problem")}}
