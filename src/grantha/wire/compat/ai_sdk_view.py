"""The AI SDK's UI message stream, version 1, as a view, and the body its chat transport sends.

Source: AI SDK documentation, "Stream protocols: data stream protocol". Parts are named by our numbers.
Signatures travel as provider metadata, which the SDK keeps with a part and sends back. The options of
its `streamText` are accepted in the body, by the same names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from grantha.chat import (
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
from grantha.wire import lenient_json
from grantha.wire.compat import view
from grantha.wire.compat.view import ParsedRequest, ResponseMeta, sse_block
from grantha.wire.lenient_json import InvalidJson

if TYPE_CHECKING:  # types only: the server loads them with the API's description
    from grantha.wire.compat.ai_sdk_replies import (
        UiChunk,
        UiError,
        UiFinish,
        UiFinishReason,
        UiPartDelta,
        UiPartEnd,
        UiProviderMetadata,
        UiSource,
        UiToolInput,
        UiToolInputError,
    )

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
_MAX_ID_LENGTH = 200
_METADATA_KEY: Final = "grantha"  # the name our metadata has among the providers'
_DONE = "data: [DONE]\n\n"
_FINISH: dict[str, UiFinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool-calls": "tool-calls",
    "content-filter": "content-filter",
    "refusal": "content-filter",
}


def parse_request(body: JsonObject) -> ParsedRequest:
    """A request's body. Raises `BadRequest` that names the member."""
    messages = [m for ui in view.objects(body, "messages") for m in _messages(ui)]
    if system := view.member(body, "system", str):
        messages.insert(0, text_message("system", system))
    wanted = view.require_prompt(messages)
    return ParsedRequest(wanted, _options(body), view.member(body, "model", str), True)


def chat_id(body: JsonObject) -> str:
    """The id of the chat that a request belongs to. Raises `BadRequest`."""
    chat = view.required_string(body, "id")
    if len(chat) > _MAX_ID_LENGTH:
        raise BadRequest(f"'id' is longer than {_MAX_ID_LENGTH} characters.")
    return chat


def message_to_extend(body: JsonObject) -> str | None:
    """The id of the client's message that the answer extends: its last, after tool results."""
    last = view.objects(body, "messages")[-1:]
    ours = [message for message in last if message.get("role") == "assistant"]
    return view.member(ours[0], "id", str) if ours else None


class UiStream:
    """UI message chunks, then `[DONE]`. `message` names the message, if it isn't a new one."""

    def __init__(self, meta: ResponseMeta, message: str | None = None) -> None:
        self._meta = meta
        self._message = message or meta.id
        self._begun = False
        self._open: dict[int, PartStart] = {}
        self._arguments: dict[int, list[str]] = {}
        self._signatures: dict[int, str] = {}

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """The chunks of some frames."""
        return "".join([text for frame in frames for text in self._frame(frame)]).encode()

    def _frame(self, frame: Frame) -> list[str]:
        at = str(frame.id)
        chunks = [] if self._begun else self._begin()
        chunks += self._chunks(frame)
        ended = isinstance(frame.event, GenerationEnd)
        return [sse_block(chunk, id=at) for chunk in chunks] + ([_DONE] if ended else [])

    def _begin(self) -> list[UiChunk]:
        self._begun = True
        return [
            {
                "type": "start",
                "messageId": self._message,
                "messageMetadata": {"generation": self._meta.id, "model": self._meta.model},
            },
            {"type": "start-step"},
        ]

    def _chunks(self, frame: Frame) -> list[UiChunk]:
        event = frame.event
        match event:
            case PartStart():
                return [self._start(event)]
            case TextDelta():
                return [{"type": "text-delta", "id": str(event.part), "delta": event.text}]
            case ReasoningDelta():
                self._sign(event.part, event.signature)
                delta: UiPartDelta = {
                    "type": "reasoning-delta",
                    "id": str(event.part),
                    "delta": event.text,
                }
                return [delta] if event.text else []
            case ToolCallDelta():
                self._sign(event.part, event.signature)
                self._arguments.setdefault(event.part, []).append(event.arguments)
                call, fragment = self._call_id(event.part), event.arguments
                return [
                    {"type": "tool-input-delta", "toolCallId": call, "inputTextDelta": fragment}
                ]
            case PartEnd():
                return self._close(event.part)
            case Citation(url=str(url)):
                source: UiSource = {"type": "source-url", "sourceId": str(frame.id), "url": url}
                if event.title:
                    source["title"] = event.title
                return [source]
            case GenerationEnd():
                return self._end(event)
            case _:
                return []

    def _start(self, start: PartStart) -> UiChunk:
        self._open[start.part] = start
        match start.part_kind:
            case "text":
                return {"type": "text-start", "id": str(start.part)}
            case "reasoning":
                return {"type": "reasoning-start", "id": str(start.part)}
            case "tool-call":
                call = self._call_id(start.part)
                return {
                    "type": "tool-input-start",
                    "toolCallId": call,
                    "toolName": start.name or "",
                }

    def _close(self, part: int) -> list[UiChunk]:
        call_id = self._call_id(part)
        start = self._open.pop(part, None)
        if start is None:
            return []
        signature = self._signatures.pop(part, None)
        metadata: UiProviderMetadata | None = (
            {_METADATA_KEY: {"signature": signature}} if signature else None
        )
        if start.part_kind == "tool-call":
            return [self._tool_input(call_id, start.name or "", part, metadata)]
        end: UiPartEnd = {
            "type": "text-end" if start.part_kind == "text" else "reasoning-end",
            "id": str(part),
        }
        if metadata:
            end["providerMetadata"] = metadata
        return [end]

    def _tool_input(
        self, call_id: str, name: str, part: int, metadata: UiProviderMetadata | None
    ) -> UiChunk:
        text = "".join(self._arguments.pop(part, [])) or "{}"
        chunk: UiToolInput | UiToolInputError
        try:
            chunk = {
                "type": "tool-input-available",
                "toolCallId": call_id,
                "toolName": name,
                "input": lenient_json.loads(text),
            }
        except InvalidJson:
            chunk = {
                "type": "tool-input-error",
                "toolCallId": call_id,
                "toolName": name,
                "input": text,
                "errorText": "The arguments aren't JSON.",
            }
        if metadata:
            chunk["providerMetadata"] = metadata
        return chunk

    def _end(self, end: GenerationEnd) -> list[UiChunk]:
        chunks = [chunk for part in sorted(self._open) for chunk in self._close(part)]
        error = view.end_error(end)
        if error is not None:
            return [*chunks, {"type": "error", "errorText": view.error_text(error)}]
        if end.ending == "stopped":
            return [*chunks, {"type": "abort"}]
        finish: UiFinish = {
            "type": "finish",
            "finishReason": _FINISH.get(end.finish_reason or "", "other"),
            "messageMetadata": {"sha256": end.sha256},
        }
        if end.usage is not None:
            finish["messageMetadata"]["usage"] = end.usage.to_json()
        return [*chunks, {"type": "finish-step"}, finish]

    def _sign(self, part: int, signature: str | None) -> None:
        if signature:
            self._signatures[part] = signature

    def _call_id(self, part: int) -> str:
        start = self._open.get(part)
        return (start.call_id if start else None) or f"call_{part}"


