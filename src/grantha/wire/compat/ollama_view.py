"""Ollama's API as a view: its requests, NDJSON lines, whole replies, and model details.

Source: Ollama's API documentation, "Generate a completion", "Generate a chat completion", "List local
models" and "Show model information". Times are nanoseconds there; unknown counts are left out. Calls
may lack ids there: results are then matched by the tool's name, in the order of its calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from grantha.chat import (
    Capabilities,
    JsonObject,
    Message,
    Options,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    iso_time,
)
from grantha.errors import BadRequest, GranthaError
from grantha.events import (
    Frame,
    GenerationEnd,
    PartEnd,
    PartStart,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from grantha.wire.compat import view
from grantha.wire.compat.openai_chat_view import parse_tool
from grantha.wire.compat.view import AnswerFold, ParsedRequest, ResponseMeta

MEDIA_TYPE = "application/x-ndjson"
_DONE = {"stop": "stop", "length": "length"}
_EXTRA: view.MemberTypes = {
    "frequency_penalty": view.NUMBER_TYPES,
    "min_p": view.NUMBER_TYPES,
    "presence_penalty": view.NUMBER_TYPES,
    "repeat_penalty": view.NUMBER_TYPES,
    "top_k": int,
}
_PROBABILITIES: view.MemberTypes = {"logprobs": bool, "top_logprobs": int}
UNSUPPORTED = {
    "suffix": "nothing is written into a gap",
    "raw": "send messages",
    "template": "models have theirs",
    "context": "send the messages so far to /api/chat",
}


def parse_request(body: JsonObject) -> ParsedRequest:
    """A request's body. Raises `BadRequest` that names the member."""
    view.reject_members(body, UNSUPPORTED)
    options = view.member(body, "options", dict, {})
    calls = _PendingCalls()
    return ParsedRequest(
        messages=view.require_prompt([_message(m, calls) for m in view.objects(body, "messages")]),
        options=Options(
            temperature=view.number(options, "temperature", 0, 2),
            top_p=view.number(options, "top_p", 0, 1),
            max_tokens=_limit(options),
            stop=view.strings(options, "stop"),
            seed=view.integer(options, "seed"),
            reasoning_effort=_effort(view.member(body, "think", (bool, str))),
            tools=tuple(parse_tool(tool) for tool in view.objects(body, "tools")),
            response_format=_format(body.get("format")),
            extra=view.pick_members(options, _EXTRA) | view.pick_members(body, _PROBABILITIES),
        ),
        model=view.member(body, "model", str),
        stream=view.member(body, "stream", bool, True),
    )


def parse_completion(body: JsonObject) -> ParsedRequest | None:
    """The body of a completion, which is a chat of one question; None when it only loads a model."""
    images = view.member(body, "images", list, [])
    prompt = view.member(body, "prompt", str, "")
    if not prompt and not images:
        return None
    messages = [{"role": "user", "content": prompt, "images": images}]
    if system := view.member(body, "system", str, ""):
        messages.insert(0, {"role": "system", "content": system})
    return parse_request({**body, "messages": messages, "tools": None})


