"""The OpenAI Chat Completions API as a view: requests of its clients, chunks and replies for them.

Source: OpenAI's API reference, "Chat Completions". Only one choice (`n` = 1). Beyond the reference,
`reasoning_content` carries reasoning, as most compatible hosts have it, and SSE ids are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from grantha.chat import (
    JsonDict,
    JsonObject,
    Message,
    Options,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    Usage,
)
from grantha.errors import BadRequest, GranthaError
from grantha.events import (
    Citation,
    Frame,
    GenerationEnd,
    PartEnd,
    PartStart,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from grantha.wire.compat import view
from grantha.wire.compat.view import (
    AnswerFold,
    CitationOffsets,
    ParsedRequest,
    PlacedCitation,
    ResponseMeta,
    sse_block,
)
from grantha.wire.tool_results import tool_result
from grantha.wire.tools import (
    Api,
    custom_arguments,
    custom_input,
    custom_tool,
    functions,
    hosted_tool,
    namespaced_tool,
    origin_of,
)

if TYPE_CHECKING:  # types only: the server loads them with the API's description
    from grantha.wire.compat.openai_chat_replies import (
        ChatAnnotation,
        ChatAnswer,
        ChatCall,
        ChatCallDelta,
        ChatChoice,
        ChatChunk,
        ChatChunkChoice,
        ChatCustomCall,
        ChatDelta,
        ChatFinishReason,
        ChatLogprobs,
        ChatReply,
        ChatUsage,
        OpenAiError,
        OpenAiErrorDetails,
        OpenAiErrorType,
        OpenAiModel,
        OpenAiModels,
    )

_FINISH: dict[str, ChatFinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool-calls": "tool_calls",
    "content-filter": "content_filter",
    "refusal": "content_filter",
}
_ERROR_CODES = {
    "context_overflow": "context_length_exceeded",
    "quota_exhausted": "insufficient_quota",
    "rate_limited": "rate_limit_exceeded",
    "key_rejected": "invalid_api_key",
    "content_blocked": "content_filter",
}
_ERROR_TYPES: dict[str, OpenAiErrorType] = {
    "context_overflow": "invalid_request_error",
    "content_blocked": "invalid_request_error",
    "request_refused": "invalid_request_error",
    "model_not_found": "invalid_request_error",
    "quota_exhausted": "insufficient_quota",
    "rate_limited": "rate_limit_error",
    "key_rejected": "authentication_error",
    "missing_key": "authentication_error",
    "access_denied": "permission_error",
    "overloaded": "overloaded_error",
}
_EXTRA: view.MemberTypes = {
    "frequency_penalty": view.NUMBER_TYPES,
    "presence_penalty": view.NUMBER_TYPES,
    "logit_bias": dict,
    "logprobs": bool,
    "top_logprobs": int,
    "parallel_tool_calls": bool,
    "user": str,
    "service_tier": str,
    "verbosity": str,
    "metadata": dict,
    "prompt_cache_key": str,
    # Not OpenAI's own: compatible hosts support them and clients send them.
    "top_k": int,
    "min_p": view.NUMBER_TYPES,
    "repetition_penalty": view.NUMBER_TYPES,
}
UNSUPPORTED = {
    "functions": "send 'tools'",
    "function_call": "send 'tool_choice'",
    "audio": "answers are text",
    "web_search_options": "no search runs here",
}
ROLES = {**view.MESSAGE_ROLES, "developer": view.MESSAGE_ROLES["system"]}


def parse_request(body: JsonObject) -> ParsedRequest:
    """A request's body. Raises `BadRequest` that names the member."""
    if view.member(body, "n", int, 1) != 1:
        raise BadRequest("'n' must be 1: send several requests for several answers.")
    view.reject_members(body, UNSUPPORTED)
    if set(view.strings(body, "modalities")) - {"text"}:
        raise BadRequest("'modalities' must be [\"text\"]: answers are text.")
    stream_options = view.member(body, "stream_options", dict, {})
    messages = [_message(m) for m in view.objects(body, "messages")]
    return ParsedRequest(
        messages=view.require_prompt(messages),
        options=_options(body),
        model=view.member(body, "model", str),
        stream=view.member(body, "stream", bool, False),
        include_usage=view.member(stream_options, "include_usage", bool, False),
        store=view.member(body, "store", bool, True),
    )


