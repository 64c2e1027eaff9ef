"""Ollama's chat dialect, both sides: newline-delimited JSON.

| seen in a reply | what becomes of it |
|---|---|
| `{"error": ...}` as a line, status 200 | the failure, after the text before it |
| `message.thinking`, `<think>` in the content | reasoning |
| `done_reason` load / unload | the model was only loaded: `ProviderFailed`, to be tried again |
| the end without `done: true` | `Truncated` |

Source: the API document in the vendor's repository.
"""

from __future__ import annotations

from typing import Any

import msgspec

from grantha.chat import (
    Call,
    Capabilities,
    FinishReason,
    ImagePart,
    Message,
    Options,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from grantha.events import Accepted, ToolCall, UpstreamEvent, UsageSeen
from grantha.wire import images
from grantha.wire.lenient_json import InvalidJson, JsonReader, dumps, loads
from grantha.wire.ndjson import LineDecoder
from grantha.wire.tool_calls import new_call_id
from grantha.wire.upstream.decoder import Reply, StreamDecoder, parse_whole_body
from grantha.wire.upstream.openai_chat_request import encode_tools
from grantha.wire.upstream.think_tags import ThinkTagSplitter
from grantha.wire.upstream.turn_normalizer import plain_text, tool_names_by_call
from grantha.wire.upstream.vendor_errors import ErrorFactory, ErrorReport, parse_error_report

IMAGE_BYTES = 20 * 1024 * 1024
FINISH_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
_KNOWN = frozenset({"keep_alive", "think", "format"})
_MODEL_OPTIONS = frozenset(
    {
        "num_ctx", "top_k", "min_p", "repeat_penalty", "repeat_last_n", "presence_penalty",
        "frequency_penalty", "num_keep", "typical_p", "mirostat", "num_gpu", "num_thread",
    }
)  # fmt: skip


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Line(msgspec.Struct):
    model: str | None = None
    message: _Message | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: Any = None


class OllamaReply(Reply):
    """Lines of one answer. `continued`: it goes on from a prefix."""

    def __init__(self, error_factory: ErrorFactory, *, continued: bool = False) -> None:
        super().__init__(error_factory)
        self._reader = JsonReader(_Line)
        self._accepted = False
        self._calls = 0
        self._think = None if continued else ThinkTagSplitter()

    def read(self, payload: bytes) -> None:
        """One line."""
        try:
            line = self._reader.read(payload)
        except InvalidJson as error:
            self.unreadable(payload, error)
            return
        self.batch.lone_surrogates = self._reader.lone_surrogates
        if line.error is not None:
            self.fail(parse_error_report({"error": line.error}) or ErrorReport())
            return
        if not self._accepted and line.model:
            self._accepted = True
            self.batch.add(Accepted(line.model, None))
        if line.message is not None:
            self._message(line.message)
        if line.done:
            self._done(line)

    def close(self) -> None:
        """Lets out what could still have become a tag."""
        if self._think is not None:
            for thought, text in self._think.finish():
                (self.batch.reasoning if thought else self.batch.text)(text)
            self._think = None
        super().close()

    def _message(self, message: _Message) -> None:
        if message.thinking:
            self.batch.reasoning(message.thinking)
        if message.content:
            self._text(message.content)
        for call in message.tool_calls or ():
            function = call.function or _Function()
            arguments = function.arguments
            text = arguments if isinstance(arguments, str) else dumps(arguments or {}).decode()
            self.batch.add(
                ToolCall(self._calls, call.id or new_call_id(), function.name, text or "{}")
            )
            self._calls += 1

    def _text(self, text: str) -> None:
        think = self._think
        if think is None:
            self.batch.text(text)
            return
        for thought, piece in think.feed(text):
            (self.batch.reasoning if thought else self.batch.text)(piece)
        if think.idle:
            self._think = None

    def _done(self, line: _Line) -> None:
        reason = line.done_reason
        if reason in {"load", "unload"}:
            self.fail(ErrorReport("server_error", f"the model was {reason}ed without an answer"))
            return
        if line.prompt_eval_count is not None or line.eval_count is not None:
            self.batch.add(UsageSeen(Usage(line.prompt_eval_count, line.eval_count)))
        mapped = FINISH_REASONS.get(reason or "stop", "unknown")
        if mapped == "stop" and self._calls:
            mapped = "tool-calls"
        self.finish = (mapped, reason)
        self.done = True


def ollama_decoder(error_factory: ErrorFactory, *, continued: bool = False) -> StreamDecoder:
    """Reads a streamed answer."""
    return StreamDecoder(LineDecoder(), OllamaReply(error_factory, continued=continued))


def ollama_reply(
    body: bytes, error_factory: ErrorFactory, *, continued: bool = False
) -> list[UpstreamEvent]:
    """A non-streaming answer as events. Raises a `ProviderError`."""
    return parse_whole_body(OllamaReply(error_factory, continued=continued), body)


def encode_request(call: Call, facts: Capabilities, *, stream: bool = True) -> bytes:
    """The body for `/api/chat`. Raises `BadRequest` or `TooLarge` for images that can't be sent."""
    options = call.options
    body: dict[str, Any] = {k: v for k, v in options.extra.items() if k in _KNOWN}
    body["model"] = call.model
    names = tool_names_by_call(call.messages)
    body["messages"] = [item for message in call.messages for item in _encoded(message, names)]
    if call.prefix:
        # Ollama goes on with a last assistant message instead of answering it.
        body["messages"].append({"role": "assistant", "content": call.prefix})
    body["stream"] = stream
    model_options = _model_options(options, facts)
    if model_options:
        body["options"] = model_options
    if options.tools and options.tool_choice != "none":
        body["tools"] = encode_tools(options.tools)
    if options.reasoning_effort is not None:
        body["think"] = _think(call.model, options.reasoning_effort)
    wanted = options.response_format or {}
    if wanted.get("type") in {"json_object", "json_schema"}:
        body["format"] = wanted.get("json_schema", {}).get("schema") or "json"
    return dumps(body)


def _think(model: str, effort: str) -> bool | str:
    if effort == "none":
        return False
    return effort if "gpt-oss" in model else True  # other models know only on and off


def _model_options(options: Options, facts: Capabilities) -> dict[str, Any]:
    body = {k: v for k, v in options.extra.items() if k in _MODEL_OPTIONS}
    if options.temperature is not None and facts.temperature:
        body["temperature"] = options.temperature
    if options.top_p is not None and facts.top_p:
        body["top_p"] = options.top_p
    if options.max_tokens is not None:
        body["num_predict"] = options.max_tokens
    if options.stop:
        body["stop"] = list(options.stop)
    if options.seed is not None:
        body["seed"] = options.seed
    return body


def _encoded(message: Message, names: dict[str, str]) -> list[dict[str, Any]]:
    encoded = [
        {"role": "tool", "tool_name": names.get(part.call_id, ""), "content": part.text}
        for part in message.parts
        if isinstance(part, ToolResultPart)
    ]
    said = "\n\n".join(text for part in message.parts if (text := plain_text(part)))
    pictures = [
        images.check(part, IMAGE_BYTES).data
        for part in message.parts
        if isinstance(part, ImagePart)
    ]
    calls = [
        {"function": {"name": part.name, "arguments": _arguments(part)}}
        for part in message.parts
        if isinstance(part, ToolCallPart)
    ]
    if said or pictures or calls:
        role = "user" if message.role == "tool" else message.role
        body: dict[str, Any] = {"role": role, "content": said}
        if pictures:
            body["images"] = pictures
        if calls:
            body["tool_calls"] = calls
        encoded.append(body)
    return encoded


def _arguments(part: ToolCallPart) -> dict[str, Any]:
    try:
        arguments = loads(part.arguments or "{}")
    except InvalidJson:
        return {}
    return arguments if isinstance(arguments, dict) else {}
