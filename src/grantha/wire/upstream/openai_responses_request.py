"""The OpenAI Responses dialect, request side: encodes a Call as the vendor's JSON body."""

from __future__ import annotations

from typing import Any

from grantha.chat import (
    Call,
    Capabilities,
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
)
from grantha.wire import documents, images
from grantha.wire.lenient_json import InvalidJson, dumps, loads
from grantha.wire.tool_results import nest_in_results
from grantha.wire.tools import functions, hosted_tools
from grantha.wire.upstream.turn_normalizer import group_turns, plain_text

IMAGE_BYTES = 20 * 1024 * 1024
_KNOWN = frozenset(
    {
        "background", "max_tool_calls", "metadata", "parallel_tool_calls", "prompt_cache_key",
        "service_tier", "store", "top_logprobs", "truncation", "user", "safety_identifier",
    }
)  # fmt: skip


def encode_request(call: Call, facts: Capabilities, *, stream: bool = True) -> bytes:
    """The request body. Nothing is stored at the vendor unless `background` is set.

    Raises `BadRequest` or `TooLarge` for images and documents that can't be sent.
    """
    options = call.options
    body: dict[str, Any] = {k: v for k, v in options.extra.items() if k in _KNOWN}
    body["model"] = call.model
    body["input"] = _items(call, facts)
    body["stream"] = stream
    body.setdefault("store", bool(body.get("background")))
    if not body["store"]:
        _forget_ids(body["input"])
    if options.max_tokens is not None:
        body["max_output_tokens"] = options.max_tokens
    if options.temperature is not None and facts.temperature:
        body["temperature"] = options.temperature
    if options.top_p is not None and facts.top_p:
        body["top_p"] = options.top_p
    if facts.reasoning:
        body["include"] = ["reasoning.encrypted_content"]
        body["reasoning"] = {"summary": "auto"}
        if options.reasoning_effort is not None:
            body["reasoning"]["effort"] = options.reasoning_effort
    _tools(body, options)
    if text := _text_options(options):
        body["text"] = text
    return dumps(body)


def _forget_ids(items: list[dict[str, Any]]) -> None:
    """The vendor looks up ids of reasoning items even if they weren't stored, and fails."""
    for item in items:
        if item["type"] == "reasoning":
            item.pop("id", None)


def _text_options(options: Options) -> dict[str, Any]:
    text: dict[str, Any] = {}
    if options.response_format is not None:
        text["format"] = _format(options.response_format)
    if (verbosity := options.extra.get("verbosity")) is not None:
        text["verbosity"] = verbosity
    return text


def _items(call: Call, facts: Capabilities) -> list[dict[str, Any]]:
    current = {
        id(part) for turn in group_turns(call.messages) if turn.current for part in turn.parts
    }
    items = [item for message in call.messages for item in _message(message, current, facts)]
    if call.prefix:
        items.append({"type": "message", "role": "assistant", "content": call.prefix})
    return items


def _message(message: Message, current: set[int], facts: Capabilities) -> list[dict[str, Any]]:
    role = "user" if message.role == "tool" else message.role
    items: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    parts, nested = nest_in_results(message.parts)
    for part in parts:
        item = _item(part, current)
        if item is not None:
            if isinstance(part, ToolResultPart) and part.call_id in nested:
                inside = (TextPart(part.text), *nested[part.call_id])
                item["output"] = [one for each in inside for one in _content(each, facts)]
            items.append(item)
        elif not isinstance(part, ReasoningPart):
            content += _content(part, facts)
    # Reasoning comes before the text, calls and results after it.
    at = sum(1 for item in items if item["type"] == "reasoning")
    if content:
        # The model's text is sent back as plain text: as typed parts it would need the vendor's
        # ids.
        text = "".join(item["text"] for item in content) if role == "assistant" else content
        items.insert(at, {"type": "message", "role": role, "content": text})
    return items


def _item(part: Part, current: set[int]) -> dict[str, Any] | None:
    match part:
        case ReasoningPart():
            return _reasoning_item(part) if id(part) in current else None
        case ToolCallPart():
            return {
                "type": "function_call",
                "call_id": part.call_id,
                "name": part.name,
                "arguments": part.arguments or "{}",
            }
        case ToolResultPart():
            return {"type": "function_call_output", "call_id": part.call_id, "output": part.text}
        case _:
            return None


def _reasoning_item(part: ReasoningPart) -> dict[str, Any] | None:
    try:
        item = loads(part.signature or "null")
    except InvalidJson:
        return None  # another vendor's signature
    if isinstance(item, dict) and item.get("type") == "reasoning":
        return {"summary": [], **item}
    return None


def _content(part: Part, facts: Capabilities) -> list[dict[str, Any]]:
    if isinstance(part, ImagePart):
        url = part.url if facts.urls else None
        if url is None:
            image = images.check(part, IMAGE_BYTES)
            url = f"data:{image.media_type};base64,{image.data}"
        return [{"type": "input_image", "image_url": url, "detail": "auto"}]
    if isinstance(part, FilePart) and documents.is_sent_as_file(part, facts):
        if part.data is None:
            return [{"type": "input_file", "file_url": part.url}]
        data = f"data:{part.media_type};base64,{part.data}"
        return [{"type": "input_file", "filename": part.name, "file_data": data}]
    text = plain_text(part)
    return [{"type": "input_text", "text": text}] if text else []


def _tools(body: dict[str, Any], options: Options) -> None:
    tools = [
        {"type": "function", "strict": False, "parameters": {"type": "object"}, **tool}
        for tool in functions(options.tools)
    ]
    tools += hosted_tools(options.tools, "openai-responses")
    if not tools:
        return
    body["tools"] = tools
    choice = options.tool_choice
    if choice is not None:
        if not isinstance(choice, str):
            choice = {"type": "function", "name": choice["name"]}
        body["tool_choice"] = choice


def _format(wanted: JsonObject) -> dict[str, Any]:
    if wanted.get("type") == "json_schema":
        return {"type": "json_schema", **wanted.get("json_schema", {})}
    return dict(wanted)