class ChatStream:
    """Chunks, then `[DONE]`."""

    def __init__(self, meta: ResponseMeta, include_usage: bool = False) -> None:
        self._head: ChatChunk = {
            "id": f"chatcmpl-{meta.id}",
            "object": "chat.completion.chunk",
            "created": meta.created,
            "model": meta.model,
            "choices": [],
        }
        self._include_usage = include_usage
        self._begun = False
        self._tools: dict[int, int] = {}  # our part -> the index of the call
        self._without_arguments: set[int] = set()  # calls without arguments so far
        self._custom: dict[int, tuple[PartStart, list[str]]] = {}  # calls whose input is free text
        self._given = meta.tools
        self._offsets = CitationOffsets()

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The chunks of frames."""
        return "".join([text for frame in frames for text in self._frame(frame)]).encode()

    def _frame(self, frame: Frame) -> list[str]:
        event, at = frame.event, str(frame.id)
        match event:
            case TextDelta():
                self._offsets.advance(event)
                return self._chunk(at, {"content": event.text}, logprobs=event.logprobs)
            case ReasoningDelta(text=text) if text:
                return self._chunk(at, {"reasoning_content": text})
            case PartStart() | ToolCallDelta() | PartEnd():
                return self._tool_call(event, at)
            case Citation(url=str()):
                return self._chunk(at, {"annotations": [_annotation(self._offsets.locate(event))]})
            case GenerationEnd():
                return self._end(at, event)
            case _:
                return []

    def _tool_call(self, event: PartStart | ToolCallDelta | PartEnd, at: str) -> list[str]:
        match event:
            case PartStart(part_kind="tool-call") if _is_custom(self._given, event.name):
                self._tools[event.part] = len(self._tools)
                self._custom[event.part] = (event, [])
            case PartStart(part_kind="tool-call"):
                return self._begin_call(event, at)
            case ToolCallDelta() if event.part in self._custom:
                self._custom[event.part][1].append(event.arguments)
            case ToolCallDelta() if event.arguments and event.part in self._tools:
                return self._arguments(at, event.part, event.arguments)
            case PartEnd() if event.part in self._custom:
                return self._free_text(at, event.part)
            case PartEnd() if event.part in self._without_arguments:
                return self._arguments(at, event.part, "{}")  # clients decode them as JSON
            case _:
                pass
        return []

    def _begin_call(self, start: PartStart, at: str) -> list[str]:
        index = self._tools[start.part] = len(self._tools)
        self._without_arguments.add(start.part)
        call: ChatCallDelta = {
            "index": index,
            "id": start.call_id or f"call_{start.part}",
            "type": "function",
            "function": {"name": start.name or "", "arguments": ""},
        }
        return self._chunk(at, {"tool_calls": [call]})

    def _free_text(self, at: str, part: int) -> list[str]:
        start, fragments = self._custom.pop(part)
        call_id = start.call_id or f"call_{part}"
        call: ChatCallDelta = {
            "index": self._tools[part],
            "id": call_id,
            "type": "custom",
            "custom": {"name": start.name or "", "input": custom_input("".join(fragments))},
        }
        return self._chunk(at, {"tool_calls": [call]})

    def _arguments(self, at: str, part: int, arguments: str) -> list[str]:
        self._without_arguments.discard(part)
        call: ChatCallDelta = {
            "index": self._tools[part],
            "function": {"arguments": arguments},
        }
        return self._chunk(at, {"tool_calls": [call]})

    def _chunk(
        self,
        at: str,
        delta: ChatDelta,
        finish: ChatFinishReason | None = None,
        logprobs: Sequence[JsonObject] = (),
    ) -> list[str]:
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", "content": "", **delta}
        choice: ChatChunkChoice = {
            "index": 0,
            "delta": delta,
            "logprobs": _logprobs(logprobs),
            "finish_reason": finish,
        }
        chunk: ChatChunk = {**self._head, "choices": [choice]}
        if self._include_usage:
            chunk["usage"] = None
        return [sse_block(chunk, id=at)]

    def _end(self, at: str, end: GenerationEnd) -> list[str]:
        if (failed := end_error_body(end)) is not None:
            return [sse_block(failed, id=at), "data: [DONE]\n\n"]
        empty = sorted(self._without_arguments)
        blocks = [block for part in empty for block in self._arguments(at, part, "{}")]
        for part in sorted(self._custom):
            blocks += self._free_text(at, part)
        blocks += self._chunk(at, {}, _finish(end))
        if self._include_usage:
            usage = usage_json(end.usage) if end.usage else None
            last: ChatChunk = {**self._head, "usage": usage}
            blocks.append(sse_block(last, id=at))
        return [*blocks, "data: [DONE]\n\n"]


def response_body(meta: ResponseMeta, answer: AnswerFold) -> ChatReply:
    """The whole answer, which has ended."""
    parts = answer.parts()
    calls = view.calls_of(parts)
    text = view.text_of(parts)
    message: ChatAnswer = {
        "role": "assistant",
        "content": text if text or not calls else None,
        "refusal": None,
        "annotations": [_annotation(s) for s in answer.sources if s.citation.url is not None],
    }
    if reasoning := view.reasoning_of(parts):
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [
            _custom_call(call) if _is_custom(meta.tools, call.name) else _function_call(call)
            for call in calls
        ]
    end = answer.end
    choice: ChatChoice = {
        "index": 0,
        "message": message,
        "logprobs": _logprobs([lp for _, lps in sorted(answer.logprobs.items()) for lp in lps]),
        "finish_reason": _finish(end),
    }
    return {
        "id": f"chatcmpl-{meta.id}",
        "object": "chat.completion",
        "created": meta.created,
        "model": meta.model,
        "choices": [choice],
        "usage": usage_json(end.usage) if end and end.usage else None,
    }


def model_list(cards: Sequence[tuple[str, str, int]]) -> OpenAiModels:
    """The list of models, from (id, owner, created)."""
    rows: list[OpenAiModel] = [
        {"id": name, "object": "model", "created": created, "owned_by": owner}
        for name, owner, created in cards
    ]
    return {"object": "list", "data": rows}


def error_body(error: GranthaError) -> OpenAiError:
    """An error before the first chunk, in OpenAI's form."""
    return {"error": _error(error.to_json())}


