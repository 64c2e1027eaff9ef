"""The Anthropic Messages API as a view: requests of its clients, events and replies for them.

Source: Anthropic's API reference, "Messages" and "Streaming messages". A part becomes a content block
with its first content, so that blocks are numbered alike in streams and in replies. A reasoning part is
a thinking block; its signature is passed through unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from grantha.chat import (
    FilePart,
    JsonObject,
    Message,
    Options,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    Usage,
    iso_time,
    text_message,
)
from grantha.errors import BadRequest, GranthaError
from grantha.events import (
    Citation,
    Event,
    Frame,
    GenerationEnd,
    PartEnd,
    PartStart,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from grantha.wire import lenient_json
from grantha.wire.compat import view
from grantha.wire.compat.view import AnswerFold, ParsedRequest, ResponseMeta, sse_block
from grantha.wire.lenient_json import InvalidJson
from grantha.wire.signatures import REDACTED
from grantha.wire.tool_results import tool_result
from grantha.wire.tools import hosted_tool

if TYPE_CHECKING:  # types only: the server loads them with the API's description
    from grantha.wire.compat.anthropic_replies import (
        AnthropicCitation,
        AnthropicError,
        AnthropicErrorDetails,
        AnthropicErrorType,
        AnthropicModel,
        AnthropicModels,
        AnthropicUsage,
        BlockDelta,
        ContentBlock,
        MessagesEvent,
        MessagesReply,
        RedactedBlock,
        StopReason,
        TextBlock,
    )

_STOP: dict[str, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool-calls": "tool_use",
    "content-filter": "refusal",
    "refusal": "refusal",
}
# The vendor's own stop reasons that say more than ours, when the model is Anthropic's too.
_NATIVE: tuple[StopReason, ...] = ("stop_sequence", "pause_turn", "model_context_window_exceeded")
_ERROR_TYPES: dict[str, AnthropicErrorType] = {
    "unauthorized": "authentication_error",
    "missing_key": "authentication_error",
    "key_rejected": "authentication_error",
    "forbidden": "permission_error",
    "access_denied": "permission_error",
    "too_large": "request_too_large",
    "rate_limited": "rate_limit_error",
    "overloaded": "overloaded_error",
    "quota_exhausted": "billing_error",
    "content_blocked": "invalid_request_error",
    "request_refused": "invalid_request_error",
}
_EFFORTS = ((2048, "low"), (8192, "medium"))  # upper bounds of the efforts, in thinking tokens
_EXTRA: view.MemberTypes = {"thinking": dict, "top_k": int, "metadata": dict, "service_tier": str}
# Blocks that the vendor's own tools leave in a conversation. Other vendors' models can't read them.
_VENDOR_BLOCKS = frozenset(
    {
        "server_tool_use", "web_search_tool_result", "web_fetch_tool_result",
        "code_execution_tool_result", "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result", "tool_search_tool_result", "tool_reference",
        "mcp_tool_use", "mcp_tool_result", "container_upload", "compaction",
    }
)  # fmt: skip
# By this code Anthropic's clients go on without threads, if their user allows it.
_NO_THREADS: Literal["thread_unsupported_request"] = "thread_unsupported_request"
UNSUPPORTED = {
    "mcp_servers": "no server-side tools run here",
    "container": "no code runs here",
}


def parse_request(body: JsonObject) -> ParsedRequest:
    """A request's body. Raises `BadRequest` that names the member."""
    if view.positive_integer(body, "max_tokens") is None:
        raise BadRequest("'max_tokens' is missing.")
    view.reject_members(body, UNSUPPORTED)
    if body.get("thread") is not None:
        raise BadRequest(
            "'thread' isn't supported here: send the full conversation.", native=_NO_THREADS
        )
    messages = [_message(message) for message in view.objects(body, "messages")]
    if system := _system(body.get("system")):
        messages.insert(0, text_message("system", system))
    return ParsedRequest(
        messages=view.require_prompt(messages),
        options=_options(body),
        model=view.member(body, "model", str),
        stream=view.member(body, "stream", bool, False),
    )


