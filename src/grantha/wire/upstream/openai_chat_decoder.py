"""The OpenAI Chat Completions dialect, reply side: server-sent chunks, or one JSON body, to events.

Many hosts speak it, each differently. Differences in requests are in `DialectProfile`; those in
replies are accepted from any host:

| seen in a reply | what becomes of it |
|---|---|
| `choices` empty or null, `delta` null | only usage, model and id are read |
| `error`, an object or text, or flat, after 200 | the failure, after the text before it; empty: nothing |
| a finish reason that names a failure | the failure |
| `reasoning_content`, `reasoning`, `reasoning_details`, `<think>` | reasoning |
| `content` as a list of typed parts | text and reasoning |
| a side field of another shape | left out |
| an image | a notice: answers hold text |
| usage after the finish reason | `Finished` waits for it, `[DONE]` or the end |
| neither a finish reason nor `[DONE]` at the end | `Truncated` |
| `[DONE]` after nothing, or after half a tool call | `Truncated` |

Finish reasons: the API references of OpenAI, DeepSeek, Mistral, Zhipu, Together, Moonshot, Cohere, IBM
watsonx and OpenRouter, and the sources of vLLM, SGLang and text-generation-inference.
"""

from __future__ import annotations

import json
from typing import Any

from typing_extensions import override

from grantha.chat import FinishReason
from grantha.events import Accepted, Cited, UpstreamEvent, UsageSeen
from grantha.wire.sse import SseDecoder
from grantha.wire.tool_calls import ToolCallAssembler
from grantha.wire.upstream.decoder import (
    ReplyParser,
    StreamDecoder,
    images_omitted,
    parse_whole_body,
)
from grantha.wire.upstream.openai_chat_chunks import (
    UpstreamChoice,
    UpstreamChunk,
    UpstreamDelta,
    UpstreamFunction,
    usage_of,
)
from grantha.wire.upstream.openai_chat_profile import DialectProfile
from grantha.wire.upstream.think_tags import ThinkTagSplitter
from grantha.wire.upstream.vendor_errors import ErrorFactory, ErrorReport, parse_error_report

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "token_limit": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool-calls",
    "tool_call": "tool-calls",
    "tool_use": "tool-calls",
    "function_call": "tool-calls",
    "content_filter": "content-filter",
    "content_filtered": "content-filter",
    "sensitive": "content-filter",
    "safety": "content-filter",
    "recitation": "content-filter",
    "prohibited_content": "content-filter",
    "error_toxic": "content-filter",
    "guardrail_intervened": "content-filter",
    "refusal": "refusal",
}
# The host gave up: the answer may be tried again.
_FAILED = frozenset(
    {
        *("error", "insufficient_system_resource", "network_error", "error_limit", "server_error"),
        *("malformed_function_call", "unexpected_tool_call", "engine_overloaded", "failed"),
    }
)
# The answer was cut from outside: by another request, an operator or a limit on time.
_CUT = frozenset(
    {
        *("abort", "aborted", "cancel", "cancelled", "canceled", "user_cancel"),
        *("timeout", "time_limit", "incomplete", "not_finished"),
    }
)


_MAX_DETAILS = 1024 * 1024  # characters of encrypted reasoning, which are held back until the end


