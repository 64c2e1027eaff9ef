"""Routes of models and providers: what can be used now, and a check of one provider."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from grantha.api.http.bodies import StrictRoute
from grantha.api.openapi.description import response_doc
from grantha.api.routes import serializers
from grantha.api.schemas.responses import CheckReply, ModelList, ProviderList
from grantha.api.state import app_state
from grantha.errors import UnknownProvider
from grantha.providers.doctor import check_named

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["models"])


@router.get("/models", responses=response_doc(200, ModelList, "Usable or not."))
async def models(request: Request) -> Response:
    """Every model that is offered, and the one that answers when none is named."""
    registry = app_state(request).registry
    items = [serializers.model_card(card) for card in await registry.models()]
    return ModelList(default=registry.default_model(), items=items).response()


@router.get("/providers", responses=response_doc(200, ProviderList, "Usable or not."))
async def providers(request: Request) -> Response:
    """Every provider, usable or not, and why not."""
    registry = app_state(request).registry
    items = [serializers.provider_card(card) for card in registry.providers()]
    return ProviderList(items=items).response()


@router.post(
    "/providers/{name}/check",
    responses=response_doc(200, CheckReply, "Whether it works, or why not."),
)
async def check(name: str, request: Request) -> Response:
    """Checks a provider by requesting one word; costs a few tokens."""
    registry = app_state(request).registry
    if name not in {card.name for card in registry.providers()}:
        raise UnknownProvider(
            f"There is no provider {name[:60]!r}.", advice="Look at /api/providers."
        )
    found = await check_named(registry, name)
    works = found.state == "works"
    return CheckReply(
        ok=works,
        model=f"{name}/{found.model}" if found.model else None,
        ttft_ms=found.ttft_ms,
        error=None if works else found.message,
        advice=found.advice or None,
    ).response()
