"""The reading half of the OpenAI Responses view: requests, and the items of their input.

Source: OpenAI's API reference, "Responses". An input item is one message of ours, or a part of one.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

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
    ToolCallPart,
    ToolResultPart,
    text_message,
)
from grantha.errors import BadRequest
from grantha.wire.compat import view
from grantha.wire.compat.openai_chat_view import (
    ROLES,
    parse_content,
    parse_tool_choice,
    parse_tool_result,
    parse_tools,
)
from grantha.wire.compat.view import ParsedRequest
from grantha.wire.tool_results import nest_in_results
from grantha.wire.tools import custom_arguments, qualified_name

if TYPE_CHECKING:  # types only: the server loads them with the API's description
    from grantha.wire.compat.openai_responses_replies import (
        InputCallOutput,
        InputContent,
        InputMessage,
        ItemStatus,
        ResponseCall,
        ResponseItem,
        ResponseReasoning,
    )

EXTRA: view.MemberTypes = {
    "max_tool_calls": int,
    "metadata": dict,
    "parallel_tool_calls": bool,
    "service_tier": str,
    "top_logprobs": int,
    "user": str,
    "verbosity": str,
}
COMPACTED = "grantha:"  # what the content of our compaction items begins with
UNSUPPORTED = {
    "prompt": "templates are stored at OpenAI",
}


def parse_request(body: JsonObject) -> ParsedRequest:
    """A request's body. Raises `BadRequest` that names the member."""
    view.reject_members(body, UNSUPPORTED)
    messages = parse_input(body.get("input"))
    store = view.member(body, "store", bool, True)
    background = view.member(body, "background", bool, False)
    if background and not store:
        raise BadRequest("'background' needs 'store': what isn't kept can't be read later.")
    return ParsedRequest(
        messages=view.require_prompt(messages),
        options=_options(body),
        model=view.member(body, "model", str),
        stream=view.member(body, "stream", bool, False),
        background=background,
        store=store,
    )


def parse_input(value: Any) -> list[Message]:
    """An input: text, or a list of items."""
    if isinstance(value, str):
        return [text_message("user", value)] if value else []
    if not isinstance(value, list):
        raise BadRequest("'input' must be text or a list of items.")
    return parse_items(value, "input")


def parse_items(items: Sequence[Any], name: str = "items") -> list[Message]:
    """The items of the member of this name. Raises `BadRequest` that names it."""
    found = [_item_in(item) for item in view.objects({name: items}, name)]
    return [message for message in found if message is not None]


def parse_metadata(body: JsonObject) -> JsonDict | None:
    """The metadata of a conversation, as OpenAI bounds them; None without any."""
    metadata = view.member(body, "metadata", dict)
    for name, value in (metadata or {}).items():
        if not isinstance(value, str) or len(name) > 64 or len(value) > 512:
            raise BadRequest("'metadata' must be texts of up to 512 characters, named in up to 64.")
    if metadata is not None and len(metadata) > 16:
        raise BadRequest("'metadata' has more than 16 members.")
    return None if metadata is None else dict(metadata)


def input_items(name: str, message: Message) -> list[ResponseItem]:
    """An earlier message as input items: reasoning or results, text and images, calls."""
    return [item for item, _ in _items_with_parts(name, message)]


def without_item(name: str, message: Message, item: str) -> Message:
    """A message without what one of its input items shows."""
    gone = [parts for found, parts in _items_with_parts(name, message) if found["id"] == item]
    left_out = {id(part) for parts in gone for part in parts}
    return replace(message, parts=tuple(p for p in message.parts if id(p) not in left_out))


def reasoning_item(item: str, status: ItemStatus, part: ReasoningPart | None) -> ResponseReasoning:
    """Reasoning as the item of this id; without a part it has only begun."""
    found: ResponseReasoning = {
        "type": "reasoning",
        "id": item,
        "status": status,
        "summary": [{"type": "summary_text", "text": part.text}] if part and part.text else [],
    }
    if part and part.signature:
        # Opaque to clients, who send it back: the vendor's signature of its reasoning.
        found["encrypted_content"] = part.signature
    return found


# ---- helpers below -------------------------------------------------------------------------------


def _items_with_parts(name: str, message: Message) -> Iterator[tuple[ResponseItem, Sequence[Part]]]:
    """The items of a message, and the parts that each shows."""
    ids = (f"item_{name}_{number}" for number in count())  # in the order of the items
    parts, nested = nest_in_results(message.parts)
    content = [part for part in parts if isinstance(part, TextPart | ImagePart | FilePart)]
    for part in parts:
        if isinstance(part, ReasoningPart):
            yield reasoning_item(next(ids), "completed", part), [part]
    for part in parts:
        if isinstance(part, ToolResultPart):
            inside = nested.get(part.call_id, [])
            yield _result_item(next(ids), part, inside), [part, *inside]
    if content:
        yield _message_item(next(ids), message.role, content), content
    for part in parts:
        if isinstance(part, ToolCallPart):
            yield _call_item(next(ids), part), [part]


