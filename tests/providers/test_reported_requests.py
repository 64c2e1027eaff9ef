"""Requests that public bug reports are about, by the report's number in its repository."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grantha.chat import (
    Call,
    FilePart,
    ImagePart,
    Message,
    Options,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    text_message,
)
from grantha.engine.tool_pairs import with_tool_results
from grantha.wire.compat import anthropic_view, openai_chat_view, openai_responses_input
from tests.providers.test_model_facts import known
from tests.wire.calls import PNG, anthropic, chat, converse, gemini, local_chat, responses

HI = text_message("user", "Hi")
SAMPLED = Options(temperature=1.0, top_p=0.9, reasoning_effort="high", extra={"top_k": 5})


@pytest.mark.parametrize(
    "model",
    [
        "anthropic/claude-opus-4-7",
        "anthropic/claude-opus-4-8",
        "anthropic/claude-opus-6",
        "anthropic/claude-sonnet-7-1",
        "openrouter/anthropic/claude-opus-4.8",
        "bedrock/us.anthropic.claude-opus-4-8-v1:0",
        "bedrock/eu.anthropic.claude-opus-6-v1:0",
    ],
)
def test_newer_claude_models_get_no_sampling_options_and_no_budget_anywhere(model: str) -> None:
    """NousResearch/hermes-agent#36151, HKUDS/nanobot#3417"""
    facts, name = known(model), model.partition("/")[2]
    call = Call(name, (HI,), SAMPLED)
    bodies = [anthropic(call, facts), converse(call, facts), chat(call, facts=facts)]
    for body in bodies:
        text = json.dumps(body)
        assert not [word for word in ("temperature", "top_p", "topP", "budget") if word in text]
    assert "top_k" not in bodies[0]
    assert not facts.prefix


@pytest.mark.parametrize(
    "model",
    ["anthropic/claude-opus-4-6", "openrouter/anthropic/claude-opus-4.6",
     "bedrock/us.anthropic.claude-opus-4-6-v1:0", "anthropic/claude-opus-6"],
)  # fmt: skip
def test_newer_claude_models_are_not_sent_a_prefix(model: str) -> None:
    """anomalyco/opencode#29760"""
    assert known(model).continuation == "instruction"


def test_the_output_limit_has_the_name_of_each_api() -> None:
    """danny-avila/LibreChat#8966"""
    call = Call("gpt-5", (HI,), Options(max_tokens=9))
    body = responses(call, known("openai-responses/gpt-5"))
    assert body["max_output_tokens"] == 9
    assert not {"max_tokens", "max_completion_tokens"} & body.keys()