def error_body(error: GranthaError) -> UiError:
    """An error before the first chunk: the transport shows the body's text."""
    return {"error": view.error_text(error.to_json()), "code": error.code}


# ---- helpers below -------------------------------------------------------------------------------


def _options(body: JsonObject) -> Options:
    return Options(
        temperature=view.number(body, "temperature", 0, 2),
        top_p=view.number(body, "topP", 0, 1),
        max_tokens=view.positive_integer(body, "maxOutputTokens"),
        stop=view.strings(body, "stopSequences"),
        seed=view.integer(body, "seed"),
        reasoning_effort=view.member(body, "reasoning", str),
        tools=_tools(view.member(body, "tools", dict, {})),
        tool_choice=_choice(view.member(body, "toolChoice", (str, dict))),
    )


def _tools(tools: JsonObject) -> tuple[JsonObject, ...]:
    found = []
    for name, tool in tools.items():
        if not name or not isinstance(tool, dict):
            raise BadRequest("'tools' must be an object of named tools.")
        described = {"name": name, "parameters": view.member(tool, "inputSchema", dict, {})}
        if description := view.member(tool, "description", str):
            described["description"] = description
        found.append(described)
    return tuple(found)


def _choice(choice: str | JsonObject | None) -> str | JsonObject | None:
    if choice is None or isinstance(choice, str):
        if choice not in {None, "auto", "none", "required"}:
            raise BadRequest("'toolChoice' must be auto, none, required, or name a tool.")
        return choice
    return {"name": view.required_string(choice, "toolName")}


def _messages(ui: JsonObject) -> list[Message]:
    """A UI message as ours. One of an assistant holds several steps, each with its tools' results."""
    step = _Step(view.parse_role(ui, view.MESSAGE_ROLES))
    for part in view.objects(ui, "parts"):
        if part.get("type") == "step-start":
            step.close()
        else:
            step.take(part)
    step.close()
    return step.messages


class _Step:
    def __init__(self, role: Role) -> None:
        self.messages: list[Message] = []
        self._role = role
        self._parts: list[Part] = []
        self._results: list[Part] = []

    def take(self, part: JsonObject) -> None:
        kind = view.required_string(part, "type")
        if kind == "text":
            self._parts.append(TextPart(view.member(part, "text", str, "")))
        elif kind == "reasoning":
            text = view.member(part, "text", str, "")
            self._parts.append(ReasoningPart(text, _signature(part, "providerMetadata")))
        elif kind == "file":
            self._parts.append(_file(part))
        elif kind.startswith("tool-") or kind == "dynamic-tool":
            self._tool(part, view.member(part, "toolName", str) or kind.removeprefix("tool-"))
        # Sources, and data parts that an application shows, aren't part of the message.

    def close(self) -> None:
        if self._parts:
            self.messages.append(Message(self._role, tuple(self._parts)))
        if self._results:
            self.messages.append(Message("tool", tuple(self._results)))
        self._parts, self._results = [], []

    def _tool(self, part: JsonObject, name: str) -> None:
        call = view.required_string(part, "toolCallId")
        arguments = view.compact_json(part["input"] if part.get("input") is not None else {})
        signature = _signature(part, "callProviderMetadata")
        self._parts.append(ToolCallPart(call, name, arguments, signature))
        state = part.get("state")
        if state == "output-available":
            output = part.get("output")
            text = output if isinstance(output, str) else view.compact_json(output)
            self._results.append(ToolResultPart(call, text))
        elif state == "output-error":
            text = view.member(part, "errorText", str, "")
            self._results.append(ToolResultPart(call, text, is_error=True))


def _file(part: JsonObject) -> Part:
    media, url = view.member(part, "mediaType", str, ""), view.member(part, "url", str, "")
    if media.startswith("image/"):
        return view.image_from_url(url)
    return view.document_from_url(view.member(part, "filename", str, "file"), url)


def _signature(part: JsonObject, name: str) -> str | None:
    ours = view.member(view.member(part, name, dict, {}), _METADATA_KEY, dict, {})
    signature: str | None = view.member(ours, "signature", str)
    return signature
