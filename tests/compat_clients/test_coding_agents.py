"""Requests of coding agents: tools of every kind, items and blocks that only their vendor's models know."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from grantha.chat import Call, Message, TextPart, ToolCallPart, ToolResultPart, text_message
from grantha.providers.refused_options import notices
from grantha.wire.compat import anthropic_view, openai_chat_view, openai_responses_input
from grantha.wire.lenient_json import dumps
from tests.compat_clients.conftest import CompatServer
from tests.wire.calls import anthropic as anthropic_body
from tests.wire.calls import chat as chat_body
from tests.wire.calls import converse, gemini, local_chat, responses
from tests.wire.compat import meanings

PATCH = '*** Begin Patch\n*** Add File: a\n+"x"\n*** End Patch'
SHELL: dict[str, Any] = {
    "type": "function",
    "name": "shell",
    "strict": False,
    "parameters": {"type": "object", "properties": {"command": {"type": "array"}}},
}
APPLY_PATCH: dict[str, Any] = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: begin"},
}
SEARCH: dict[str, Any] = {
    "type": "namespace",
    "name": "mcp__docs",
    "tools": [{"type": "function", "name": "search", "parameters": {"type": "object"}}],
}
HOSTED: list[dict[str, Any]] = [
    {"type": "web_search", "external_web_access": False},
    {"type": "local_shell"},
    {"type": "image_generation", "output_format": "png"},
    {"type": "tool_search"},
]
AGENT: dict[str, Any] = {
    "instructions": "You are a coding agent.",
    "tools": [SHELL, APPLY_PATCH, SEARCH, *HOSTED],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "k",
    "text": {"verbosity": "low"},
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix it."}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "proof"},
        {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": '{"command":["ls"]}'},
        {"type": "function_call", "call_id": "c2", "name": "search", "namespace": "mcp__docs",
         "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c3", "name": "apply_patch", "input": PATCH},
        {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search"}},
        {"type": "function_call_output", "call_id": "c1", "output": "a b"},
        {"type": "function_call_output", "call_id": "c2", "output": "found"},
        {"type": "custom_tool_call_output", "call_id": "c3", "output": "done"},
        {"type": "additional_tools", "tools": [{"type": "function", "name": "late", "parameters": {}}]},
    ],
}  # fmt: skip


def test_an_agents_conversation_is_read_whole() -> None:
    parsed = openai_responses_input.parse_request(AGENT)
    assert parsed.messages[2:] == (
        parsed.messages[2],
        Message("assistant", (ToolCallPart("c1", "shell", '{"command":["ls"]}'),)),
        Message("assistant", (ToolCallPart("c2", "mcp__docs__search", "{}"),)),
        Message("assistant", (ToolCallPart("c3", "apply_patch", json.dumps({"input": PATCH})),)),
        Message("tool", (ToolResultPart("c1", "a b"),)),
        Message("tool", (ToolResultPart("c2", "found"),)),
        Message("tool", (ToolResultPart("c3", "done"),)),
    )
    names = ["shell", "apply_patch", "mcp__docs__search", "late"]
    assert [t["name"] for t in parsed.options.tools if t["name"] in names] == names


def test_every_vendor_gets_functions_and_nothing_that_it_does_not_know() -> None:
    parsed = openai_responses_input.parse_request(AGENT)
    call = Call("m", parsed.messages, parsed.options)
    names = ["shell", "apply_patch", "mcp__docs__search", "late"]
    chat = chat_body(call)
    assert {tool["type"] for tool in chat["tools"]} == {"function"}
    assert [tool["function"]["name"] for tool in chat["tools"]] == names
    assert [tool["name"] for tool in anthropic_body(call)["tools"]] == names
    (declared,) = gemini(call)["tools"]
    assert [tool["name"] for tool in declared["functionDeclarations"]] == names
    assert [t["toolSpec"]["name"] for t in converse(call)["toolConfig"]["tools"]] == names
    assert [tool["function"]["name"] for tool in local_chat(call)["tools"]] == names
    for body in (chat, anthropic_body(call), gemini(call), converse(call), local_chat(call)):
        assert "origin" not in json.dumps(body)
    (patch,) = [t["function"] for t in chat["tools"] if t["function"]["name"] == "apply_patch"]
    assert patch["parameters"]["required"] == ["input"]
    assert "start: begin" in patch["description"]


def test_parallel_calls_reach_hosts_of_chat_completions_as_one_message() -> None:
    parsed = openai_responses_input.parse_request(AGENT)
    messages = chat_body(Call("m", parsed.messages, parsed.options))["messages"]
    (called,) = [m for m in messages if m.get("tool_calls")]
    assert [c["id"] for c in called["tool_calls"]] == ["c1", "c2", "c3"]
    at = messages.index(called)
    assert [m["tool_call_id"] for m in messages[at + 1 : at + 4]] == ["c1", "c2", "c3"]


def test_tools_that_a_vendor_runs_go_to_that_vendor_alone_and_are_reported_elsewhere() -> None:
    options = openai_responses_input.parse_request(AGENT).options
    call = Call("m", (text_message("user", "Hi"),), options)
    assert [tool for tool in responses(call)["tools"] if tool["type"] != "function"] == HOSTED
    reports = notices("openai", "m", options, dumps(chat_body(call)))
    kinds = [tool["type"] for tool in HOSTED]
    assert [n.details["tool"] for n in reports if n.details["option"] == "tools"] == kinds
    reports = notices("openai-responses", "m", options, dumps(responses(call)))
    assert "tools" not in [n.details["option"] for n in reports]


@pytest.mark.parametrize("stream", [True, False])
def test_calls_come_back_in_the_form_that_the_agent_knows(
    compat_server: CompatServer, stream: bool
) -> None:
    model = compat_server.script(
        "agent-calls",
        {
            "steps": [
                {"tool": "apply_patch", "arguments": {"input": PATCH}, "call_id": "c1"},
                {"tool": "mcp__docs__search", "arguments": {"q": 1}, "call_id": "c2"},
                {"tool": "shell", "arguments": {"command": ["ls"]}, "call_id": "c3"},
                {"finish": "tool-calls"},
            ]
        },
    )
    with openai.OpenAI(base_url=f"{compat_server.url}/v1", api_key="any", max_retries=0) as client:
        body = {**AGENT, "model": model, "stream": stream}
        reply: Any = client.responses.create(**body)
        if stream:
            events = list(reply)
            final = events[-1].response
            done = [e.item for e in events if e.type == "response.output_item.done"]
            assert [item.to_dict() for item in done] == [i.to_dict() for i in final.output]
            (free,) = [e for e in events if e.type == "response.custom_tool_call_input.done"]
            assert free.input == PATCH
        else:
            final = reply
    patch, search, shell = final.output
    assert (patch.type, patch.call_id, patch.name, patch.input) == (
        "custom_tool_call",
        "c1",
        "apply_patch",
        PATCH,
    )
    assert (search.type, search.name, search.to_dict()["namespace"]) == (
        "function_call",
        "search",
        "mcp__docs",
    )
    assert (shell.type, shell.name) == ("function_call", "shell")


@pytest.mark.parametrize("stream", [True, False])
def test_a_custom_tool_of_chat_completions_is_called_with_its_text(
    compat_server: CompatServer, openai_client: openai.OpenAI, stream: bool
) -> None:
    model = compat_server.script(
        "chat-custom",
        {"steps": [{"tool": "apply_patch", "arguments": {"input": PATCH}, "call_id": "c1"}]},
    )
    tool: Any = {"type": "custom", "custom": {"name": "apply_patch", "description": "Edits."}}
    reply: Any = openai_client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Go"}], tools=[tool], stream=stream
    )
    calls = (
        [call for chunk in reply for call in chunk.choices[0].delta.tool_calls or ()]
        if stream
        else reply.choices[0].message.tool_calls
    )
    (call,) = [call.to_dict() for call in calls]
    call.pop("index", None)
    custom = {"name": "apply_patch", "input": PATCH}
    assert call == {"id": "c1", "type": "custom", "custom": custom}
    sent_back: Any = {"role": "assistant", "content": None, "tool_calls": [call]}
    parsed = openai_chat_view.parse_request({"messages": [sent_back]})
    assert parsed.messages[0].parts == (
        ToolCallPart("c1", "apply_patch", json.dumps({"input": PATCH})),
    )


def test_a_body_of_the_responses_api_is_answered_at_chat_completions(
    compat_server: CompatServer,
) -> None:
    body = {**AGENT, "model": "scripted/hello", "stream": True}
    reply = compat_server.call("POST", "/v1/chat/completions", body)
    assert reply.status == 200, reply.body
    assert meanings.of_chat(reply.body)["finish"] == "stop"


def test_blocks_and_tools_of_anthropics_form_are_read_at_chat_completions() -> None:
    parsed = openai_chat_view.parse_request(
        {
            "messages": [
                {"role": "user", "content": "Go"},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [
                        {"type": "text", "text": "12"}]}]},
            ],
            "tools": [{"name": "look", "description": "Looks", "input_schema": {"type": "object"}}],
        }
    )  # fmt: skip
    assert parsed.messages[1:] == (
        Message("assistant", (TextPart("Let me look."), ToolCallPart("t1", "look", '{"a":1}'))),
        Message("user", (ToolResultPart("t1", "12"),)),
    )
    assert parsed.options.tools == (
        {"name": "look", "description": "Looks", "parameters": {"type": "object"}},
    )


CLAUDE: dict[str, Any] = {
    "max_tokens": 8000,
    "system": [{"type": "text", "text": "You are.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "thinking": {"type": "adaptive", "display": "summarized"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "metadata": {"user_id": "u"},
    "tools": [
        {"name": "Bash", "description": "Runs.", "input_schema": {"type": "object"},
         "cache_control": {"type": "ephemeral"}, "eager_input_streaming": True},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "Go", "cache_control": {"type": "ephemeral"}}]},
        {"role": "system", "content": "The user opened a file."},
        {"role": "assistant", "content": [
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
            {"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [
                {"type": "text", "text": "ok"}, {"type": "tool_reference", "tool_name": "x"}]}]},
    ],
}  # fmt: skip


def test_an_agent_of_anthropics_is_answered_by_any_model(
    compat_server: CompatServer, anthropic_client: anthropic.Anthropic
) -> None:
    reply = anthropic_client.beta.messages.create(
        **{**CLAUDE, "model": "scripted/hello"}, betas=["context-management-2025-06-27"]
    )
    assert reply.stop_reason == "end_turn"


def test_what_only_anthropic_knows_reaches_anthropic_alone() -> None:
    parsed = anthropic_view.parse_request(CLAUDE)
    call = Call("m", parsed.messages, parsed.options)
    body = anthropic_body(call)
    assert body["tools"][1] == CLAUDE["tools"][1]
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert body["metadata"] == {"user_id": "u"}
    assert [t["function"]["name"] for t in chat_body(call)["tools"]] == ["Bash"]
    assert chat_body(call)["parallel_tool_calls"] is False
    reports = notices("openai", "m", parsed.options, dumps(chat_body(call)))
    assert {"option": "tools", "tool": "web_search_20250305"} in [n.details for n in reports]


def test_a_bound_on_the_calls_of_hosted_tools_reaches_their_vendor_alone() -> None:
    parsed = openai_responses_input.parse_request({"input": "Hi", "max_tool_calls": 3})
    call = Call("m", parsed.messages, parsed.options)
    assert responses(call)["max_tool_calls"] == 3
    for body in (
        chat_body(call),
        anthropic_body(call),
        gemini(call),
        converse(call),
        local_chat(call),
    ):
        assert "max_tool_calls" not in json.dumps(body)