def end_error_body(end: GenerationEnd) -> OpenAiError | None:
    """The error of an answer that isn't complete, as a line of its stream."""
    error = view.end_error(end)
    return None if error is None else {"error": _error(error)}


def openai_error_code(code: str) -> str:
    """The vendor's code for an error of ours, which tells its clients what to do; else our code."""
    return _ERROR_CODES.get(code, code)


def usage_json(usage: Usage) -> ChatUsage:
    """Usage in OpenAI's form; only called when there is one."""
    prompt, completion = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens or 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
    }


# ---- shared with the Responses API ---------------------------------------------------------------


def parse_content(content: Any) -> list[Part]:
    """Content as text or as a list of parts, of either OpenAI API."""
    if content is None:
        return []
    if isinstance(content, str):
        return [TextPart(content)] if content else []
    if not isinstance(content, list):
        raise BadRequest("'content' must be text or a list of parts.")
    return [
        found for part in view.objects({"content": content}, "content") for found in _parts(part)
    ]


def parse_tool_result(call_id: str, content: Any) -> Message:
    """A tool's result, with its images and documents."""
    return Message("tool", tuple(tool_result(call_id, parse_content(content))))


def parse_tools(body: JsonObject, api: Api) -> tuple[JsonObject, ...]:
    """The tools of a request in our form (`wire.tools`)."""
    return tuple(found for tool in view.objects(body, "tools") for found in _tools(tool, api))


