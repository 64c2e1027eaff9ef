"""The Gemini `generateContent` dialect, request side: encodes a Call as Google's JSON body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from grantha.chat import (
    Call,
    Capabilities,
    ImagePart,
    JsonObject,
    Options,
    Part,
    ReasoningPart,
    ToolCallPart,
    ToolResultPart,
)
from grantha.wire import images
from grantha.wire.lenient_json import InvalidJson, dumps, loads
from grantha.wire.tools import functions, hosted_tools
from grantha.wire.upstream.turn_normalizer import (
    Turn,
    group_turns,
    plain_text,
    system_text,
    tool_names_by_call,
)

IMAGE_BYTES = 14 * 1024 * 1024  # a whole request is limited to 20 MB, base64 included
BUDGETS = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576}
PRO_MINIMUM_BUDGET = 128  # gemini-2.5-pro can't turn thinking off
# Google accepts this as the signature of a call that another model made, or whose own is lost.
# https://ai.google.dev/gemini-api/docs/thought-signatures
SKIP_SIGNATURE_CHECK = "skip_thought_signature_validator"
UNSIGNED_CALL_MODELS = re.compile(r"gemini-[12]\b")  # models that accept calls without a signature
PENALTY_MODELS = re.compile(r"gemini-(1|2\.0)")  # later ones refuse any but 0
LEVELS = frozenset({"minimal", "low", "medium", "high"})
_KNOWN = frozenset({"safetySettings", "cachedContent", "labels"})
_GENERATION = {
    "top_k": "topK",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}


def encode_request(call: Call, facts: Capabilities) -> bytes:
    """The request body; model and streaming mode are in the URL.

    Raises `BadRequest` or `TooLarge` for images that can't be sent.
    """
    options = call.options
    body: dict[str, Any] = {k: v for k, v in options.extra.items() if k in _KNOWN}
    body["contents"] = _contents(call)
    system = system_text(call.messages)
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    generation = _generation(call, facts)
    if generation:
        body["generationConfig"] = generation
    tools = hosted_tools(options.tools, "gemini")
    if declared := functions(options.tools):
        tools.insert(0, {"functionDeclarations": [_function_declaration(t) for t in declared]})
        if options.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _choice(options.tool_choice)}
    if tools:
        body["tools"] = tools
    return dumps(body)


def _contents(call: Call) -> list[dict[str, Any]]:
    names = tool_names_by_call(call.messages)
    contents = []
    for turn in group_turns(call.messages):
        parts = [item for part in turn.parts for item in _part(part, turn, names)]
        if parts:
            role = "model" if turn.role == "assistant" else "user"
            if (
                turn.current
                and "gemini" in call.model
                and not UNSIGNED_CALL_MODELS.search(call.model)
            ):
                _ensure_signed(parts)
            contents.append({"role": role, "parts": parts})
    if call.prefix:
        contents.append({"role": "model", "parts": [{"text": call.prefix}]})
    return contents


def _part(part: Part, turn: Turn, names: Mapping[str, str]) -> list[dict[str, Any]]:
    match part:
        case ReasoningPart():
            return _reasoning_parts(part) if turn.current else []
        case ToolCallPart():
            return [_function_call(part, turn)]
        case ToolResultPart():
            key = "error" if part.is_error else "output"
            response = {"name": names.get(part.call_id, part.call_id), "response": {key: part.text}}
            return [{"functionResponse": response}]
        case ImagePart():
            image = images.check(part, IMAGE_BYTES)
            return [{"inlineData": {"mimeType": image.media_type, "data": image.data}}]
        case _:
            text = plain_text(part)
            return [{"text": text}] if text else []


def _reasoning_parts(part: ReasoningPart) -> list[dict[str, Any]]:
    if not part.signature:
        return []
    if not part.text:  # it belonged to a part of the answer itself
        return [{"text": "", "thoughtSignature": part.signature}]
    return [{"text": part.text, "thought": True, "thoughtSignature": part.signature}]


def _function_call(part: ToolCallPart, turn: Turn) -> dict[str, Any]:
    try:
        arguments = loads(part.arguments or "{}")
    except InvalidJson:
        arguments = {}
    call = {"name": part.name, "args": arguments if isinstance(arguments, dict) else {}}
    signed = {"thoughtSignature": part.signature} if part.signature and turn.current else {}
    return {"functionCall": call, **signed}


def _ensure_signed(parts: list[dict[str, Any]]) -> None:
    """From Gemini 3 on, the first call of each step of the current turn must be signed."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None and "thoughtSignature" not in first:
        first["thoughtSignature"] = SKIP_SIGNATURE_CHECK


def _generation(call: Call, facts: Capabilities) -> dict[str, Any]:
    options = call.options
    body: dict[str, Any] = {
        theirs: options.extra[ours] for ours, theirs in _GENERATION.items() if ours in options.extra
    }
    if "gemini" in call.model and not PENALTY_MODELS.search(call.model):
        body.pop("presencePenalty", None)
        body.pop("frequencyPenalty", None)
    if options.temperature is not None and facts.temperature:
        body["temperature"] = options.temperature
    if options.top_p is not None and facts.top_p:
        body["topP"] = options.top_p
    if options.max_tokens is not None:
        body["maxOutputTokens"] = options.max_tokens
    if options.stop:
        body["stopSequences"] = list(options.stop)
    if options.seed is not None:
        body["seed"] = options.seed
    if facts.reasoning:
        body["thinkingConfig"] = _thinking(call.model, options)
    _format(body, options.response_format)
    return body


def _thinking(model: str, options: Options) -> dict[str, Any]:
    effort = options.reasoning_effort
    config: dict[str, Any] = {"includeThoughts": effort != "none"}
    if effort is None:
        return config
    if "gemini-2.5" in model:
        least = PRO_MINIMUM_BUDGET if "gemini-2.5-pro" in model else 0
        config["thinkingBudget"] = max(least, BUDGETS.get(effort, BUDGETS["high"]))
    elif effort != "none":
        # Other vendors' words for more than "high" are refused here.
        config["thinkingLevel"] = effort if effort in LEVELS else "high"
    return config


def _format(body: dict[str, Any], wanted: JsonObject | None) -> None:
    kind = None if wanted is None else wanted.get("type")
    if kind in {"json_object", "json_schema"}:
        body["responseMimeType"] = "application/json"
    if wanted is not None and kind == "json_schema":
        schema = wanted.get("json_schema", {}).get("schema")
        if schema:
            body["responseJsonSchema"] = schema


def _function_declaration(tool: JsonObject) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tool["name"]}
    if tool.get("description"):
        described["description"] = tool["description"]
    if tool.get("parameters"):
        described["parametersJsonSchema"] = tool["parameters"]
    return described


def _choice(choice: str | JsonObject) -> dict[str, Any]:
    if not isinstance(choice, str):
        return {"mode": "ANY", "allowedFunctionNames": [choice["name"]]}
    return {"mode": {"required": "ANY"}.get(choice, choice.upper())}
