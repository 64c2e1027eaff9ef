"""Reads requests of Google's Gemini API.

Source: Google's API reference, "Generating content" and "Embeddings". As with Google, each member may be
written in camel case or with underscores. Schemas of functions are OpenAPI's, with types in capitals, or
JSON Schema.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from grantha.chat import (
    FilePart,
    ImagePart,
    JsonDict,
    JsonObject,
    Message,
    Options,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolResultPart,
    text_message,
)
from grantha.embedding import EmbeddingCall
from grantha.errors import BadRequest
from grantha.wire.compat import view
from grantha.wire.compat.pending_calls import PendingCalls
from grantha.wire.compat.view import ParsedRequest
from grantha.wire.tool_results import tool_result
from grantha.wire.tools import hosted_tool

_ROLES: Mapping[str, Role] = {"user": "user", "model": "assistant", "function": "user"}
_CHOICES = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}
# Up to this budget of thought an effort has this name; -1 lets the model decide.
_EFFORTS = ((0, "none"), (512, "minimal"), (1024, "low"), (8192, "medium"))
_EXTRA: view.MemberTypes = {"safetySettings": list, "cachedContent": str, "labels": dict}
_PENALTIES = {"presencePenalty": "presence_penalty", "frequencyPenalty": "frequency_penalty"}
UNSUPPORTED = {
    "speechConfig": "answers are text",
    "responseLogprobs": "log probabilities have no place in this view",
}
_WORD = re.compile(r"[A-Z]")


def parse_request(body: JsonObject, model: str, *, stream: bool) -> tuple[ParsedRequest, bool]:
    """A request's body, and whether thoughts are wanted. Raises `BadRequest` that names the member."""
    body = _Members(body)
    config = _Members(view.member(body, "generationConfig", dict, {}))
    view.reject_members(config, UNSUPPORTED)
    if view.member(config, "candidateCount", int, 1) != 1:
        raise BadRequest("'candidateCount' must be 1: send several requests for several answers.")
    if {str(kind).upper() for kind in view.strings(config, "responseModalities")} - {"TEXT"}:
        raise BadRequest("'responseModalities' must be [\"TEXT\"]: answers are text.")
    calls = PendingCalls()
    messages = [_message(content, calls) for content in view.objects(body, "contents")]
    if system := _system(body.get("systemInstruction")):
        messages.insert(0, text_message("system", system))
    thinking = _Members(view.member(config, "thinkingConfig", dict, {}))
    parsed = ParsedRequest(
        messages=_require_contents(messages),
        options=_options(body, config, thinking),
        model=model,
        stream=stream,
    )
    return parsed, view.member(thinking, "includeThoughts", bool, False)


def parse_count(body: JsonObject, model: str) -> ParsedRequest:
    """The body of a request to count tokens: contents alone, or a whole request."""
    inner = view.member(_Members(body), "generateContentRequest", dict, body)
    return parse_request(inner, model, stream=False)[0]


def parse_embeddings(body: JsonObject, model: str) -> EmbeddingCall:
    """The body of `batchEmbedContents`."""
    rows = [_Members(row) for row in view.objects(body, "requests")]
    sizes = {view.positive_integer(row, "outputDimensionality") for row in rows}
    if not rows or len(sizes) > 1:
        raise BadRequest("'requests' must be contents, all with the same 'outputDimensionality'.")
    texts = [_only_text(row.get("content"), "content") for row in rows]
    return EmbeddingCall(model, tuple(texts), sizes.pop())


def parse_embedding(body: JsonObject, model: str) -> EmbeddingCall:
    """The body of `embedContent`."""
    return parse_embeddings({"requests": [body]}, model)


# ---- helpers below -------------------------------------------------------------------------------


class _Members(dict[str, Any]):
    """An object whose members are found by their name in camel case, however they are written."""

    def __init__(self, body: JsonObject) -> None:
        super().__init__(body)

    def get(self, name: str, default: Any = None) -> Any:
        value = super().get(name)
        if value is None:
            value = super().get(_WORD.sub(lambda letter: f"_{letter[0].lower()}", name))
        return default if value is None else value


def _require_contents(messages: list[Message]) -> tuple[Message, ...]:
    if all(message.role == "system" or not message.parts for message in messages):
        raise BadRequest("'contents' holds nothing to answer.", advice="Send at least one text.")
    return tuple(messages)


def _system(content: Any) -> str:
    return "" if content is None else _only_text(content, "systemInstruction")


