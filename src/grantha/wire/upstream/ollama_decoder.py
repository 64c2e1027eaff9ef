"""The Ollama chat dialect, reply side: lines of JSON to events.

| seen in a reply | what becomes of it |
|---|---|
| `{"error": ...}` as a line, status 200 | the failure, after the text before it |
| `message.thinking`, `<think>` in the content | reasoning |
| `done_reason` load / unload | the model was only loaded: `ProviderFailed`, to be tried again |
| the end without `done: true` | `Truncated` |

Source: the API document in the vendor's repository.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from typing_extensions import override

from grantha.chat import FinishReason, Usage
from grantha.events import Accepted, ToolCall, UpstreamEvent, UsageSeen
from grantha.wire.lenient_json import dumps
from grantha.wire.ndjson import LineDecoder
from grantha.wire.tool_calls import new_call_id
from grantha.wire.upstream.decoder import ReplyParser, StreamDecoder, parse_whole_body
from grantha.wire.upstream.think_tags import ThinkTagSplitter
from grantha.wire.upstream.vendor_errors import ErrorFactory, ErrorReport

FINISH_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


class _OllamaFunction(msgspec.Struct):
    name: str | None = None
    arguments: Any = None


class _OllamaCall(msgspec.Struct):
    id: str | None = None
    function: _OllamaFunction | None = None


class _OllamaMessage(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"content"})

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_OllamaCall] | None = None


class _OllamaLine(msgspec.Struct):
    essential: ClassVar[frozenset[str]] = frozenset({"message", "done"})

    model: str | None = None
    message: _OllamaMessage | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: Any = None


class OllamaReplyParser(ReplyParser[_OllamaLine]):
    """Lines of one answer. `continued`: it continues a prefix.

    `unopened`: its reasoning has no opening tag.
    """

    def __init__(
        self, error_factory: ErrorFactory, *, continued: bool = False, unopened: bool = False
    ) -> None:
        super().__init__(error_factory, _OllamaLine)
        self._accepted = False
        self._calls = 0
        self._think = None if continued else ThinkTagSplitter(opened=unopened)

    @override
    def handle(self, payload: _OllamaLine) -> None:
        """One line."""
        line = payload
        if line.error:
            self.fail_with(line.error)
            return
        if not self._accepted and line.model:
            self._accepted = True
            self.batch.add(Accepted(line.model, None))
        if line.message is not None:
            self._message(line.message)
        if line.done:
            self._done(line)

    @override
    def close(self) -> None:
        """Releases text that could have become a tag."""
        if self._think is not None:
            for is_reasoning, text in self._think.finish():
                (self.batch.reasoning if is_reasoning else self.batch.text)(text)
            self._think = None
        super().close()

    def _message(self, message: _OllamaMessage) -> None:
        if message.thinking:
            self.batch.reasoning(message.thinking)
        if message.content:
            self._text(message.content)
        for call in message.tool_calls or ():
            function = call.function or _OllamaFunction()
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
        for is_reasoning, fragment in think.feed(text):
            (self.batch.reasoning if is_reasoning else self.batch.text)(fragment)
        if think.idle:
            self._think = None

    def _done(self, line: _OllamaLine) -> None:
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


def ollama_decoder(
    error_factory: ErrorFactory, *, continued: bool = False, unopened: bool = False
) -> StreamDecoder:
    """Reads a streamed answer."""
    parser = OllamaReplyParser(error_factory, continued=continued, unopened=unopened)
    return StreamDecoder(LineDecoder(), parser)


def parse_ollama_body(
    body: bytes, error_factory: ErrorFactory, *, continued: bool = False, unopened: bool = False
) -> list[UpstreamEvent]:
    """A non-streaming answer as events. Raises a `ProviderError`."""
    parser = OllamaReplyParser(error_factory, continued=continued, unopened=unopened)
    return parse_whole_body(parser, body)
