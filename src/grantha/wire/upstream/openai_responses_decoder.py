"""The OpenAI Responses dialect, reply side: its typed events, or one response object, to ours.

| seen in a reply | what becomes of it |
|---|---|
| `response.output_text.delta`, `response.refusal.delta` | text |
| `response.reasoning_summary_text.delta`, `response.reasoning_text.delta` | reasoning |
| a finished `reasoning` item | a signature: the item itself, to be sent back unchanged |
| `response.function_call_arguments.delta` | a tool call's fragment, by its output index |
| `response.incomplete` | `Finished` with the reason it gives |
| `response.failed`, `error` | the failure |
| the end without one of these or `response.completed` | `Truncated`; a background reply can be resumed |

Source: the vendor's API reference and SDK types.
"""

from __future__ import annotations

from typing import Any

import msgspec
from typing_extensions import override

from grantha.chat import FinishReason, Usage
from grantha.events import Accepted, Cited, ToolCall, UpstreamEvent, UsageSeen
from grantha.wire.lenient_json import InvalidJson, dumps, loads
from grantha.wire.sse import SseDecoder
from grantha.wire.upstream.decoder import ReplyParser, StreamDecoder, parse_whole_body
from grantha.wire.upstream.vendor_errors import ErrorFactory, ErrorReport, parse_error_report


class _ResponsesInputDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _ResponsesOutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _ResponsesUsage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _ResponsesInputDetails | None = None
    output_tokens_details: _ResponsesOutputDetails | None = None


class _ResponsesIncomplete(msgspec.Struct):
    reason: str | None = None


class _ResponsesResponse(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: _ResponsesUsage | None = None
    error: Any = None
    incomplete_details: _ResponsesIncomplete | None = None
    output: list[Any] | None = None


class _ResponsesEvent(msgspec.Struct):
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
        self._argued: set[int] = set()
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
        for index, item in enumerate(body.output or ()):
            self._item_started(index, item)
            if isinstance(item, dict):
                self._spoken(item)
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
            case "error":
                shown = {"message": event.message, "code": event.code, "param": event.param}
                self.fail(parse_error_report({"error": event.error or shown}) or ErrorReport())
            case _:
                pass

    def _text(self, event: _ResponsesEvent) -> None:
        if isinstance(event.delta, str):
            self.batch.text(event.delta)
            if event.logprobs and isinstance(event.logprobs, list):
                self.batch.logprobs([item for item in event.logprobs if isinstance(item, dict)])

    def _item_started(self, index: int, item: Any) -> None:
        if isinstance(item, dict) and item.get("type") == "function_call":
            number = self._calls[index] = len(self._calls)
            self.batch.add(ToolCall(number, item.get("call_id"), item.get("name")))

    def _arguments(self, index: int, piece: Any) -> None:
        number = self._calls.get(index)
        if number is not None and isinstance(piece, str) and piece:
            self._argued.add(index)
            self.batch.add(ToolCall(number, arguments=piece))

    def _item_done(self, index: int, item: Any) -> None:
        if not isinstance(item, dict):
            return
        if item.get("type") == "function_call" and index not in self._argued:
            self._arguments(index, item.get("arguments"))
        if item.get("type") == "reasoning" and (item.get("encrypted_content") or item.get("id")):
            kept = {k: v for k, v in item.items() if k != "status" and v is not None}
            self.batch.signature(dumps(kept).decode())

    def _spoken(self, item: dict[str, Any]) -> None:
        for piece in item.get("summary") or ():
            self.batch.reasoning(_string(piece, "text"))
        for piece in item.get("content") or ():
            kind = piece.get("type") if isinstance(piece, dict) else None
            if kind == "output_text":
                self.batch.text(_string(piece, "text"))
                for annotation in piece.get("annotations") or ():
                    self._cite(annotation)
            elif kind == "refusal":
                self._refused = True
                self.batch.text(_string(piece, "refusal"))

    def _cite(self, annotation: Any) -> None:
        if isinstance(annotation, dict) and annotation.get("type") == "url_citation":
            url, title = _string(annotation, "url"), _string(annotation, "title")
            self.batch.add(Cited(url or None, title or None))

    def _ended(self, body: _ResponsesResponse) -> None:
        if body.usage is not None:
            self.batch.add(UsageSeen(_usage(body.usage)))
        if body.status == "failed" or body.error is not None:
            self.fail(
                parse_error_report({"error": body.error or {}}) or ErrorReport("server_error")
            )
            return
        self.done = True
        reason = None if body.incomplete_details is None else body.incomplete_details.reason
        if reason is not None:
            self.finish = (_FINISHED.get(reason, "unknown"), reason)
        elif body.status in {"completed", None}:
            said: FinishReason = "refusal" if self._refused else "stop"
            self.finish = ("tool-calls" if self._calls else said, body.status or "completed")
        else:
            self.finish = ("unknown", body.status)


def responses_decoder(
    error_factory: ErrorFactory, *, background: bool = False, resumed: str | None = None
) -> StreamDecoder:
    """Reads a streamed response; `resumed` is the id of the one that is taken up again."""
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
            self.response(msgspec.convert(body, _ResponsesResponse, strict=False))
        except ValueError as error:
            problem = error if isinstance(error, InvalidJson) else InvalidJson("It is no response")
            self.unreadable(payload, problem)


def parse_responses_body(body: bytes, error_factory: ErrorFactory) -> list[UpstreamEvent]:
    """A non-streaming response as events, `Finished` last. Raises a `ProviderError`."""
    return parse_whole_body(_ResponsesBodyParser(error_factory), body)


def _usage(seen: _ResponsesUsage) -> Usage:
    inputs = seen.input_tokens_details or _ResponsesInputDetails()
    outputs = seen.output_tokens_details or _ResponsesOutputDetails()
    return Usage(
        seen.input_tokens,
        seen.output_tokens,
        inputs.cached_tokens,
        None,
        outputs.reasoning_tokens,
    )


def _string(item: Any, key: str) -> str:
    value = item.get(key) if isinstance(item, dict) else None
    return value if isinstance(value, str) else ""