class ChatLines:
    """One JSON object per line; the last has `done: true`."""

    def __init__(self, meta: ResponseMeta) -> None:
        self._head = {"model": meta.model, "created_at": iso_time(meta.created * 1000)}
        self._tools: dict[int, tuple[PartStart, list[str]]] = {}

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The lines of frames."""
        lines = [line for frame in frames for line in self._frame(frame)]
        return "".join([view.compact_json(line) + "\n" for line in lines]).encode()

    def _frame(self, frame: Frame) -> list[dict[str, Any]]:
        event = frame.event
        match event:
            case TextDelta():
                return [self._line({"content": event.text}, event.logprobs)]
            case ReasoningDelta(text=text) if text:
                return [self._line({"content": "", "thinking": text})]
            case PartStart(part_kind="tool-call"):
                self._tools[event.part] = (event, [])
                return []
            case ToolCallDelta() if event.part in self._tools:
                self._tools[event.part][1].append(event.arguments)
                return []
            case PartEnd() if event.part in self._tools:
                return self._called(event.part)
            case GenerationEnd():
                cut = [line for part in sorted(self._tools) for line in self._called(part)]
                return [*cut, self._end(event)]
            case _:
                return []

    def _called(self, part: int) -> list[dict[str, Any]]:
        start, fragments = self._tools.pop(part)
        call = _call(start.call_id or f"call_{part}", start.name or "", "".join(fragments))
        return [self._line({"content": "", "tool_calls": [call]})]

    def _line(self, message: dict[str, Any], logprobs: Sequence[JsonObject] = ()) -> dict[str, Any]:
        line = {**self._head, **self.message_members(message), "done": False}
        return {**line, "logprobs": list(logprobs)} if logprobs else line

    @staticmethod
    def message_members(message: dict[str, Any]) -> dict[str, Any]:
        """The member of a line that holds the text."""
        return {"message": {"role": "assistant", **message}}

    def _end(self, end: GenerationEnd) -> dict[str, Any]:
        error = view.end_error(end)
        if error is not None:
            return {"error": view.error_text(error)}
        return {**self._head, **self.message_members({"content": ""}), "done": True, **_totals(end)}


class CompletionLines(ChatLines):
    """The same for a completion."""

    @staticmethod
    @override
    def message_members(message: dict[str, Any]) -> dict[str, Any]:
        response = {name: value for name, value in message.items() if name != "content"}
        return {"response": message["content"], **response}


def response_body(
    meta: ResponseMeta, answer: AnswerFold, lines: type[ChatLines] = ChatLines
) -> dict[str, Any]:
    """The whole answer, which has its end; in the form of these lines."""
    parts = answer.parts()
    message: dict[str, Any] = {"content": view.text_of(parts)}
    if reasoning := view.reasoning_of(parts):
        message["thinking"] = reasoning
    if calls := view.calls_of(parts):
        message["tool_calls"] = [_call(c.call_id, c.name, c.arguments) for c in calls]
    totals = _totals(answer.end) if answer.end else {}
    head: dict[str, Any] = {"model": meta.model, "created_at": iso_time(meta.created * 1000)}
    if answer.logprobs:
        head["logprobs"] = [lp for _, lps in sorted(answer.logprobs.items()) for lp in lps]
    return {**head, **lines.message_members(message), "done": True, **totals}


def load_response(
    model: str, made: int, body: JsonObject, lines: type[ChatLines]
) -> dict[str, Any]:
    """The reply to a request without a question: clients load models with it, and unload them."""
    reason = "unload" if body.get("keep_alive") in (0, "0") else "load"
    head = {"model": model, "created_at": iso_time(made * 1000)}
    return {**head, **lines.message_members({"content": ""}), "done": True, "done_reason": reason}


def model_info(model: str, owner: str, facts: Capabilities) -> dict[str, Any]:
    """What is known about a model."""
    able = {"tools": facts.tools, "vision": facts.images, "thinking": facts.reasoning}
    known: dict[str, Any] = {"general.architecture": owner, "general.basename": model}
    if facts.context_length is not None:
        known[f"{owner}.context_length"] = facts.context_length
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": _details(owner),
        "model_info": known,
        "capabilities": ["completion", *(name for name, can in able.items() if can)],
    }


def model_list(cards: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    """The list of models, from (id, owner, made in seconds)."""
    rows = [
        {
            "name": name,
            "model": name,
            "modified_at": iso_time(made * 1000),
            "size": 0,
            "digest": "",
            "details": _details(owner),
        }
        for name, owner, made in cards
    ]
    return {"models": rows}


def error_body(error: GranthaError) -> dict[str, Any]:
    """An error before the first line."""
    return {"error": view.error_text(error.to_json())}


# ---- helpers below -------------------------------------------------------------------------------


def _details(owner: str) -> dict[str, Any]:
    return {
        "family": owner,
        "families": [owner],
        "format": "",
        "parameter_size": "",
        "quantization_level": "",
    }


def _call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "function": {"name": name, "arguments": view.parse_arguments(arguments)}}


def _totals(end: GenerationEnd) -> dict[str, Any]:
    totals: dict[str, Any] = {"done_reason": _DONE.get(end.finish_reason or "stop", "stop")}
    duration = end.timings.get("duration_ms")
    if duration is not None:
        totals["total_duration"] = round(duration * 1_000_000)
    if end.usage is not None:
        if end.usage.input_tokens is not None:
            totals["prompt_eval_count"] = end.usage.input_tokens
        if end.usage.output_tokens is not None:
            totals["eval_count"] = end.usage.output_tokens
    return totals


def _format(form: Any) -> JsonObject | None:
    if form is None or form == "":
        return None
    if form == "json":
        return {"type": "json_object"}
    if isinstance(form, dict):
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": form}}
    raise BadRequest("'format' must be \"json\" or a JSON schema.")


def _limit(options: JsonObject) -> int | None:
    # Negative ones are words there: no limit at all, or as much as the context holds.
    limit = view.integer(options, "num_predict")
    return limit if limit is not None and limit > 0 else None


def _effort(think: bool | str | None) -> str | None:
    if isinstance(think, bool):
        return "medium" if think else "none"
    return think


class _PendingCalls:
    """The calls of a conversation that wait for their results."""

    def __init__(self) -> None:
        self._waiting: list[ToolCallPart] = []
        self._count = 0

    def call(self, body: JsonObject) -> ToolCallPart:
        function = view.member(body, "function", dict, {})
        arguments = view.compact_json(view.member(function, "arguments", dict, {}))
        self._count += 1
        call_id = view.member(body, "id", str) or f"call_{self._count}"
        part = ToolCallPart(call_id, view.required_string(function, "name"), arguments)
        self._waiting.append(part)
        return part

    def resolve_result(self, body: JsonObject) -> str:
        """The id of the call that a result is for."""
        call_id = view.member(body, "tool_call_id", str)
        name = view.member(body, "tool_name", str)
        for place, part in enumerate(self._waiting):
            if part.call_id == call_id or (not call_id and name in {None, "", part.name}):
                return self._waiting.pop(place).call_id
        raise BadRequest("'tool_name' names no tool that was called before.")


def _message(body: JsonObject, calls: _PendingCalls) -> Message:
    text = view.member(body, "content", str, "")
    images = [_image(image) for image in view.member(body, "images", list, [])]
    if body.get("role") == "tool":
        return Message("tool", (ToolResultPart(calls.resolve_result(body), text), *images))
    role = view.parse_role(body, view.MESSAGE_ROLES)
    parts: list[Part] = []
    if reasoning := view.member(body, "thinking", str, ""):
        parts.append(ReasoningPart(reasoning))
    if text:
        parts.append(TextPart(text))
    parts.extend(images)
    parts.extend(calls.call(call) for call in view.objects(body, "tool_calls"))
    return Message(role, tuple(parts))


def _image(data: Any) -> Part:
    if not isinstance(data, str):
        raise BadRequest("'images' must be base64 text.")
    return view.image("", data)
