"""The Gemini `streamGenerateContent` dialect, reply side: Google AI Studio and Vertex.

| seen in a reply | what becomes of it |
|---|---|
| `promptFeedback.blockReason` and no candidate | `ContentBlocked` |
| a STOP chunk with or without parts | its parts first; `Finished` waits for the end |
| `thought: true` parts | reasoning |
| `thoughtSignature`, on any part | kept in place: on the tool call, or as a signature alone |
| cumulative `usageMetadata` on every chunk | the latest; thoughts counted as output |
| tool calls without ids | ids are made |
| a JSON array, when `alt=sse` was dropped in transit | the same events, at the end |
| a finish reason that names a failure of the model | `ProviderFailed`, with the vendor's message |
| a call sent again without its signature | nothing |
| an image, code that Google ran, a search | a notice |
| the end without a finish reason | `Truncated` |

Source: the API reference of `GenerateContentResponse`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from typing_extensions import override

from grantha.chat import FinishReason, Usage
from grantha.events import Accepted, Cited, ToolCall, UpstreamEvent, UsageSeen
from grantha.wire.lenient_json import InvalidJson, dumps, fit, loads
from grantha.wire.sse import LIMIT, EventTooLarge, SseDecoder
from grantha.wire.tool_calls import new_call_id
from grantha.wire.upstream.decoder import (
    ReplyParser,
    StreamDecoder,
    images_omitted,
    parse_whole_body,
    provider_tool,
)
from grantha.wire.upstream.vendor_errors import ErrorFactory, ErrorReport

FINISH_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content-filter",
    "RECITATION": "content-filter",
    "BLOCKLIST": "content-filter",
    "PROHIBITED_CONTENT": "content-filter",
    "SPII": "content-filter",
    "IMAGE_SAFETY": "content-filter",
    "IMAGE_PROHIBITED_CONTENT": "content-filter",
    "IMAGE_RECITATION": "content-filter",
    "MODEL_ARMOR": "content-filter",
}
# The model failed: the answer may be tried again.
FAILURES = frozenset(
    {
        *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
        *("MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "LANGUAGE", "OTHER"),
        *("NO_IMAGE", "IMAGE_OTHER"),
    }
)


class _GeminiCall(msgspec.Struct):
    id: str | None = None
    name: str | None = None
    args: Any = None


class _GeminiPart(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"text", "functionCall"})

    text: str | None = None
    thought: bool = False
    thoughtSignature: str | None = None  # noqa: N815 - the vendor's name
    functionCall: _GeminiCall | None = None  # noqa: N815
    inlineData: Any = None  # noqa: N815
    executableCode: Any = None  # noqa: N815


class _GeminiContent(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"parts"})

    parts: list[_GeminiPart] | None = None


class _GeminiCandidate(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"content", "finishReason"})

    index: int | None = None
    content: _GeminiContent | None = None
    finishReason: str | None = None  # noqa: N815
    finishMessage: str | None = None  # noqa: N815
    groundingMetadata: Any = None  # noqa: N815
    citationMetadata: Any = None  # noqa: N815


class _GeminiUsage(msgspec.Struct):
    promptTokenCount: int | None = None  # noqa: N815
    candidatesTokenCount: int | None = None  # noqa: N815
    thoughtsTokenCount: int | None = None  # noqa: N815
    cachedContentTokenCount: int | None = None  # noqa: N815
    toolUsePromptTokenCount: int | None = None  # noqa: N815


class _GeminiFeedback(msgspec.Struct):
    blockReason: str | None = None  # noqa: N815


class _GeminiChunk(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"candidates"})

    candidates: list[_GeminiCandidate] | None = None
    promptFeedback: _GeminiFeedback | None = None  # noqa: N815
    usageMetadata: _GeminiUsage | None = None  # noqa: N815
    modelVersion: str | None = None  # noqa: N815
    responseId: str | None = None  # noqa: N815
    error: Any = None


class GeminiReplyParser(ReplyParser[_GeminiChunk]):
    """Chunks of one answer."""

    def __init__(self, error_factory: ErrorFactory) -> None:
        super().__init__(error_factory, _GeminiChunk)
        self._accepted = False
        self._calls = 0
        self._cited: set[str] = set()
        self._searched = False
        self._signed_calls: set[tuple[str | None, str | None, str]] = set()  # of earlier chunks
        self._new_calls: set[tuple[str | None, str | None, str]] = set()

    @override
    def parse(self, payload: bytes) -> None:
        """One chunk, or an array of them."""
        if payload[:1] == b"[":
            self._array(payload)
        else:
            super().parse(payload)

    @override
    def handle(self, payload: _GeminiChunk) -> None:
        """One chunk."""
        chunk = payload
        if not self._accepted and (chunk.modelVersion or chunk.responseId):
            self._accepted = True
            self.batch.add(Accepted(chunk.modelVersion, chunk.responseId))
        if chunk.candidates:
            if not chunk.candidates[0].index:
                self._candidate(chunk.candidates[0])
        elif chunk.promptFeedback is not None and chunk.promptFeedback.blockReason:
            self._blocked(chunk.promptFeedback.blockReason)
        if chunk.usageMetadata is not None:
            self.batch.add(UsageSeen(_usage(chunk.usageMetadata)))
        self._signed_calls |= self._new_calls
        self._new_calls.clear()
        if chunk.error:
            self.fail_with(chunk.error)

    def _candidate(self, candidate: _GeminiCandidate) -> None:
        if candidate.content is not None:
            for part in candidate.content.parts or ():
                self._part(part)
        if candidate.groundingMetadata is not None or candidate.citationMetadata is not None:
            self._sources(candidate)
        reason = candidate.finishReason
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            if reason in FAILURES:
                self.fail(ErrorReport(reason, candidate.finishMessage or ""))
                return
            mapped = FINISH_REASONS.get(reason, "unknown")
            if mapped == "stop" and self._calls:
                mapped = "tool-calls"
            self.finish = (mapped, reason)

    def _part(self, part: _GeminiPart) -> None:
        if part.functionCall is not None:
            call = part.functionCall
            arguments = "{}" if not call.args else dumps(call.args).decode()
            key = (call.id, call.name, arguments)
            if key in self._signed_calls and not part.thoughtSignature:
                return
            if part.thoughtSignature:
                self._new_calls.add(key)
            self.batch.add(
                ToolCall(
                    self._calls,
                    call.id or new_call_id(),
                    call.name,
                    arguments,
                    part.thoughtSignature,
                )
            )
            self._calls += 1
            return
        if part.text:
            (self.batch.reasoning if part.thought else self.batch.text)(part.text)
        if part.inlineData is not None:
            self.batch.add(images_omitted())
        if part.executableCode is not None:
            self.batch.add(provider_tool("code execution", input=part.executableCode))
        if part.thoughtSignature:
            self.batch.signature(part.thoughtSignature)

    def _sources(self, candidate: _GeminiCandidate) -> None:
        found: list[Any] = []
        if isinstance(candidate.groundingMetadata, dict):
            queries = candidate.groundingMetadata.get("webSearchQueries")
            if queries and not self._searched:
                self._searched = True
                self.batch.add(provider_tool("Google Search", queries=queries))
            chunks = candidate.groundingMetadata.get("groundingChunks") or ()
            found += [
                c.get("web") or c.get("retrievedContext") for c in chunks if isinstance(c, dict)
            ]
        if isinstance(candidate.citationMetadata, dict):
            # The one name at AI Studio, the other at Vertex.
            for name in ("citationSources", "citations"):
                found += candidate.citationMetadata.get(name) or ()
        for source in found:
            if not isinstance(source, dict):
                continue
            found_at = (source.get("uri"), source.get("title"))
            url, title = (text if isinstance(text, str) else None for text in found_at)
            if (url or title) and (url or title) not in self._cited:
                self._cited.add(url or title or "")
                self.batch.add(Cited(url, title))

    def _blocked(self, reason: str) -> None:
        self.fail(ErrorReport("content_filter", reason))
        if self.failure is not None:
            self.failure.native = self.error_factory.quotable(reason)

    def _array(self, payload: bytes) -> None:
        try:
            items = loads(payload)
            self.batch.lone_surrogates = True  # such a body may hold halves, and it is rare
            for item in items:
                if self.failure is None:
                    self.handle(fit(item, _GeminiChunk))
        except ValueError as error:
            self.unreadable(payload, InvalidJson(str(error)))


class _GeminiFrames:
    """Server-Sent Events or, depending on the first byte, one JSON body."""

    def __init__(self) -> None:
        self._sse: SseDecoder | None = None
        self._body: list[bytes] | None = None
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        if self._sse is None and self._body is None:
            start = chunk.lstrip()[:1]
            if not start:
                return []
            if start in {b"[", b"{"}:
                self._body = []
            else:
                self._sse = SseDecoder()
        if self._sse is not None:
            return self._sse.feed(chunk)
        if self._body is not None:
            self._body.append(chunk)
            self._size += len(chunk)
            if self._size > 4 * LIMIT:
                raise EventTooLarge(f"A body is larger than {4 * LIMIT} bytes")
        return []

    def finish(self) -> list[bytes]:
        if self._sse is not None:
            return self._sse.finish()
        return [b"".join(self._body).strip()] if self._body else []


def gemini_decoder(error_factory: ErrorFactory) -> StreamDecoder:
    """Reads a streamed answer."""
    return StreamDecoder(_GeminiFrames(), GeminiReplyParser(error_factory))


def parse_gemini_body(body: bytes, error_factory: ErrorFactory) -> list[UpstreamEvent]:
    """A non-streaming answer, or an array of chunks, as events. Raises a `ProviderError`."""
    return parse_whole_body(GeminiReplyParser(error_factory), body.strip())


def _usage(seen: _GeminiUsage) -> Usage:
    outputs = [c for c in (seen.candidatesTokenCount, seen.thoughtsTokenCount) if c is not None]
    inputs = [c for c in (seen.promptTokenCount, seen.toolUsePromptTokenCount) if c is not None]
    return Usage(
        sum(inputs) if inputs else None,
        sum(outputs) if outputs else None,
        seen.cachedContentTokenCount,
        None,
        seen.thoughtsTokenCount,
    )