def parse_tool(tool: JsonObject) -> JsonDict:
    """A function tool in our form; the Responses API has it without the nesting."""
    function = view.member(tool, "function", dict, tool)
    found: dict[str, Any] = {"name": view.required_string(function, "name")}
    if description := view.member(function, "description", str):
        found["description"] = description
    parameters = view.member(function, "parameters", dict)
    if parameters is None:  # as clients of Anthropic's write it, which some send here
        parameters = view.member(function, "input_schema", dict)
    if parameters is not None:
        found["parameters"] = parameters
    if (strict := view.member(function, "strict", bool)) is not None:
        found["strict"] = strict
    return found


def parse_tool_choice(body: JsonObject) -> str | JsonObject | None:
    """A request's tool choice in our form."""
    choice = view.member(body, "tool_choice", (str, dict))
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        inner = view.member(choice, "allowed_tools", dict, choice)
        choice = view.member(inner, "mode", str, "auto")
    if isinstance(choice, dict):
        if choice.get("type") not in (None, "function", "custom", "tool"):
            return None  # a tool that only its vendor runs
        inner = view.member(choice, "function", dict) or view.member(choice, "custom", dict, choice)
        name = inner.get("name")
        if not isinstance(name, str) or not name:
            raise BadRequest("'tool_choice' names no function.")
        return {"name": name}
    if choice not in {None, "auto", "none", "required"}:
        raise BadRequest("'tool_choice' must be auto, none, required, or name a function.")
    return None if choice is None else str(choice)


# ---- helpers below -------------------------------------------------------------------------------


def _is_custom(tools: Sequence[JsonObject], name: str | None) -> bool:
    return origin_of(tools, name).get("kind") == "custom"


def _function_call(call: ToolCallPart) -> ChatCall:
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _custom_call(call: ToolCallPart) -> ChatCustomCall:
    return {
        "id": call.call_id,
        "type": "custom",
        "custom": {"name": call.name, "input": custom_input(call.arguments)},
    }


def _finish(end: GenerationEnd | None) -> ChatFinishReason:
    # The API has no reason for a stopped answer: for its client it simply ended.
    return _FINISH.get((end.finish_reason if end else None) or "stop", "stop")


def _logprobs(found: Sequence[JsonObject]) -> ChatLogprobs | None:
    return {"content": view.logprobs(found), "refusal": None} if found else None


def _annotation(source: PlacedCitation) -> ChatAnnotation:
    return {
        "type": "url_citation",
        "url_citation": {
            "start_index": source.text_offset,
            "end_index": source.text_offset,
            "url": source.citation.url or "",
            "title": source.citation.title or "",
        },
    }


def _error(error: JsonObject) -> OpenAiErrorDetails:
    code = str(error.get("code"))
    kind = _ERROR_TYPES.get(code)
    if kind is None:
        kind = "invalid_request_error" if error.get("fault") == "caller" else "api_error"
    return {
        "message": view.error_text(error),
        "type": kind,
        "param": None,
        "code": openai_error_code(code),
    }


def _message(body: JsonObject) -> Message:
    if body.get("role") == "tool":
        return parse_tool_result(view.required_string(body, "tool_call_id"), body.get("content"))
    role = view.parse_role(body, ROLES)
    parts = parse_content(body.get("content"))
    reasoning = view.member(body, "reasoning_content", str, "")
    if reasoning:
        parts.insert(0, ReasoningPart(reasoning))
    parts.extend(_call(call) for call in view.objects(body, "tool_calls"))
    return Message(role, tuple(parts))


