"""The OpenAI Responses API as a view: numbered events and whole responses.

Source: OpenAI's API reference, "Responses" and "Streaming events". Each of our parts is one output item.
`sequence_number` is made from a record's id, so that it means the same however records were merged and
for every reader: `(epoch - 1) << 36 | seq << 6 | n`, n counting the events of one record. It grows but
has gaps; `starting_after` accepts any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, cast

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

if TYPE_CHECKING:  # types only: the server loads them with the API's description
    from grantha.wire.compat.openai_responses_replies import (
        ItemEvent,
        ItemStatus,
        OutputItemEvent,
        ResponseAnnotation,
        ResponseCall,
        ResponseContent,
        ResponseCustomCall,
        ResponseErrorDetails,
        ResponseEvent,
        ResponseIncomplete,
        ResponseOutput,
        ResponseReply,
        ResponseStatus,
        ResponseUsage,
        SummaryEvent,
        TextEvent,
    )

# Agents decide by these whether to shorten the conversation, to wait or to give up.
_ERROR_CODES: tuple[
    Literal["context_length_exceeded", "insufficient_quota", "rate_limit_exceeded"], ...
] = ("context_length_exceeded", "insufficient_quota", "rate_limit_exceeded")
_INCOMPLETE: dict[str, ResponseIncomplete] = {
    "length": {"reason": "max_output_tokens"},
    "content-filter": {"reason": "content_filter"},
    "refusal": {"reason": "content_filter"},
}
# There is no event for a cancelled one: it isn't complete.
_LAST_EVENTS: dict[str, Literal["response.completed", "response.failed"]] = {
    "completed": "response.completed",
    "failed": "response.failed",
}
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
        self._numbers: Iterator[int] = count()  # of the next events

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The events of frames."""
        events = [event for frame in frames for event in self._numbered_events(frame)]
        return "".join(
            [
                sse_block(event, event=event["type"])
                for event in events
                if event["sequence_number"] > self._after
            ]
        ).encode()

    def _numbered_events(self, frame: Frame) -> list[ResponseEvent]:
        self._numbers = count(((frame.id.epoch - 1) << _SEQ_BITS | frame.id.seq) << _EVENT_BITS)
        self._answer.apply(frame.event)
        return self._events(frame)

    def _events(self, frame: Frame) -> list[ResponseEvent]:
        event = frame.event
        match event:
            case Open(previous=None):
                return self._begin()
            case PartStart():
                self._starts[event.part] = event
                return self._start(event)
            case TextDelta():
                return [
                    {
                        "type": "response.output_text.delta",
                        **self._in_text(event.part),
                        "delta": event.text,
                        "logprobs": view.logprobs(event.logprobs),
                    }
                ]
            case ReasoningDelta(text=text) if text:
                return [
                    {
                        "type": "response.reasoning_summary_text.delta",
                        **self._in_summary(event.part),
                        "delta": text,
                    }
                ]
            case ToolCallDelta() if event.arguments and not self._is_custom(event.part):
                return [
                    {
                        "type": "response.function_call_arguments.delta",
                        **self._in_item(event.part),
                        "delta": event.arguments,
                    }
                ]
            case Citation(url=str()):
                return [self._cited(event.part)]
            case PartEnd():
                return self._close(event.part, "completed")
            case GenerationEnd():
                return self._end(event)
            case _:
                return []

    def _begin(self) -> list[ResponseEvent]:
        response = self._response("in_progress")
        return [
            {
                "type": "response.created",
                "response": response,
                "sequence_number": next(self._numbers),
            },
            {
                "type": "response.in_progress",
                "response": response,
                "sequence_number": next(self._numbers),
            },
        ]

    def _start(self, start: PartStart) -> list[ResponseEvent]:
        part = start.part
        added: OutputItemEvent = {
            "type": "response.output_item.added",
            "output_index": part,
            "item": _item(self._meta, start, None, "in_progress"),
            "sequence_number": next(self._numbers),
        }
        if start.part_kind == "text":
            return [
                added,
                {
                    "type": "response.content_part.added",
                    **self._in_text(part),
                    "part": _text_content("", (), ()),
                },
            ]
        if start.part_kind == "reasoning":
            return [
                added,
                {
                    "type": "response.reasoning_summary_part.added",
                    **self._in_summary(part),
                    "part": {"type": "summary_text", "text": ""},
                },
            ]
        return [added]

    def _cited(self, part: int) -> ResponseEvent:
        sources = _sources(self._answer, part)
        return {
            "type": "response.output_text.annotation.added",
            **self._in_text(part),
            "annotation_index": len(sources) - 1,
            "annotation": _annotation(sources[-1]),
        }

    def _close(self, part: int, status: ItemStatus) -> list[ResponseEvent]:
        start = self._starts.pop(part, None)
        if start is None:
            return []
        item = _item(self._meta, start, self._answer, status)
        return [
            *self._last_of_item(part, item),
            {
                "type": "response.output_item.done",
                "output_index": part,
                "item": item,
                "sequence_number": next(self._numbers),
            },
        ]

    def _last_of_item(self, part: int, item: ResponseOutput) -> list[ResponseEvent]:
        """The events that repeat an item's content."""
        if item["type"] == "custom_tool_call":
            return [
                {
                    "type": "response.custom_tool_call_input.delta",
                    **self._in_item(part),
                    "delta": item["input"],
                },
                {
                    "type": "response.custom_tool_call_input.done",
                    **self._in_item(part),
                    "input": item["input"],
                },
            ]
        if item["type"] == "function_call":
            return [
                {
                    "type": "response.function_call_arguments.done",
                    **self._in_item(part),
                    "arguments": item["arguments"],
                    "name": item["name"],
                }
            ]
        if item["type"] == "reasoning":
            text = "".join(summary["text"] for summary in item["summary"])
            return [
                {
                    "type": "response.reasoning_summary_text.done",
                    **self._in_summary(part),
                    "text": text,
                },
                {
                    "type": "response.reasoning_summary_part.done",
                    **self._in_summary(part),
                    "part": {"type": "summary_text", "text": text},
                },
            ]
        content = item["content"][0]
        return [
            {
                "type": "response.output_text.done",
                **self._in_text(part),
                "text": content["text"],
                "logprobs": content["logprobs"],
            },
            {"type": "response.content_part.done", **self._in_text(part), "part": content},
        ]

    def _is_custom(self, part: int) -> bool:
        start = self._starts.get(part)
        name = start.name if start else None
        return origin_of(self._meta.tools, name).get("kind") == "custom"

    def _end(self, end: GenerationEnd) -> list[ResponseEvent]:
        status = _status(end)
        left: ItemStatus = "completed" if status == "completed" else "incomplete"
        closed = [event for part in sorted(self._starts) for event in self._close(part, left)]
        return [
            *closed,
            {
                "type": _LAST_EVENTS.get(status, "response.incomplete"),
                "response": self._response(status),
                "sequence_number": next(self._numbers),
            },
        ]

    def _response(self, status: ResponseStatus) -> ResponseReply:
        return response_json(self._meta, self._answer, status, self._echo)

    def _in_item(self, part: int) -> ItemEvent:
        return {
            "item_id": _item_id(self._meta, part),
            "output_index": part,
            "sequence_number": next(self._numbers),
        }

    def _in_text(self, part: int) -> TextEvent:
        return {**self._in_item(part), "content_index": 0}

    def _in_summary(self, part: int) -> SummaryEvent:
        return {**self._in_item(part), "summary_index": 0}


