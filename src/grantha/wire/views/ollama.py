"""Ollama's chat API as a view: its requests, NDJSON lines, whole replies, and its list of models.

Source: Ollama's API documentation, "Generate a chat completion" and "List local models". Times are
nanoseconds there; unknown counts are left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from grantha.chat import (
    ImagePart,
    JsonObject,
    Message,
    Options,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from grantha.errors import BadRequest, GranthaError
from grantha.events import (
    Fold,
    Frame,
    GenerationEnd,
    PartEnd,
    PartStart,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from grantha.wire.views import base
from grantha.wire.views.base import Asked, Shown
from grantha.wire.views.openai_chat import tool_of

MEDIA_TYPE = "application/x-ndjson"
_DONE = {"stop": "stop", "length": "length"}


def asked(body: JsonObject) -> Asked:
    """A request's body. Raises `BadRequest` that names the member."""
    options = base.member(body, "options", dict, {})
    stop = base.member(options, "stop", (str, list), [])
    form = body.get("format")
    return Asked(
        messages=base.require_question([_message(m) for m in base.objects(body, "messages")]),
        options=Options(
            temperature=base.number(options, "temperature", 0, 2),
            top_p=base.number(options, "top_p", 0, 1),
            max_tokens=base.count(options, "num_predict"),
            stop=(stop,) if isinstance(stop, str) else tuple(str(item) for item in stop),
            seed=base.member(options, "seed", int),
            tools=tuple(tool_of(tool) for tool in base.objects(body, "tools")),
            response_format=_format(form),
        ),
        model=base.member(body, "model", str),
        stream=base.member(body, "stream", bool, True),
    )


class ChatLines:
    """One JSON object a line; the last has `done: true`."""

    def __init__(self, shown: Shown) -> None:
        self._head = {"model": shown.model, "created_at": _moment(shown.created)}
        self._tools: dict[int, tuple[PartStart, list[str]]] = {}

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The lines of frames."""
        lines = [line for frame in frames for line in self._frame(frame)]
        return "".join([base.compact(line) + "\n" for line in lines]).encode()

    def _frame(self, frame: Frame) -> list[dict[str, Any]]:
        event = frame.event
        match event:
            case TextDelta():
                return [self._line({"content": event.text})]
            case ReasoningDelta(text=text) if text:
                return [self._line({"content": "", "thinking": text})]
            case PartStart(part_kind="tool-call"):
                self._tools[event.part] = (event, [])
                return []
            case ToolCallDelta() if event.part in self._tools:
                self._tools[event.part][1].append(event.arguments)
                return []
            case PartEnd() if event.part in self._tools:
                start, pieces = self._tools.pop(event.part)
                call = _call(start.name or "", "".join(pieces))
                return [self._line({"content": "", "tool_calls": [call]})]
            case GenerationEnd():
                return [self._end(event)]
            case _:
                return []

    def _line(self, message: dict[str, Any]) -> dict[str, Any]:
        return {**self._head, "message": {"role": "assistant", **message}, "done": False}

    def _end(self, end: GenerationEnd) -> dict[str, Any]:
        error = base.error_of(end)
        if error is not None:
            return {"error": str(error.get("message", ""))}
        message = {"role": "assistant", "content": ""}
        return {**self._head, "message": message, "done": True, **_totals(end)}


def reply(shown: Shown, folded: Fold) -> dict[str, Any]:
    """The whole answer; the fold has its end."""
    parts = folded.parts()
    message: dict[str, Any] = {"role": "assistant", "content": base.text_of(parts)}
    thoughts = "".join(part.text for part in parts if isinstance(part, ReasoningPart))
    if thoughts:
        message["thinking"] = thoughts
    if calls := base.calls_of(parts):
        message["tool_calls"] = [_call(call.name, call.arguments) for call in calls]
    totals = _totals(folded.end) if folded.end else {}
    head = {"model": shown.model, "created_at": _moment(shown.created)}
    return {**head, "message": message, "done": True, **totals}


def tags(cards: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    """The list of models, from (id, owner, made in seconds)."""
    rows = [
        {
            "name": name,
            "model": name,
            "modified_at": _moment(made),
            "size": 0,
            "digest": "",
            "details": {"family": owner, "format": "", "parameter_size": ""},
        }
        for name, owner, made in cards
    ]
    return {"models": rows}


def error_body(error: GranthaError) -> dict[str, Any]:
    """An error before the first line."""
    return {"error": f"{error.message} {error.advice}".strip()}


# ---- helpers below -------------------------------------------------------------------------------


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat().replace("+00:00", "Z")


def _call(name: str, arguments: str) -> dict[str, Any]:
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        value = {}  # cut in the middle: the end says so
    return {"function": {"name": name, "arguments": value}}


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


def _message(body: JsonObject) -> Message:
    text = base.member(body, "content", str, "")
    if body.get("role") == "tool":
        name = base.member(body, "tool_call_id", str, "") or base.member(body, "tool_name", str, "")
        return Message("tool", (ToolResultPart(name, text),))
    role = base.role_of(body, base.SPOKEN)
    parts: list[Part] = []
    if thoughts := base.member(body, "thinking", str, ""):
        parts.append(ReasoningPart(thoughts))
    if text:
        parts.append(TextPart(text))
    parts.extend(_image(image) for image in base.member(body, "images", list, []))
    for call in base.objects(body, "tool_calls"):
        function = base.member(call, "function", dict, {})
        name = base.member(function, "name", str, "")
        parts.append(ToolCallPart(name, name, base.compact(function.get("arguments") or {})))
    return Message(role, tuple(parts))


def _image(data: Any) -> ImagePart:
    if not isinstance(data, str):
        raise BadRequest("An image isn't base64 text.")
    kinds = {
        "iVBOR": "image/png",
        "/9j/": "image/jpeg",
        "R0lGO": "image/gif",
        "UklGR": "image/webp",
    }
    media = next((kind for start, kind in kinds.items() if data.startswith(start)), None)
    if media is None:
        raise BadRequest("An image is neither PNG, JPEG, GIF nor WebP.")
    return ImagePart(media, data)
