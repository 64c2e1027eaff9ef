"""The Anthropic Messages dialect, request side: encodes a Call as the vendor's JSON body."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from grantha.chat import (
    Call,
    Capabilities,
    FilePart,
    ImagePart,
    JsonObject,
    Options,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from grantha.wire import documents, images
from grantha.wire.lenient_json import InvalidJson, dumps, loads
from grantha.wire.signatures import REDACTED
from grantha.wire.tool_results import nest_in_results
from grantha.wire.tools import functions, hosted_tools
from grantha.wire.upstream.turn_normalizer import (
    WHITESPACE,
    Turn,
    group_turns,
    plain_text,
    system_text,
)

VERSION = "2023-06-01"
IMAGE_BYTES = 5 * 1024 * 1024
MAX_TITLE = 500  # characters of a document's name
OUTPUT_LIMIT = 8192  # the field is required; used where a model's limit isn't known
# Claude up to 4.5 takes a budget of thinking tokens; later models take an effort.
TOKEN_BUDGET_MODELS = re.compile(r"claude-(3|(opus|sonnet|haiku)-4([-.][015])?($|[@:]|-v|-20))")
BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 24576}  # thinking tokens
MIN_BUDGET = 1024  # thinking tokens; fewer are refused
MIN_ANSWER = 1024  # tokens left to the answer after thinking, where the caller set no limit
DEFAULT_THINKING_LIMIT = 32768  # tokens of output, of a model whose limit isn't known
_KNOWN = frozenset({"top_k", "metadata", "service_tier", "thinking", "output_config", "container"})


def encode_request(call: Call, facts: Capabilities, *, stream: bool = True) -> dict[str, Any]:
    """The request body, as an object that Bedrock and Vertex variants still change.

    Raises `BadRequest` or `TooLarge` for images and documents that can't be sent.
    """
    options = call.options
    body: dict[str, Any] = {k: v for k, v in options.extra.items() if k in _KNOWN}
    body["model"] = call.model
    body["max_tokens"] = options.max_tokens or facts.output_limit or OUTPUT_LIMIT
    body["messages"] = _messages(call, facts)
    body["stream"] = stream
    system = system_text(call.messages)
    if system:
        body["system"] = system
    _thinking(body, options, facts)
    _sampling(body, options, facts)
    tools = [
        *map(_tool, functions(options.tools)),
        *hosted_tools(options.tools, "anthropic"),
    ]
    if tools:
        body["tools"] = tools
        choice = _choice(options)
        if choice is not None:
            body["tool_choice"] = choice
    _format(body, options.response_format)
    return body


def request_bytes(call: Call, facts: Capabilities, *, stream: bool = True) -> bytes:
    """The request body for Anthropic's own API."""
    return dumps(encode_request(call, facts, stream=stream))


def _messages(call: Call, facts: Capabilities) -> list[dict[str, Any]]:
    messages = [
        {"role": turn.role, "content": content}
        for turn in group_turns(call.messages)
        if (content := _content(turn, facts))
    ]
    if call.prefix:
        # Blanks at its end are refused; `PrefixTrimmer` on the reply side makes up for it.
        text = call.prefix.rstrip(WHITESPACE)
        if text:
            messages.append({"role": "assistant", "content": [{"type": "text", "text": text}]})
    return messages


def _content(turn: Turn, facts: Capabilities) -> list[dict[str, Any]]:
    parts, nested = nest_in_results(turn.parts)
    blocks: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case ReasoningPart():
                blocks += _reasoning_blocks(part) if turn.current else []
            case ToolCallPart():
                blocks.append(_tool_use(part))
            case ToolResultPart():
                blocks.append(_tool_result(part, nested.get(part.call_id, []), facts))
            case _:
                blocks += _block(part, facts)
    return blocks


def _block(part: Part, facts: Capabilities) -> list[dict[str, Any]]:
    match part:
        case ImagePart():
            return [{"type": "image", "source": _image_source(part, facts)}]
        case FilePart() if documents.is_sent_as_file(part, facts):
            return [_document(part)]
        case _:
            text = plain_text(part)
            return [{"type": "text", "text": text}] if text.strip(WHITESPACE) else []


def _tool_result(
    part: ToolResultPart, nested: Sequence[Part], facts: Capabilities
) -> dict[str, Any]:
    content: Any = part.text
    if nested:
        content = [
            block for each in (TextPart(part.text), *nested) for block in _block(each, facts)
        ]
    return {
        "type": "tool_result",
        "tool_use_id": part.call_id,
        "content": content,
        **({"is_error": True} if part.is_error else {}),
    }


def _image_source(part: ImagePart, facts: Capabilities) -> dict[str, Any]:
    if part.url is not None and facts.urls:
        return {"type": "url", "url": part.url}
    image = images.check(part, IMAGE_BYTES)
    return {"type": "base64", "media_type": image.media_type, "data": image.data}


def _document(part: FilePart) -> dict[str, Any]:
    source = (
        {"type": "url", "url": part.url}
        if part.data is None
        else {"type": "base64", "media_type": part.media_type, "data": part.data}
    )
    return {"type": "document", "source": source, "title": part.name[:MAX_TITLE]}