def test_chat_options_that_the_responses_api_refuses_stay_here() -> None:
    """BerriAI/litellm#18200"""
    parsed = openai_chat_view.parse_request(
        {
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    assert "stream_options" not in responses(Call("m", parsed.messages, parsed.options))


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_no_blank_text_is_sent_where_it_is_refused(blank: str) -> None:
    """LibreChat-AI/agents#501"""
    picture = Message("user", (ImagePart("image/png", PNG), TextPart(blank)))
    result = Message("tool", (ToolResultPart("c", blank),))
    document = Message("user", (FilePart("a.txt", "text/plain", "x"), TextPart(blank)))
    called = Message("assistant", (TextPart(blank), ToolCallPart("c", "f", "{}")))
    tools = Options(tools=({"name": "f"},))
    call = Call("m", (picture, called, result, document), tools)
    for body in (anthropic(call), converse(call)):
        for message in body["messages"]:
            for block in message["content"]:
                assert block.get("text", "x").strip()
    inner = converse(call)["messages"][2]["content"][0]["toolResult"]["content"]
    assert inner, "an empty list is refused as well"


SCHEMAS: list[dict[str, Any]] = [
    {"const": 1},
    {"anyOf": [{"type": "string"}, {"type": "null"}]},
    {"type": ["string", "null"]},
    {"oneOf": [{"type": "string"}]},
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}},
    {"type": "number", "exclusiveMinimum": 0},
    {"type": "object", "additionalProperties": False},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_gemini_gets_schemas_in_the_field_that_takes_json_schema(schema: dict[str, Any]) -> None:
    """taylorwilsdon/google_workspace_mcp#1099"""
    parameters = {"type": "object", "properties": {"a": schema}}
    tool = {"name": "f", "parameters": parameters}
    body = gemini(Call("gemini-3-pro", (HI,), Options(tools=(tool,))))
    ((declared,),) = [t["functionDeclarations"] for t in body["tools"]]
    assert declared == {"name": "f", "parametersJsonSchema": parameters}


def test_an_error_of_a_tool_adds_no_member_that_a_strict_host_refuses() -> None:
    """mozilla-ai/any-llm#1401"""
    parsed = anthropic_view.parse_request(
        {
            "max_tokens": 9,
            "messages": [
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c", "content": "No", "is_error": True}]},
            ],
        }
    )  # fmt: skip
    result = chat(Call("m", parsed.messages))["messages"][1]
    assert result == {"role": "tool", "tool_call_id": "c", "content": "No"}


def test_the_id_of_reasoning_that_was_not_stored_is_not_sent() -> None:
    """maximhq/bifrost#5410"""
    proof = json.dumps({"type": "reasoning", "id": "rs_1", "encrypted_content": "e", "summary": []})
    thought = Message("assistant", (ReasoningPart("Hm", proof), ToolCallPart("c", "f", "{}")))
    call = Call("m", (HI, thought, Message("tool", (ToolResultPart("c", "x"),))))
    (item,) = [i for i in responses(call)["input"] if i["type"] == "reasoning"]
    assert item["encrypted_content"] == "e"
    assert "id" not in item


def test_a_conversation_that_was_stopped_in_a_call_can_be_continued() -> None:
    """earendil-works/pi#3344, home-assistant/core#161142"""
    half = Message("assistant", (ToolCallPart("c", "f", '{"a'),))
    messages = with_tool_results([HI, half, HI])
    call = Call("m", messages, Options(tools=({"name": "f"},)))
    assert "function_call_output" in json.dumps(responses(call))
    assert "functionResponse" in json.dumps(gemini(call))
    assert "tool_result" in json.dumps(anthropic(call))


def test_a_system_message_may_stand_anywhere_in_a_message_request() -> None:
    """vllm-project/vllm#44000, ollama/ollama#16372"""
    for content in ("Mind this.", [{"type": "text", "text": "Mind this."}]):
        parsed = anthropic_view.parse_request(
            {
                "max_tokens": 9,
                "messages": [
                    {"role": "user", "content": "Hi"},
                    {"role": "system", "content": content},
                    {"role": "user", "content": "Go"},
                ],
            }
        )
        assert parsed.messages[1] == text_message("system", "Mind this.")


def test_tool_results_and_other_contents_may_be_lists_of_parts() -> None:
    """Neroued/ninfer#56"""
    text = [{"type": "text", "text": "x"}]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    parsed = openai_chat_view.parse_request(
        {
            "messages": [
                {"role": "system", "content": text},
                {"role": "developer", "content": text},
                {"role": "user", "content": text},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": text},
            ]
        }
    )
    assert parsed.messages[4].parts == (ToolResultPart("c", "x"),)


@pytest.mark.parametrize(
    "kind", ["custom", "web_search", "namespace", "image_generation", "function"]
)
def test_a_tool_of_any_kind_leaves_a_request_valid(kind: str) -> None:
    """ggml-org/llama.cpp#20156"""
    tool: dict[str, Any] = {"type": kind, "name": "t", "tools": []}
    parsed = openai_responses_input.parse_request({"input": "Hi", "tools": [tool]})
    assert parsed.messages == (HI,)


def test_a_question_reaches_every_vendor_as_it_was_written() -> None:
    """open-webui/open-webui#20198"""
    text = "First.\n\n\n    def f():\n\n\t\treturn 1  \n\r\nLast line, with spaces   \n\n"
    call = Call("m", (text_message("user", text), text_message("assistant", "Yes."), HI))
    written = json.dumps(text)
    for encode in (anthropic, chat, converse, gemini, responses, local_chat):
        assert written in json.dumps(encode(call)), encode.__name__
