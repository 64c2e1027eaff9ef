"""The OpenAI Chat Completions API as a view: requests of its clients, chunks and replies for them.

Source: OpenAI's API reference, "Chat Completions". Only one choice (`n` = 1). Beyond the reference,
`reasoning_content` carries reasoning, as most compatible hosts have it, and SSE ids are ours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from grantha.chat import (
    FilePart,
    JsonObject,
    Message,
    Options,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from grantha.errors import BadRequest, GranthaError
from grantha.events import (
    Fold,
    Frame,
    GenerationEnd,
    PartStart,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from grantha.wire.views import base
from grantha.wire.views.base import Asked, Shown, sse

_FINISH = {
    "stop": "stop",
    "length": "length",
    "tool-calls": "tool_calls",
    "content-filter": "content_filter",
    "refusal": "content_filter",
}
_EXTRA = (
    "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs",
    "parallel_tool_calls", "user", "service_tier", "verbosity", "metadata",
)  # fmt: skip
ROLES = {**base.SPOKEN, "developer": base.SPOKEN["system"]}


def asked(body: JsonObject) -> Asked:
    """A request's body. Raises `BadRequest` that names the member."""
    if base.member(body, "n", int, 1) != 1:
        raise BadRequest("'n' must be 1: ask several times for several answers.")
    stream_options = base.member(body, "stream_options", dict, {})
    return Asked(
        messages=base.require_question([_message(m) for m in base.objects(body, "messages")]),
        options=_options(body),
        model=base.member(body, "model", str),
        stream=base.member(body, "stream", bool, False),
        include_usage=base.member(stream_options, "include_usage", bool, False),
    )


class ChatStream:
    """Chunks, then `[DONE]`."""

    def __init__(self, shown: Shown, include_usage: bool = False) -> None:
        self._head = {
            "id": f"chatcmpl-{shown.id}",
            "object": "chat.completion.chunk",
            "created": shown.created,
            "model": shown.model,
        }
        self._include_usage = include_usage
        self._begun = False
        self._tools: dict[int, int] = {}  # our part -> the index of the call

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The chunks of frames."""
        return "".join([text for frame in frames for text in self._frame(frame)]).encode()

    def _frame(self, frame: Frame) -> list[str]:
        event, at = frame.event, str(frame.id)
        match event:
            case TextDelta():
                delta: dict[str, Any] = {"content": event.text}
                return self._chunk(at, delta, logprobs=event.logprobs)
            case ReasoningDelta(text=text) if text:
                return self._chunk(at, {"reasoning_content": text})
            case PartStart(part_kind="tool-call"):
                index = self._tools[event.part] = len(self._tools)
                function = {"name": event.name or "", "arguments": ""}
                call = {
                    "index": index,
                    "id": event.call_id or f"call_{event.part}",
                    "type": "function",
                    "function": function,
                }
                return self._chunk(at, {"tool_calls": [call]})
            case ToolCallDelta() if event.part in self._tools:
                call = {
                    "index": self._tools[event.part],
                    "function": {"arguments": event.arguments},
                }
                return self._chunk(at, {"tool_calls": [call]})
            case GenerationEnd():
                return self._end(at, event)
            case _:
                return []

    def _chunk(
        self,
        at: str,
        delta: dict[str, Any],
        finish: str | None = None,
        logprobs: Sequence[JsonObject] = (),
    ) -> list[str]:
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", "content": "", **delta}
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": {"content": list(logprobs), "refusal": None} if logprobs else None,
            "finish_reason": finish,
        }
        body: dict[str, Any] = {**self._head, "choices": [choice]}
        if self._include_usage:
            body["usage"] = None
        return [sse(body, id=at)]

    def _end(self, at: str, end: GenerationEnd) -> list[str]:
        error = base.error_of(end)
        if error is not None:
            told = {"error": _error(error)}
            return [sse(told, id=at), "data: [DONE]\n\n"]
        blocks = self._chunk(at, {}, _FINISH.get(end.finish_reason or "stop", "stop"))
        if self._include_usage:
            usage = usage_json(end.usage) if end.usage else None
            blocks.append(sse({**self._head, "choices": [], "usage": usage}))
        return [*blocks, "data: [DONE]\n\n"]


def reply(shown: Shown, folded: Fold) -> dict[str, Any]:
    """The whole answer; the fold has its end."""
    parts = folded.parts()
    calls = base.calls_of(parts)
    text = base.text_of(parts)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text if text or not calls else None,
        "refusal": None,
    }
    thoughts = "".join(part.text for part in parts if isinstance(part, ReasoningPart))
    if thoughts:
        message["reasoning_content"] = thoughts
    if calls:
        message["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    end = folded.end
    finish = _FINISH.get((end.finish_reason if end else None) or "stop", "stop")
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {
        "id": f"chatcmpl-{shown.id}",
        "object": "chat.completion",
        "created": shown.created,
        "model": shown.model,
        "choices": [choice],
        "usage": usage_json(end.usage) if end and end.usage else None,
    }


def models(cards: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    """The list of models, from (id, owner, created)."""
    rows = [
        {"id": name, "object": "model", "created": created, "owned_by": owner}
        for name, owner, created in cards
    ]
    return {"object": "list", "data": rows}


def error_body(error: GranthaError) -> dict[str, Any]:
    """An error before the first chunk, in OpenAI's form."""
    return {"error": _error(error.to_json())}


