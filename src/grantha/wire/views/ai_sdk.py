"""The AI SDK's UI message stream, version 1, as a view, and the body its chat transport sends.

Source: AI SDK documentation, "Stream protocols: data stream protocol". Parts are named by our numbers.
"""

from __future__ import annotations

import json
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
)
from grantha.errors import BadRequest, GranthaError
from grantha.events import (
    Citation,
    Frame,
    GenerationEnd,
    PartEnd,
    PartStart,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from grantha.wire.views import base
from grantha.wire.views.base import Asked, Shown, sse

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
DONE = b"data: [DONE]\n\n"
_FINISH = {
    "stop": "stop",
    "length": "length",
    "tool-calls": "tool-calls",
    "content-filter": "content-filter",
    "refusal": "content-filter",
}


def asked(body: JsonObject) -> tuple[Asked, str]:
    """A request's body, and the id of the chat it belongs to. Raises `BadRequest`."""
    chat = base.member(body, "id", str)
    if not chat or len(chat) > 200:
        raise BadRequest("'id', the chat's own id, is missing or too long.")
    messages = [m for ui in base.objects(body, "messages") for m in _messages(ui)]
    options = Options(
        temperature=base.number(body, "temperature", 0, 2),
        max_tokens=base.count(body, "maxOutputTokens"),
    )
    wanted = base.require_question(messages)
    return Asked(wanted, options, base.member(body, "model", str), True), chat


class UiStream:
    """UI message chunks, then `[DONE]`."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._begun = False
        self._kinds: dict[int, PartStart] = {}
        self._arguments: dict[int, list[str]] = {}

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The chunks of frames."""
        return "".join([text for frame in frames for text in self._frame(frame)]).encode()

    def _frame(self, frame: Frame) -> list[str]:
        at = str(frame.id)
        chunks = [] if self._begun else self._begin()
        chunks += self._chunks(frame)
        ended = isinstance(frame.event, GenerationEnd)
        return [sse(chunk, id=at) for chunk in chunks] + ([DONE.decode()] if ended else [])

    def _begin(self) -> list[dict[str, Any]]:
        self._begun = True
        metadata = {"generation": self._shown.id, "model": self._shown.model}
        start = {"type": "start", "messageId": self._shown.id, "messageMetadata": metadata}
        return [start, {"type": "start-step"}]

    def _chunks(self, frame: Frame) -> list[dict[str, Any]]:
        event = frame.event
        match event:
            case PartStart():
                return self._start(event)
            case TextDelta():
                return [{"type": "text-delta", "id": str(event.part), "delta": event.text}]
            case ReasoningDelta():
                return [{"type": "reasoning-delta", "id": str(event.part), "delta": event.text}]
            case ToolCallDelta():
                self._arguments.setdefault(event.part, []).append(event.arguments)
                call = self._call_id(event.part)
                delta = event.arguments
                return [{"type": "tool-input-delta", "toolCallId": call, "inputTextDelta": delta}]
            case PartEnd():
                return self._close(event.part)
            case Citation(url=str(url)):
                source = {"type": "source-url", "sourceId": str(frame.id), "url": url}
                return [source | ({"title": event.title} if event.title else {})]
            case GenerationEnd():
                return self._end(event)
            case _:
                return []

    def _start(self, start: PartStart) -> list[dict[str, Any]]:
        self._kinds[start.part] = start
        if start.part_kind == "tool-call":
            call = self._call_id(start.part)
            return [{"type": "tool-input-start", "toolCallId": call, "toolName": start.name or ""}]
        return [{"type": f"{start.part_kind}-start", "id": str(start.part)}]

    def _close(self, part: int) -> list[dict[str, Any]]:
        start = self._kinds.pop(part, None)
        if start is None:
            return []
        if start.part_kind != "tool-call":
            return [{"type": f"{start.part_kind}-end", "id": str(part)}]
        chunk = {"toolCallId": start.call_id or f"call_{part}", "toolName": start.name or ""}
        text = "".join(self._arguments.pop(part, [])) or "{}"
        try:
            return [{"type": "tool-input-available", **chunk, "input": json.loads(text)}]
        except ValueError:
            wrong = {"input": text, "errorText": "The arguments aren't JSON."}
            return [{"type": "tool-input-error", **chunk, **wrong}]

    def _end(self, end: GenerationEnd) -> list[dict[str, Any]]:
        chunks = [chunk for part in sorted(self._kinds) for chunk in self._close(part)]
        error = base.error_of(end)
        if error is not None:
            return [*chunks, {"type": "error", "errorText": str(error.get("message", ""))}]
        if end.ending == "stopped":
            return [*chunks, {"type": "abort"}]
        finish = {"type": "finish", "finishReason": _FINISH.get(end.finish_reason or "", "other")}
        metadata: dict[str, Any] = {"sha256": end.sha256}
        if end.usage is not None:
            metadata["usage"] = end.usage.to_json()
        return [*chunks, {"type": "finish-step"}, finish | {"messageMetadata": metadata}]

    def _call_id(self, part: int) -> str:
        start = self._kinds.get(part)
        return (start.call_id if start else None) or f"call_{part}"


def error_body(error: GranthaError) -> dict[str, Any]:
    """An error before the first chunk: the transport shows the body's text."""
    return {"error": f"{error.message} {error.advice}".strip(), "code": error.code}


# ---- helpers below -------------------------------------------------------------------------------


def _messages(ui: JsonObject) -> list[Message]:
    role = base.role_of(ui, base.SPOKEN)
    parts: list[Part] = []
    results: list[Part] = []
    for part in base.objects(ui, "parts"):
        _take(part, parts, results)
    found = []
    if parts:
        found.append(Message(role, tuple(parts)))
    if results:
        found.append(Message("tool", tuple(results)))
    return found


def _take(part: JsonObject, parts: list[Part], results: list[Part]) -> None:
    kind = str(part.get("type", ""))
    if kind == "text":
        parts.append(TextPart(base.member(part, "text", str, "")))
    elif kind == "reasoning":
        parts.append(ReasoningPart(base.member(part, "text", str, "")))
    elif kind == "file":
        media = base.member(part, "mediaType", str, "")
        if not media.startswith("image/"):
            raise BadRequest(f"Files of type {media[:60]!r} can't be sent.")
        parts.append(base.image_from_url(base.member(part, "url", str, "")))
    elif kind.startswith("tool-") or kind == "dynamic-tool":
        call = base.member(part, "toolCallId", str, "")
        name = base.member(part, "toolName", str, "") or kind.removeprefix("tool-")
        parts.append(ToolCallPart(call, name, base.compact(part.get("input") or {})))
        if part.get("state") == "output-available":
            results.append(ToolResultPart(call, base.compact(part.get("output"))))
        elif part.get("state") == "output-error":
            results.append(ToolResultPart(call, str(part.get("errorText", "")), is_error=True))
