"""The Anthropic Messages dialect, reply side: its events, or one message object, to ours.

| seen in a reply | what becomes of it |
|---|---|
| `ping`, unknown events and blocks | nothing |
| a second `message_start` | of the same message: only its usage is read; of another: `Truncated` |
| `error` after 200 | the failure, after the text before it |
| usage in `message_start` and, restated, in `message_delta` | the latest of each count |
| `signature_delta`, `redacted_thinking` | the signature of the reasoning, for `anthropic_request` |
| tool input that is empty | `{}` |
| tool input that is no JSON | the failure, unless the answer was cut or refused |
| server-side tools and their results | a notice with the sources |
| the end without `message_stop` | `Truncated` |

Source: the vendor's streaming documentation and SDK types.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from typing_extensions import override

from grantha.chat import FinishReason, Usage
from grantha.events import Accepted, Cited, ToolCall, UpstreamEvent, UsageSeen
from grantha.wire.lenient_json import InvalidJson, dumps, loads
from grantha.wire.signatures import REDACTED
from grantha.wire.sse import SseDecoder
from grantha.wire.upstream.decoder import (
    ReplyParser,
    StreamDecoder,
    is_json,
    parse_whole_body,
    provider_tool,
)
from grantha.wire.upstream.turn_normalizer import PrefixTrimmer
from grantha.wire.upstream.vendor_errors import ErrorFactory

FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool-calls",
    "refusal": "refusal",
    # A server-side tool paused: the answer is not complete, so it must not count as "stop".
    "pause_turn": "unknown",
}


class _AnthropicUsage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _AnthropicBlock(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    citations: Any = None
    server_name: str | None = None
    content: Any = None  # the result of a server-side tool


class _AnthropicDelta(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"text", "thinking", "partial_json"})

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: Any = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _AnthropicMessage(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    content: list[_AnthropicBlock] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: _AnthropicUsage | None = None


class _AnthropicEvent(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"type", "delta"})

    type: str = ""
    index: int | None = None
    message: Any = None
    content_block: _AnthropicBlock | None = None
    delta: _AnthropicDelta | None = None
    usage: _AnthropicUsage | None = None
    error: Any = None


class _AnthropicTool:
    """A tool call that has begun; `number` is None for a tool that the vendor runs itself."""

    __slots__ = ("fragments", "name", "number")

    def __init__(self, number: int | None, name: str) -> None:
        self.number = number
        self.name = name
        self.fragments: list[str] = []


class AnthropicReplyParser(ReplyParser[_AnthropicEvent]):
    """Events of one message. `prefix` is the partial answer that it continues."""

    def __init__(self, error_factory: ErrorFactory, prefix: str = "") -> None:
        super().__init__(error_factory, _AnthropicEvent)
        self._counts: dict[str, int] = {}
        self._tools: dict[int, _AnthropicTool] = {}
        self._tool_count = 0
        self._broken = False  # a tool's input was no JSON
        self._message_id: str | None = None
        self._prefix_trimmer = PrefixTrimmer(prefix) if prefix else None

    @override
    def handle(self, payload: _AnthropicEvent) -> None:
        """One event."""
        event = payload
        if event.type == "content_block_delta" and event.delta is not None:
            self._delta(event.index or 0, event.delta)
        else:
            self._other(event)

    @override
    def is_terminated(self) -> bool:
        """Only `message_stop` ends a message."""
        return self.done

    def message(self, message: _AnthropicMessage) -> None:
        """A whole message, with all its blocks."""
        self.batch.add(Accepted(message.model, message.id))
        for index, block in enumerate(message.content or ()):
            self._start(index, block)
            self._stop(index)
        self._usage(message.usage)
        self._finished(message.stop_reason or "", message.stop_sequence)
        self._end()

    def _delta(self, index: int, delta: _AnthropicDelta) -> None:
        kind = delta.type
        if kind == "text_delta":
            self._text(delta.text or "")
        elif kind == "thinking_delta":
            self.batch.reasoning(delta.thinking or "")
        elif kind == "input_json_delta":
            self._arguments(index, delta.partial_json or "")
        elif kind == "signature_delta" and delta.signature:
            self.batch.signature(delta.signature)
        elif kind == "citations_delta":
            self._cite(delta.citation)

    def _other(self, event: _AnthropicEvent) -> None:
        match event.type:
            case "content_block_start" if event.content_block is not None:
                self._start(event.index or 0, event.content_block)
            case "content_block_stop":
                self._stop(event.index or 0)
            case "message_start":
                self._begin(event.message)
            case "message_delta":
                self._usage(event.usage)
                if event.delta is not None and event.delta.stop_reason:
                    self._finished(event.delta.stop_reason, event.delta.stop_sequence)
            case "message_stop":
                self._end()
            case "error":
                self.fail_with(event.error)
            case _:
                pass

    def _begin(self, body: Any) -> None:
        try:
            message = msgspec.convert(body, _AnthropicMessage, strict=False)
        except ValueError:
            return
        if self._message_id is None:
            self._message_id = message.id or ""
            self.batch.add(Accepted(message.model, message.id))
        elif message.id and self._message_id and message.id != self._message_id:
            # The first one never ended: what follows would be spliced into it.
            self.failure = self.failure or self.error_factory.truncated("message_start")
            return
        self._usage(message.usage)

    def _start(self, index: int, block: _AnthropicBlock) -> None:
        match block.type:
            case "text":
                self._text(block.text or "")
                for citation in block.citations if isinstance(block.citations, list) else ():
                    self._cite(citation)
            case "thinking":
                self.batch.reasoning(block.thinking or "")
                if block.signature:
                    self.batch.signature(block.signature)
            case "redacted_thinking" if block.data:
                self.batch.signature(REDACTED + block.data)
            case "tool_use":
                self._tools[index] = _AnthropicTool(self._tool_count, block.name or "")
                self._tool_count += 1
                self.batch.add(ToolCall(self._tool_count - 1, block.id, block.name))
                if block.input:
                    self._arguments(index, dumps(block.input).decode())
            case _:
                self._server_tool(index, block)

    def _server_tool(self, index: int, block: _AnthropicBlock) -> None:
        """A tool that the vendor runs, or its result; other blocks are ignored."""
        if block.type in {"server_tool_use", "mcp_tool_use"}:
            name = ".".join(part for part in (block.server_name, block.name) if part)
            tool = self._tools[index] = _AnthropicTool(None, name or block.type)
            if block.input:
                tool.fragments.append(dumps(block.input).decode())
        elif block.type.endswith("_tool_result") and (sources := _results(block.content)):
            self.batch.add(provider_tool(block.type.removesuffix("_tool_result"), sources=sources))

    def _stop(self, index: int) -> None:
        tool = self._tools.pop(index, None)
        if tool is None:
            return
        arguments = "".join(tool.fragments)
        if tool.number is None:
            self.batch.add(provider_tool(tool.name, input=arguments.strip("{} ") and arguments))
        elif not arguments:
            self.batch.add(ToolCall(tool.number, arguments="{}"))
        elif not is_json(arguments):
            self._broken = True

    def _end(self) -> None:
        """The message is over. Half a tool's input is valid only where the answer was cut as well."""
        for index in list(self._tools):
            self._stop(index)
        self.done = True
        if self._broken and self.finish is not None and self.finish[0] in {"stop", "tool-calls"}:
            error = self.error_factory.malformed("a tool call's input is no JSON")
            self.failure = self.failure or error

    def _text(self, text: str) -> None:
        self.batch.text(
            self._prefix_trimmer.trim(text) if self._prefix_trimmer is not None else text
        )

    def _arguments(self, index: int, fragment: str) -> None:
        tool = self._tools.get(index)
        if tool is not None and fragment:
            tool.fragments.append(fragment)
            if tool.number is not None:
                self.batch.add(ToolCall(tool.number, arguments=fragment))

    def _cite(self, citation: Any) -> None:
        if not isinstance(citation, dict):
            return
        url, quoted = citation.get("url") or citation.get("source"), citation.get("cited_text")
        title = citation.get("title") or citation.get("document_title")
        page = citation.get("start_page_number")
        if isinstance(page, int) and isinstance(title, str):
            title = f"{title}, page {page}"
        self.batch.add(Cited(*(v if isinstance(v, str) else None for v in (url, title, quoted))))

    def _usage(self, seen: _AnthropicUsage | None) -> None:
        if seen is None:
            return
        for name in seen.__struct_fields__:
            count = getattr(seen, name)
            if count is not None:
                self._counts[name] = count
        counts = self._counts
        parse, written = (counts.get(f"cache_{kind}_input_tokens") for kind in ("read", "creation"))
        fresh = counts.get("input_tokens")
        # Anthropic counts cached input apart; ours includes it.
        total = None if fresh is None else fresh + (parse or 0) + (written or 0)
        self.batch.add(UsageSeen(Usage(total, counts.get("output_tokens"), parse, written or None)))

    def _finished(self, reason: str, stop_sequence: str | None) -> None:
        self.finish = (FINISH_REASONS.get(reason, "unknown"), reason or None)
        self.stop_sequence = stop_sequence


