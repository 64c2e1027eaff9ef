"""The OpenAI Responses API as a view: requests of its clients, numbered events and whole responses.

Source: OpenAI's API reference, "Responses" and "Streaming events". Each of our parts is one output item.
`sequence_number` is made from a record's id, so that it means the same however records were merged and
whoever reads: `(epoch - 1) << 36 | seq << 6 | n`, n counting the events of one record. It grows but has
gaps; `starting_after` takes any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grantha.chat import (
    JsonObject,
    Message,
    Options,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
    text_message,
)
from grantha.errors import BadRequest
from grantha.events import (
    Fold,
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
from grantha.wire.views import base
from grantha.wire.views.base import Asked, Shown, sse
from grantha.wire.views.openai_chat import ROLES, choice_of, content_of, tool_of

_SEQ_BITS, _EVENT_BITS = 30, 6
_EXTRA = ("metadata", "parallel_tool_calls", "service_tier", "truncation", "user", "verbosity")


def asked(body: JsonObject) -> Asked:
    """A request's body. Raises `BadRequest` that names the member."""
    messages = _input(body.get("input"))
    instructions = base.member(body, "instructions", str, "")
    if instructions:
        messages.insert(0, text_message("system", instructions))
    return Asked(
        messages=base.require_question(messages),
        options=_options(body),
        model=base.member(body, "model", str),
        stream=base.member(body, "stream", bool, False),
        background=base.member(body, "background", bool, False),
    )


def record_before(number: int) -> tuple[RecordId, int]:
    """The record that an event of this number came from, and the event's place in it."""
    if number < 0:
        raise BadRequest("'starting_after' can't be negative.")
    place = number & ((1 << _EVENT_BITS) - 1)
    seq = (number >> _EVENT_BITS) & ((1 << _SEQ_BITS) - 1)
    return RecordId((number >> (_SEQ_BITS + _EVENT_BITS)) + 1, seq), place


