"""The OpenAI Responses API as a view: numbered events and whole responses.

Source: OpenAI's API reference, "Responses" and "Streaming events". Each of our parts is one output item.
`sequence_number` is made from a record's id, so that it means the same however records were merged and
for every reader: `(epoch - 1) << 36 | seq << 6 | n`, n counting the events of one record. It grows but has
gaps; `starting_after` accepts any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grantha.chat import JsonObject, Options, Part, ReasoningPart, TextPart, ToolCallPart, Usage
from grantha.errors import BadRequest
from grantha.events import (
    Citation,
    Frame,
    GenerationEnd,
    Open,
    PartEnd,
    PartStart,
    ReasoningDelta,
    RecordId,
    TextDelta,
    ToolCallDelta,
)
from grantha.wire.compat import view
from grantha.wire.compat.openai_chat_view import openai_error_code
from grantha.wire.compat.openai_responses_input import EXTRA, reasoning_item
from grantha.wire.compat.view import AnswerFold, PlacedCitation, ResponseMeta, sse_block
from grantha.wire.tools import custom_input, origin_of

# By these, agents decide whether to shorten the conversation, to wait or to give up.
_ERROR_CODES = {"context_length_exceeded", "insufficient_quota", "rate_limit_exceeded"}
_SEQ_BITS, _EVENT_BITS = 30, 6


def record_of_sequence_number(number: int) -> tuple[RecordId, int]:
    """The record that an event of this number came from, and the event's place in it."""
    if number < 0:
        raise BadRequest("'starting_after' can't be negative.")
    place = number & ((1 << _EVENT_BITS) - 1)
    seq = (number >> _EVENT_BITS) & ((1 << _SEQ_BITS) - 1)
    return RecordId((number >> (_SEQ_BITS + _EVENT_BITS)) + 1, seq), place


