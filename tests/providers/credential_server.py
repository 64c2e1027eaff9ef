"""Fakes of the services that issue a machine's credentials, and an environment without any.

Their callers may run in a thread, and the fakes answer on the loop: a call that blocked would never
end.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import web

from grantha.chat import Call, text_message
from grantha.config import Settings
from grantha.providers.registry import Registry
from tests.fake_vendors.server import FakeVendor, fake_vendor
from tests.fake_vendors.wire_samples import WireSample

QUESTION = (text_message("user", "Hello?"),)


class CredentialServer(FakeVendor):
    """A vendor that also answers, at single paths, as those do who give credentials."""

    def __init__(self, sample: WireSample) -> None:
        super().__init__(sample)
        self.responses: dict[str, Callable[[web.Request], web.Response]] = {}
        self.forms: list[dict[str, str]] = []  # the forms that came with the questions

    async def handle(self, request: web.Request) -> web.StreamResponse:
        give = self.responses.get(request.path)
        if give is None:
            return await super().handle(request)
        form = await request.post()
        self.forms.append({name: str(value) for name, value in form.items()})
        return give(request)


@asynccontextmanager
async def credential_server(sample: WireSample) -> AsyncIterator[CredentialServer]:
    """A giver on a free port."""
    async with fake_vendor(sample, CredentialServer) as vendor:
        yield cast(CredentialServer, vendor)


def registry(**variables: str) -> Registry:
    return Registry(Settings(local_enabled=False, variables={**os.environ, **variables}))


async def ask(made: Registry, model: str) -> None:
    provider, name = made.resolve(model)
    upstream = await provider.open(Call(name, QUESTION))
    async for _ in upstream:
        pass