def _only_text(content: Any, name: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, dict):
        raise BadRequest(f"'{name}' must be a content with parts of text.")
    texts = [view.member(part, "text", str) for part in view.objects(content, "parts")]
    if not texts or None in texts:
        raise BadRequest(f"'{name}' must be a content with parts of text.")
    return "".join(text for text in texts if text)


def _message(content: JsonObject, calls: PendingCalls) -> Message:
    role = view.parse_role({"role": view.member(content, "role", str) or "user"}, _ROLES)
    parts = [
        found for part in view.objects(content, "parts") for found in _parts(_Members(part), calls)
    ]
    if parts and all(_is_of_result(part) for part in parts):
        return Message("tool", tuple(parts))
    return Message(role, tuple(parts))


def _is_of_result(part: Part) -> bool:
    media = isinstance(part, ImagePart | FilePart) and part.call_id is not None
    return media or isinstance(part, ToolResultPart)


def _parts(part: _Members, calls: PendingCalls) -> list[Part]:
    signature = _signature(view.member(part, "thoughtSignature", str))
    if (call := view.member(part, "functionCall", dict)) is not None:
        arguments = view.compact_json(view.member(call, "args", dict, {}))
        name = view.required_string(call, "name")
        return [calls.call(view.member(call, "id", str), name, arguments, signature)]
    if (result := view.member(part, "functionResponse", dict)) is not None:
        return _result(_Members(result), calls)
    if (data := view.member(part, "inlineData", dict)) is not None:
        return [_data(_Members(data))]
    if (file := view.member(part, "fileData", dict)) is not None:
        return [_file(_Members(file))]
    text = view.member(part, "text", str)
    if text is None:
        if _SKIPPED.isdisjoint(part):
            raise BadRequest(
                "A part must have text, inlineData, fileData, a functionCall or its response."
            )
        return []
    if view.member(part, "thought", bool, False):
        return [ReasoningPart(text, signature)]
    signed: list[Part] = [ReasoningPart("", signature)] if signature else []
    return [*signed, TextPart(text)] if text else signed


def _signature(given: str | None) -> str | None:
    """A signature as we sent it, in either alphabet of base64. One that isn't ours fits no model."""
    if not given:
        return None
    padded = given.translate(_STANDARD) + "=" * (-len(given) % 4)
    try:
        decoded = base64.b64decode(padded, validate=True).decode()
    except ValueError:
        return given
    return given if "\0" in decoded else decoded


_STANDARD = str.maketrans("-_", "+/")
# What Google's own tools leave in a conversation.
_SKIPPED = frozenset(
    {"executableCode", "executable_code", "codeExecutionResult", "code_execution_result"}
)


def _result(result: JsonObject, calls: PendingCalls) -> list[Part]:
    call_id = calls.resolve_result(
        view.member(result, "id", str), view.member(result, "name", str), "functionResponse"
    )
    response = view.member(result, "response", dict, {})
    media = [
        found for part in view.objects(result, "parts") for found in _parts(_Members(part), calls)
    ]
    text = view.compact_json(response)
    for name in ("output", "result", "error"):
        if list(response) == [name] and isinstance(response[name], str):
            text = response[name]
    return tool_result(call_id, [TextPart(text), *media], is_error=list(response) == ["error"])


def _data(data: JsonObject) -> Part:
    media = view.member(data, "mimeType", str, "")
    # Google's clients write bytes in the alphabet of URLs.
    content = view.member(data, "data", str, "").translate(_STANDARD)
    if media.startswith("image/") or not media:
        return view.image(media, content)
    if media.startswith(("audio/", "video/")):
        raise BadRequest(f"'inlineData' of type {media[:60]!r} can't be sent: send text or images.")
    try:
        return view.document(view.member(data, "displayName", str, "file"), media, content)
    except BadRequest as error:
        raise BadRequest("'inlineData' is empty, or isn't valid base64.") from error


def _file(file: JsonObject) -> Part:
    url, media = view.required_string(file, "fileUri"), view.member(file, "mimeType", str, "")
    if not url.startswith(("https://", "http://")) or media.startswith(("audio/", "video/")):
        raise BadRequest(
            "'fileData' must be an image or a PDF by its https URL.",
            advice="Send the bytes as 'inlineData'.",
        )
    if media.startswith("image/"):
        return view.image_from_url(url)
    return view.document_from_url(view.member(file, "displayName", str, "file"), url)


