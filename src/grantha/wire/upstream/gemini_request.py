"""The Gemini `generateContent` dialect, request side: encodes a Call as Google's JSON body."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping, Sequence
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
    ToolCallPart,
    ToolResultPart,
)
from grantha.wire import documents, images
from grantha.wire.lenient_json import InvalidJson, dumps, loads
from grantha.wire.tool_results import nest_in_results
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
# Models that accept calls without a signature, and no images or documents inside function responses.
BEFORE_GEMINI_3 = re.compile(r"gemini-[12]\b")
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

    Raises `BadRequest` or `TooLarge` for images and documents that can't be sent.
    """
    options = call.options
    body: dict[str, Any] = {k: v for k, v in options.extra.items() if k in _KNOWN}
    body["contents"] = _contents(call, facts)
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


def _contents(call: Call, facts: Capabilities) -> list[dict[str, Any]]:
    names = tool_names_by_call(call.messages)
    recent = "gemini" in call.model and not BEFORE_GEMINI_3.search(call.model)
    contents = []
    for turn in group_turns(call.messages):
        # Function responses take no URLs.
        outside, nested = nest_in_results(turn.parts, lambda part: recent and not _has_url(part))
        parts = [item for part in outside for item in _part(part, turn, names, nested, facts)]
        if parts:
            role = "model" if turn.role == "assistant" else "user"
            if turn.current and recent:
                _ensure_signed(parts)
            contents.append({"role": role, "parts": parts})
    if call.prefix:
        contents.append({"role": "model", "parts": [{"text": call.prefix}]})
    return contents


def _part(
    part: Part,
    turn: Turn,
    names: Mapping[str, str],
    nested: Mapping[str, Sequence[Part]],
    facts: Capabilities,
) -> list[dict[str, Any]]:
    match part:
        case ReasoningPart():
            return _reasoning_parts(part) if turn.current else []
        case ToolCallPart():
            return [_function_call(part, turn)]
        case ToolResultPart():
            return _function_response(part, names, nested.get(part.call_id, ()), facts)
        case _:
            return _content_part(part, facts)


def _function_response(
    part: ToolResultPart, names: Mapping[str, str], nested: Sequence[Part], facts: Capabilities
) -> list[dict[str, Any]]:
    key = "error" if part.is_error else "output"
    response: dict[str, Any] = {
        "name": names.get(part.call_id, part.call_id),
        "response": {key: part.text},
    }
    inside = [item for each in nested for item in _content_part(each, facts)]
    if media := [item for item in inside if "inlineData" in item]:
        response["parts"] = media
    # The text of a document stands beside the response, which takes only bytes.
    return [{"functionResponse": response}, *[item for item in inside if "text" in item]]


def _content_part(part: Part, facts: Capabilities) -> list[dict[str, Any]]:
    match part:
        case ImagePart(url=str(url)) if facts.urls:
            media_type = mimetypes.guess_type(url.partition("?")[0])[0] or ""
            known = media_type if media_type in images.MEDIA_TYPES else "image/jpeg"
            return [{"fileData": {"mimeType": known, "fileUri": url}}]
        case ImagePart():
            image = images.check(part, IMAGE_BYTES)
            return [{"inlineData": {"mimeType": image.media_type, "data": image.data}}]
        case FilePart() if documents.is_sent_as_file(part, facts):
            if part.data is None:
                return [{"fileData": {"mimeType": part.media_type, "fileUri": part.url}}]
            return [{"inlineData": {"mimeType": part.media_type, "data": part.data}}]
        case _:
            text = plain_text(part)
            return [{"text": text}] if text else []


def _has_url(part: Part) -> bool:
    return isinstance(part, ImagePart | FilePart) and part.url is not None


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
