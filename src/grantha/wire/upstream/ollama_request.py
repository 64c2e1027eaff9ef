"""The Ollama chat dialect, request side: a Call to the JSON body of `/api/chat`.

Source: the API document in the vendor's repository.
"""

from __future__ import annotations

from typing import Any

from grantha.chat import (
    Call,
    Capabilities,
    ImagePart,
    Message,
    Options,
    ToolCallPart,
    ToolResultPart,
)
from grantha.wire import images
from grantha.wire.lenient_json import InvalidJson, dumps, loads
from grantha.wire.upstream.openai_chat_request import encode_tools
from grantha.wire.upstream.turn_normalizer import (
    merge_assistant_messages,
    plain_text,
    tool_names_by_call,
)

IMAGE_BYTES = 20 * 1024 * 1024
_KNOWN = frozenset({"keep_alive", "think", "format"})
_MODEL_OPTIONS = frozenset(
    {
        "num_ctx", "top_k", "min_p", "repeat_penalty", "repeat_last_n", "presence_penalty",
        "frequency_penalty", "num_keep", "typical_p", "mirostat", "num_gpu", "num_thread",
    }
)  # fmt: skip


def encode_request(call: Call, facts: Capabilities, *, stream: bool = True) -> bytes:
    """The body for `/api/chat`. Raises `BadRequest` or `TooLarge` for images that can't be sent."""
    options = call.options
    body: dict[str, Any] = {k: v for k, v in options.extra.items() if k in _KNOWN}
    body["model"] = call.model
    names = tool_names_by_call(call.messages)
    merged = merge_assistant_messages(call.messages)
    body["messages"] = [item for message in merged for item in _encoded(message, names)]
    if call.prefix:
        # Ollama continues a last assistant message instead of answering it.
        body["messages"].append({"role": "assistant", "content": call.prefix})
    body["stream"] = stream
    model_options = _model_options(options, facts)
    if model_options:
        body["options"] = model_options
    tools = encode_tools(options.tools)
    if tools and options.tool_choice != "none":
        body["tools"] = tools
    if options.reasoning_effort is not None:
        body["think"] = _think(call.model, options.reasoning_effort)
    wanted = options.response_format or {}
    if wanted.get("type") in ("json_object", "json_schema"):
        body["format"] = wanted.get("json_schema", {}).get("schema") or "json"
    return dumps(body)


def _think(model: str, effort: str) -> bool | str:
    if effort == "none":
        return False
    return effort if "gpt-oss" in model else True  # other models know only on and off


def _model_options(options: Options, facts: Capabilities) -> dict[str, Any]:
    body = {k: v for k, v in options.extra.items() if k in _MODEL_OPTIONS}
    if options.temperature is not None and facts.temperature:
        body["temperature"] = options.temperature
    if options.top_p is not None and facts.top_p:
        body["top_p"] = options.top_p
    if options.max_tokens is not None:
        body["num_predict"] = options.max_tokens
    if options.stop:
        body["stop"] = list(options.stop)
    if options.seed is not None:
        body["seed"] = options.seed
    return body


def _encoded(message: Message, names: dict[str, str]) -> list[dict[str, Any]]:
    encoded = [
        {"role": "tool", "tool_name": names.get(part.call_id, ""), "content": part.text}
        for part in message.parts
        if isinstance(part, ToolResultPart)
    ]
    said = "\n\n".join(text for part in message.parts if (text := plain_text(part)))
    pictures = [
        images.check(part, IMAGE_BYTES).data
        for part in message.parts
        if isinstance(part, ImagePart)
    ]
    calls = [
        {"function": {"name": part.name, "arguments": _arguments(part)}}
        for part in message.parts
        if isinstance(part, ToolCallPart)
    ]
    if said or pictures or calls:
        role = "user" if message.role == "tool" else message.role
        body: dict[str, Any] = {"role": role, "content": said}
        if pictures:
            body["images"] = pictures
        if calls:
            body["tool_calls"] = calls
        encoded.append(body)
    return encoded


def _arguments(part: ToolCallPart) -> dict[str, Any]:
    try:
        arguments = loads(part.arguments or "{}")
    except InvalidJson:
        return {}
    return arguments if isinstance(arguments, dict) else {}