def _options(body: JsonObject, config: JsonObject, thinking: JsonObject) -> Options:
    extra = view.pick_members(body, _EXTRA)
    for theirs, ours in _PENALTIES.items():
        if (value := view.member(config, theirs, view.NUMBER_TYPES)) is not None:
            extra[ours] = value
    if (top_k := view.number(config, "topK", 0, 2**31)) is not None:
        extra["top_k"] = round(top_k)  # a number here, a whole one everywhere else
    return Options(
        temperature=view.number(config, "temperature", 0, 2),
        top_p=view.number(config, "topP", 0, 1),
        max_tokens=view.positive_integer(config, "maxOutputTokens"),
        stop=view.strings(config, "stopSequences"),
        seed=view.integer(config, "seed"),
        reasoning_effort=_effort(thinking),
        tools=tuple(found for tool in view.objects(body, "tools") for found in _tools(tool)),
        tool_choice=_choice(_Members(view.member(body, "toolConfig", dict, {}))),
        response_format=_format(config),
        extra=extra,
    )


def _effort(thinking: JsonObject) -> str | None:
    level = view.member(thinking, "thinkingLevel", str)
    if level is not None:
        return None if level == "THINKING_LEVEL_UNSPECIFIED" else level.lower()
    budget = view.integer(thinking, "thinkingBudget")
    if budget is None or budget < 0:
        return None
    return next((effort for most, effort in _EFFORTS if budget <= most), "high")


def _tools(tool: JsonObject) -> list[JsonDict]:
    found: list[JsonDict] = []
    for name, value in tool.items():
        if name in {"functionDeclarations", "function_declarations"}:
            found += [_function(_Members(item)) for item in view.objects(tool, name)]
        elif value is not None:
            found.append(hosted_tool("gemini", {name: value}))
    return found


def _function(function: JsonObject) -> JsonDict:
    found: JsonDict = {"name": view.required_string(function, "name")}
    if description := view.member(function, "description", str):
        found["description"] = description
    if (plain := view.member(function, "parametersJsonSchema", dict)) is not None:
        found["parameters"] = plain
    elif (schema := view.member(function, "parameters", dict)) is not None:
        found["parameters"] = json_schema(schema)
    return found


def _choice(config: JsonObject) -> str | JsonObject | None:
    calling = _Members(view.member(config, "functionCallingConfig", dict, {}))
    mode = view.member(calling, "mode", str)
    if mode is None or mode == "MODE_UNSPECIFIED":
        return None
    if mode.upper() not in _CHOICES:
        raise BadRequest("'functionCallingConfig.mode' must be AUTO, ANY, NONE or VALIDATED.")
    allowed = view.strings(calling, "allowedFunctionNames")
    if mode.upper() == "ANY" and len(allowed) == 1:
        return {"name": allowed[0]}
    return _CHOICES[mode.upper()]


def _format(config: JsonObject) -> JsonObject | None:
    media = view.member(config, "responseMimeType", str, "text/plain")
    if media == "text/plain":
        return None
    if media != "application/json":
        raise BadRequest("'responseMimeType' must be text/plain or application/json.")
    plain = view.member(config, "responseJsonSchema", dict)
    schema = view.member(config, "responseSchema", dict)
    if plain is None and schema is None:
        return {"type": "json_object"}
    wanted = plain if plain is not None else json_schema(schema or {})
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}


def json_schema(schema: JsonObject) -> JsonDict:
    """A schema in OpenAPI's form, as Google has them, as JSON Schema."""
    found: JsonDict = {}
    for name, value in schema.items():
        match name, value:
            case "type", str():
                found[name] = value.lower()
            case "properties" | "$defs" | "defs", dict():
                found[name] = {key: _inner_schema(item) for key, item in value.items()}
            case "items" | "additionalProperties", dict():
                found[name] = json_schema(value)
            case "anyOf" | "any_of", list():
                found["anyOf"] = [_inner_schema(item) for item in value]
            case (("nullable" | "propertyOrdering" | "property_ordering" | "example"), _):
                pass
            case (("minItems" | "maxItems" | "minLength" | "maxLength"), str()) if (
                value.isdecimal()
            ):
                found[name] = int(value)  # proto's JSON has 64-bit numbers as text
            case _:
                found[name] = value
    if schema.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found


def _inner_schema(schema: Any) -> Any:
    return json_schema(schema) if isinstance(schema, dict) else schema
