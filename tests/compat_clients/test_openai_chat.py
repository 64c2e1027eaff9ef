"""OpenAI's Python client at `/v1/chat/completions` and `/v1/models`."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.compat_clients.conftest import PNG, TEXT, THOUGHT, CompatServer

HI: list[Any] = [{"role": "user", "content": "Hi"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_what_is_not_stored_is_listed_nowhere(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    raw = openai_client.chat.completions.with_raw_response.create(
        model="scripted/everything", messages=[{"role": "user", "content": "Hi"}], store=False
    )
    assert raw.parse().choices[0].message.content == TEXT
    found = compat_server.assert_said(raw.headers["location"], TEXT)
    listed = compat_server.call("GET", "/api/conversations?origin=all&limit=200").expect(200)[
        "items"
    ]
    assert found["conversation"] not in {item["id"] for item in listed}


@pytest.mark.client("openai: Chat Completions", "streams", "reasoning", "usage")
def test_a_stream_has_every_character_reasoning_usage_and_finish_reason(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    reply = openai_client.chat.completions.with_raw_response.create(
        model="scripted/everything",
        messages=HI,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(reply.parse())

    assert text_of(chunks) == TEXT
    compat_server.assert_said(reply.headers["location"], TEXT)
    *_, last, usage = chunks
    assert last.choices[0].finish_reason == "stop"
    assert usage.choices == []
    assert usage.usage is not None
    assert usage.usage.completion_tokens > len(TEXT)
    thoughts = [getattr(c.choices[0].delta, "reasoning_content", "") for c in chunks if c.choices]
    assert "".join(thought or "" for thought in thoughts) == THOUGHT


@pytest.mark.client("openai: Chat Completions", "whole replies")
def test_a_whole_reply_equals_the_stream(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    raw = openai_client.chat.completions.with_raw_response.create(
        model="scripted/everything", messages=HI
    )
    reply = raw.parse()

    message = reply.choices[0].message
    assert message.content == TEXT
    compat_server.assert_said(raw.headers["location"], TEXT)
    assert [a.url_citation.url for a in message.annotations or []] == ["https://example.org/"]
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_the_streaming_helper_sees_the_same_answer(openai_client: openai.OpenAI) -> None:
    with openai_client.chat.completions.stream(model="scripted/call", messages=HI) as stream:
        final = stream.get_final_completion()
    call = (final.choices[0].message.tool_calls or [])[0]
    assert (call.id, call.function.name) == ("call_1", "get_weather")
    assert json.loads(call.function.arguments) == {"city": "Paris"}


@pytest.mark.client("openai: Chat Completions", "tools")
def test_tools_go_out_and_their_results_come_back(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    first = openai_client.chat.completions.create(
        model="scripted/call", messages=HI, tools=[WEATHER], tool_choice="auto"
    )
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    call = (message.tool_calls or [])[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"}

    turns: list[Any] = [*HI, message.model_dump(exclude_none=True), result]
    raw = openai_client.chat.completions.with_raw_response.create(
        model="scripted/hello",
        messages=turns,
        tools=[WEATHER],
    )

    found = compat_server.assert_said(
        raw.headers["location"], raw.parse().choices[0].message.content or ""
    )
    conversation = compat_server.call("GET", f"/api/conversations/{found['conversation']}").expect(
        200
    )
    assert [m["role"] for m in conversation["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    (kept,) = conversation["messages"][2]["parts"]
    assert (kept["call_id"], kept["text"]) == ("call_1", "12 degrees")
    assert found["options"]["tools"][0]["name"] == "get_weather"


@pytest.mark.client("openai: Chat Completions", "images", "structured output")
def test_images_and_forms_and_probabilities_reach_the_generation(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    form: Any = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    content: Any = [{"type": "text", "text": "What is it?"}, image]
    raw = openai_client.chat.completions.with_raw_response.create(
        model="scripted/hello",
        messages=[{"role": "developer", "content": "Be brief"}, {"role": "user", "content": content}],
        response_format=form,
        logprobs=True,
        top_logprobs=2,
        temperature=0.2,
        stop=["END"],
    )  # fmt: skip
    found = compat_server.ended(compat_server.located(raw.headers["location"]))
    assert found["options"]["response_format"] == form
    assert found["options"]["extra"] == {"logprobs": True, "top_logprobs": 2}
    assert (found["options"]["temperature"], found["options"]["stop"]) == (0.2, ["END"])
    conversation = compat_server.call("GET", f"/api/conversations/{found['conversation']}").expect(
        200
    )
    assert [m["role"] for m in conversation["messages"]] == ["system", "user", "assistant"]
    assert [p["type"] for p in conversation["messages"][1]["parts"]] == ["text", "image"]


@pytest.mark.parametrize(
    ("model", "kind", "reported"),
    [
        ("scripted/limited", openai.RateLimitError, ("rate_limit_exceeded", "rate_limit_error")),
        ("scripted/no-credit", openai.RateLimitError, ("insufficient_quota", "insufficient_quota")),
        (
            "scripted/too-long",
            openai.BadRequestError,
            ("context_length_exceeded", "invalid_request_error"),
        ),
        ("scripted/forbidden", openai.PermissionDeniedError, ("access_denied", "permission_error")),
        ("scripted/refuses", openai.BadRequestError, ("request_refused", "invalid_request_error")),
        ("scripted/nobody", openai.NotFoundError, ("unknown_model", "invalid_request_error")),
        ("nobody/nothing", openai.NotFoundError, ("unknown_model", "invalid_request_error")),
        ("openai/gpt-x", openai.AuthenticationError, ("missing_key", "authentication_error")),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.client("openai: Chat Completions", "errors")
def test_errors_are_the_clients_own_exceptions(
    openai_client: openai.OpenAI,
    model: str,
    kind: type[openai.APIStatusError],
    reported: tuple[str, str],
    stream: bool,
) -> None:
    with pytest.raises(kind) as caught:
        openai_client.chat.completions.create(model=model, messages=HI, stream=stream)
    assert isinstance(caught.value.body, dict)
    assert (caught.value.code, caught.value.body["type"]) == reported
    headers = caught.value.response.headers
    limited = reported[0] == "rate_limit_exceeded"
    assert headers.get("retry-after") == ("120" if limited else None)
    assert headers["x-should-retry"] == ("true" if limited else "false")
    if model.startswith("scripted/") and model != "scripted/nobody":
        assert caught.value.request_id == headers["location"].split("/")[3]


def test_a_failure_after_the_first_word_is_an_error_of_the_stream(
    openai_client: openai.OpenAI,
) -> None:
    chunks = []
    with pytest.raises(openai.APIError, match="The filter cut it"):  # noqa: PT012
        for chunk in openai_client.chat.completions.create(
            model="scripted/blocked", messages=HI, stream=True
        ):
            chunks.append(chunk)  # noqa: PERF402  the ones before the error count
    assert text_of(chunks) == "Half an "


def test_a_cut_whole_reply_is_an_error_and_never_passed_off_as_complete(
    openai_client: openai.OpenAI,
) -> None:
    with pytest.raises(openai.BadRequestError, match="The filter cut it"):
        openai_client.chat.completions.create(model="scripted/blocked", messages=HI)


def test_an_answer_outlives_the_client_that_requested_it(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    model, allow = compat_server.gated()
    allow(3)
    raw = openai_client.chat.completions.with_raw_response.create(
        model=model, messages=HI, stream=True
    )
    stream = raw.parse()
    next(iter(stream))
    stream.close()
    allow("open")
    compat_server.assert_said(raw.headers["location"], TEXT)


@pytest.mark.client("openai: Chat Completions", "stopping")
def test_a_stream_is_stopped_through_the_native_api(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    model, allow = compat_server.gated()
    allow(5)
    raw = openai_client.chat.completions.with_raw_response.create(
        model=model, messages=HI, stream=True
    )
    location = raw.headers["location"]
    compat_server.wait_for_text(location, 5)
    compat_server.stop(location)
    chunks = list(raw.parse())
    assert text_of(chunks) == TEXT[:5]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert compat_server.assert_said(location, TEXT[:5])["status"] == "stopped"


def test_a_retry_with_the_same_key_is_the_same_answer(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    replies = [
        openai_client.chat.completions.with_raw_response.create(
            model="scripted/hello",
            messages=HI,
            stream=stream,
            extra_headers={"Idempotency-Key": "once-only"},
        )
        for stream in (True, True)
    ]
    texts = [text_of(list(reply.parse())) for reply in replies]
    assert replies[0].headers["location"] == replies[1].headers["location"]
    assert texts[0] == texts[1] != ""
    with pytest.raises(openai.ConflictError):
        openai_client.chat.completions.create(
            model="scripted/call", messages=HI, extra_headers={"Idempotency-Key": "once-only"}
        )


def test_a_length_and_a_filter_are_reported(openai_client: openai.OpenAI) -> None:
    cut = openai_client.chat.completions.create(
        model="scripted/hello", messages=HI, max_completion_tokens=2
    )
    assert cut.choices[0].finish_reason == "length"
    assert cut.choices[0].message.content == "Hello! This "
    filtered = openai_client.chat.completions.create(model="scripted/filtered", messages=HI)
    assert filtered.choices[0].finish_reason == "content_filter"


@pytest.mark.client("openai: Chat Completions", "models")
def test_models_are_listed_and_found_also_by_a_bare_name(openai_client: openai.OpenAI) -> None:
    listed = [model.id for model in openai_client.models.list()]
    assert "scripted/everything" in listed
    assert openai_client.models.retrieve("scripted/everything").owned_by == "scripted"
    with pytest.raises(openai.NotFoundError):
        openai_client.models.retrieve("scripted/nobody")
    reply = openai_client.chat.completions.create(model="filtered", messages=HI)
    assert reply.model == "scripted/filtered"


def test_what_is_not_here_is_a_clear_404(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="/v1/moderations"):
        openai_client.moderations.create(input="Hi")


def test_several_choices_are_refused_by_name(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="'n'"):
        openai_client.chat.completions.create(model="scripted/hello", messages=HI, n=2)