class ChatReplyParser(ReplyParser[UpstreamChunk]):
    """Chunks, or the one object of a whole reply."""

    def __init__(
        self, profile: DialectProfile, error_factory: ErrorFactory, *, continued: bool
    ) -> None:
        super().__init__(error_factory, UpstreamChunk)
        self._profile = profile
        self._accepted = False
        self._calls = ToolCallAssembler()
        # A continued answer can't open with reasoning: the tag would be the answer's own.
        tagged = (profile.think_tags or profile.unopened_thinking) and not continued
        self._think = ThinkTagSplitter(opened=profile.unopened_thinking) if tagged else None
        self._details: list[dict[str, Any]] = []
        self._details_left = _MAX_DETAILS
        self._cited: set[tuple[str, ...]] = set()
        self._refused = False

    @override
    def is_terminated(self) -> bool:
        """By the host's own terminal sign; `[DONE]` doesn't complete half a tool call or an empty reply."""
        if self.finish is not None:
            return self._profile.terminal != "done" or self.done
        done_counts = self.done and self._profile.terminal != "finish"
        return done_counts and self.batch.has_content and not self._calls.incomplete

    @override
    def parse(self, payload: bytes) -> None:
        """One chunk, or `[DONE]`."""
        if payload == b"[DONE]":
            self.done = True
        elif payload.strip():
            super().parse(payload)

    @override
    def handle(self, payload: UpstreamChunk) -> None:
        """One chunk."""
        chunk = payload
        if not self._accepted and (chunk.id or chunk.model) and not chunk.error:
            self._accepted = True
            self.batch.add(Accepted(chunk.model or None, chunk.id or None))
        choices = chunk.choices
        if choices:
            self._choice(choices[0])
        if chunk.usage is not None:
            self.batch.add(UsageSeen(usage_of(chunk.usage)))
        if chunk.x_groq is not None or chunk.citations or chunk.search_results or not choices:
            self._uncommon_fields(chunk)
        if chunk.error:
            self.fail_with(chunk.error)

    @override
    def close(self) -> None:
        """Releases what was held back."""
        if self._think is not None:
            for is_reasoning, text in self._think.finish():
                (self.batch.reasoning if is_reasoning else self.batch.text)(text)
            self._think = None
        for event in self._calls.finish(complete=self.finish is not None):
            self.batch.add(event)
        if self._calls.nameless and self.finish is not None and self.failure is None:
            self.failure = self.error_factory.malformed("a tool call has no name")
        if any(detail.keys() & {"signature", "data"} for detail in self._details):
            self.batch.signature(json.dumps(self._details, separators=(",", ":")))
        self._details = []
        super().close()

    def _choice(self, choice: UpstreamChoice) -> None:
        if choice.index:
            return  # only one answer is requested; a second one would be mixed into it
        delta = choice.delta or choice.message
        if delta is not None:
            self._delta(delta, choice)
        elif choice.text:
            self._text(choice.text)
        if choice.finish_reason:
            self._finish(choice, choice.finish_reason)
        if choice.error:
            self.fail_with(choice.error)

    def _delta(self, delta: UpstreamDelta, choice: UpstreamChoice) -> None:
        if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
            self._reasoning(delta)
        content = delta.content
        if content:
            if isinstance(content, str):
                self._text(content)
            else:
                self._content_parts(content)
            if choice.logprobs is not None:
                self.batch.logprobs(_logprobs(choice.logprobs))
        if delta.refusal:
            self._refused = True
            self._text(delta.refusal)
        if delta.tool_calls or delta.function_call is not None:
            self._tool_calls(delta)
        for annotation in _listed(delta.annotations):
            self._cite(annotation)
        if delta.images:
            self.batch.add(images_omitted(len(_listed(delta.images))))

    def _reasoning(self, delta: UpstreamDelta) -> None:
        text = delta.reasoning_content or delta.reasoning
        if isinstance(text, str):
            self.batch.reasoning(text)
        if delta.reasoning_details:
            self._reasoning_details(delta)

    def _reasoning_details(self, delta: UpstreamDelta) -> None:
        shown = bool(delta.reasoning or delta.reasoning_content)
        for detail in _listed(delta.reasoning_details):
            if not isinstance(detail, dict):
                continue
            text = detail.get("text") or detail.get("summary")
            if isinstance(text, str) and not shown:
                self.batch.reasoning(text)
            self._details_left -= sum(len(str(value)) for value in detail.values())
            if self._details_left < 0:
                self._details = []  # too long to be sent back
                continue
            last = self._details[-1] if self._details else None
            if last is not None and _same_detail(last, detail):
                _extend_detail(last, detail)
            else:
                self._details.append(dict(detail))

    def _text(self, text: str) -> None:
        think = self._think
        if think is None:
            self.batch.text(text)
            return
        for is_reasoning, fragment in think.feed(text):
            (self.batch.reasoning if is_reasoning else self.batch.text)(fragment)
        if think.idle:
            self._think = None

    def _content_parts(self, parts: list[Any]) -> None:
        for part in parts:
            if isinstance(part, str):
                self._text(part)
            elif isinstance(part, dict):
                if part.get("type") == "thinking":
                    for inner in _listed(part.get("thinking")):
                        self.batch.reasoning(_text_of(inner))
                elif part.get("type") in ("text", "output_text", None):
                    self._text(_text_of(part))

    def _tool_calls(self, delta: UpstreamDelta) -> None:
        for call in delta.tool_calls or ():
            self._tool_call(call.index, call.id, call.function or UpstreamFunction())
        if delta.function_call is not None:
            self._tool_call(0, None, delta.function_call)

    def _tool_call(
        self, index: int | None, call_id: str | None, function: UpstreamFunction
    ) -> None:
        arguments = function.arguments
        if arguments is not None and not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        for event in self._calls.add(index, call_id, function.name, arguments or ""):
            self.batch.add(event)

    def _uncommon_fields(self, chunk: UpstreamChunk) -> None:
        if chunk.x_groq is not None:
            if chunk.x_groq.usage is not None and chunk.usage is None:
                self.batch.add(UsageSeen(usage_of(chunk.x_groq.usage)))
            if chunk.x_groq.error:
                self.fail_with(chunk.x_groq.error)
        # Perplexity sends both; only the results have titles.
        for source in (*_listed(chunk.search_results), *_listed(chunk.citations)):
            self._cite(source)
        if chunk.object == "error" or (
            chunk.message and chunk.choices is None and chunk.id is None
        ):
            flat = {name: getattr(chunk, name) for name in ("message", "code", "type", "param")}
            self.fail(parse_error_report({"object": "error", **flat}) or ErrorReport())

    def _cite(self, source: Any) -> None:
        cited = _citation(source)
        key = tuple(text or "" for text in (cited.url, "" if cited.url else cited.title))
        if any(key) and key not in self._cited:
            self._cited.add(key)
            self.batch.add(cited)

    def _finish(self, choice: UpstreamChoice, reason: str) -> None:
        word = reason.lower()
        if word in _FAILED:
            if not choice.error:
                self.fail(ErrorReport(reason))
            return
        if word in _CUT:
            self.failure = self.failure or self.error_factory.truncated(reason)
            return
        mapped = FINISH_REASONS.get(word, "unknown")
        if self._refused and mapped == "stop":
            mapped = "refusal"
        elif self._calls.count and mapped == "stop":
            mapped = "tool-calls"  # several hosts only report that it stopped
        self.finish = (mapped, choice.native_finish_reason or reason)