def _parts(part: JsonObject) -> list[Part]:
    if part.get("type") != "tool_result":
        return [_part(part)]
    return tool_result(  # Anthropic's block, which some clients send here
        view.required_string(part, "tool_use_id"),
        parse_content(part.get("content")),
        is_error=view.member(part, "is_error", bool, False),
    )


def _part(part: JsonObject) -> Part:
    match part.get("type"):
        case "text" | "input_text" | "output_text":
            return TextPart(view.member(part, "text", str, ""))
        case "refusal":
            return TextPart(view.member(part, "refusal", str, ""))
        case "image_url" | "input_image":
            _refuse_file_id(part)
            url = view.member(part, "image_url", (dict, str), "")
            return view.image_from_url(
                url if isinstance(url, str) else view.member(url, "url", str, "")
            )
        case "tool_use":  # Anthropic's blocks
            return ToolCallPart(
                view.required_string(part, "id"),
                view.required_string(part, "name"),
                view.compact_json(view.member(part, "input", dict, {})),
            )
        case "thinking":
            return ReasoningPart(view.member(part, "thinking", str, ""))
        case "file":
            return _file(view.member(part, "file", dict, {}))
        case "input_file":
            return _file(part)
        case other:
            raise BadRequest(f"'content' of type {str(other)[:40]!r} can't be sent.")


def _file(body: JsonObject) -> Part:
    _refuse_file_id(body)
    name = view.member(body, "filename", str, "file")
    url = view.member(body, "file_data", str) or view.member(body, "file_url", str)
    if not url:
        raise BadRequest("A file has neither 'file_data' nor 'file_url'.")
    return view.document_from_url(name, url)


def _refuse_file_id(body: JsonObject) -> None:
    view.reject_members(body, {"file_id": "files aren't stored here; send 'file_data' or a URL"})


def _tools(tool: JsonObject, api: Api) -> list[JsonDict]:
    kind = view.member(tool, "type", str, "function")
    match kind:
        case "function":
            return [parse_tool(tool)]
        case "custom":
            custom = view.member(tool, "custom", dict, tool)
            description = view.member(custom, "description", str)
            return [custom_tool(view.required_string(custom, "name"), description, tool)]
        case "namespace":
            namespace = view.required_string(tool, "name")
            inner = parse_tools(tool, api)
            return [namespaced_tool(namespace, function) for function in functions(inner)]
        case _:
            return [hosted_tool(api, tool)]


def _call(call: JsonObject) -> ToolCallPart:
    if call.get("type") == "custom":
        custom = view.member(call, "custom", dict, {})
        return ToolCallPart(
            view.member(call, "id", str, ""),
            view.required_string(custom, "name"),
            custom_arguments(view.member(custom, "input", str, "")),
        )
    function = view.member(call, "function", dict, {})
    arguments = view.member(function, "arguments", (str, dict), "{}")
    return ToolCallPart(
        view.member(call, "id", str, ""),
        view.required_string(function, "name"),
        arguments if isinstance(arguments, str) else view.compact_json(arguments),
    )


def _options(body: JsonObject) -> Options:
    return Options(
        temperature=view.number(body, "temperature", 0, 2),
        top_p=view.number(body, "top_p", 0, 1),
        max_tokens=view.positive_integer(body, "max_completion_tokens")
        or view.positive_integer(body, "max_tokens"),
        stop=view.strings(body, "stop"),
        seed=view.integer(body, "seed"),
        reasoning_effort=view.member(body, "reasoning_effort", str),
        tools=parse_tools(body, "openai-chat"),
        tool_choice=parse_tool_choice(body),
        response_format=_format(view.member(body, "response_format", dict)),
        extra=view.pick_members(body, _EXTRA),
    )


def _format(form: JsonObject | None) -> JsonObject | None:
    if form is None:
        return None
    kind = view.required_string(form, "type")
    if kind not in {"text", "json_object", "json_schema"}:
        raise BadRequest("'response_format' must be text, json_object or json_schema.")
    if kind == "json_schema":
        view.required_string(view.member(form, "json_schema", dict, {}), "name")
    return form
