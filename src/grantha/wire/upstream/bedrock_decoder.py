"""The Bedrock Converse dialect, reply side: binary frames of JSON, or one JSON body, to events.

| seen in a reply | what becomes of it |
|---|---|
| an exception frame after 200 | the failure, after the text before it |
| `messageStop` | `Finished`, which waits for `metadata` with the usage |
| `reasoningContent` with text, signature, redacted bytes | reasoning and its signature |
| `malformed_model_output`, `malformed_tool_use` | `ProviderFailed`: it may be tried again |
| a tool's input that is no JSON | the failure, unless the answer was cut or filtered |
| a checksum that doesn't match | `MalformedReply` |
| the end without `messageStop` | `Truncated` |

Source: the API reference of `ConverseStream`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from typing_extensions import override

from grantha.chat import FinishReason, Usage
from grantha.events import Accepted, Cited, ToolCall, UpstreamEvent, UsageSeen
from grantha.wire.eventstream import EventStreamDecoder, EventStreamMessage
from grantha.wire.lenient_json import InvalidJson, dumps, fit, loads
from grantha.wire.signatures import REDACTED
from grantha.wire.upstream.decoder import (
    ReplyParser,
    StreamDecoder,
    is_json,
    parse_whole_body,
    string_in,
)
from grantha.wire.upstream.turn_normalizer import PrefixTrimmer
from grantha.wire.upstream.vendor_errors import SEARCHED_LENGTH, ErrorFactory, ErrorReport

FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool-calls",
    "guardrail_intervened": "content-filter",
    "content_filtered": "content-filter",
}
FAILURES = frozenset({"malformed_model_output", "malformed_tool_use"})


class _BedrockToolUse(msgspec.Struct):
    toolUseId: str | None = None  # noqa: N815 - the vendor's name
    name: str | None = None
    input: Any = None


class _BedrockStart(msgspec.Struct):
    toolUse: _BedrockToolUse | None = None  # noqa: N815


class _BedrockReasoning(msgspec.Struct):
    text: str | None = None
    signature: str | None = None
    redactedContent: str | None = None  # noqa: N815


class _BedrockDelta(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"text", "toolUse", "reasoningContent"})

    text: str | None = None
    toolUse: _BedrockToolUse | None = None  # noqa: N815
    reasoningContent: _BedrockReasoning | None = None  # noqa: N815
    citation: Any = None


class _BedrockUsage(msgspec.Struct):
    inputTokens: int | None = None  # noqa: N815
    outputTokens: int | None = None  # noqa: N815
    cacheReadInputTokens: int | None = None  # noqa: N815
    cacheWriteInputTokens: int | None = None  # noqa: N815


class _BedrockEvent(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"event", "start", "delta", "stopReason"})

    event: str = ""
    contentBlockIndex: int = 0  # noqa: N815
    start: _BedrockStart | None = None
    delta: _BedrockDelta | None = None
    stopReason: str | None = None  # noqa: N815
    usage: _BedrockUsage | None = None
    message: str = ""  # of an exception


class BedrockReplyParser(ReplyParser[_BedrockEvent]):
    """Events of one message; each payload has its event's name put into it by `_BedrockFrames`."""

    def __init__(self, error_factory: ErrorFactory, prefix: str = "") -> None:
        super().__init__(error_factory, _BedrockEvent)
        self._tools: dict[int, int] = {}
        self._inputs: dict[int, list[str]] = {}  # of the tools, by their number
        self._prefix_trimmer = PrefixTrimmer(prefix) if prefix else None

    @override
    def handle(self, payload: _BedrockEvent) -> None:
        """One event."""
        event = payload
        match event.event:
            case "contentBlockDelta" if event.delta is not None:
                self._delta(event.contentBlockIndex, event.delta)
            case "contentBlockStart" if event.start is not None and event.start.toolUse:
                self._tool(event.contentBlockIndex, event.start.toolUse)
            case "messageStart":
                self.batch.add(Accepted())
            case "messageStop":
                self._stop(event.stopReason or "")
            case "metadata":
                self._usage(event.usage)
                self.done = self.finish is not None
            case name if name.lower().endswith(("exception", "error")):
                self._exception(name, event.message)
            case _:
                pass

    def _delta(self, index: int, delta: _BedrockDelta) -> None:
        if delta.text:
            text = delta.text
            self.batch.text(
                self._prefix_trimmer.trim(text) if self._prefix_trimmer is not None else text
            )
        if delta.toolUse is not None and isinstance(delta.toolUse.input, str):
            number = self._tools.get(index)
            if number is not None:
                self._inputs[number].append(delta.toolUse.input)
                self.batch.add(ToolCall(number, arguments=delta.toolUse.input))
        if delta.reasoningContent is not None:
            self._reasoning(delta.reasoningContent)
        self._cite(delta.citation)

    def _cite(self, citation: Any) -> None:
        if isinstance(citation, dict):
            self.batch.add(_cited(citation))

    def _stop(self, reason: str) -> None:
        """The answer is over, but for the usage. A tool without input has an empty one."""
        if reason in FAILURES:
            self.fail(ErrorReport(reason))
            return
        for number, fragments in self._inputs.items():
            if not any(fragments):
                fragments.append("{}")
                self.batch.add(ToolCall(number, arguments="{}"))
        self.finish = (FINISH_REASONS.get(reason, "unknown"), reason or None)
        broken = any(not is_json("".join(fragments)) for fragments in self._inputs.values())
        if broken and self.finish[0] in {"stop", "tool-calls"}:
            error = self.error_factory.malformed("a tool call's input is no JSON")
            self.failure = self.failure or error

    def _reasoning(self, reasoning: _BedrockReasoning) -> None:
        self.batch.reasoning(reasoning.text or "")
        if reasoning.signature:
            self.batch.signature(reasoning.signature)
        if reasoning.redactedContent:
            self.batch.signature(REDACTED + reasoning.redactedContent)

    def _tool(self, index: int, tool: _BedrockToolUse) -> None:
        number = self._tools[index] = len(self._inputs)
        self._inputs[number] = []
        self.batch.add(ToolCall(number, tool.toolUseId, tool.name))

    def _usage(self, seen: _BedrockUsage | None) -> None:
        if seen is None:
            return
        parse, written = seen.cacheReadInputTokens, seen.cacheWriteInputTokens
        fresh = seen.inputTokens
        total = None if fresh is None else fresh + (parse or 0) + (written or 0)
        self.batch.add(UsageSeen(Usage(total, seen.outputTokens, parse, written)))

    def _exception(self, name: str, message: str) -> None:
        self.fail(ErrorReport(name, message[:SEARCHED_LENGTH]))


