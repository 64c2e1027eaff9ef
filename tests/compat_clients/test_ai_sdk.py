"""The `ai` package's own chat with its `DefaultChatTransport` at `/ai-sdk/chat`."""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.compat_clients import node
from tests.compat_clients.conftest import TEXT, THOUGHT, CompatServer

_names = itertools.count()


def chat(compat_server: CompatServer, scenario: str, model: str, gate: str | None = None) -> Any:
    """How a chat looks after a scenario of `js/chat.mjs`."""
    place = str(compat_server.scripts / gate) if gate else None
    return node.run(
        "chat.mjs", scenario, json.dumps({"url": compat_server.url, "model": model, "gate": place})
    )


def gated(compat_server: CompatServer) -> tuple[str, str]:
    model, _ = compat_server.gated()
    return model, f"{model.partition('/')[2]}.gate"


def conversation_of(compat_server: CompatServer, found: Any) -> dict[str, Any]:
    """The conversation that holds the answer shown last."""
    last = found["messages"][-1]["metadata"]["generation"]
    conversation = compat_server.generation(last)["conversation"]
    return compat_server.call("GET", f"/api/conversations/{conversation}").expect(200)


@pytest.mark.client("ai (JavaScript)", "streams", "reasoning", "usage")
def test_an_answer_has_reasoning_text_source_and_hash(compat_server: CompatServer) -> None:
    found = chat(compat_server, "once", "scripted/everything")
    assert (found["status"], found["error"], found["text"]) == ("ready", None, TEXT)
    said = found["messages"][-1]
    kinds = [part["type"] for part in said["parts"]]
    assert kinds == ["step-start", "reasoning", "text", "source-url"]
    thought = said["parts"][1]
    assert thought["text"] == THOUGHT
    assert thought["providerMetadata"] == {"grantha": {"signature": "proof=="}}
    ended = compat_server.assert_said(
        f"/api/generations/{said['metadata']['generation']}/events", TEXT
    )
    assert said["metadata"]["sha256"] == ended["end"]["sha256"]
    assert said["metadata"]["usage"]["output_tokens"] > len(TEXT)


def test_one_chat_is_one_conversation_that_holds_everything_once(
    compat_server: CompatServer,
) -> None:
    found = chat(compat_server, "twice", "scripted/everything")
    conversation = conversation_of(compat_server, found)
    assert [m["role"] for m in found["messages"]] == ["user", "assistant"] * 2
    # The fifth is the second answer to the second question.
    assert [m["role"] for m in conversation["messages"]] == ["user", "assistant"] * 2 + [
        "assistant"
    ]
    assert conversation["messages"][4]["parent"] == conversation["messages"][3]["parent"]


@pytest.mark.client("ai (JavaScript)", "tools")
def test_a_tool_runs_in_the_client_and_the_same_message_goes_on(
    compat_server: CompatServer,
) -> None:
    name = f"weather-{next(_names)}"
    call = {"tool": "get_weather", "arguments": {"city": "Paris"}}
    model = compat_server.script(
        name,
        {"attempts": [
            {"steps": [{"text": "Let me look. "}, call, {"finish": "tool-calls"}]},
            {"steps": [{"text": "It is mild!"}]},
        ]},
    )  # fmt: skip
    found = chat(compat_server, "tools", model)
    assert found["error"] is None
    assert [m["role"] for m in found["messages"]] == ["user", "assistant"], "one message for both"
    kinds = [part["type"] for part in found["messages"][1]["parts"]]
    assert kinds == ["step-start", "text", "tool-get_weather", "step-start", "text"]
    conversation = conversation_of(compat_server, found)
    assert [m["role"] for m in conversation["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert conversation["messages"][2]["parts"][0]["text"] == "12 degrees in Paris"


def test_resuming_finds_nothing_when_nothing_runs(compat_server: CompatServer) -> None:
    found = chat(compat_server, "nothing", "scripted/everything")
    assert (found["status"], found["messages"], found["error"]) == ("ready", [], None)
    reply = compat_server.call("GET", f"/ai-sdk/chat/{quote(found['id'], safe='')}/stream")
    assert (reply.status, reply.body) == (204, b"")


def test_another_page_joins_in_mid_answer(compat_server: CompatServer) -> None:
    model, gate = gated(compat_server)
    found = chat(compat_server, "another", model, gate)
    assert (found["text"], found["same"], found["status"]) == (TEXT, True, "ready")


def test_a_resumed_answer_is_a_message_of_its_own_behind_the_one_before(
    compat_server: CompatServer,
) -> None:
    model, gate = gated(compat_server)
    found = chat(compat_server, "history", model, gate)
    *before, resumed = found["messages"]
    assert before == found["before"]
    kinds = [part["type"] for part in resumed["parts"]]
    assert kinds == ["step-start", "text"]
    assert (found["text"], found["status"]) == (TEXT, "ready")


@pytest.mark.client("ai (JavaScript)", "resuming")
def test_a_cut_stream_is_resumed_without_a_doubled_letter(compat_server: CompatServer) -> None:
    model, gate = gated(compat_server)
    found = chat(compat_server, "cut", model, gate)
    assert (found["broken"], found["status"], found["text"]) == ("error", "ready", TEXT)
    assert [m["role"] for m in found["messages"]] == ["user", "assistant"]


def test_leaving_the_stream_does_not_end_the_answer(compat_server: CompatServer) -> None:
    model, gate = gated(compat_server)
    found = chat(compat_server, "leave", model, gate)
    assert (found["text"], found["status"]) == (TEXT[:4], "ready")
    generation = found["messages"][-1]["metadata"]["generation"]
    compat_server.assert_said(f"/api/generations/{generation}/events", TEXT)


@pytest.mark.client("ai (JavaScript)", "stopping")
def test_the_stop_address_ends_the_answer_for_good(compat_server: CompatServer) -> None:
    model, gate = gated(compat_server)
    found = chat(compat_server, "stop", model, gate)
    assert (found["text"], found["status"], found["error"]) == (TEXT[:4], "ready", None)
    assert found["receipt"]["status"] == "stopped"


@pytest.mark.parametrize(
    ("model", "reported", "text"),
    [
        ("scripted/nobody", "has no model", "One"),
        ("scripted/limited", "Too many requests", "One"),
        ("scripted/blocked", "The filter cut it", "Half an "),
    ],
)
@pytest.mark.client("ai (JavaScript)", "errors")
def test_an_error_is_the_chats_error(
    compat_server: CompatServer, model: str, reported: str, text: str
) -> None:
    found = chat(compat_server, "once", model)
    assert found["status"] == "error"
    assert reported in found["error"]
    assert found["text"] == text
