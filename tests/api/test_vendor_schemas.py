"""The schemas of the vendors' doors name what the doors read and write, all of it and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import BaseModel, TypeAdapter

from grantha.api.vendor_schemas import (
    SAMPLES,
    ai_sdk,
    anthropic,
    models,
    ollama,
    openai,
    responses,
)
from grantha.events import GenerationEnd, Record
from grantha.wire.views import ai_sdk as ui_view
from grantha.wire.views import anthropic as messages_view
from grantha.wire.views import ollama as ollama_view
from grantha.wire.views import openai_chat as chat_view
from grantha.wire.views import openai_responses as responses_view
from grantha.wire.views import openai_responses_request
from grantha.wire.views.base import Shown, VendorStream
from tests.server import Server
from tests.wire.views.logs import frames_of, logs
from tests.wire.views.test_merging import whole_of

SHOWN = Shown("g_1", "scripted/any", 1_700_000_000)
MODELS = models()

STREAMS: dict[str, tuple[Callable[[], VendorStream], Any]] = {
    "chat": (
        lambda: chat_view.ChatStream(SHOWN, include_usage=True),
        openai.ChatChunk | openai.OpenAiError,
    ),
    "responses": (lambda: responses_view.ResponseStream(SHOWN, {}), responses.ResponseEvent),
    "messages": (lambda: messages_view.MessagesStream(SHOWN), anthropic.MessagesEvent),
    "ui": (lambda: ui_view.UiStream(SHOWN), ai_sdk.UiChunk),
    "chat lines": (
        lambda: ollama_view.ChatLines(SHOWN),
        ollama.OllamaChatReply | ollama.OllamaError,
    ),
    "completion lines": (
        lambda: ollama_view.CompletionLines(SHOWN),
        ollama.OllamaGenerateReply | ollama.OllamaError,
    ),
}


def fits(schema: Any, value: Any) -> None:
    """The value is of the schema, and has no member that the schema doesn't name."""
    unnamed = list(_unnamed(TypeAdapter(schema).validate_python(value)))
    assert unnamed == [], value


def _unnamed(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from value.model_extra or ()
        for name in type(value).model_fields:
            yield from _unnamed(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from _unnamed(item)


def bodies(raw: bytes) -> list[Any]:
    """The JSON of SSE blocks or of lines."""
    lines = [line.removeprefix("data: ") for line in raw.decode().split("\n")]
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.mark.parametrize("door", STREAMS)
@settings(deadline=None, max_examples=60)
@given(records=logs())
def test_whatever_is_streamed_fits_its_schema(door: str, records: list[Record]) -> None:
    make, schema = STREAMS[door]
    view = make()
    for frames in frames_of(records):
        for body in bodies(view.frames(frames)):
            fits(schema, body)


@settings(deadline=None)
@given(records=logs())
def test_whatever_is_replied_at_once_fits_its_schema(records: list[Record]) -> None:
    whole, end = whole_of(records), records[-1].event
    fits(responses.ResponseReply, responses_view.response_json(SHOWN, whole, None, {}))
    if isinstance(end, GenerationEnd) and end.ending in {"done", "stopped"}:
        fits(openai.ChatReply, chat_view.reply(SHOWN, whole))
        fits(anthropic.MessagesReply, messages_view.reply(SHOWN, whole))
        fits(ollama.OllamaChatReply, ollama_view.reply(SHOWN, whole))
        lines = ollama_view.CompletionLines
        fits(ollama.OllamaGenerateReply, ollama_view.reply(SHOWN, whole, lines))


class Watched(dict[str, Any]):
    """A body that remembers which of its members were looked at."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


READ: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
    # what reads the body; members that the route looks at, or that are read where others are missing
    "ChatRequest": (chat_view.asked, {"max_tokens"}),
    "ResponseRequest": (openai_responses_request.asked, {"previous_response_id"}),
    "MessagesRequest": (messages_view.asked, set()),
    "OllamaChatRequest": (ollama_view.asked, set()),
    "UiRequest": (ui_view.asked, {"id"}),
}
REFUSED = {
    "ChatRequest": chat_view.REFUSED,
    "ResponseRequest": openai_responses_request.REFUSED,
    "MessagesRequest": messages_view.REFUSED,
    "OllamaChatRequest": ollama_view.REFUSED,
}


@pytest.mark.parametrize("name", READ)
def test_the_members_of_a_request_are_those_that_are_read(name: str) -> None:
    read, elsewhere = READ[name]
    body = Watched(SAMPLES[name])
    read(body)
    assert (body.asked | elsewhere) - set(REFUSED.get(name, ())) == set(MODELS[name].model_fields)


REQUESTS = {
    "ChatRequest": ("/v1/chat/completions", "ChatReply"),
    "ResponseRequest": ("/v1/responses", "ResponseReply"),
    "MessagesRequest": ("/v1/messages", "MessagesReply"),
    "OllamaChatRequest": ("/ollama/api/chat", "OllamaChatReply"),
    "OllamaGenerateRequest": ("/ollama/api/generate", "OllamaGenerateReply"),
    "OllamaShowRequest": ("/ollama/api/show", "OllamaShowReply"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_example_is_taken_and_answered_in_form(shared: Server, name: str) -> None:
    path, reply = REQUESTS[name]
    body = {**SAMPLES[name], "model": "scripted/hello"}
    fits(MODELS[reply], shared.call("POST", path, body).expect(200))
    wrong = shared.call("POST", path, {**body, "model": 5})
    error = {"/v1/messages": "AnthropicError", "/ollama": "OllamaError"}
    shape = next((found for start, found in error.items() if path.startswith(start)), "OpenAiError")
    fits(MODELS[shape], wrong.expect(400))


def test_the_example_of_a_chat_is_streamed_in_form(shared: Server) -> None:
    body = {**SAMPLES["UiRequest"], "model": "scripted/hello"}
    reply = shared.call("POST", "/ai-sdk/chat", body)
    assert reply.headers["location"].startswith("/api/generations/g_")
    for chunk in bodies(reply.body):
        fits(ai_sdk.UiChunk, chunk)
    fits(ai_sdk.UiError, shared.call("POST", "/ai-sdk/chat", {}).expect(400))


@pytest.mark.parametrize(
    ("path", "headers", "schema"),
    [
        ("/v1/models", {}, "OpenAiModels"),
        ("/v1/models/scripted/hello", {}, "OpenAiModel"),
        ("/v1/models", {"anthropic-version": "2023-06-01"}, "AnthropicModels"),
        ("/v1/models/scripted/hello", {"anthropic-version": "2023-06-01"}, "AnthropicModel"),
        ("/ollama/api/tags", {}, "OllamaModels"),
        ("/ollama/api/version", {}, "OllamaVersion"),
    ],
)
def test_every_list_is_in_form(
    shared: Server, path: str, headers: dict[str, str], schema: str
) -> None:
    fits(MODELS[schema], shared.call("GET", path, headers=headers).expect(200))