class ResponseStream:
    """Numbered events. `echo` are members of the request that a response repeats."""

    def __init__(self, shown: Shown, echo: JsonObject) -> None:
        self._shown = shown
        self._echo = echo
        self._fold = Fold()
        self._starts: dict[int, PartStart] = {}

    def prime(self, frames: Sequence[Frame], after: int) -> bytes:
        """Takes what a client has seen already; gives the events among it that are newer."""
        events = [pair for frame in frames for pair in self._numbered(frame)]
        return _blocks([(number, body) for number, body in events if number > after])

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The events of frames."""
        return _blocks([pair for frame in frames for pair in self._numbered(frame)])

    def _numbered(self, frame: Frame) -> list[tuple[int, dict[str, Any]]]:
        first = ((frame.id.epoch - 1) << _SEQ_BITS | frame.id.seq) << _EVENT_BITS
        self._fold.apply(frame.event)
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
                return [self._of_text("response.output_text.delta", event.part, delta)]
            case ReasoningDelta(text=text) if text:
                kind = "response.reasoning_summary_text.delta"
                return [self._of_summary(kind, event.part, {"delta": text})]
            case ToolCallDelta():
                kind = "response.function_call_arguments.delta"
                return [self._of_item(kind, event.part, {"delta": event.arguments})]
            case PartEnd():
                return self._close(event.part)
            case GenerationEnd():
                return self._end(event)
            case _:
                return []

    def _start(self, start: PartStart) -> list[dict[str, Any]]:
        item = _item(self._shown, start, None, "in_progress")
        added = {"type": "response.output_item.added", "output_index": start.part, "item": item}
        if start.part_kind == "text":
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            return [
                added,
                self._of_text("response.content_part.added", start.part, {"part": part}),
            ]
        if start.part_kind == "reasoning":
            part = {"type": "summary_text", "text": ""}
            kind = "response.reasoning_summary_part.added"
            return [added, self._of_summary(kind, start.part, {"part": part})]
        return [added]

    def _close(self, part: int) -> list[dict[str, Any]]:
        start = self._starts.pop(part, None)
        if start is None:
            return []
        value = self._fold.part(part)
        item = _item(self._shown, start, value, "completed")
        done = {"type": "response.output_item.done", "output_index": part, "item": item}
        if start.part_kind == "tool-call":
            arguments = value.arguments if isinstance(value, ToolCallPart) else "{}"
            kind = "response.function_call_arguments.done"
            told = {"arguments": arguments, "name": start.name or ""}
            return [self._of_item(kind, part, told), done]
        text = value.text if isinstance(value, TextPart | ReasoningPart) else ""
        if start.part_kind == "reasoning":
            whole = {"type": "summary_text", "text": text}
            kind = "response.reasoning_summary_"
            return [
                self._of_summary(f"{kind}text.done", part, {"text": text}),
                self._of_summary(f"{kind}part.done", part, {"part": whole}),
                done,
            ]
        shown = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        return [
            self._of_text("response.output_text.done", part, {"text": text, "logprobs": []}),
            self._of_text("response.content_part.done", part, {"part": shown}),
            done,
        ]

    def _end(self, end: GenerationEnd) -> list[dict[str, Any]]:
        closed = [event for part in sorted(self._starts) for event in self._close(part)]
        response = self._response(_status(end))
        kind = {"completed": "completed", "incomplete": "incomplete", "failed": "failed"}.get(
            response["status"], "completed"
        )
        return [*closed, {"type": f"response.{kind}", "response": response}]

    def _response(self, status: str) -> dict[str, Any]:
        return response_json(self._shown, self._fold, status, self._echo)

    def _of_item(self, kind: str, part: int, more: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": kind,
            "item_id": _item_id(self._shown, part),
            "output_index": part,
            **more,
        }

    def _of_text(self, kind: str, part: int, more: dict[str, Any]) -> dict[str, Any]:
        return self._of_item(kind, part, {"content_index": 0, **more})

    def _of_summary(self, kind: str, part: int, more: dict[str, Any]) -> dict[str, Any]:
        return self._of_item(kind, part, {"summary_index": 0, **more})


def response_json(
    shown: Shown, folded: Fold, status: str | None, echo: JsonObject
) -> dict[str, Any]:
    """A whole response; `status` None takes it from the end."""
    end = folded.end
    found = status or (_status(end) if end else "in_progress")
    error = base.error_of(end) if end else None
    length = end is not None and end.finish_reason == "length"
    return {
        "id": response_id(shown.id),
        "object": "response",
        "created_at": shown.created,
        "status": found,
        "error": {"code": "server_error", "message": str(error.get("message"))} if error else None,
        "incomplete_details": {"reason": "max_output_tokens"} if length else None,
        "instructions": None,
        "metadata": {},
        "model": shown.model,
        "output": _output(shown, folded, found),
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": _usage(end.usage) if end and end.usage else None,
        **echo,
    }


def echo_of(body: JsonObject) -> dict[str, Any]:
    """What of a request its response repeats."""
    kept = (
        "instructions",
        "metadata",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
        "background",
    )
    return {name: body[name] for name in kept if body.get(name) is not None}


def response_id(generation: str) -> str:
    """The id that clients know a generation by."""
    return f"resp_{generation}"


def generation_of(response: str) -> str:
    """The generation that a response is."""
    return response.removeprefix("resp_")


# ---- helpers below -------------------------------------------------------------------------------


def _blocks(events: Sequence[tuple[int, dict[str, Any]]]) -> bytes:
    return "".join(
        [sse({**body, "sequence_number": n}, event=body["type"]) for n, body in events]
    ).encode()


def _status(end: GenerationEnd) -> str:
    if end.ending == "stopped":
        return "cancelled"
    if end.ending != "done":
        return "failed"
    return "incomplete" if end.finish_reason == "length" else "completed"


def _item_id(shown: Shown, part: int) -> str:
    return f"item_{shown.id}_{part}"


def _item(shown: Shown, start: PartStart, value: Part | None, status: str) -> dict[str, Any]:
    item: dict[str, Any] = {"id": _item_id(shown, start.part), "status": status}
    if start.part_kind == "tool-call":
        arguments = value.arguments if isinstance(value, ToolCallPart) else ""
        call_id = start.call_id or f"call_{start.part}"
        return {
            "type": "function_call",
            "call_id": call_id,
            "name": start.name or "",
            "arguments": arguments,
            **item,
        }
    text = value.text if isinstance(value, TextPart | ReasoningPart) else ""
    if start.part_kind == "reasoning":
        summary = [{"type": "summary_text", "text": text}] if text else []
        return {"type": "reasoning", "summary": summary, **item}
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {
        "type": "message",
        "role": "assistant",
        "content": content if value is not None else [],
        **item,
    }


def _output(shown: Shown, folded: Fold, status: str) -> list[dict[str, Any]]:
    items = []
    whole = "completed" if status == "completed" else "incomplete"
    for number, part in folded.numbered():
        match part:
            case ToolCallPart():
                start = PartStart(number, "tool-call", part.call_id, part.name)
            case ReasoningPart():
                start = PartStart(number, "reasoning")
            case _:
                start = PartStart(number, "text")
        items.append(_item(shown, start, part, whole))
    return items


def _usage(usage: Usage) -> dict[str, Any]:
    given, made = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens or 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": given + made,
    }


def _input(value: Any) -> list[Message]:
    if isinstance(value, str):
        return [text_message("user", value)]
    if not isinstance(value, list):
        raise BadRequest("'input' is neither text nor a list of items.")
    return [_item_in(item) for item in base.objects({"input": value}, "input")]


def _item_in(item: JsonObject) -> Message:
    match item.get("type", "message"):
        case "message":
            parts = tuple(content_of(item.get("content")))
            return Message(base.role_of(item, ROLES), parts)
        case "function_call":
            call = ToolCallPart(
                base.member(item, "call_id", str, ""),
                base.member(item, "name", str, ""),
                base.member(item, "arguments", str, "{}"),
            )
            return Message("assistant", (call,))
        case "function_call_output":
            output = item.get("output")
            text = output if isinstance(output, str) else base.text_of(content_of(output))
            return Message("tool", (ToolResultPart(base.member(item, "call_id", str, ""), text),))
        case "reasoning":
            summary = "".join(str(part.get("text", "")) for part in base.objects(item, "summary"))
            return Message("assistant", (ReasoningPart(summary),))
        case other:
            raise BadRequest(f"Items of type {str(other)[:40]!r} can't be sent.")


def _options(body: JsonObject) -> Options:
    form = base.member(base.member(body, "text", dict, {}), "format", dict)
    return Options(
        temperature=base.number(body, "temperature", 0, 2),
        top_p=base.number(body, "top_p", 0, 1),
        max_tokens=base.count(body, "max_output_tokens"),
        reasoning_effort=base.member(base.member(body, "reasoning", dict, {}), "effort", str),
        tools=tuple(tool_of(tool) for tool in base.objects(body, "tools")),
        tool_choice=choice_of(body.get("tool_choice")),
        response_format=_chat_form(form),
        extra={name: body[name] for name in _EXTRA if body.get(name) is not None},
    )


def _chat_form(form: JsonObject | None) -> JsonObject | None:
    """A text format as Chat Completions writes it, which is how options hold it."""
    if form is None or form.get("type") == "text":
        return None
    if form.get("type") == "json_schema":
        inner = {k: v for k, v in form.items() if k != "type"}
        return {"type": "json_schema", "json_schema": inner}
    return dict(form)