def _message_item(
    item: str, role: Role, parts: Sequence[TextPart | ImagePart | FilePart]
) -> InputMessage:
    shown: Literal["system", "user", "assistant"] = (
        "user" if role == "tool" else role  # a tool's output beside its text
    )
    return {
        "type": "message",
        "id": item,
        "status": "completed",
        "role": shown,
        "content": [_input_content(part, shown) for part in parts],
    }


def _input_content(part: Part, role: str) -> InputContent:
    match part:
        case TextPart() if role == "assistant":
            return {"type": "output_text", "text": part.text, "annotations": []}
        case TextPart():
            return {"type": "input_text", "text": part.text}
        case ImagePart():
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            return {"type": "input_image", "detail": "auto", "image_url": url}
        case FilePart(url=str(url)):
            return {"type": "input_file", "filename": part.name, "file_url": url}
        case FilePart():
            return {"type": "input_file", "filename": part.name, "file_data": view.data_url(part)}
        case _:
            raise TypeError(f"a message of this API has no {part.type} content")


def _result_item(item: str, part: ToolResultPart, nested: Sequence[Part]) -> InputCallOutput:
    content = [_input_content(each, "tool") for each in (TextPart(part.text), *nested)]
    return {
        "type": "function_call_output",
        "id": item,
        "status": "completed",
        "call_id": part.call_id,
        "output": content if nested else part.text,
    }


def _call_item(item: str, part: ToolCallPart) -> ResponseCall:
    return {
        "type": "function_call",
        "id": item,
        "status": "completed",
        "call_id": part.call_id,
        "name": part.name,
        "arguments": part.arguments,
    }


def _item_in(item: JsonObject) -> Message | None:
    """An item as a message; None for one that only its vendor's own tools made or read."""
    match item.get("type", "message"):
        case "message":
            parts = tuple(parse_content(item.get("content")))
            return Message(view.parse_role(item, ROLES), parts)
        case "function_call":
            return Message("assistant", (_function_call(item),))
        case "custom_tool_call":
            call = ToolCallPart(
                view.required_string(item, "call_id"),
                view.required_string(item, "name"),
                custom_arguments(view.member(item, "input", str, "")),
            )
            return Message("assistant", (call,))
        case "function_call_output" | "custom_tool_call_output":
            return parse_tool_result(view.required_string(item, "call_id"), item.get("output"))
        case "reasoning":
            summary = [view.member(s, "text", str, "") for s in view.objects(item, "summary")]
            signature = view.member(item, "encrypted_content", str)
            return Message("assistant", (ReasoningPart("".join(summary), signature),))
        case "compaction":
            return _summary(view.member(item, "encrypted_content", str, ""))
        case "item_reference":
            raise BadRequest("'input' refers to an item that isn't stored.")
        case _:
            return None


def _summary(content: str) -> Message | None:
    """The summary of what was compacted; None for one that only OpenAI can read."""
    if not content.startswith(COMPACTED):
        return None
    try:
        text = base64.b64decode(content.removeprefix(COMPACTED), validate=True).decode()
    except ValueError as error:
        raise BadRequest("A 'compaction' item isn't as it was sent.") from error
    return text_message("user", f"Summary of the conversation so far:\n\n{text}")


def _function_call(item: JsonObject) -> ToolCallPart:
    name = view.required_string(item, "name")
    namespace = view.member(item, "namespace", str)
    return ToolCallPart(
        view.required_string(item, "call_id"),
        qualified_name(namespace, name) if namespace else name,
        view.member(item, "arguments", str, "{}"),
    )


def _loaded_tools(body: JsonObject) -> list[JsonObject]:
    """Tools that were loaded during a conversation are among its items."""
    items = body.get("input")
    return [
        tool
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, dict) and item.get("type") in ("additional_tools", "tool_search_output")
        for tool in parse_tools(item, "openai-responses")
    ]


def _options(body: JsonObject) -> Options:
    text = view.member(body, "text", dict, {})
    extra = view.pick_members(body, EXTRA)
    if (verbosity := view.member(text, "verbosity", str)) is not None:
        extra["verbosity"] = verbosity
    return Options(
        temperature=view.number(body, "temperature", 0, 2),
        top_p=view.number(body, "top_p", 0, 1),
        max_tokens=view.positive_integer(body, "max_output_tokens"),
        reasoning_effort=view.member(view.member(body, "reasoning", dict, {}), "effort", str),
        tools=(*parse_tools(body, "openai-responses"), *_loaded_tools(body)),
        tool_choice=parse_tool_choice(body),
        response_format=_chat_form(view.member(text, "format", dict)),
        instructions=view.member(body, "instructions", str) or None,
        extra=extra,
    )


def _chat_form(form: JsonObject | None) -> JsonObject | None:
    """A text format as Chat Completions writes it, which is how options hold it."""
    if form is None or form.get("type") == "text":
        return None
    if form.get("type") == "json_schema":
        view.required_string(form, "name")
        inner = {k: v for k, v in form.items() if k != "type"}
        return {"type": "json_schema", "json_schema": inner}
    if form.get("type") == "json_object":
        return {"type": "json_object"}
    raise BadRequest("'text.format' must be text, json_object or json_schema.")
