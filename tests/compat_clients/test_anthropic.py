"""Anthropic's Python client at `/v1/messages` and `/v1/models`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import openai
import pytest
from aiohttp import web
from anthropic._exceptions import OverloadedError

from tests.compat_clients.conftest import PNG, TEXT, THOUGHT, CompatServer
from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import FakeVendor, fake_vendor
from tests.server import DEADLINE, MakeServer

HI: list[Any] = [{"role": "user", "content": "Hi"}]
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.mark.client("anthropic", "streams", "reasoning", "usage")
def test_a_stream_has_every_event_with_reasoning_and_signature(
    anthropic_client: anthropic.Anthropic, compat_server: CompatServer
) -> None:
    with anthropic_client.messages.stream(
        model="scripted/everything", max_tokens=2000, messages=HI
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
        location = stream.response.headers["location"]
    thought, said = final.content
    assert thought.type == "thinking"
    assert (thought.thinking, thought.signature) == (THOUGHT, "proof==")
    assert said.type == "text"
    assert said.text == TEXT
    compat_server.assert_said(location, TEXT)
    assert [c.url for c in said.citations or [] if c.type == "web_search_result_location"] == [
        "https://example.org/"
    ]
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > len(TEXT)
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert {"content_block_start", "content_block_delta", "content_block_stop"} <= set(kinds)


@pytest.mark.client("anthropic", "whole replies")
def test_a_whole_message_equals_the_stream(
    anthropic_client: anthropic.Anthropic, compat_server: CompatServer
) -> None:
    raw = anthropic_client.messages.with_raw_response.create(
        model="scripted/everything", max_tokens=2000, messages=HI, system="Be brief"
    )
    message = raw.parse()
    assert [block.type for block in message.content] == ["thinking", "text"]
    text = "".join(block.text for block in message.content if block.type == "text")
    compat_server.assert_said(raw.headers["location"], text)
    assert text == TEXT


@pytest.mark.client("anthropic", "tools", "images")
def test_tools_reasoning_and_results_with_images_survive_a_round_trip(
    anthropic_client: anthropic.Anthropic, compat_server: CompatServer
) -> None:
    first = anthropic_client.messages.create(
        model="scripted/think-and-call", max_tokens=99, messages=HI, tools=[WEATHER]
    )
    assert first.stop_reason == "tool_use"
    thought, _, use = first.content
    assert use.type == "tool_use"
    assert (use.id, use.name, use.input) == ("call_1", "get_weather", {"city": "Paris"})
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    result: Any = {
        "type": "tool_result",
        "tool_use_id": use.id,
        "content": [{"type": "text", "text": "12"}, {"type": "image", "source": source}],
    }
    turns: list[Any] = [
        *HI, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}
    ]  # fmt: skip

    raw = anthropic_client.messages.with_raw_response.create(
        model="scripted/hello", max_tokens=99, messages=turns, tools=[WEATHER]
    )

    found = compat_server.ended(compat_server.located(raw.headers["location"]))
    conversation = compat_server.call("GET", f"/api/conversations/{found['conversation']}").expect(
        200
    )
    kept = [part for message in conversation["messages"][:-1] for part in message["parts"]]
    assert [part["type"] for part in kept] == [
        "text", "reasoning", "text", "tool-call", "tool-result", "image"
    ]  # fmt: skip
    assert kept[1]["signature"] == getattr(thought, "signature", None) == "proof=="


@pytest.mark.parametrize(
    ("model", "kind", "reported"),
    [
        ("scripted/limited", anthropic.RateLimitError, "rate_limit_error"),
        ("scripted/refuses", anthropic.BadRequestError, "invalid_request_error"),
        ("scripted/too-long", anthropic.BadRequestError, "invalid_request_error"),
        ("scripted/forbidden", anthropic.PermissionDeniedError, "permission_error"),
        ("scripted/overloaded-now", OverloadedError, "overloaded_error"),
        ("scripted/nobody", anthropic.NotFoundError, "not_found_error"),
        ("anthropic/claude-x", anthropic.AuthenticationError, "authentication_error"),
        ("claude-x", anthropic.AuthenticationError, "authentication_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.client("anthropic", "errors")
def test_errors_are_the_clients_own_exceptions(
    anthropic_client: anthropic.Anthropic,
    model: str,
    kind: type[anthropic.APIStatusError],
    reported: str,
    stream: bool,
) -> None:  # fmt: skip
    with pytest.raises(kind) as caught:
        anthropic_client.messages.create(model=model, max_tokens=9, messages=HI, stream=stream)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", reported)
    if model == "scripted/too-long":  # agents look for these words, then shorten the conversation
        assert body["error"]["message"].startswith("prompt is too long: ")


def test_a_failure_after_the_first_word_is_an_error_of_the_stream(
    anthropic_client: anthropic.Anthropic,
) -> None:
    with (
        pytest.raises(anthropic.APIStatusError, match="The filter cut it"),
        anthropic_client.messages.stream(
            model="scripted/blocked", max_tokens=9, messages=HI
        ) as stream,
    ):
        stream.until_done()


@pytest.mark.client("anthropic", "stopping")
def test_a_stream_is_stopped_through_the_native_api(
    anthropic_client: anthropic.Anthropic, compat_server: CompatServer
) -> None:
    model, allow = compat_server.gated()
    allow(5)
    with anthropic_client.messages.stream(model=model, max_tokens=999, messages=HI) as stream:
        location = stream.response.headers["location"]
        compat_server.wait_for_text(location, 5)
        compat_server.stop(location)
        final = stream.get_final_message()
    assert final.content[0].type == "text"
    assert final.content[0].text == TEXT[:5]
    assert final.stop_reason == "end_turn"


def test_a_missing_limit_is_named(compat_server: CompatServer) -> None:
    reply = compat_server.call(
        "POST", "/v1/messages", {"messages": HI}, {"anthropic-version": "2023-06-01"}
    )
    error = reply.expect(400)["error"]
    assert (error["type"], error["message"]) == (
        "invalid_request_error", "'max_tokens' is missing."
    )  # fmt: skip


@pytest.mark.client("anthropic", "models")
def test_models_are_listed_in_anthropics_form(anthropic_client: anthropic.Anthropic) -> None:
    listed = [model.id for model in anthropic_client.models.list()]
    assert "scripted/everything" in listed
    assert anthropic_client.models.retrieve("scripted/everything").type == "model"
    with pytest.raises(anthropic.NotFoundError):
        anthropic_client.models.retrieve("scripted/nobody")


def test_tokens_are_not_counted_by_guess(anthropic_client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="can't count tokens without answering"):
        anthropic_client.messages.count_tokens(model="scripted/hello", messages=HI)
    with pytest.raises(anthropic.NotFoundError):
        anthropic_client.messages.count_tokens(model="scripted/nobody", messages=HI)


@pytest.mark.local_model
def test_the_local_model_counts_as_many_tokens_as_it_then_reads(
    server_factory: MakeServer,
) -> None:
    server = server_factory({"GRANTHA_LOCAL_ENABLED": "1"}).start()
    with anthropic.Anthropic(base_url=server.url, api_key="any") as client:
        requested: dict[str, Any] = {
            "model": "local/default",
            "system": "Be brief.",
            "messages": [*HI, {"role": "assistant", "content": "Yes?"}, *HI],
        }
        counted = client.messages.count_tokens(**requested)
        answer = client.messages.create(max_tokens=1, **requested)
    assert counted.input_tokens == answer.usage.input_tokens > 20


async def _never(vendor: FakeVendor, _request: web.Request) -> web.StreamResponse:
    vendor.begun.set()
    try:
        await asyncio.Event().wait()
    finally:
        vendor.gone.set()
    raise AssertionError("it waits for ever")


async def test_claude_s_tokens_are_counted_by_anthropic_while_the_client_waits(
    server_factory: MakeServer,
) -> None:
    async def counted(_vendor: FakeVendor, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"input_tokens": 14})

    async with fake_vendor(wire_samples.ANTHROPIC) as vendor:
        vendor.plans.append(counted)
        there = {"GRANTHA_ANTHROPIC_BASE_URL": vendor.url, "ANTHROPIC_API_KEY": "a-key"}
        server = server_factory(there)
        await asyncio.to_thread(server.start)
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key="any") as client:
            tool: Any = {"name": "look", "input_schema": {"type": "object"}}
            own = "anthropic/claude-sonnet-4-5 proof=="  # as Grantha gave it out
            thought: Any = {"type": "thinking", "thinking": "Hm.", "signature": own}
            called: Any = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
            result: Any = {"type": "tool_result", "tool_use_id": "t1", "content": "Seen."}
            found = await client.messages.count_tokens(
                model="claude-sonnet-4-5",
                messages=[
                    *HI,
                    {"role": "assistant", "content": [thought, called]},
                    {"role": "user", "content": [result]},
                ],
                system="Be brief.",
                thinking={"type": "enabled", "budget_tokens": 1024},
                tools=[tool],
            )
        assert found.input_tokens == 14
        (seen,) = vendor.calls
        vendor.plans.append(counted)
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as other:
            earlier = await other.conversations.create(items=HI)
            await other.responses.input_tokens.count(
                model="claude-sonnet-4-5", input="And?", conversation=earlier.id
            )
        texts = [part["text"] for part in vendor.calls[-1].body["messages"][0]["content"]]
        assert texts == ["Hi", "And?"]
        vendor.plans.append(_never)
        body = json.dumps({"model": "claude-sonnet-4-5", "messages": HI}).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = (
            f"POST {seen.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await asyncio.wait_for(vendor.begun.wait(), DEADLINE)
        writer.close()  # the client leaves
        await asyncio.wait_for(vendor.gone.wait(), DEADLINE)
    assert seen.path == "/v1/messages/count_tokens"
    assert seen.body.keys() == {"model", "messages", "system", "thinking", "tools"}
    assert seen.body["messages"][1]["content"][0]["signature"] == "proof=="


def test_threads_are_refused_by_the_code_that_the_client_knows(
    anthropic_client: anthropic.Anthropic,
) -> None:
    with pytest.raises(anthropic.BadRequestError, match="send the full conversation") as caught:
        anthropic_client.messages.create(
            model="scripted/hello",
            max_tokens=5,
            messages=HI,
            extra_body={"thread": {"type": "create"}},
        )
    assert caught.value.error_code == "thread_unsupported_request"
