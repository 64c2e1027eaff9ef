"""The compatible APIs' schemas list every member that is read or written, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import TypeAdapter

from grantha.api.openapi.compat import EXAMPLES, schemas
from grantha.events import GenerationEnd, Record
from grantha.wire.compat import (
    ai_sdk_replies,
    anthropic_replies,
    gemini_replies,
    gemini_view,
    ollama_embeddings_view,
    ollama_replies,
    ollama_view,
    openai_chat_replies,
    openai_completion_replies,
    openai_completions_view,
    openai_embeddings_view,
    openai_responses_input,
    openai_responses_replies,
)
from grantha.wire.compat import ai_sdk_view as ui_view
from grantha.wire.compat import anthropic_view as messages_view
from grantha.wire.compat import openai_chat_view as chat_view
from grantha.wire.compat import openai_responses_view as responses_view
from grantha.wire.compat.view import CompatStream, ResponseMeta
from grantha.wire.tools import custom_tool
from tests.server import Server
from tests.wire.compat.logs import frames_of, logs
from tests.wire.compat.test_merging import whole_of

SHOWN = ResponseMeta("g_1", "scripted/any", 1_700_000_000)
# The calls of `logs()` are of a tool of this name: here, of one that takes free text.
WITH_CUSTOM_TOOL = replace(SHOWN, tools=(custom_tool("look", None, {}),))
SCHEMAS = schemas()

STREAMS: dict[str, tuple[Callable[[], CompatStream], Any]] = {
    "chat": (
        lambda: chat_view.ChatStream(SHOWN, include_usage=True),
        openai_chat_replies.ChatChunk | openai_chat_replies.OpenAiError,
    ),
    "chat with a custom tool": (
        lambda: chat_view.ChatStream(WITH_CUSTOM_TOOL),
        openai_chat_replies.ChatChunk | openai_chat_replies.OpenAiError,
    ),
    "completions": (
        lambda: openai_completions_view.CompletionStream(SHOWN, True, "Hi"),
        openai_completion_replies.CompletionReply | openai_chat_replies.OpenAiError,
    ),
    "responses": (
        lambda: responses_view.ResponseStream(SHOWN, {}),
        openai_responses_replies.ResponseEvent,
    ),
    "responses with a custom tool": (
        lambda: responses_view.ResponseStream(WITH_CUSTOM_TOOL, {}),
        openai_responses_replies.ResponseEvent,
    ),
    "messages": (lambda: messages_view.MessagesStream(SHOWN), anthropic_replies.MessagesEvent),
    "ui": (lambda: ui_view.UiStream(SHOWN), ai_sdk_replies.UiChunk),
    "gemini": (
        lambda: gemini_view.GeminiStream(SHOWN, thoughts=True, array=False),
        gemini_replies.GeminiReply | gemini_replies.GeminiError,
    ),
    "chat lines": (
        lambda: ollama_view.ChatLines(SHOWN),
        ollama_replies.OllamaChatReply | ollama_replies.OllamaError,
    ),
    "completion lines": (
        lambda: ollama_view.CompletionLines(SHOWN),
        ollama_replies.OllamaGenerateReply | ollama_replies.OllamaError,
    ),
}


adapter = cache(TypeAdapter)  # built once a schema, not for each value


def fits(schema: Any, value: Any) -> None:
    """The value is of the schema, and has no member that the schema doesn't name."""
    adapter(schema).validate_python(value, strict=True, extra="forbid")


def bodies(raw: bytes) -> list[Any]:
    """The JSON of SSE blocks or of lines."""
    lines = [line.removeprefix("data: ") for line in raw.decode().split("\n")]
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.mark.parametrize("endpoint", STREAMS)
@settings(deadline=None, max_examples=60)
@given(records=logs())
def test_whatever_is_streamed_fits_its_schema(endpoint: str, records: list[Record]) -> None:
    make, schema = STREAMS[endpoint]
    view = make()
    for frames in frames_of(records):
        for body in bodies(view.frames(frames)):
            fits(schema, body)


@settings(deadline=None)
@given(records=logs())
def test_whatever_is_replied_at_once_fits_its_schema(records: list[Record]) -> None:
    whole, end = whole_of(records), records[-1].event
    fits(
        openai_responses_replies.ResponseReply, responses_view.response_json(SHOWN, whole, None, {})
    )
    if isinstance(end, GenerationEnd) and end.ending in {"done", "stopped"}:
        for meta in (SHOWN, WITH_CUSTOM_TOOL):
            fits(openai_chat_replies.ChatReply, chat_view.response_body(meta, whole))
        completed = openai_completions_view.response_body(SHOWN, whole)
        fits(openai_completion_replies.CompletionReply, completed)
        fits(anthropic_replies.MessagesReply, messages_view.response_body(SHOWN, whole))
        for thoughts in (False, True):
            reply = gemini_view.response_body(SHOWN, whole, thoughts=thoughts)
            fits(gemini_replies.GeminiReply, reply)
        fits(ollama_replies.OllamaChatReply, ollama_view.response_body(SHOWN, whole))
        lines = ollama_view.CompletionLines
        fits(ollama_replies.OllamaGenerateReply, ollama_view.response_body(SHOWN, whole, lines))