def usage_json(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's form; only called when there is one."""
    prompt, completion = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens or 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
    }


# ---- helpers below -------------------------------------------------------------------------------


def _error(error: JsonObject) -> dict[str, Any]:
    caller = error.get("fault") == "caller"
    advice = error.get("advice")
    message = str(error.get("message", ""))
    return {
        "message": f"{message} {advice}" if advice else message,
        "type": "invalid_request_error" if caller else "api_error",
        "param": None,
        "code": error.get("code"),
    }


def _message(body: JsonObject) -> Message:
    if body.get("role") == "tool":
        result = ToolResultPart(
            base.member(body, "tool_call_id", str, ""), _plain_text(body.get("content"))
        )
        return Message("tool", (result,))
    role = base.role_of(body, ROLES)
    parts = content_of(body.get("content"))
    thoughts = base.member(body, "reasoning_content", str, "")
    if thoughts:
        parts.insert(0, ReasoningPart(thoughts))
    parts.extend(_call(call) for call in base.objects(body, "tool_calls"))
    return Message(role, tuple(parts))


def content_of(content: Any) -> list[Part]:
    """Content as text or as a list of parts, of either OpenAI API."""
    if content is None:
        return []
    if isinstance(content, str):
        return [TextPart(content)] if content else []
    if not isinstance(content, list):
        raise BadRequest("'content' is neither text nor a list of parts.")
    return [_part(part) for part in base.objects({"content": content}, "content")]


def _part(part: JsonObject) -> Part:
    match part.get("type"):
        case "text" | "input_text" | "output_text":
            return TextPart(base.member(part, "text", str, ""))
        case "refusal":
            return TextPart(base.member(part, "refusal", str, ""))
        case "image_url" | "input_image":
            url = base.member(part, "image_url", (dict, str), "")
            return base.image_from_url(url if isinstance(url, str) else str(url.get("url", "")))
        case "file":
            return _file(base.member(part, "file", dict, {}))
        case other:
            raise BadRequest(f"Parts of type {str(other)[:40]!r} can't be sent.")


def _file(body: JsonObject) -> Part:
    data = base.member(body, "file_data", str, "")
    if data.startswith("data:text/") and ";base64," in data:
        raise BadRequest("Files are taken as text.", advice="Send the text in a text part.")
    return FilePart(base.member(body, "filename", str, "file"), "text/plain", data)


def _plain_text(content: Any) -> str:
    return "".join(part.text for part in content_of(content) if isinstance(part, TextPart))


def _call(call: JsonObject) -> ToolCallPart:
    function = base.member(call, "function", dict, {})
    arguments = base.member(function, "arguments", (str, dict), "{}")
    return ToolCallPart(
        base.member(call, "id", str, ""),
        base.member(function, "name", str, ""),
        arguments if isinstance(arguments, str) else json.dumps(arguments),
    )


def _options(body: JsonObject) -> Options:
    stop = base.member(body, "stop", (str, list), [])
    return Options(
        temperature=base.number(body, "temperature", 0, 2),
        top_p=base.number(body, "top_p", 0, 1),
        max_tokens=base.count(body, "max_completion_tokens") or base.count(body, "max_tokens"),
        stop=(stop,) if isinstance(stop, str) else tuple(str(item) for item in stop),
        seed=base.member(body, "seed", int),
        reasoning_effort=base.member(body, "reasoning_effort", str),
        tools=tuple(tool_of(tool) for tool in base.objects(body, "tools")),
        tool_choice=choice_of(body.get("tool_choice")),
        response_format=base.member(body, "response_format", dict),
        extra={name: body[name] for name in _EXTRA if body.get(name) is not None},
    )


def tool_of(tool: JsonObject) -> JsonObject:
    """A function tool in our form; the Responses API has the same without the nesting."""
    if tool.get("type", "function") != "function":
        raise BadRequest(f"Tools of type {str(tool.get('type'))[:40]!r} can't be used.")
    function = base.member(tool, "function", dict, tool)
    name = base.member(function, "name", str)
    if not name:
        raise BadRequest("A tool has no name.")
    kept = ("name", "description", "parameters", "strict")
    return {key: function[key] for key in kept if function.get(key) is not None}


def choice_of(choice: Any) -> str | JsonObject | None:
    """A tool choice in our form."""
    if isinstance(choice, dict):
        name = base.member(choice, "function", dict, choice).get("name")
        if not isinstance(name, str):
            raise BadRequest("'tool_choice' names no function.")
        return {"name": name}
    if choice is not None and choice not in {"auto", "none", "required"}:
        raise BadRequest("'tool_choice' must be auto, none, required, or name a function.")
    return str(choice) if choice is not None else None