class MessagesStream:
    """`message_start`, content blocks one after another, `message_delta`, `message_stop`.

    Vendors may write several tool calls at a time. A block that is begun while another is open waits,
    with all that it holds, until that one is complete.
    """

    def __init__(self, meta: ResponseMeta) -> None:
        self._meta = meta
        self._begun = False
        self._starts: dict[int, PartStart] = {}
        self._open: int | None = None  # the part whose block is open
        self._arguments: list[str] = []  # of the open block, if it is a call
        self._block_count = 0
        self._waiting: dict[int, list[Event]] = {}  # part -> what its block will hold, in order
        self._sources: dict[int, list[Citation]] = {}  # of texts that haven't begun

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The events of frames."""
        return "".join([text for frame in frames for text in self._frame(frame)]).encode()

    def _frame(self, frame: Frame) -> list[str]:
        event, at = frame.event, str(frame.id)
        blocks = [] if self._begun else self._begin(at)
        match event:
            case PartStart():
                self._starts[event.part] = event
                if event.part_kind == "tool-call":
                    blocks += self._content(event, event.part, at)
            case TextDelta() | ReasoningDelta() | ToolCallDelta() | Citation():
                blocks += self._content(event, event.part, at)
            case PartEnd():
                blocks += self._content(event, event.part, at)
            case GenerationEnd():
                blocks += self._end(event, at)
            case _:
                pass
        return blocks

    def _content(self, event: Event, part: int, at: str) -> list[str]:
        """Writes an event of a part, or queues it behind the block that is open."""
        if isinstance(event, Citation) and part not in self._waiting:
            return self._write(event, part, at)  # one that comes before its text opens no block
        if self._open in {None, part}:
            return [*self._write(event, part, at), *self._next(at)]
        if part in self._waiting or not self._is_complete():
            self._waiting.setdefault(part, []).append(event)
            return []
        return [*self._close(at), *self._write(event, part, at), *self._next(at)]

    def _next(self, at: str) -> list[str]:
        """What waited, once no block is open."""
        blocks: list[str] = []
        while self._open is None and self._waiting:
            part = min(self._waiting)
            for event in self._waiting.pop(part):
                blocks += self._write(event, part, at)
        return blocks

    def _is_complete(self) -> bool:
        """Whether nothing more can come for the open block: its arguments are a whole object."""
        if not self._arguments:
            return False
        try:
            return isinstance(lenient_json.loads("".join(self._arguments)), dict)
        except InvalidJson:
            return False

    def _write(self, event: Event, part: int, at: str) -> list[str]:
        match event:
            case PartStart():
                return self._begin_block(part, at)
            case TextDelta():
                begun = self._open == part
                blocks = self._delta(part, {"type": "text_delta", "text": event.text}, at)
                for source in [] if begun else self._sources.pop(part, []):
                    blocks += self._write(source, part, at)
                return blocks
            case ReasoningDelta():
                return self._reasoning(event, at)
            case ToolCallDelta() if event.arguments and self._open == part:
                self._arguments.append(event.arguments)
                return self._delta(
                    part, {"type": "input_json_delta", "partial_json": event.arguments}, at
                )
            case Citation(url=str()):
                if self._open != part:
                    self._sources.setdefault(part, []).append(event)
                    return []
                return self._delta(
                    part, {"type": "citations_delta", "citation": _citation(event)}, at
                )
            case PartEnd() if self._open == part:
                return self._close(at)
            case _:
                return []

    def _begin(self, at: str) -> list[str]:
        self._begun = True
        message: MessagesReply = {
            "id": f"msg_{self._meta.id}",
            "type": "message",
            "role": "assistant",
            "model": self._meta.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _usage(None),
        }
        return [
            _event({"type": "message_start", "message": message}, at),
            _event({"type": "ping"}, at),
        ]

    def _reasoning(self, event: ReasoningDelta, at: str) -> list[str]:
        signature = event.signature or ""
        if signature.startswith(REDACTED) and event.part != self._open and not event.text:
            return self._begin_block(event.part, at, _redacted(signature))
        blocks = []
        if event.text:
            block_delta: BlockDelta = {"type": "thinking_delta", "thinking": event.text}
            blocks += self._delta(event.part, block_delta, at)
        if signature:
            signed: BlockDelta = {"type": "signature_delta", "signature": signature}
            blocks += self._delta(event.part, signed, at)
        return blocks

    def _delta(self, part: int, delta: BlockDelta, at: str) -> list[str]:
        blocks = [] if part == self._open else self._begin_block(part, at)
        index = self._block_count - 1
        return [
            *blocks,
            _event({"type": "content_block_delta", "index": index, "delta": delta}, at),
        ]

    def _begin_block(self, part: int, at: str, block: ContentBlock | None = None) -> list[str]:
        opened = block or _opened(self._starts.get(part) or PartStart(part, "text"))
        index = self._block_count
        self._open = part
        self._block_count += 1
        return [
            _event({"type": "content_block_start", "index": index, "content_block": opened}, at)
        ]

    def _close(self, at: str) -> list[str]:
        if self._open is None:
            return []
        self._open = None
        self._arguments.clear()
        return [_event({"type": "content_block_stop", "index": self._block_count - 1}, at)]

    def _end(self, end: GenerationEnd, at: str) -> list[str]:
        blocks = self._close(at)
        while self._waiting:
            blocks += [*self._next(at), *self._close(at)]
        error = view.end_error(end)
        if error is not None:
            return [*blocks, _event({"type": "error", "error": _error(error)}, at)]
        delta: MessagesEvent = {
            "type": "message_delta",
            "delta": {"stop_reason": _stop_reason(end), "stop_sequence": end.stop_sequence},
            "usage": _usage(end.usage),
        }
        return [*blocks, _event(delta, at), _event({"type": "message_stop"}, at)]


def response_body(meta: ResponseMeta, answer: AnswerFold) -> MessagesReply:
    """The whole answer, which has ended."""
    end = answer.end
    return {
        "id": f"msg_{meta.id}",
        "type": "message",
        "role": "assistant",
        "model": meta.model,
        "content": [_block(part, _sources(answer, number)) for number, part in answer.numbered()],
        "stop_reason": _stop_reason(end) if end else None,
        "stop_sequence": end.stop_sequence if end else None,
        "usage": _usage(end.usage if end else None),
    }


def model_list(cards: Sequence[tuple[str, str, int]]) -> AnthropicModels:
    """The list of models, from (id, owner, made in seconds)."""
    rows: list[AnthropicModel] = [
        {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": iso_time(made * 1000),
        }
        for name, _, made in cards
    ]
    ids = [name for name, _, _ in cards]
    return {
        "data": rows,
        "has_more": False,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }


def error_body(error: GranthaError) -> AnthropicError:
    """An error before the first event, in Anthropic's form."""
    return {"type": "error", "error": _error(error.to_json())}


