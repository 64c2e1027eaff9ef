"""The Anthropic Messages API as a view: requests of its clients, events and replies for them.

Source: Anthropic's API reference, "Messages" and "Streaming messages". Content blocks are numbered as our
parts are. A reasoning part is a thinking block; its signature goes out and comes back unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from grantha.chat import (
    FilePart,
    ImagePart,
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
from grantha.wire.views.base import Asked, Shown, sse

_STOP = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool-calls": "tool_use",
    "content-filter": "refusal",
    "refusal": "refusal",
}


def asked(body: JsonObject) -> Asked:
    """A request's body. Raises `BadRequest` that names the member."""
    messages = [_message(message) for message in base.objects(body, "messages")]
    system = body.get("system")
    if system is not None:
        text = "\n\n".join(p.text for p in _content(system) if isinstance(p, TextPart))
        messages.insert(0, text_message("system", text))
    if base.count(body, "max_tokens") is None:
        raise BadRequest("'max_tokens' is missing.")
    return Asked(
        messages=base.require_question(messages),
        options=_options(body),
        model=base.member(body, "model", str),
        stream=base.member(body, "stream", bool, False),
    )


class MessagesStream:
    """`message_start`, content blocks, `message_delta`, `message_stop`."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._begun = False
        self._open: set[int] = set()

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The events of frames."""
        return "".join([text for frame in frames for text in self._frame(frame)]).encode()

    def _frame(self, frame: Frame) -> list[str]:
        event, at = frame.event, str(frame.id)
        blocks = [] if self._begun else self._begin(at)
        match event:
            case PartStart():
                self._open.add(event.part)
                start = {"index": event.part, "content_block": _opened(event)}
                blocks.append(_event("content_block_start", start, at))
            case TextDelta():
                blocks += _delta(event.part, {"type": "text_delta", "text": event.text}, at)
            case ReasoningDelta():
                if event.text:
                    thought = {"type": "thinking_delta", "thinking": event.text}
                    blocks += _delta(event.part, thought, at)
                if event.signature:
                    signed = {"type": "signature_delta", "signature": event.signature}
                    blocks += _delta(event.part, signed, at)
            case ToolCallDelta() if event.arguments:
                piece = {"type": "input_json_delta", "partial_json": event.arguments}
                blocks += _delta(event.part, piece, at)
            case PartEnd() if event.part in self._open:
                self._open.discard(event.part)
                blocks.append(_event("content_block_stop", {"index": event.part}, at))
            case GenerationEnd():
                blocks += self._end(event, at)
            case _:
                pass
        return blocks

    def _begin(self, at: str) -> list[str]:
        self._begun = True
        message: dict[str, Any] = {
            "id": f"msg_{self._shown.id}",
            "type": "message",
            "role": "assistant",
            "model": self._shown.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _usage(None),
        }
        return [_event("message_start", {"message": message}, at), _event("ping", {}, at)]

    def _end(self, end: GenerationEnd, at: str) -> list[str]:
        blocks = [_event("content_block_stop", {"index": part}, at) for part in sorted(self._open)]
        error = base.error_of(end)
        if error is not None:
            return [*blocks, _event("error", {"error": _error(error)}, at)]
        delta = {
            "delta": {"stop_reason": _stop_reason(end), "stop_sequence": None},
            "usage": _usage(end.usage),
        }
        return [*blocks, _event("message_delta", delta, at), _event("message_stop", {}, at)]


def reply(shown: Shown, folded: Fold) -> dict[str, Any]:
    """The whole answer; the fold has its end."""
    end = folded.end
    return {
        "id": f"msg_{shown.id}",
        "type": "message",
        "role": "assistant",
        "model": shown.model,
        "content": [_block(part) for part in folded.parts()],
        "stop_reason": _stop_reason(end) if end else None,
        "stop_sequence": None,
        "usage": _usage(end.usage if end else None),
    }


def models(cards: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    """The list of models, from (id, owner, made in seconds)."""
    rows = [
        {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": datetime.fromtimestamp(made, tz=UTC).isoformat(),
        }
        for name, _, made in cards
    ]
    ids = [name for name, _, _ in cards]
    return {
        "data": rows,
        "has_more": False,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }


def error_body(error: GranthaError) -> dict[str, Any]:
    """An error before the first event, in Anthropic's form."""
    return {"type": "error", "error": _error(error.to_json())}


# ---- helpers below -------------------------------------------------------------------------------


def _event(name: str, body: dict[str, Any], at: str) -> str:
    return sse({"type": name, **body}, event=name, id=at)


def _delta(part: int, delta: dict[str, Any], at: str) -> list[str]:
    return [_event("content_block_delta", {"index": part, "delta": delta}, at)]


def _opened(start: PartStart) -> dict[str, Any]:
    if start.part_kind == "tool-call":
        call_id = start.call_id or f"toolu_{start.part}"
        return {"type": "tool_use", "id": call_id, "name": start.name or "", "input": {}}
    if start.part_kind == "reasoning":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}


def _block(part: Part) -> dict[str, Any]:
    match part:
        case ReasoningPart():
            return {
                "type": "thinking",
                "thinking": part.text,
                "signature": part.signature or "",
            }
        case ToolCallPart():
            return {
                "type": "tool_use",
                "id": part.call_id,
                "name": part.name,
                "input": _json_of(part.arguments),
            }
        case TextPart():
            return {"type": "text", "text": part.text}
        case _:
            raise TypeError(f"an answer holds no {part.type} part")