def response_json(
    meta: ResponseMeta, answer: AnswerFold, status: ResponseStatus | None, echo: JsonObject
) -> ResponseReply:
    """A whole response; with `status` None it is that of the end."""
    end = answer.end
    found = status or (_status(end) if end else "in_progress")
    error = view.end_error(end) if end else None
    reply: ResponseReply = {
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
        "usage": usage_json(end.usage) if end and end.usage else None,
    }
    return cast("ResponseReply", {**reply, **echo})  # what is repeated was validated on its way in


def output_item(meta: ResponseMeta, answer: AnswerFold, item: str) -> ResponseOutput | None:
    """The output item with this id, in the form of an input item; None if there is none."""
    for number, part in answer.numbered():
        if _item_id(meta, number) == item:
            return _item(meta, _start_of(number, part), answer, "completed")
    return None


def generation_of_item(item: str) -> str:
    """The generation of an output item."""
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
        "instructions": options.instructions,
        **{name: options.extra.get(name) for name in EXTRA},
    }  # fmt: skip
    for name in ("background", "previous_response_id", "store", "text"):
        found[name] = (body or {}).get(name)
    return {name: value for name, value in found.items() if value is not None}


def usage_json(usage: Usage) -> ResponseUsage:
    """Usage in this API's form; what isn't known is 0."""
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


