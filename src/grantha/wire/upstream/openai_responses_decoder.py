"""The OpenAI Responses dialect, reply side: its typed events, or one response object, to ours.

| seen in a reply | what becomes of it |
|---|---|
| `response.output_text.delta`, `response.refusal.delta` | text |
| `response.reasoning_summary_text.delta`, `response.reasoning_text.delta` | reasoning |
| a finished `reasoning` item | a signature: the item itself, to be sent back unchanged |
| `response.function_call_arguments.delta` | a tool call's fragment, by its output index |
| `response.incomplete` | `Finished` with the reason it gives |
| `response.failed`, `error`, an error without a type | the failure |
| a tool that the vendor ran | a notice with its query and sources |
| text that was never streamed | taken from its finished item |
| the end without one of these or `response.completed` | `Truncated`; a background reply can be resumed |

Source: the vendor's API reference and SDK types.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from typing_extensions import override

from grantha.chat import FinishReason, Usage
from grantha.events import Accepted, Cited, ToolCall, UpstreamEvent, UsageSeen
from grantha.wire.lenient_json import InvalidJson, dumps, fit, loads
from grantha.wire.sse import SseDecoder
from grantha.wire.upstream.decoder import (
    ReplyParser,
    StreamDecoder,
    images_omitted,
    is_json,
    parse_whole_body,
    provider_tool,
    string_in,
)
from grantha.wire.upstream.openai_chat_chunks import (
    BilledUsage,
    InputDetails,
    OutputDetails,
    cost_usd,
    output_tokens,
)
from grantha.wire.upstream.vendor_errors import ErrorFactory, ErrorReport, parse_error_report


class _ResponsesUsage(BilledUsage):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class _ResponsesIncomplete(msgspec.Struct):
    reason: str | None = None


class _ResponsesResponse(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"status"})

    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: _ResponsesUsage | None = None
    error: Any = None
    incomplete_details: _ResponsesIncomplete | None = None
    output: Any = None


class _ResponsesEvent(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"type", "response"})

    type: str = ""
    sequence_number: int | None = None
    delta: Any = None
    output_index: int = 0
    item: Any = None
    annotation: Any = None
    logprobs: Any = None
    response: _ResponsesResponse | None = None
    error: Any = None
    message: Any = None
    code: Any = None
    param: Any = None


_FINISHED: dict[str, FinishReason] = {
    "max_output_tokens": "length",
    "content_filter": "content-filter",
}


class ResponsesReplyParser(ReplyParser[_ResponsesEvent]):
    """Events of one response. `background`: it can be resumed after its last sequence number.

    A resumed reply may name a call by an index that it never started: fragments then have no place.
    """

    def __init__(
        self, error_factory: ErrorFactory, *, background: bool = False, resumed: str | None = None
    ) -> None:
        super().__init__(error_factory, _ResponsesEvent)
        self._background = background
        self._id = resumed
        self._calls: dict[int, int] = {}
        self._arguments_of: dict[int, list[str]] = {}  # by the index of the item
        self._texts: set[int] = set()  # indexes of the items whose text was streamed
        self._refused = False

    @override
    def parse(self, payload: bytes) -> None:
        """One event."""
        if payload != b"[DONE]":
            super().parse(payload)

    @override
    def handle(self, payload: _ResponsesEvent) -> None:
        """One event."""
        event = payload
        if event.type == "response.output_text.delta":
            self._text(event)
        else:
            self._other(event)
        if self._background and self._id and event.sequence_number is not None:
            self.resume_token = f"{self._id}:{event.sequence_number}"

    def response(self, body: _ResponsesResponse) -> None:
        """A whole response, with all its items."""
        self.batch.add(Accepted(body.model, body.id))
        for index, item in enumerate(body.output if isinstance(body.output, list) else ()):
            self._item_started(index, item)
            if isinstance(item, dict):
                self._reasoning_of(item)
            self._item_done(index, item)
        self._ended(body)

    def _other(self, event: _ResponsesEvent) -> None:
        match event.type:
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                if isinstance(event.delta, str):
                    self.batch.reasoning(event.delta)
            case "response.refusal.delta":
                self._refused = True
                self._text(event)
            case "response.function_call_arguments.delta":
                self._arguments(event.output_index, event.delta)
            case "response.output_item.added":
                self._item_started(event.output_index, event.item)
            case "response.output_item.done":
                self._item_done(event.output_index, event.item)
            case "response.output_text.annotation.added":
                self._cite(event.annotation)
            case _:
                self._turning_point(event)

    def _turning_point(self, event: _ResponsesEvent) -> None:
        body = event.response
        match event.type:
            case "response.created" if body is not None:
                self._id = body.id
                self.batch.add(Accepted(body.model, body.id))
            case "response.reasoning_summary_part.done":
                self.batch.reasoning("\n\n")
            case "response.completed" | "response.incomplete" | "response.failed":
                self._ended(body or _ResponsesResponse())
            case "response.cancelled":
                self.fail(ErrorReport("server_error", "the response was cancelled"))
            case "error" | "" if event.type or event.error:
                shown = {"message": event.message, "code": event.code, "param": event.param}
                self.fail(parse_error_report({"error": event.error or shown}) or ErrorReport())
            case _:
                pass

    def _text(self, event: _ResponsesEvent) -> None:
        if isinstance(event.delta, str):
            self._texts.add(event.output_index)
            self.batch.text(event.delta)
            if event.logprobs and isinstance(event.logprobs, list):
                self.batch.logprobs([item for item in event.logprobs if isinstance(item, dict)])

    def _item_started(self, index: int, item: Any) -> None:
        if isinstance(item, dict) and item.get("type") == "function_call":
            number = self._calls[index] = len(self._calls)
            self._arguments_of[index] = []
            call_id, name = string_in(item, "call_id"), string_in(item, "name")
            self.batch.add(ToolCall(number, call_id or None, name or None))

    def _arguments(self, index: int, fragment: Any) -> None:
        number = self._calls.get(index)
        if number is not None and isinstance(fragment, str) and fragment:
            self._arguments_of[index].append(fragment)
            self.batch.add(ToolCall(number, arguments=fragment))

    def _item_done(self, index: int, item: Any) -> None:
        if not isinstance(item, dict):
            return
        kind = str(item.get("type"))
        if kind == "function_call" and not self._arguments_of.get(index):
            self._arguments(index, item.get("arguments") or "{}")
        elif kind == "message" and index not in self._texts:
            self._text_of(item)
        elif kind == "image_generation_call":
            self.batch.add(images_omitted())
        elif kind.endswith("_call") and kind not in {"function_call", "custom_tool_call"}:
            self._provider_tool(kind.removesuffix("_call"), item)
        if kind == "reasoning" and (item.get("encrypted_content") or item.get("id")):
            kept = {k: v for k, v in item.items() if k != "status" and v is not None}
            self.batch.signature(dumps(kept).decode())

    def _provider_tool(self, name: str, item: dict[str, Any]) -> None:
        action = item.get("action")
        action = action if isinstance(action, dict) else {}
        query = action.get("query") or item.get("queries") or item.get("name") or item.get("code")
        self.batch.add(provider_tool(name, input=query, sources=action.get("sources")))

    def _reasoning_of(self, item: dict[str, Any]) -> None:
        if item.get("type") == "reasoning":
            for fragment in item.get("summary") or item.get("content") or ():
                self.batch.reasoning(string_in(fragment, "text"))

    def _text_of(self, item: dict[str, Any]) -> None:
        for fragment in item.get("content") or ():
            kind = fragment.get("type") if isinstance(fragment, dict) else None
            if kind == "output_text":
                self.batch.text(string_in(fragment, "text"))
                for annotation in fragment.get("annotations") or ():
                    self._cite(annotation)
            elif kind == "refusal":
                self._refused = True
                self.batch.text(string_in(fragment, "refusal"))

    def _cite(self, annotation: Any) -> None:
        url, title = string_in(annotation, "url"), string_in(annotation, "title")
        title = title or string_in(annotation, "filename")
        if url or title:
            self.batch.add(Cited(url or None, title or None))

    def _ended(self, body: _ResponsesResponse) -> None:
        if body.usage is not None:
            self.batch.add(UsageSeen(_usage(body.usage)))
        if body.status == "failed" or body.error is not None:
            self.fail(
                parse_error_report({"error": body.error or {}}) or ErrorReport("server_error")
            )
            return
        if body.status in {"cancelled", "queued", "in_progress"}:
            self.failure = self.failure or self.error_factory.truncated(body.status)
            return
        self.done = True
        reason = None if body.incomplete_details is None else body.incomplete_details.reason
        if reason is not None:
            self.finish = (_FINISHED.get(reason, "unknown"), reason)
        elif body.status in {"completed", None}:
            said: FinishReason = "refusal" if self._refused else "stop"
            self.finish = ("tool-calls" if self._calls else said, body.status or "completed")
            if any(not is_json("".join(fragments)) for fragments in self._arguments_of.values()):
                error = self.error_factory.malformed("a tool call's arguments are no JSON")
                self.failure = self.failure or error
        else:
            self.finish = ("unknown", body.status)


def responses_decoder(
    error_factory: ErrorFactory, *, background: bool = False, resumed: str | None = None
) -> StreamDecoder:
    """Reads a streamed response; `resumed` is the id of the response that is resumed."""
    return StreamDecoder(
        SseDecoder(), ResponsesReplyParser(error_factory, background=background, resumed=resumed)
    )


class _ResponsesBodyParser(ResponsesReplyParser):
    @override
    def parse(self, payload: bytes) -> None:
        try:
            body = loads(payload)
            if not isinstance(body, dict) or body.get("object") != "response":
                raise InvalidJson("It is no response")
            self.batch.lone_surrogates = True
            self.response(fit(body, _ResponsesResponse))
        except ValueError as error:
            problem = error if isinstance(error, InvalidJson) else InvalidJson("It is no response")
            self.unreadable(payload, problem)


def parse_responses_body(body: bytes, error_factory: ErrorFactory) -> list[UpstreamEvent]:
    """A non-streaming response as events, `Finished` last. Raises a `ProviderError`."""
    return parse_whole_body(_ResponsesBodyParser(error_factory), body)


def _usage(seen: _ResponsesUsage) -> Usage:
    inputs = seen.input_tokens_details or InputDetails()
    reasoning = (seen.output_tokens_details or OutputDetails()).reasoning_tokens
    return Usage(
        seen.input_tokens,
        output_tokens(seen.input_tokens, seen.output_tokens, reasoning, seen.total_tokens),
        inputs.cached_tokens,
        inputs.cache_write_tokens,
        reasoning,
        cost_usd(seen),
    )