def _json_of(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return {}  # cut in the middle: the stop reason says so


def _stop_reason(end: GenerationEnd) -> str:
    return _STOP.get(end.finish_reason or "stop", "end_turn")


def _usage(usage: Usage | None) -> dict[str, Any]:
    # Anthropic's clients take these two as numbers; the rest may be null.
    return {
        "input_tokens": (usage.input_tokens if usage else None) or 0,
        "output_tokens": (usage.output_tokens if usage else None) or 0,
        "cache_read_input_tokens": usage.cached_input_tokens if usage else None,
        "cache_creation_input_tokens": usage.cache_write_tokens if usage else None,
    }


def _error(error: JsonObject) -> dict[str, Any]:
    kinds = {
        "unauthorized": "authentication_error",
        "missing_key": "authentication_error",
        "key_rejected": "authentication_error",
        "forbidden": "permission_error",
        "access_denied": "permission_error",
        "too_large": "request_too_large",
        "rate_limited": "rate_limit_error",
        "overloaded": "overloaded_error",
    }
    code = str(error.get("code"))
    kind = kinds.get(code)
    if kind is None and (code.startswith("unknown_") or code in {"not_found", "model_not_found"}):
        kind = "not_found_error"
    if kind is None:
        kind = "invalid_request_error" if error.get("fault") == "caller" else "api_error"
    advice = error.get("advice")
    message = str(error.get("message", ""))
    return {"type": kind, "message": f"{message} {advice}" if advice else message}


def _message(body: JsonObject) -> Message:
    role = base.member(body, "role", str)
    parts = tuple(_content(body.get("content")))
    if role == "assistant":
        return Message("assistant", parts)
    if role == "system":
        return Message("system", parts)
    if role != "user":
        raise BadRequest(f"There is no role {str(role)[:40]!r}.")
    return Message("user", parts)


def _content(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [TextPart(content)] if content else []
    if not isinstance(content, list):
        raise BadRequest("'content' is neither text nor a list of blocks.")
    return [_part(block) for block in base.objects({"content": content}, "content")]


def _part(block: JsonObject) -> Part:
    match block.get("type"):
        case "text":
            return TextPart(base.member(block, "text", str, ""))
        case "thinking":
            return ReasoningPart(
                base.member(block, "thinking", str, ""), base.member(block, "signature", str)
            )
        case "redacted_thinking":
            return ReasoningPart("", base.member(block, "data", str))
        case "tool_use":
            arguments = json.dumps(base.member(block, "input", dict, {}))
            return ToolCallPart(
                base.member(block, "id", str, ""), base.member(block, "name", str, ""), arguments
            )
        case "tool_result":
            return _tool_result(block)
        case "image":
            source = base.member(block, "source", dict, {})
            if source.get("type") != "base64":
                raise BadRequest("Images are taken as base64 only.")
            return ImagePart(str(source.get("media_type", "")), str(source.get("data", "")))
        case "document":
            return _document(block)
        case other:
            raise BadRequest(f"Blocks of type {str(other)[:40]!r} can't be sent.")


def _tool_result(block: JsonObject) -> ToolResultPart:
    content = block.get("content")
    parts = [] if content is None else _content(content)
    return ToolResultPart(
        base.member(block, "tool_use_id", str, ""),
        "".join(part.text for part in parts if isinstance(part, TextPart)),
        base.member(block, "is_error", bool, False),
    )


def _document(block: JsonObject) -> FilePart:
    source = base.member(block, "source", dict, {})
    if source.get("type") != "text":
        raise BadRequest("Documents are taken as text only.")
    title = base.member(block, "title", str, "document")
    return FilePart(title, "text/plain", str(source.get("data", "")))


def _options(body: JsonObject) -> Options:
    thinking = base.member(body, "thinking", dict, {})
    extra: dict[str, Any] = {}
    if thinking:
        extra["thinking"] = thinking
    for name in ("top_k", "metadata", "service_tier"):
        if body.get(name) is not None:
            extra[name] = body[name]
    return Options(
        temperature=base.number(body, "temperature", 0, 1),
        top_p=base.number(body, "top_p", 0, 1),
        max_tokens=base.count(body, "max_tokens"),
        stop=tuple(str(item) for item in base.member(body, "stop_sequences", list, [])),
        tools=tuple(_tool(tool) for tool in base.objects(body, "tools")),
        tool_choice=_choice(base.member(body, "tool_choice", dict)),
        extra=extra,
    )


def _tool(tool: JsonObject) -> JsonObject:
    if tool.get("type", "custom") != "custom":
        raise BadRequest(f"Tools of type {str(tool.get('type'))[:40]!r} can't be used.")
    name = base.member(tool, "name", str)
    if not name:
        raise BadRequest("A tool has no name.")
    found: dict[str, Any] = {
        "name": name,
        "parameters": base.member(tool, "input_schema", dict, {}),
    }
    if tool.get("description"):
        found["description"] = tool["description"]
    return found


def _choice(choice: JsonObject | None) -> str | JsonObject | None:
    if choice is None:
        return None
    kinds = {"auto": "auto", "any": "required", "none": "none"}
    kind = choice.get("type")
    if kind == "tool":
        return {"name": str(choice.get("name"))}
    if kind not in kinds:
        raise BadRequest("'tool_choice' must be auto, any, none or tool.")
    return kinds[str(kind)]
