"""The Bedrock Converse dialect, request side: encodes a Call as AWS's JSON body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
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
from grantha.wire.signatures import REDACTED
from grantha.wire.tool_results import nest_in_results
from grantha.wire.tools import functions
from grantha.wire.upstream import anthropic_request
from grantha.wire.upstream.turn_normalizer import (
    WHITESPACE,
    Turn,
    group_turns,
    plain_text,
    system_text,
    tool_names_by_call,
)

IMAGE_BYTES = 3_932_160  # 3.75 MB
DOCUMENT_TEXT = "(document)"  # a message with a document must have a text as well
# Models that take images and documents inside tool results.
NESTED_MEDIA_MODELS = re.compile(r"anthropic\.claude|amazon\.nova")


def encode_request(call: Call, facts: Capabilities) -> bytes:
    """The body of `Converse` and `ConverseStream`; the model is in the URL.

    Raises `BadRequest` or `TooLarge` for images and documents that can't be sent.
    """
    options = call.options
    tools = functions(options.tools) if options.tool_choice != "none" else []
    if not tools:
        call = replace(call, messages=_without_tools(call.messages))
    body: dict[str, Any] = {"messages": _messages(call, facts)}
    system = system_text(call.messages)
    if system:
        body["system"] = [{"text": system}]
    inference = _inference(options, facts)
    if "anthropic.claude" in call.model and "temperature" in inference:
        inference.pop("topP", None)  # newer ones refuse both together
    fields: dict[str, Any] = dict(options.extra.get("additionalModelRequestFields") or {})
    if options.reasoning_effort is not None and "anthropic.claude" in call.model:
        _claude_thinking(call, facts, inference, fields)
    if inference:
        body["inferenceConfig"] = inference
    if tools:
        body["toolConfig"] = _tools(call)
    if fields:
        body["additionalModelRequestFields"] = fields
    return dumps(body)


def _without_tools(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation with calls and results written out as text.

    As blocks they are refused where no tool may be called, and Converse has no choice "none".
    """
    names = tool_names_by_call(messages)
    return tuple(
        Message(message.role, tuple(_as_text(part, names) for part in message.parts))
        for message in messages
    )


def _as_text(part: Part, names: Mapping[str, str]) -> Part:
    match part:
        case ToolCallPart():
            return TextPart(f"[Called the tool {part.name} with {part.arguments or '{}'}]")
        case ToolResultPart():
            name = names.get(part.call_id, "a tool")
            return TextPart(f"[Result of {name}]\n{part.text}")
        case _:
            return part


def _inference(options: Options, facts: Capabilities) -> dict[str, Any]:
    inference: dict[str, Any] = {}
    if options.max_tokens is not None:
        inference["maxTokens"] = options.max_tokens
    if options.temperature is not None and facts.temperature:
        inference["temperature"] = min(options.temperature, 1.0)
    if options.top_p is not None and facts.top_p:
        inference["topP"] = options.top_p
    if options.stop:
        inference["stopSequences"] = list(options.stop)
    return inference


def _claude_thinking(
    call: Call, facts: Capabilities, inference: dict[str, Any], fields: dict[str, Any]
) -> None:
    """What Anthropic itself would be sent for the effort, in the fields that pass through."""
    anthropic_body = anthropic_request.encode_request(call, facts)
    for name in ("thinking", "output_config"):
        if name in anthropic_body:
            fields.setdefault(name, anthropic_body[name])
    kind = anthropic_body.get("thinking", {}).get("type")
    if kind == "enabled":
        inference["maxTokens"] = anthropic_body["max_tokens"]  # the budget is part of it
    if kind in {"enabled", "adaptive"}:
        inference.pop("temperature", None)
        inference.pop("topP", None)


@dataclass(frozen=True, slots=True)
class _Media:
    """How images and documents of one request are written. Documents are numbered, as names must differ."""

    facts: Capabilities
    numbers: Iterator[int] = field(default_factory=lambda: count(1))


def _messages(call: Call, facts: Capabilities) -> list[dict[str, Any]]:
    messages = []
    media = _Media(facts)
    nests = NESTED_MEDIA_MODELS.search(call.model) is not None
    for turn in group_turns(call.messages):
        parts, nested = nest_in_results(turn.parts, lambda _: nests)
        content = [
            block for part in parts if (block := _block(part, turn, nested, media)) is not None
        ]
        if any("document" in block for block in content) and not any(
            "text" in block for block in content
        ):
            content.append({"text": DOCUMENT_TEXT})
        if content:
            messages.append({"role": turn.role, "content": content})
    text = call.prefix.rstrip(WHITESPACE)
    if text:
        messages.append({"role": "assistant", "content": [{"text": text}]})
    return messages


def _block(
    part: Part, turn: Turn, nested: Mapping[str, Sequence[Part]], media: _Media
) -> dict[str, Any] | None:
    match part:
        case ReasoningPart():
            return _reasoning_block(part) if turn.current else None
        case ToolCallPart():
            use = {"toolUseId": part.call_id, "name": part.name, "input": _arguments(part)}
            return {"toolUse": use}
        case ToolResultPart():
            inside = [_media_block(each, media) for each in nested.get(part.call_id, ())]
            result = {
                "toolUseId": part.call_id,
                "content": [{"text": part.text or " "}, *[block for block in inside if block]],
                "status": "error" if part.is_error else "success",
            }
            return {"toolResult": result}
        case _:
            return _media_block(part, media)


def _media_block(part: Part, media: _Media) -> dict[str, Any] | None:
    match part:
        case ImagePart():
            image = images.check(part, IMAGE_BYTES)
            kind = image.media_type.removeprefix("image/")
            return {"image": {"format": kind, "source": {"bytes": image.data}}}
        case FilePart() if documents.is_sent_as_file(part, media.facts):
            # Names may have few characters, and models might take them for instructions.
            name = f"Document {next(media.numbers)}"
            source = {"bytes": part.data}
            return {"document": {"format": "pdf", "name": name, "source": source}}
        case _:
            text = plain_text(part)
            return {"text": text} if text.strip(WHITESPACE) else None


def _reasoning_block(part: ReasoningPart) -> dict[str, Any] | None:
    if not part.signature:
        return None
    if part.signature.startswith(REDACTED):
        redacted = part.signature.removeprefix(REDACTED)
        return {"reasoningContent": {"redactedContent": redacted}}
    text = {"text": part.text, "signature": part.signature}
    return {"reasoningContent": {"reasoningText": text}}


def _arguments(part: ToolCallPart) -> dict[str, Any]:
    try:
        arguments = loads(part.arguments or "{}")
    except InvalidJson:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _tools(call: Call) -> dict[str, Any]:
    config: dict[str, Any] = {
        "tools": [{"toolSpec": _spec(t)} for t in functions(call.options.tools)]
    }
    choice = call.options.tool_choice
    if choice is not None:
        if isinstance(choice, str):
            config["toolChoice"] = {"any" if choice == "required" else choice: {}}
        else:
            config["toolChoice"] = {"tool": {"name": choice["name"]}}
    return config


def _spec(tool: JsonObject) -> dict[str, Any]:
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    spec: dict[str, Any] = {"name": tool["name"], "inputSchema": {"json": schema}}
    if tool.get("description"):
        spec["description"] = tool["description"]
    return spec