class _BedrockFrames:
    """Binary frames to JSON payloads that carry their event's name, so that one decoding is enough."""

    def __init__(self) -> None:
        self._frames = EventStreamDecoder()

    def feed(self, chunk: bytes) -> list[bytes]:
        return [_named(frame) for frame in self._frames.feed(chunk)]

    def finish(self) -> list[bytes]:
        return [_named(frame) for frame in self._frames.finish()]


def _named(frame: EventStreamMessage) -> bytes:
    headers = frame.headers
    name = (
        headers.get(":event-type")
        or headers.get(":exception-type")
        or headers.get(":error-code")
        or ""
    )
    if headers.get(":message-type") == "error" and not name.lower().endswith("error"):
        name += "Error"
    body = frame.payload.strip()
    rest = body[1:] if body[:1] == b"{" else b"}"
    comma = b"" if rest.lstrip()[:1] == b"}" else b","
    return b'{"event":' + dumps(name) + comma + rest


def bedrock_decoder(error_factory: ErrorFactory, prefix: str = "") -> StreamDecoder:
    """Reads a streamed message."""
    return StreamDecoder(_BedrockFrames(), BedrockReplyParser(error_factory, prefix))


class _BedrockBodyParser(BedrockReplyParser):
    def parse(self, payload: bytes) -> None:
        try:
            body = loads(payload)
            message = body["output"]["message"]
            self.batch.lone_surrogates = True
            self.batch.add(Accepted())
            for index, block in enumerate(message["content"]):
                self._block(index, block)
            self._usage(fit(body.get("usage") or {}, _BedrockUsage))
            self._stop(string_in(body, "stopReason"))
        except (ValueError, LookupError, TypeError, AttributeError):
            self.unreadable(payload, InvalidJson("It is no message"))

    def _block(self, index: int, block: dict[str, Any]) -> None:
        self.batch.text(string_in(block, "text"))
        tool = block.get("toolUse")
        if tool is not None:
            call_id, name = string_in(tool, "toolUseId"), string_in(tool, "name")
            self._tool(index, _BedrockToolUse(call_id or None, name or None))
            number, arguments = self._tools[index], dumps(tool.get("input") or {}).decode()
            self._inputs[number].append(arguments)
            self.batch.add(ToolCall(number, arguments=arguments))
        cited = block.get("citationsContent") or {}
        for fragment in cited.get("content") or ():
            self.batch.text(string_in(fragment, "text"))
        for citation in cited.get("citations") or ():
            self._cite(citation)
        reasoning = block.get("reasoningContent", {})
        inner = reasoning.get("reasoningText")
        redacted = string_in(reasoning, "redactedContent")
        self._reasoning(
            _BedrockReasoning(string_in(inner, "text"), string_in(inner, "signature"), redacted)
        )


def parse_bedrock_body(body: bytes, error_factory: ErrorFactory) -> list[UpstreamEvent]:
    """The reply of `Converse` as events. Raises a `ProviderError`."""
    return parse_whole_body(_BedrockBodyParser(error_factory), body)


def _cited(citation: dict[str, Any]) -> Cited:
    """A web source has an address; one in a document has a title and maybe a page."""
    url, page = None, None
    location = citation.get("location")
    for kind, place in location.items() if isinstance(location, dict) else ():
        if isinstance(place, dict):
            url = url or place.get("url")
            page = place.get("start") if kind == "documentPage" else page
    title = citation.get("title")
    if isinstance(title, str) and isinstance(page, int):
        title = f"{title}, page {page}"
    contents = citation.get("sourceContent")
    fragments = (
        [p.get("text") for p in contents if isinstance(p, dict)]
        if isinstance(contents, list)
        else []
    )
    quoted = "".join(fragment for fragment in fragments if isinstance(fragment, str)) or None
    return Cited(*(text if isinstance(text, str) else None for text in (url, title, quoted)))