def chat_decoder(
    profile: DialectProfile, error_factory: ErrorFactory, *, continued: bool = False
) -> StreamDecoder:
    """Reads a streamed reply. `continued`: it continues a prefix."""
    return StreamDecoder(SseDecoder(), ChatReplyParser(profile, error_factory, continued=continued))


def parse_chat_body(
    body: bytes, profile: DialectProfile, error_factory: ErrorFactory, *, continued: bool = False
) -> list[UpstreamEvent]:
    """A non-streaming reply as the events a streamed one would have given, `Finished` last.

    Raises a `ProviderError` when the body is an error, no JSON, or has no finished choice.
    """
    return parse_whole_body(ChatReplyParser(profile, error_factory, continued=continued), body)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [value] if value else []


def _logprobs(value: Any) -> list[dict[str, Any]]:
    """The tokens in OpenAI's form; other hosts put numbers or lists here."""
    tokens = value.get("content") if isinstance(value, dict) else None
    return [token for token in _listed(tokens) if isinstance(token, dict)]


def _citation(source: Any) -> Cited:
    """From a URL, a search result, or an annotation around one; a file is named by its title."""
    if isinstance(source, dict):
        inner = next((v for k, v in source.items() if k.endswith("_citation")), None)
        found = inner if isinstance(inner, dict) else source
        names = (("url",), ("title", "filename", "file_id"), ("content", "quote", "snippet"))
        url, title, quoted = (
            next((found[n] for n in options if found.get(n)), None) for options in names
        )
    else:
        url, title, quoted = source, None, None
    return Cited(*(text if isinstance(text, str) else None for text in (url, title, quoted)))


def _text_of(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else part
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