class ResponseStream:
    """Numbered events, those after the number `after`; it must be fed from the log's first record.

    The record that `after` names must not be merged with later ones.

    `echo` are members of the request that a response repeats. It holds the text, as its last events
    repeat that.
    """

    def __init__(self, meta: ResponseMeta, echo: JsonObject, after: int = -1) -> None:
        self._meta = meta
        self._echo = echo
        self._after = after
        self._answer = AnswerFold()
        self._starts: dict[int, PartStart] = {}

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The events of frames."""
        events = [pair for frame in frames for pair in self._numbered_events(frame)]
        return "".join(
            [
                sse_block({**body, "sequence_number": number}, event=body["type"])
                for number, body in events
                if number > self._after
            ]
        ).encode()

    def _numbered_events(self, frame: Frame) -> list[tuple[int, dict[str, Any]]]:
        first = ((frame.id.epoch - 1) << _SEQ_BITS | frame.id.seq) << _EVENT_BITS
        self._answer.apply(frame.event)
        return [(first + place, body) for place, body in enumerate(self._events(frame))]

    def _events(self, frame: Frame) -> list[dict[str, Any]]:
        event = frame.event
        match event:
            case Open(previous=None):
                response = self._response("in_progress")
                return [
                    {"type": "response.created", "response": response},
                    {"type": "response.in_progress", "response": response},
                ]
            case PartStart():
                self._starts[event.part] = event
                return self._start(event)
            case TextDelta():
                delta = {"delta": event.text, "logprobs": list(event.logprobs)}
                return [self._text_event("response.output_text.delta", event.part, delta)]
            case ReasoningDelta(text=text) if text:
                kind = "response.reasoning_summary_text.delta"
                return [self._summary_event(kind, event.part, {"delta": text})]
            case ToolCallDelta() if event.arguments and not self._is_custom(event.part):
                kind = "response.function_call_arguments.delta"
                return [self._item_event(kind, event.part, {"delta": event.arguments})]
            case Citation(url=str()):
                return [self._cited(event.part)]
            case PartEnd():
                return self._close(event.part, "completed")
            case GenerationEnd():
                return self._end(event)
            case _:
                return []

    def _start(self, start: PartStart) -> list[dict[str, Any]]:
        item = _item(self._meta, start, None, "in_progress")
        added = {"type": "response.output_item.added", "output_index": start.part, "item": item}
        if start.part_kind == "text":
            part = _text_content("", (), ())
            kind = "response.content_part.added"
            return [added, self._text_event(kind, start.part, {"part": part})]
        if start.part_kind == "reasoning":
            part = {"type": "summary_text", "text": ""}
            kind = "response.reasoning_summary_part.added"
            return [added, self._summary_event(kind, start.part, {"part": part})]
        return [added]

    def _cited(self, part: int) -> dict[str, Any]:
        sources = _sources(self._answer, part)
        place = {"annotation_index": len(sources) - 1, "annotation": _annotation(sources[-1])}
        return self._text_event("response.output_text.annotation.added", part, place)

    def _close(self, part: int, status: str) -> list[dict[str, Any]]:
        start = self._starts.pop(part, None)
        if start is None:
            return []
        item = _item(self._meta, start, self._answer, status)
        done = {"type": "response.output_item.done", "output_index": part, "item": item}
        if item["type"] == "custom_tool_call":
            kind, text = "response.custom_tool_call_input", item["input"]
            return [
                self._item_event(f"{kind}.delta", part, {"delta": text}),
                self._item_event(f"{kind}.done", part, {"input": text}),
                done,
            ]
        if start.part_kind == "tool-call":
            kind = "response.function_call_arguments.done"
            final = {"arguments": item["arguments"], "name": item["name"]}
            return [self._item_event(kind, part, final), done]
        if start.part_kind == "reasoning":
            value = self._answer.part(part)
            text = value.text if isinstance(value, ReasoningPart) else ""
            answer = {"type": "summary_text", "text": text}
            kind = "response.reasoning_summary_"
            return [
                self._summary_event(f"{kind}text.done", part, {"text": text}),
                self._summary_event(f"{kind}part.done", part, {"part": answer}),
                done,
            ]
        content = item["content"][0]
        final = {"text": content["text"], "logprobs": content["logprobs"]}
        return [
            self._text_event("response.output_text.done", part, final),
            self._text_event("response.content_part.done", part, {"part": content}),
            done,
        ]

    def _is_custom(self, part: int) -> bool:
        start = self._starts.get(part)
        name = start.name if start else None
        return origin_of(self._meta.tools, name).get("kind") == "custom"

    def _end(self, end: GenerationEnd) -> list[dict[str, Any]]:
        status = _status(end)
        left = "completed" if status == "completed" else "incomplete"
        closed = [event for part in sorted(self._starts) for event in self._close(part, left)]
        # There is no event for a cancelled one: it isn't complete.
        kind = status if status in {"completed", "failed"} else "incomplete"
        return [*closed, {"type": f"response.{kind}", "response": self._response(status)}]

    def _response(self, status: str) -> dict[str, Any]:
        return response_json(self._meta, self._answer, status, self._echo)

    def _item_event(self, kind: str, part: int, more: dict[str, Any]) -> dict[str, Any]:
        item = _item_id(self._meta, part)
        return {"type": kind, "item_id": item, "output_index": part, **more}

    def _text_event(self, kind: str, part: int, more: dict[str, Any]) -> dict[str, Any]:
        return self._item_event(kind, part, {"content_index": 0, **more})

    def _summary_event(self, kind: str, part: int, more: dict[str, Any]) -> dict[str, Any]:
        return self._item_event(kind, part, {"summary_index": 0, **more})


def response_json(
    meta: ResponseMeta, answer: AnswerFold, status: str | None, echo: JsonObject
) -> dict[str, Any]:
    """A whole response; with `status` None it is that of the end."""
    end = answer.end
    found = status or (_status(end) if end else "in_progress")
    error = view.end_error(end) if end else None
    return {
        "id": response_id(meta.id),
        "object": "response",
        "created_at": meta.created,
        "status": found,
        "error": _error(error) if error else None,
        "incomplete_details": _incomplete_details(end) if end else None,
        "instructions": None,
        "metadata": {},
        "model": meta.model,
        "output": _output(meta, answer, found),
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": _usage(end.usage) if end and end.usage else None,
        **echo,
    }


def output_item(meta: ResponseMeta, answer: AnswerFold, item: str) -> dict[str, Any] | None:
    """The output item with this id, in the form of an input item; None if there is none."""
    for number, part in answer.numbered():
        if _item_id(meta, number) == item:
            return _item(meta, _start_of(number, part), answer, "completed")
    return None


def generation_of_item(item: str) -> str:
    """The generation that an output item is of."""
    return item.removeprefix("item_").rpartition("_")[0]


def echoed_members(options: Options, body: JsonObject | None = None) -> dict[str, Any]:
    """The members of a request that its response repeats; without the body, those that are stored."""
    choice = options.tool_choice
    found: dict[str, Any] = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_output_tokens": options.max_tokens,
        "tools": [_echoed_tool(tool) for tool in options.tools] or None,
        "tool_choice": choice if isinstance(choice, str) or choice is None
        else {"type": "function", **choice},
        "reasoning": {"effort": options.reasoning_effort} if options.reasoning_effort else None,
        **{name: options.extra.get(name) for name in EXTRA},
    }  # fmt: skip
    for name in ("instructions", "background", "previous_response_id", "store", "text"):
        found[name] = (body or {}).get(name)
    return {name: value for name, value in found.items() if value is not None}


def response_id(generation: str) -> str:
    """The id that clients know a generation by."""
    return f"resp_{generation}"


def generation_of(response: str) -> str:
    """The generation that a response is."""
    return response.removeprefix("resp_")


# ---- helpers below -------------------------------------------------------------------------------


def _echoed_tool(tool: JsonObject) -> JsonObject:
    origin = tool.get("origin", {})
    if "tool" in origin:
        return dict(origin["tool"])
    return {"type": "function", **{k: v for k, v in tool.items() if k != "origin"}}


def _error(error: JsonObject) -> dict[str, Any]:
    code = openai_error_code(str(error.get("code")))
    known = code if code in _ERROR_CODES else "server_error"
    return {"code": known, "message": view.error_text(error)}


def _status(end: GenerationEnd) -> str:
    if end.ending == "stopped":
        return "cancelled"
    if end.ending != "done":
        return "failed"
    return "incomplete" if _incomplete_details(end) else "completed"


def _incomplete_details(end: GenerationEnd) -> dict[str, str] | None:
    if end.ending != "done":
        return None
    reasons = {
        "length": "max_output_tokens",
        "content-filter": "content_filter",
        "refusal": "content_filter",
    }
    reason = reasons.get(end.finish_reason or "")
    return {"reason": reason} if reason else None


def _item_id(meta: ResponseMeta, part: int) -> str:
    return f"item_{meta.id}_{part}"


def _item(
    meta: ResponseMeta, start: PartStart, answer: AnswerFold | None, status: str
) -> dict[str, Any]:
    """An output item; without a `answer` it has only begun."""
    item: dict[str, Any] = {"id": _item_id(meta, start.part), "status": status}
    value = answer.part(start.part) if answer is not None else None
    if start.part_kind == "tool-call":
        arguments = value.arguments if isinstance(value, ToolCallPart) else ""
        return {**_call_item(meta, start, arguments), **item}
    if start.part_kind == "reasoning":
        return {**reasoning_item(value if isinstance(value, ReasoningPart) else None), **item}
    text = value.text if isinstance(value, TextPart) else ""
    content = []
    if answer is not None:
        logprobs = answer.logprobs.get(start.part, ())
        content = [_text_content(text, logprobs, _sources(answer, start.part))]
    return {"type": "message", "role": "assistant", "content": content, **item}


def _call_item(meta: ResponseMeta, start: PartStart, arguments: str) -> dict[str, Any]:
    """A call in the form in which its client knows the tool."""
    call_id, origin = start.call_id or f"call_{start.part}", origin_of(meta.tools, start.name)
    call = {"call_id": call_id, "name": start.name or ""}
    match origin.get("kind"):
        case "custom":
            text = custom_input(arguments) if arguments else ""
            return {"type": "custom_tool_call", **call, "input": text}
        case "namespace":
            qualified = {"name": origin["name"], "namespace": origin["namespace"]}
            return {"type": "function_call", **call, **qualified, "arguments": arguments}
        case _:
            return {"type": "function_call", **call, "arguments": arguments}


def _text_content(
    text: str, logprobs: Sequence[JsonObject], sources: Sequence[PlacedCitation]
) -> dict[str, Any]:
    return {
        "type": "output_text",
        "text": text,
        "annotations": [_annotation(source) for source in sources],
        "logprobs": list(logprobs),
    }


def _sources(answer: AnswerFold, part: int) -> list[PlacedCitation]:
    return [s for s in answer.sources if s.citation.part == part and s.citation.url is not None]


def _annotation(source: PlacedCitation) -> dict[str, Any]:
    place = {"start_index": source.part_offset, "end_index": source.part_offset}
    cited = {"url": source.citation.url, "title": source.citation.title or ""}
    return {"type": "url_citation", **place, **cited}


def _output(meta: ResponseMeta, answer: AnswerFold, status: str) -> list[dict[str, Any]]:
    left = status if status in {"completed", "in_progress"} else "incomplete"
    starts = [_start_of(number, part) for number, part in answer.numbered()]
    return [
        _item(meta, start, answer, left if start is starts[-1] else "completed") for start in starts
    ]


def _start_of(number: int, part: Part) -> PartStart:
    match part:
        case ToolCallPart():
            return PartStart(number, "tool-call", part.call_id or None, part.name)
        case ReasoningPart():
            return PartStart(number, "reasoning")
        case _:
            return PartStart(number, "text")


def _usage(usage: Usage) -> dict[str, Any]:
    given, made = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": given + made,
    }
