"""Routes that tell what can be used now: models, providers, a check of one."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from grantha.api import forms
from grantha.api.bodies import StrictRoute
from grantha.api.doors import pieces

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["models"])


@router.get("/models")
async def models(request: Request) -> Response:
    """Every model that is offered, and the one that answers when none is named."""
    registry = pieces(request).registry
    cards = await registry.models()
    return JSONResponse(
        {
            "default": registry.default_model(),
            "items": [forms.model_card(card) for card in cards],
        }
    )


@router.get("/providers")
async def providers(request: Request) -> Response:
    """Every provider, usable or not, and why not."""
    registry = pieces(request).registry
    return JSONResponse({"items": [card.to_json() for card in registry.providers()]})
