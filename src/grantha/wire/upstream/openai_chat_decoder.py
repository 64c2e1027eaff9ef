"""The OpenAI Chat Completions dialect, reply side: server-sent chunks, or one JSON body, to events.

Many hosts speak it, each with habits of its own; what differs in requests stands in
`DialectProfile`, what differs in replies is taken from any host:

| seen in a reply | what becomes of it |
|---|---|
| `choices` empty or null, `delta` null | only usage, model and id are read |
| `error`, an object or text, or flat, after 200 | the failure, after the text before it |
| `finish_reason: "error"`, `insufficient_system_resource` | the failure |
| `reasoning_content`, `reasoning`, `reasoning_details`, `<think>` | reasoning |
| `content` as a list of typed pieces | text and reasoning |
| usage after the finish reason | `Finished` waits for it, `[DONE]` or the end |
| neither a finish reason nor `[DONE]` at the end | `Truncated` |
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from typing_extensions import override

from grantha.chat import FinishReason, Usage
from grantha.events import Accepted, Cited, UpstreamEvent, UsageSeen
from grantha.wire.sse import SseDecoder
from grantha.wire.tool_calls import ToolCallAssembler
from grantha.wire.upstream.decoder import ReplyParser, StreamDecoder, parse_whole_body
from grantha.wire.upstream.think_tags import ThinkTagSplitter
from grantha.wire.upstream.vendor_errors import ErrorFactory, ErrorReport, parse_error_report

PrefixField = Literal["prefix", "partial", "trailing", "continue_final_message"]
Terminal = Literal["either", "finish", "done"]


@dataclass(frozen=True, slots=True)
class DialectProfile:
    """Facts about one host that speaks this dialect.

    `prefix` says how a partial answer is handed over: as a last assistant message, plain
    ("trailing") or marked by the field named. `terminal` is the sign without which a reply counts
    as truncated. `echo_reasoning` names the field in which earlier reasoning is sent back. `extra`
    are the options beyond ours that a strict host takes; None: it takes any, or ignores what it
    doesn't know.
    """

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_options: bool = True
    prefix: PrefixField | None = None
    terminal: Terminal = "either"
    think_tags: bool = False
    echo_reasoning: Literal["reasoning_content", "reasoning_details"] | None = None
    reasoning_effort: Literal["reasoning_effort", "reasoning"] = "reasoning_effort"
    seed: Literal["seed", "random_seed"] = "seed"
    any_tool: Literal["required", "any"] = "required"
    image_bytes: int = 20 * 1024 * 1024
    extra: frozenset[str] | None = None


DEFAULT_PROFILE = DialectProfile()


class _ChatFunction(msgspec.Struct):
    name: str | None = None
    arguments: Any = None  # text; a few hosts send the object itself


class _ChatCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _ChatFunction | None = None


class _ChatDelta(msgspec.Struct):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: Any = None  # text; an object at hosts that put other things here
    reasoning_details: list[Any] | None = None
    refusal: str | None = None
    tool_calls: list[_ChatCall] | None = None
    function_call: _ChatFunction | None = None
    annotations: list[Any] | None = None


class _ChatLogprobs(msgspec.Struct):
    content: list[dict[str, Any]] | None = None


class _ChatChoice(msgspec.Struct):
    index: int | None = 0
    delta: _ChatDelta | None = None
    message: _ChatDelta | None = None
    text: str | None = None  # in place of a delta: a plain completion, which llama.cpp continues
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    logprobs: _ChatLogprobs | None = None
    error: Any = None


class _ChatInputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _ChatOutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _ChatUsage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _ChatInputDetails | None = None
    completion_tokens_details: _ChatOutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek
    cached_tokens: int | None = None  # Moonshot
    cost: float | None = None  # OpenRouter


class _XGroq(msgspec.Struct):
    usage: _ChatUsage | None = None
    error: Any = None


class _ChatChunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_ChatChoice] | None = None
    usage: _ChatUsage | None = None
    citations: list[Any] | None = None
    error: Any = None
    object: str | None = None
    message: Any = None
    code: Any = None
    type: str | None = None
    param: Any = None
    x_groq: _XGroq | None = None


FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool-calls",
    "function_call": "tool-calls",
    "content_filter": "content-filter",
    "sensitive": "content-filter",
    "refusal": "refusal",
}
_FAILED = {"error", "insufficient_system_resource", "network_error"}


class _ChatReplyParser(ReplyParser[_ChatChunk]):
    """Chunks, or the one object of a whole reply."""

    def __init__(
        self, profile: DialectProfile, error_factory: ErrorFactory, *, continued: bool
    ) -> None:
        super().__init__(error_factory, _ChatChunk)
        self._profile = profile
        self._accepted = False
        self._calls = ToolCallAssembler()
        # A continued answer can't open with a thought: the tag would be the answer's own.
        self._think = ThinkTagSplitter() if profile.think_tags and not continued else None
        self._details: list[dict[str, Any]] = []
        self._cited: set[str] = set()
        self._refused = False

    @override
    def is_terminated(self) -> bool:
        """By the host's own terminal sign."""
        if self._profile.terminal == "done":
            return self.done
        return self.finish is not None or (self._profile.terminal == "either" and self.done)

    @override
    def parse(self, payload: bytes) -> None:
        """One chunk, or `[DONE]`."""
        if payload == b"[DONE]":
            self.done = True
        elif payload.strip():
            super().parse(payload)

    @override
    def handle(self, payload: _ChatChunk) -> None:
        """One chunk."""
        chunk = payload
        if not self._accepted and (chunk.id or chunk.model) and chunk.error is None:
            self._accepted = True
            self.batch.add(Accepted(chunk.model or None, chunk.id or None))
        choices = chunk.choices
        if choices:
            self._choice(choices[0])
        if chunk.usage is not None:
            self.batch.add(UsageSeen(_usage(chunk.usage)))
        if chunk.x_groq is not None or chunk.citations or not choices:
            self._uncommon_fields(chunk)
        if chunk.error is not None:
            self._fail_with({"error": chunk.error})

    def _choice(self, choice: _ChatChoice) -> None:
        if choice.index:
            return  # we ask for one answer; a second one would be mixed into it
        delta = choice.delta or choice.message
        if delta is not None:
            self._delta(delta, choice)
        elif choice.text:
            self._text(choice.text)
        if choice.finish_reason:
            self._finish(choice, choice.finish_reason)
        if choice.error is not None:
            self._fail_with({"error": choice.error})

    @override
    def close(self) -> None:
        """Nothing more of the answer comes: what was held back is let out."""
        if self._think is not None:
            for is_reasoning, text in self._think.finish():
                (self.batch.reasoning if is_reasoning else self.batch.text)(text)
            self._think = None
        if any(detail.keys() & {"signature", "data"} for detail in self._details):
            self.batch.signature(json.dumps(self._details, separators=(",", ":")))
        self._details = []
        self.batch.end()

    def _delta(self, delta: _ChatDelta, choice: _ChatChoice) -> None:
        if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
            self._reasoning(delta)
        content = delta.content
        if content:
            if isinstance(content, str):
                self._text(content)
            else:
                self._content_parts(content)
            if choice.logprobs is not None and choice.logprobs.content:
                self.batch.logprobs(choice.logprobs.content)
        if delta.refusal:
            self._refused = True
            self._text(delta.refusal)
        if delta.tool_calls or delta.function_call is not None:
            self._tools(delta)
        if delta.annotations:
            for annotation in delta.annotations:
                self._citation(annotation)

    def _reasoning(self, delta: _ChatDelta) -> None:
        is_reasoning = delta.reasoning_content or delta.reasoning
        if isinstance(is_reasoning, str):
            self.batch.reasoning(is_reasoning)
        if delta.reasoning_details:
            self._reasoning_details(delta)

    def _text(self, text: str) -> None:
        think = self._think
        if think is None:
            self.batch.text(text)
            return
        for is_reasoning, fragment in think.feed(text):
            (self.batch.reasoning if is_reasoning else self.batch.text)(fragment)
        if think.idle:
            self._think = None

    def _content_parts(self, content_parts: list[Any]) -> None:
        for fragment in content_parts:
            if isinstance(fragment, str):
                self._text(fragment)
            elif isinstance(fragment, dict):
                if fragment.get("type") == "thinking":
                    for inner in fragment.get("thinking") or ():
                        self.batch.reasoning(_text_of(inner))
                elif fragment.get("type") in {"text", "output_text", None}:
                    self._text(_text_of(fragment))

    def _tools(self, delta: _ChatDelta) -> None:
        for call in delta.tool_calls or ():
            function = call.function or _ChatFunction()
            self._tool(call.index, call.id, function)
        if delta.function_call is not None:
            self._tool(0, None, delta.function_call)

    def _tool(self, index: int | None, call_id: str | None, function: _ChatFunction) -> None:
        arguments = function.arguments
        if arguments is not None and not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        self.batch.add(self._calls.fragment(index, call_id, function.name, arguments or ""))

    def _reasoning_details(self, delta: _ChatDelta) -> None:
        plain_text = bool(delta.reasoning or delta.reasoning_content)
        for detail in delta.reasoning_details or ():
            if not isinstance(detail, dict):
                continue
            text = detail.get("text") or detail.get("summary")
            if isinstance(text, str) and not plain_text:
                self.batch.reasoning(text)
            last = self._details[-1] if self._details else None
            if last is not None and _same_detail(last, detail):
                _extend_detail(last, detail)
            else:
                self._details.append(dict(detail))

    def _uncommon_fields(self, chunk: _ChatChunk) -> None:
        if chunk.x_groq is not None:
            if chunk.x_groq.usage is not None and chunk.usage is None:
                self.batch.add(UsageSeen(_usage(chunk.x_groq.usage)))
            if chunk.x_groq.error is not None:
                self._fail_with({"error": chunk.x_groq.error})
        for source in chunk.citations or ():
            self._citation(source)
        if chunk.object == "error" or (
            chunk.message and chunk.choices is None and chunk.id is None
        ):
            body = {
                "object": "error",
                "message": chunk.message,
                "code": chunk.code,
                "type": chunk.type,
            }
            self._fail_with(body)

    def _citation(self, source: Any) -> None:
        if isinstance(source, dict):
            inner = source.get("url_citation")
            source = inner if isinstance(inner, dict) else source
            url, title, quoted = (source.get(key) for key in ("url", "title", "content"))
        else:
            url, title, quoted = source, None, None
        if isinstance(url, str) and url and url not in self._cited:
            self._cited.add(url)
            self.batch.add(
                Cited(
                    url,
                    title if isinstance(title, str) else None,
                    quoted if isinstance(quoted, str) else None,
                )
            )

    def _finish(self, choice: _ChatChoice, reason: str) -> None:
        if reason in _FAILED:
            if choice.error is None:
                self.fail(ErrorReport(reason))
            return
        mapped = FINISH_REASONS.get(reason, "unknown")
        if self._refused and mapped == "stop":
            mapped = "refusal"
        elif self._calls.count and mapped == "stop":
            mapped = "tool-calls"  # several hosts say no more than that it stopped
        self.finish = (mapped, choice.native_finish_reason or reason)

    def _fail_with(self, body: Any) -> None:
        self.fail(parse_error_report(body) or ErrorReport())


