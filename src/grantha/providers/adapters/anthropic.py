"""Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from typing_extensions import override

from grantha.chat import MAX_COUNT, Call
from grantha.events import UpstreamEvent
from grantha.providers.adapters.hosted import HttpProvider
from grantha.providers.endpoint import raise_if_unusable
from grantha.providers.http import UpstreamRequest
from grantha.wire.lenient_json import dumps
from grantha.wire.signatures import keep_own_signatures, signature_owner
from grantha.wire.upstream.anthropic_decoder import anthropic_decoder, parse_anthropic_body
from grantha.wire.upstream.anthropic_request import VERSION, encode_request, request_bytes
from grantha.wire.upstream.vendor_errors import ErrorFactory

_COUNTED = frozenset({"model", "messages", "system", "tools", "tool_choice", "thinking"})


class Anthropic(HttpProvider):
    """One message per call. The base URL is that of its SDK: without `/v1`."""

    @override
    async def build_request(
        self, call: Call, error_factory: ErrorFactory, *, stream: bool
    ) -> UpstreamRequest:
        """A message."""

        def parse_body(body: bytes) -> list[UpstreamEvent]:
            return parse_anthropic_body(body, error_factory, call.prefix)

        return await self._upstream_request(
            call,
            "v1/messages",
            request_bytes(call, self.capabilities(call.model), stream=stream),
            error_factory,
            parse_body=parse_body,
            decoder=anthropic_decoder(error_factory, call.prefix) if stream else None,
        )

    async def count_tokens(self, call: Call) -> int:
        """As Anthropic counts, which costs nothing. Raises like `open`."""
        raise_if_unusable(self.name, self.readiness())
        error_factory = self._endpoint.error_factory(call)
        # The endpoint for counting refuses fields that only affect the output.
        kept = {k: v for k, v in call.options.extra.items() if k == "thinking"}
        request = keep_own_signatures(
            replace(call, options=replace(call.options, extra=kept)),
            signature_owner(self.name, call.model),
        )
        body = encode_request(request, self.capabilities(call.model))
        reply = await self._http.fetch(
            self._endpoint.url("v1/messages/count_tokens"),
            await self.headers(),
            error_factory,
            body=dumps({name: value for name, value in body.items() if name in _COUNTED}),
        )
        count = reply.get("input_tokens") if isinstance(reply, Mapping) else None
        if not isinstance(count, int) or not 0 <= count <= MAX_COUNT:
            raise error_factory.malformed("it holds no count")
        return count

    @override
    async def auth_headers(self) -> Mapping[str, str]:
        """The key in Anthropic's own header, and the API's version."""
        return {"anthropic-version": VERSION, "x-api-key": self._endpoint.key or ""}
