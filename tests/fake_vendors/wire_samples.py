"""What each dialect looks like on the wire: an answer, its beginning, an overload, a refusal, a
list of models.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from grantha.wire import eventstream

SSE = "text/event-stream"


@dataclass(frozen=True)
class WireSample:
    """One dialect. `begin` gives the events up to the last text, `end` what completes them."""

    dialect: str
    content_type: str
    begin: Callable[[Sequence[str]], list[bytes]]
    end: bytes
    overload: bytes
    whole: Callable[[str], Any]
    refusal: Callable[[int], Any]
    listing: Any = field(default_factory=dict)

    def answer(self, texts: Sequence[str]) -> list[bytes]:
        """A complete reply, an event an item."""
        return [*self.begin(texts), self.end]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _sse(*events: Any) -> bytes:
    return b"".join(b"data: " + _json(event) + b"\n\n" for event in events)


def _chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


OPENAI_CHAT = WireSample(
    "openai-chat",
    SSE,
    lambda texts: (
        [_sse(_chunk({"role": "assistant"}))] + [_sse(_chunk({"content": text})) for text in texts]
    ),
    _sse(
        _chunk({}, "stop"),
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}},
    )
    + b"data: [DONE]\n\n",
    _sse({"error": {"message": "Overloaded", "type": "engine_overloaded_error"}}),
    lambda text: {
        "id": "c1",
        "model": "m",
        "choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5},
    },
    lambda code: {"error": {"message": f"refused with {code}", "type": "error"}},
    {"object": "list", "data": [{"id": "m"}, {"id": "m2"}]},
)


def _response(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "r1", "object": "response", "model": "m", "status": status, **more}


_RESPONSES_USAGE = {"input_tokens": 7, "output_tokens": 5}

OPENAI_RESPONSES = WireSample(
    "openai-responses",
    SSE,
    lambda texts: (
        [
            _sse(
                {
                    "type": "response.created",
                    "sequence_number": 0,
                    "response": _response("in_progress"),
                }
            )
        ]
        + [
            _sse({"type": "response.output_text.delta", "sequence_number": n + 1, "delta": text})
            for n, text in enumerate(texts)
        ]
    ),
    _sse(
        {
            "type": "response.completed",
            "sequence_number": 99,
            "response": _response("completed", usage=_RESPONSES_USAGE),
        }
    ),
    _sse({"type": "error", "code": "server_overloaded", "message": "Overloaded"}),
    lambda text: _response(
        "completed",
        usage=_RESPONSES_USAGE,
        output=[{"type": "message", "content": [{"type": "output_text", "text": text}]}],
    ),
    OPENAI_CHAT.refusal,
    OPENAI_CHAT.listing,
)


def _anthropic_start() -> dict[str, Any]:
    usage = {"input_tokens": 7, "output_tokens": 1}
    return {"type": "message_start", "message": {"id": "m1", "model": "m", "usage": usage}}


ANTHROPIC = WireSample(
    "anthropic",
    SSE,
    lambda texts: (
        [
            _sse(
                _anthropic_start(),
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
            )
        ]
        + [
            _sse(
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": text},
                }
            )
            for text in texts
        ]
    ),
    _sse(
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ),
    _sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    lambda text: {
        "type": "message",
        "model": "m",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 5},
    },
    lambda code: {"type": "error", "error": {"type": "error", "message": f"refused with {code}"}},
    {"data": [{"id": "m", "type": "model"}, {"id": "m2", "type": "model"}]},
)


def _candidate(text: str, reason: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}}
    if reason:
        candidate["finishReason"] = reason
    return {
        "candidates": [candidate],
        "modelVersion": "m",
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 5},
    }


GEMINI = WireSample(
    "gemini",
    SSE,
    lambda texts: [_sse(_candidate(text)) for text in texts],
    _sse(_candidate("", "STOP")),
    _sse({"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}),
    lambda text: _candidate(text, "STOP"),
    lambda code: {"error": {"code": code, "message": f"refused with {code}", "status": "X"}},
    {
        "models": [
            {"name": "models/m", "supportedGenerationMethods": ["generateContent"]},
            {"name": "models/m2", "supportedGenerationMethods": ["generateContent"]},
            {"name": "models/embed", "supportedGenerationMethods": ["embedContent"]},
        ]
    },
)


def _line(text: str, *, done: bool = False, **more: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    return _json({"model": "m", "message": message, "done": done, **more}) + b"\n"


OLLAMA = WireSample(
    "ollama",
    "application/x-ndjson",
    lambda texts: [_line(text) for text in texts],
    _line("", done=True, done_reason="stop", prompt_eval_count=7, eval_count=5),
    _json({"error": "the server is overloaded"}) + b"\n",
    lambda text: json.loads(
        _line(text, done=True, done_reason="stop", prompt_eval_count=7, eval_count=5)
    ),
    lambda code: {"error": f"refused with {code}"},
    {"models": [{"name": "m", "model": "m"}, {"name": "m2", "model": "m2"}]},
)


def _event(name: str, body: Any, kind: str = "event") -> bytes:
    return eventstream.encode(_json(body), {":message-type": kind, f":{kind}-type": name})


def _foundation_model(name: str, how: str) -> dict[str, Any]:
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{name}"
    return {
        "modelArn": arn,
        "modelId": name,
        "inferenceTypesSupported": [how],
        "responseStreamingSupported": True,
    }


def _inference_profile(name: str, model: str) -> dict[str, Any]:
    arn = f"arn:aws:bedrock:eu-west-1::foundation-model/{model}"
    return {"inferenceProfileId": name, "status": "ACTIVE", "models": [{"modelArn": arn}]}


_BEDROCK_USAGE = {"inputTokens": 7, "outputTokens": 5}

BEDROCK = WireSample(
    "bedrock",
    "application/vnd.amazon.eventstream",
    lambda texts: (
        [_event("messageStart", {"role": "assistant"})]
        + [
            _event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}})
            for text in texts
        ]
    ),
    _event("messageStop", {"stopReason": "end_turn"})
    + _event("metadata", {"usage": _BEDROCK_USAGE}),
    _event("serviceUnavailableException", {"message": "Overloaded"}, "exception"),
    lambda text: {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": _BEDROCK_USAGE,
    },
    lambda code: {"message": f"refused with {code}"},
    {
        "modelSummaries": [
            _foundation_model("m", "ON_DEMAND"),
            _foundation_model("profiled", "INFERENCE_PROFILE"),
        ],
        "inferenceProfileSummaries": [
            _inference_profile("m2", "profiled"),
            _inference_profile("drawing", "draws"),
        ],
    },
)