# ---- helpers below -------------------------------------------------------------------------------


def _event(event: MessagesEvent, at: str) -> str:
    return sse_block(event, event=event["type"], id=at)


def _opened(start: PartStart) -> ContentBlock:
    if start.part_kind == "tool-call":
        call_id = start.call_id or f"toolu_{start.part}"
        return {"type": "tool_use", "id": call_id, "name": start.name or "", "input": {}}
    if start.part_kind == "reasoning":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}


def _block(part: Part, sources: list[AnthropicCitation]) -> ContentBlock:
    match part:
        case ReasoningPart(text="", signature=str(signature)) if signature.startswith(REDACTED):
            return _redacted(signature)
        case ReasoningPart():
            return {
                "type": "thinking",
                "thinking": part.text,
                "signature": part.signature or "",
            }
        case ToolCallPart():
            return {
                "type": "tool_use",
                "id": part.call_id,
                "name": part.name,
                "input": view.parse_arguments(part.arguments),
            }
        case TextPart():
            text: TextBlock = {"type": "text", "text": part.text}
            if sources:
                text["citations"] = sources
            return text
        case _:
            raise TypeError(f"an answer holds no {part.type} part")


def _redacted(signature: str) -> RedactedBlock:
    return {"type": "redacted_thinking", "data": signature.removeprefix(REDACTED)}