def _reasoning_blocks(part: ReasoningPart) -> list[dict[str, Any]]:
    signature = part.signature
    if not signature:
        return []  # reasoning without its signature is refused
    if signature.startswith(REDACTED):
        return [{"type": "redacted_thinking", "data": signature.removeprefix(REDACTED)}]
    return [{"type": "thinking", "thinking": part.text, "signature": signature}]


def _tool_use(part: ToolCallPart) -> dict[str, Any]:
    try:
        arguments = loads(part.arguments or "{}")
    except InvalidJson:
        arguments = {}
    return {
        "type": "tool_use",
        "id": part.call_id,
        "name": part.name,
        "input": arguments if isinstance(arguments, dict) else {},
    }


def _thinking(body: dict[str, Any], options: Options, facts: Capabilities) -> None:
    counted = facts.prefix or TOKEN_BUDGET_MODELS.search(body["model"]) is not None
    if facts.reasoning and not counted:
        _effort(body, options.reasoning_effort)
    elif facts.reasoning or "thinking" in body:
        _budget(body, options, facts)


def _effort(body: dict[str, Any], effort: str | None) -> None:
    """They refuse budgets, and the newest of them refuse to have thinking switched off."""
    if body.get("thinking", {}).get("type") != "adaptive":
        body.pop("thinking", None)
    if effort is None:
        return
    if effort != "none":
        body.setdefault("thinking", {"type": "adaptive", "display": "summarized"})
    level = "low" if effort in {"none", "minimal"} else effort
    body["output_config"] = {**body.get("output_config", {}), "effort": level}


def _budget(body: dict[str, Any], options: Options, facts: Capabilities) -> None:
    effort = options.reasoning_effort
    if effort is not None and effort != "none" and "thinking" not in body:
        _grant_budget(body, BUDGETS.get(effort, BUDGETS["high"]), options, facts)
    thinks = body.get("thinking", {}).get("type") == "enabled"
    if effort == "none" or (thinks and _continues_without_thinking(body["messages"])):
        body["thinking"] = {"type": "disabled"}


def _grant_budget(body: dict[str, Any], budget: int, options: Options, facts: Capabilities) -> None:
    """Reasoning counts as output: its budget is added to the answer's, up to the model's limit."""
    limit = facts.output_limit or DEFAULT_THINKING_LIMIT
    answer = min(options.max_tokens or MIN_ANSWER, limit - MIN_BUDGET)
    budget = max(MIN_BUDGET, min(budget, limit - answer))
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    if options.max_tokens is not None:
        body["max_tokens"] = min(answer + budget, limit)
    elif body["max_tokens"] <= budget:
        body["max_tokens"] += budget


def _continues_without_thinking(messages: list[dict[str, Any]]) -> bool:
    """Whether it continues a prefix, or a tool call without its reasoning: thinking is refused then."""
    last = next((m for m in reversed(messages) if m["role"] == "assistant"), None)
    if last is None:
        return False
    results = messages[-1]["content"]
    if last is not messages[-1] and any(block["type"] != "tool_result" for block in results):
        return False
    return last["content"][0]["type"] not in {"thinking", "redacted_thinking"}


def _sampling(body: dict[str, Any], options: Options, facts: Capabilities) -> None:
    thinking = body.get("thinking", {}).get("type") in {"enabled", "adaptive"}
    if options.temperature is not None and facts.temperature and not thinking:
        body["temperature"] = min(options.temperature, 1.0)
    elif options.top_p is not None and facts.top_p and not thinking:
        body["top_p"] = options.top_p  # newer models refuse both together
    if thinking or not facts.temperature:
        body.pop("top_k", None)  # refused together with the other two
    if options.stop:
        body["stop_sequences"] = [text for text in options.stop if text.strip(WHITESPACE)]


def _tool(tool: JsonObject) -> dict[str, Any]:
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    described = {"name": tool["name"], "input_schema": schema}
    if tool.get("description"):
        described["description"] = tool["description"]
    return described


def _choice(options: Options) -> dict[str, Any] | None:
    choice = options.tool_choice
    one_at_a_time = options.extra.get("parallel_tool_calls") is False
    if choice is None and not one_at_a_time:
        return None
    if choice is None or isinstance(choice, str):
        kind = choice or "auto"
        chosen: dict[str, Any] = {"type": {"required": "any"}.get(kind, kind)}
    else:
        chosen = {"type": "tool", "name": choice["name"]}
    if one_at_a_time and chosen["type"] != "none":
        chosen["disable_parallel_tool_use"] = True
    return chosen


def _format(body: dict[str, Any], wanted: JsonObject | None) -> None:
    if wanted is not None and wanted.get("type") == "json_schema":
        schema = wanted.get("json_schema", {}).get("schema")
        if schema:
            shape = {"type": "json_schema", "schema": schema}
            body["output_config"] = {**body.get("output_config", {}), "format": shape}