def chat_decoder(
    profile: DialectProfile, error_factory: ErrorFactory, *, continued: bool = False
) -> StreamDecoder:
    """Reads a streamed reply. `continued`: it goes on from a prefix."""
    return StreamDecoder(
        SseDecoder(), _ChatReplyParser(profile, error_factory, continued=continued)
    )


def parse_chat_body(
    body: bytes, profile: DialectProfile, error_factory: ErrorFactory, *, continued: bool = False
) -> list[UpstreamEvent]:
    """A non-streaming reply as the events a streamed one would have given, `Finished` last.

    Raises a `ProviderError` when the body is an error, no JSON, or has no finished choice.
    """
    return parse_whole_body(_ChatReplyParser(profile, error_factory, continued=continued), body)


def _usage(seen: _ChatUsage) -> Usage:
    inputs = seen.prompt_tokens_details or _ChatInputDetails()
    outputs = seen.completion_tokens_details or _ChatOutputDetails()
    cached = (inputs.cached_tokens, seen.prompt_cache_hit_tokens, seen.cached_tokens)
    return Usage(
        seen.prompt_tokens,
        seen.completion_tokens,
        next((count for count in cached if count is not None), None),
        inputs.cache_write_tokens,
        outputs.reasoning_tokens,
        seen.cost,
    )


def _text_of(fragment: Any) -> str:
    text = fragment.get("text") if isinstance(fragment, dict) else fragment
    return text if isinstance(text, str) else ""


def _same_detail(last: dict[str, Any], detail: dict[str, Any]) -> bool:
    if detail.get("type") != last.get("type") or detail.get("type") == "reasoning.encrypted":
        return False
    return detail.get("index") == last.get("index") and not last.get("signature")


def _extend_detail(last: dict[str, Any], detail: dict[str, Any]) -> None:
    for key, value in detail.items():
        if key in {"text", "summary"} and isinstance(value, str):
            last[key] = (last.get(key) or "") + value
        elif value is not None:
            last[key] = value