class Watched(dict[str, Any]):
    """A body that remembers which of its members were looked at."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.requested: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.requested.add(name)
        return super().get(name, default)


READ: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
    # what reads the body; members that the route looks at, or that are read where others are missing
    "ChatRequest": (chat_view.parse_request, {"max_tokens"}),
    "ResponseRequest": (
        openai_responses_input.parse_request,
        {"previous_response_id", "conversation"},
    ),
    "MessagesRequest": (messages_view.parse_request, set()),
    "OllamaChatRequest": (ollama_view.parse_request, set()),
    "CompletionRequest": (openai_completions_view.parse_request, set()),
    "EmbeddingRequest": (openai_embeddings_view.parse_request, set()),
    "OllamaEmbedRequest": (ollama_embeddings_view.parse_request, set()),
    "OllamaEmbeddingRequest": (ollama_embeddings_view.parse_prompt, set()),
    "UiRequest": (ui_view.parse_request, {"id"}),
}
REFUSED = {
    "ChatRequest": chat_view.UNSUPPORTED,
    "ResponseRequest": openai_responses_input.UNSUPPORTED,
    "MessagesRequest": {**messages_view.UNSUPPORTED, "thread": "full conversations only"},
    "OllamaChatRequest": ollama_view.UNSUPPORTED,
    "CompletionRequest": openai_completions_view.UNSUPPORTED,
}


@pytest.mark.parametrize("name", READ)
def test_the_members_of_a_request_are_those_that_are_read(name: str) -> None:
    read, elsewhere = READ[name]
    body = Watched(EXAMPLES[name])
    read(body)
    assert (body.requested | elsewhere) - set(REFUSED.get(name, ())) == set(
        SCHEMAS[name].model_fields
    )


REQUESTS = {
    "ChatRequest": ("/v1/chat/completions", "ChatReply"),
    "ResponseRequest": ("/v1/responses", "ResponseReply"),
    "MessagesRequest": ("/v1/messages", "MessagesReply"),
    "OllamaChatRequest": ("/ollama/api/chat", "OllamaChatReply"),
    "OllamaGenerateRequest": ("/ollama/api/generate", "OllamaGenerateReply"),
    "OllamaShowRequest": ("/ollama/api/show", "OllamaShowReply"),
    "CompletionRequest": ("/v1/completions", "CompletionReply"),
    "GeminiRequest": ("/v1beta/models/scripted/hello:generateContent", "GeminiReply"),
    "GeminiEmbeddingRequest": ("/v1beta/models/scripted/hello:embedContent", "GeminiEmbedding"),
    "GeminiEmbeddingsRequest": (
        "/v1beta/models/scripted/hello:batchEmbedContents",
        "GeminiEmbeddings",
    ),
    "CompactionRequest": ("/v1/responses/compact", "CompactionReply"),
    "EmbeddingRequest": ("/v1/embeddings", "EmbeddingReply"),
    "OllamaEmbedRequest": ("/ollama/api/embed", "OllamaEmbedReply"),
    "OllamaEmbeddingRequest": ("/ollama/api/embeddings", "OllamaEmbeddingReply"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_example_is_taken_and_answered_in_form(shared: Server, name: str) -> None:
    path, reply = REQUESTS[name]
    body = {**EXAMPLES[name], "model": "scripted/hello"}
    fits(SCHEMAS[reply], shared.call("POST", path, body).expect(200))
    wrong = shared.call("POST", path, {} if name.startswith("Gemini") else {**body, "model": 5})
    error = {
        "/v1/messages": "AnthropicError",
        "/ollama": "OllamaError",
        "/v1beta": "GeminiError",
    }
    shape = next((found for start, found in error.items() if path.startswith(start)), "OpenAiError")
    fits(SCHEMAS[shape], wrong.expect(400))


def test_the_example_of_a_chat_is_streamed_in_form(shared: Server) -> None:
    body = {**EXAMPLES["UiRequest"], "model": "scripted/hello"}
    reply = shared.call("POST", "/ai-sdk/chat", body)
    assert reply.headers["location"].startswith("/api/generations/g_")
    for chunk in bodies(reply.body):
        fits(ai_sdk_replies.UiChunk, chunk)
    fits(ai_sdk_replies.UiError, shared.call("POST", "/ai-sdk/chat", {}).expect(400))


@pytest.mark.parametrize(
    ("path", "headers", "schema"),
    [
        ("/v1/models", {}, "OpenAiModels"),
        ("/v1/models/scripted/hello", {}, "OpenAiModel"),
        ("/v1/models", {"anthropic-version": "2023-06-01"}, "AnthropicModels"),
        ("/v1/models/scripted/hello", {"anthropic-version": "2023-06-01"}, "AnthropicModel"),
        ("/ollama/api/tags", {}, "OllamaModels"),
        ("/ollama/api/version", {}, "OllamaVersion"),
        ("/ollama/api/ps", {}, "OllamaRunningModels"),
        ("/v1beta/models", {}, "GeminiModels"),
        ("/v1/models", {"x-goog-api-key": "any"}, "GeminiModels"),
        ("/v1/models/scripted/hello", {"x-goog-api-key": "any"}, "GeminiModel"),
        ("/v1beta/models/scripted/hello", {}, "GeminiModel"),
    ],
)
def test_every_list_is_in_form(
    shared: Server, path: str, headers: dict[str, str], schema: str
) -> None:
    fits(SCHEMAS[schema], shared.call("GET", path, headers=headers).expect(200))