def _sources(answer: AnswerFold, part: int) -> list[AnthropicCitation]:
    cited = [source.citation for source in answer.sources if source.citation.part == part]
    return [_citation(citation) for citation in cited if citation.url is not None]


def _citation(citation: Citation) -> AnthropicCitation:
    return {
        "type": "web_search_result_location",
        "url": citation.url or "",
        "title": citation.title,
        "cited_text": citation.quoted or "",
        "encrypted_index": "",
    }


def _stop_reason(end: GenerationEnd) -> StopReason:
    for native in _NATIVE:
        if native == end.native_finish_reason:
            return native
    return _STOP.get(end.finish_reason or "stop", "end_turn")


def _usage(usage: Usage | None) -> AnthropicUsage:
    """Anthropic's `input_tokens` leave out what was read from a cache or written to one.

    Its clients require numbers for input and output; the rest may be null.
    """
    cached = usage.cached_input_tokens if usage else None
    written = usage.cache_write_tokens if usage else None
    given = (usage.input_tokens if usage else None) or 0
    return {
        "input_tokens": max(0, given - (cached or 0) - (written or 0)),
        "output_tokens": (usage.output_tokens if usage else None) or 0,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written,
    }


def _error(error: JsonObject) -> AnthropicErrorDetails:
    code = str(error.get("code"))
    kind = _ERROR_TYPES.get(code)
    if kind is None and (code.startswith("unknown_") or code in {"not_found", "model_not_found"}):
        kind = "not_found_error"
    if kind is None:
        kind = "invalid_request_error" if error.get("fault") == "caller" else "api_error"
    text = view.error_text(error)
    if code == "context_overflow":
        # Agents recognise by these words that they must shorten the conversation.
        kind, text = "invalid_request_error", f"prompt is too long: {text}"
    details: AnthropicErrorDetails = {"type": kind, "message": text}
    if error.get("native") == _NO_THREADS:
        details["details"] = {"error_code": _NO_THREADS}
    return details


def _system(system: Any) -> str:
    parts = [] if system is None else _content(system, "system")
    if not all(isinstance(part, TextPart) for part in parts):
        raise BadRequest("'system' must be text or a list of text blocks.")
    return "\n\n".join(part.text for part in parts if isinstance(part, TextPart))


def _message(body: JsonObject) -> Message:
    role = view.parse_role(body, view.MESSAGE_ROLES)
    return Message(role, tuple(_content(body.get("content"))))


def _content(content: Any, name: str = "content") -> list[Part]:
    if isinstance(content, str):
        return [TextPart(content)] if content else []
    if not isinstance(content, list):
        raise BadRequest(f"{name!r} must be text or a list of blocks.")
    return [part for block in view.objects({name: content}, name) for part in _parts(block)]


def _parts(block: JsonObject) -> list[Part]:
    if str(block.get("type")) in _VENDOR_BLOCKS:
        return []
    if block.get("type") == "document":
        return _document(block)
    if block.get("type") != "tool_result":
        return [_part(block)]
    content = block.get("content")
    return tool_result(
        view.required_string(block, "tool_use_id"),
        [] if content is None else _content(content),
        is_error=view.member(block, "is_error", bool, False),
    )


def _part(block: JsonObject) -> Part:
    match block.get("type"):
        case "text":
            return TextPart(view.member(block, "text", str, ""))
        case "thinking":
            return ReasoningPart(
                view.member(block, "thinking", str, ""), view.member(block, "signature", str)
            )
        case "redacted_thinking":
            return ReasoningPart("", REDACTED + view.required_string(block, "data"))
        case "tool_use":
            arguments = view.compact_json(view.member(block, "input", dict, {}))
            return ToolCallPart(
                view.required_string(block, "id"), view.required_string(block, "name"), arguments
            )
        case "image":
            return _image(view.member(block, "source", dict, {}))
        case other:
            raise BadRequest(f"'content' of type {str(other)[:40]!r} can't be sent.")


