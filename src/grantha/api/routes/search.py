"""The native route of the search over titles and messages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime
from starlette.responses import Response

from grantha.api.http.bodies import StrictRoute
from grantha.api.openapi.description import response_doc
from grantha.api.routes import serializers
from grantha.api.schemas.requests import ModelId
from grantha.api.schemas.responses import SearchReply
from grantha.api.state import app_state, subject_of
from grantha.storage.base import SearchFilters

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["conversations"])


@router.get("/search", responses=response_doc(200, SearchReply, "One page."))
async def search(  # noqa: PLR0917  the parameters of a query
    request: Request,
    q: Annotated[str, Query(max_length=500, description='Words, "exact words" and -words.')],
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    origin: Annotated[str, Query(pattern="^(page|api|all)$")] = "page",
    model: Annotated[
        ModelId | None, Query(description="Of the answer, or to the question.")
    ] = None,
    role: Annotated[Literal["user", "assistant"] | None, Query()] = None,
    since: Annotated[AwareDatetime | None, Query(description="This time and later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before this time.")] = None,
) -> Response:
    """Titles that match, the last active first; then messages that have all words, the newest first."""
    filters = SearchFilters(
        model=model,
        role=role,
        since=_unix_ms(since),
        until=_unix_ms(until),
        origin=None if origin == "all" else origin,
    )
    found = await app_state(request).store.search(
        subject_of(request), q, filters, cursor=cursor, limit=limit
    )
    items = [serializers.search_hit(hit) for hit in found.hits]
    return SearchReply(items=items, next_cursor=found.next_cursor).response()


# ---- helpers below -------------------------------------------------------------------------------


def _unix_ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
