"""Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import override

from grantha.chat import Call
from grantha.events import UpstreamEvent
from grantha.providers.hosted import JSON, Hosted
from grantha.providers.http import Exchange, WholeDecoder
from grantha.wire.anthropic import anthropic_decoder, anthropic_reply
from grantha.wire.anthropic_request import VERSION, request_bytes
from grantha.wire.faults import Faults


class Anthropic(Hosted):
    """One message a call. The base URL is the one its SDK takes: without `/v1`."""

    @override
    async def exchange(self, call: Call, faults: Faults, *, stream: bool) -> Exchange:
        """A message."""

        def whole(body: bytes) -> list[UpstreamEvent]:
            return anthropic_reply(body, faults, call.prefix)

        return Exchange(
            self._site.url("v1/messages"),
            request_bytes(call, self.capabilities(call.model), stream=stream),
            faults,
            anthropic_decoder(faults, call.prefix) if stream else WholeDecoder(whole, faults),
            whole,
            await self.headers(),
        )

    @override
    async def headers(self) -> Mapping[str, str]:
        """The key in Anthropic's own header."""
        return {
            **JSON,
            "anthropic-version": VERSION,
            "x-api-key": self._site.key or "",
            **self._site.headers,
        }