def _image(source: JsonObject) -> Part:
    match source.get("type"):
        case "base64":
            media = view.member(source, "media_type", str, "")
            return view.image(media, view.required_string(source, "data"))
        case "url":
            return view.image_from_url(view.required_string(source, "url"))
        case other:
            raise _no_source("An image", other)


def _document(block: JsonObject) -> list[Part]:
    """A document, or what it is made of."""
    source = view.member(block, "source", dict, {})
    title = view.member(block, "title", str, "document")
    match source.get("type"):
        case "text":
            return [FilePart(title, "text/plain", view.member(source, "data", str, ""))]
        case "base64":
            media = view.member(source, "media_type", str, "")
            return [view.document(title, media, view.required_string(source, "data"))]
        case "url":
            return [view.document_from_url(title, view.required_string(source, "url"))]
        case "content":
            parts = _content(source.get("content"), "source.content")
            text = FilePart(title, "text/plain", view.text_of(parts))
            return [text, *[part for part in parts if not isinstance(part, TextPart)]]
        case other:
            raise _no_source("A document", other)


def _no_source(kind: str, source: Any) -> BadRequest:
    return BadRequest(
        f"{kind}'s 'source' of type {str(source)[:40]!r} can't be sent: files aren't stored here.",
        advice="Send it as base64 or by URL.",
    )


def _options(body: JsonObject) -> Options:
    output = view.member(body, "output_config", dict, {})
    return Options(
        temperature=view.number(body, "temperature", 0, 1),
        top_p=view.number(body, "top_p", 0, 1),
        max_tokens=view.positive_integer(body, "max_tokens"),
        stop=view.strings(body, "stop_sequences"),
        reasoning_effort=view.member(output, "effort", str)
        or _effort(view.member(body, "thinking", dict, {})),
        tools=tuple(_tool(tool) for tool in view.objects(body, "tools")),
        tool_choice=_choice(view.member(body, "tool_choice", dict)),
        response_format=_format(view.member(output, "format", dict)),
        extra={
            **view.pick_members(body, _EXTRA),
            **_parallel(view.member(body, "tool_choice", dict)),
        },
    )


def _parallel(choice: JsonObject | None) -> dict[str, Any]:
    one_at_a_time = choice and view.member(choice, "disable_parallel_tool_use", bool)
    return {"parallel_tool_calls": False} if one_at_a_time else {}


def _effort(thinking: JsonObject) -> str | None:
    """The reasoning effort for other vendors' models; Anthropic's own get `thinking` unchanged."""
    match thinking.get("type"):
        case "disabled":
            return "none"
        case "enabled":
            budget = view.positive_integer(thinking, "budget_tokens") or 0
            return next((effort for most, effort in _EFFORTS if budget <= most), "high")
        case _:
            return None


def _format(form: JsonObject | None) -> JsonObject | None:
    if form is None:
        return None
    if form.get("type") != "json_schema":
        raise BadRequest("'output_config.format' must be a json_schema.")
    schema = {"name": "answer", "schema": view.member(form, "schema", dict, {})}
    return {"type": "json_schema", "json_schema": schema}


def _tool(tool: JsonObject) -> JsonObject:
    if view.member(tool, "type", str, "custom") != "custom":
        return hosted_tool("anthropic", tool)
    found: dict[str, Any] = {
        "name": view.required_string(tool, "name"),
        "parameters": view.member(tool, "input_schema", dict, {}),
    }
    if description := view.member(tool, "description", str):
        found["description"] = description
    return found


def _choice(choice: JsonObject | None) -> str | JsonObject | None:
    if choice is None:
        return None
    kinds = {"auto": "auto", "any": "required", "none": "none"}
    kind = view.member(choice, "type", str)
    if kind == "tool":
        return {"name": view.required_string(choice, "name")}
    if kind not in kinds:
        raise BadRequest("'tool_choice' must be of type auto, any, none or tool.")
    return kinds[kind]
