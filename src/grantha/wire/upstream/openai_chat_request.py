"""The OpenAI Chat Completions dialect, request side: encodes a Call as a host's JSON body."""

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
from grantha.wire.tools import functions
from grantha.wire.upstream.openai_chat_profile import DialectProfile
from grantha.wire.upstream.turn_normalizer import merge_assistant_messages, plain_text

# Fields that we set ourselves: `extra` must not reach past them.
_OURS = frozenset({"model", "messages", "stream", "stream_options", "n"})
# Fields of other APIs, which strict hosts refuse. Anthropic's `thinking` comes along as an effort of
# reasoning; OpenAI's `max_tool_calls` and Google's three mean something at their vendor alone.
_FOREIGN = frozenset({"thinking", "max_tool_calls", "safetySettings", "cachedContent", "labels"})

# Options that models without temperature refuse as well.
_SAMPLING = frozenset(
    {"frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs"}
)


def encode_request(
    call: Call,
    profile: DialectProfile,
    capabilities: Capabilities | None = None,
    *,
    stream: bool = True,
) -> bytes:
    """The request body. Options the model refuses, by its capabilities, are left out.

    Raises `BadRequest` or `TooLarge` for images and documents that can't be sent.
    """
    facts = capabilities or Capabilities()
    body = _extra(call.options, profile, facts)
    body["model"] = call.model
    body["messages"] = encode_messages(call, profile, facts)
    body["stream"] = stream
    if stream and profile.stream_options:
        body["stream_options"] = {"include_usage": True}
    if call.prefix and profile.prefix == "continue_final_message":
        body["continue_final_message"] = True
        body["add_generation_prompt"] = False
    _options(body, call.options, profile, facts)
    return dumps(body)


def encode_messages(
    call: Call, profile: DialectProfile, facts: Capabilities
) -> list[dict[str, Any]]:
    """The conversation in this dialect's form, the partial answer last.

    Where a model reasons and earlier reasoning is sent back as text, a call without it gets an empty one:
    DeepSeek and Moonshot refuse calls whose reasoning is missing, and clients of OpenAI's API drop it.
    """
    messages: list[dict[str, Any]] = []
    after_results: list[dict[str, Any]] = []
    for message in merge_assistant_messages(call.messages):
        results, others = _results(message), _others(message, profile, facts)
        if not results:
            messages += after_results
            after_results = []
        messages += results
        # Tool messages are text only, and nothing may stand between the results of parallel calls.
        (after_results if results else messages).extend(others)
    messages += after_results
    if facts.reasoning and profile.echo_reasoning == "reasoning_content":
        for body in messages:
            if "tool_calls" in body:
                body.setdefault("reasoning_content", "")
    if call.prefix:
        partial: dict[str, Any] = {"role": "assistant", "content": call.prefix}
        if profile.prefix in {"prefix", "partial"}:
            partial[profile.prefix] = True
        messages.append(partial)
    return messages


def encode_tools(tools: tuple[JsonObject, ...]) -> list[dict[str, Any]]:
    """Our tools in OpenAI's form."""
    return [{"type": "function", "function": tool} for tool in functions(tools)]


def _extra(options: Options, profile: DialectProfile, facts: Capabilities) -> dict[str, Any]:
    refused = _OURS | _FOREIGN if facts.temperature else _OURS | _FOREIGN | _SAMPLING
    known = profile.extra
    return {
        name: value
        for name, value in options.extra.items()
        if name not in refused and (known is None or name in known)
    }


def _options(
    body: dict[str, Any], options: Options, profile: DialectProfile, facts: Capabilities
) -> None:
    if options.temperature is not None and facts.temperature:
        body["temperature"] = options.temperature
    if options.top_p is not None and facts.top_p:
        body["top_p"] = options.top_p
    if options.max_tokens is not None:
        body[profile.max_tokens] = options.max_tokens
    if options.stop:
        body["stop"] = list(options.stop)
    if options.seed is not None:
        body[profile.seed] = options.seed
    # Strict hosts refuse an effort for models that don't reason.
    if options.reasoning_effort is not None and (facts.reasoning or profile.extra is None):
        body[profile.reasoning_effort] = _effort(options.reasoning_effort, profile)
    if tools := encode_tools(options.tools):
        body["tools"] = tools
        if options.tool_choice is not None:
            body["tool_choice"] = _choice(options.tool_choice, profile)
    if options.response_format is not None:
        body["response_format"] = dict(options.response_format)


def _effort(effort: str, profile: DialectProfile) -> Any:
    if profile.efforts and effort not in profile.efforts:
        effort = profile.efforts[0] if effort == "minimal" else profile.efforts[-1]
    return {"effort": effort} if profile.reasoning_effort == "reasoning" else effort


def _choice(choice: str | JsonObject, profile: DialectProfile) -> Any:
    if not isinstance(choice, str):
        return {"type": "function", "function": {"name": choice["name"]}}
    return profile.any_tool if choice == "required" else choice


def _results(message: Message) -> list[dict[str, Any]]:
    return [
        {"role": "tool", "tool_call_id": part.call_id, "content": part.text}
        for part in message.parts
        if isinstance(part, ToolResultPart)
    ]


def _others(message: Message, profile: DialectProfile, facts: Capabilities) -> list[dict[str, Any]]:
    others = tuple(part for part in message.parts if not isinstance(part, ToolResultPart))
    if not others:
        return []
    if message.role == "assistant":
        return [_assistant(others, profile)]
    role = "user" if message.role == "tool" else message.role
    return [{"role": role, "content": _content(others, profile, facts)}]


def _assistant(parts: tuple[Part, ...], profile: DialectProfile) -> dict[str, Any]:
    text = "".join(part.text for part in parts if isinstance(part, TextPart))
    calls = [part for part in parts if isinstance(part, ToolCallPart)]
    body: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None}
    if calls:
        body["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments or "{}"},
            }
            for call in calls
        ]
    reasoning = [part for part in parts if isinstance(part, ReasoningPart)]
    if reasoning and profile.echo_reasoning == "reasoning_content":
        body["reasoning_content"] = "".join(part.text for part in reasoning)
    elif reasoning and profile.echo_reasoning == "reasoning_details":
        details = [detail for part in reasoning for detail in _details(part)]
        if details:
            body["reasoning_details"] = details
    return body


def _details(part: ReasoningPart) -> list[Any]:
    try:
        details = loads(part.signature or "null")
    except InvalidJson:
        return []  # another vendor's signature, from before the model was changed
    return details if isinstance(details, list) else []


def _content(
    parts: tuple[Part, ...], profile: DialectProfile, facts: Capabilities
) -> str | list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, ImagePart):
            content.append({"type": "image_url", "image_url": {"url": _url(part, profile, facts)}})
        elif isinstance(part, FilePart) and _is_sent_as_file(part, profile, facts):
            data = part.url if part.data is None else f"data:{part.media_type};base64,{part.data}"
            content.append({"type": "file", "file": {"filename": part.name, "file_data": data}})
        elif text := plain_text(part):
            content.append({"type": "text", "text": text})
    if all(part["type"] == "text" for part in content):
        return "\n\n".join(part["text"] for part in content)
    return content


def _url(part: ImagePart, profile: DialectProfile, facts: Capabilities) -> str:
    if part.url is not None and facts.urls:
        return part.url
    image = images.check(part, profile.image_bytes)
    return f"data:{image.media_type};base64,{image.data}"


def _is_sent_as_file(part: FilePart, profile: DialectProfile, facts: Capabilities) -> bool:
    by_url = part.data is None and not profile.document_urls
    return documents.is_sent_as_file(part, facts) and not by_url