def response_id(generation: str) -> str:
    """The id under which clients know a generation."""
    return f"resp_{generation}"


def conversation_id(conversation: str) -> str:
    """The id under which clients know a conversation."""
    return f"conv_{conversation}"


def own_conversation_id(conversation: str) -> str:
    """The conversation of a client's id."""
    return conversation.removeprefix("conv_")


def generation_of(response: str) -> str:
    """The generation of a response id."""
    return response.removeprefix("resp_")


# ---- helpers below -------------------------------------------------------------------------------


def _echoed_tool(tool: JsonObject) -> JsonObject:
    origin = tool.get("origin", {})
    if "tool" in origin:
        return dict(origin["tool"])
    return {"type": "function", **{k: v for k, v in tool.items() if k != "origin"}}


def _error(error: JsonObject) -> ResponseErrorDetails:
    code = openai_error_code(str(error.get("code")))
    known = [known for known in _ERROR_CODES if known == code]
    return {"code": known[0] if known else "server_error", "message": view.error_text(error)}


def _status(end: GenerationEnd) -> ResponseStatus:
    if end.ending == "stopped":
        return "cancelled"
    if end.ending != "done":
        return "failed"
    return "incomplete" if _incomplete_details(end) else "completed"


def _incomplete_details(end: GenerationEnd) -> ResponseIncomplete | None:
    return _INCOMPLETE.get(end.finish_reason or "") if end.ending == "done" else None


def _item_id(meta: ResponseMeta, part: int) -> str:
    return f"item_{meta.id}_{part}"


def _item(
    meta: ResponseMeta, start: PartStart, answer: AnswerFold | None, status: ItemStatus
) -> ResponseOutput:
    """An output item; without an `answer` it has only begun."""
    item = _item_id(meta, start.part)
    value = answer.part(start.part) if answer is not None else None
    if start.part_kind == "tool-call":
        arguments = value.arguments if isinstance(value, ToolCallPart) else ""
        return _call_item(meta, start, arguments, status)
    if start.part_kind == "reasoning":
        reasoning = value if isinstance(value, ReasoningPart) else None
        return reasoning_item(item, status, reasoning)
    text = value.text if isinstance(value, TextPart) else ""
    content = []
    if answer is not None:
        logprobs = answer.logprobs.get(start.part, ())
        content = [_text_content(text, logprobs, _sources(answer, start.part))]
    return {
        "type": "message",
        "id": item,
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _call_item(
    meta: ResponseMeta, start: PartStart, arguments: str, status: ItemStatus
) -> ResponseCall | ResponseCustomCall:
    """A call in the form in which its client knows the tool."""
    item, call_id = _item_id(meta, start.part), start.call_id or f"call_{start.part}"
    name, origin = start.name or "", origin_of(meta.tools, start.name)
    if origin.get("kind") == "custom":
        return {
            "type": "custom_tool_call",
            "id": item,
            "status": status,
            "call_id": call_id,
            "name": name,
            "input": custom_input(arguments) if arguments else "",
        }
    call: ResponseCall = {
        "type": "function_call",
        "id": item,
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }
    if origin.get("kind") == "namespace":
        call["name"], call["namespace"] = origin["name"], origin["namespace"]
    return call


def _text_content(
    text: str, logprobs: Sequence[JsonObject], sources: Sequence[PlacedCitation]
) -> ResponseContent:
    return {
        "type": "output_text",
        "text": text,
        "annotations": [_annotation(source) for source in sources],
        "logprobs": view.logprobs(logprobs),
    }


def _sources(answer: AnswerFold, part: int) -> list[PlacedCitation]:
    return [s for s in answer.sources if s.citation.part == part and s.citation.url is not None]


def _annotation(source: PlacedCitation) -> ResponseAnnotation:
    return {
        "type": "url_citation",
        "start_index": source.part_offset,
        "end_index": source.part_offset,
        "url": source.citation.url or "",
        "title": source.citation.title or "",
    }


def _output(meta: ResponseMeta, answer: AnswerFold, status: ResponseStatus) -> list[ResponseOutput]:
    left: ItemStatus = status if status == "completed" or status == "in_progress" else "incomplete"
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