def anthropic_decoder(error_factory: ErrorFactory, prefix: str = "") -> StreamDecoder:
    """Reads a streamed message."""
    return StreamDecoder(SseDecoder(), AnthropicReplyParser(error_factory, prefix))


class _AnthropicBodyParser(AnthropicReplyParser):
    def parse(self, payload: bytes) -> None:
        try:
            body = loads(payload)
            if isinstance(body, dict) and body.get("type") == "message":
                self.message(msgspec.convert(body, _AnthropicMessage, strict=False))
            else:
                raise InvalidJson("It is no message")
        except ValueError as error:
            problem = error if isinstance(error, InvalidJson) else InvalidJson("It is no message")
            self.unreadable(payload, problem)


def _results(content: Any) -> list[dict[str, str]]:
    """The sources in the result of a server-side tool."""
    found = (
        [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
    )
    return [
        {name: item[name] for name in ("url", "title") if isinstance(item.get(name), str)}
        for item in found
        if isinstance(item.get("url"), str)
    ]


def parse_anthropic_body(
    body: bytes, error_factory: ErrorFactory, prefix: str = ""
) -> list[UpstreamEvent]:
    """A non-streaming message as events, `Finished` last. Raises a `ProviderError`."""
    return parse_whole_body(_AnthropicBodyParser(error_factory, prefix), body)
