"""How each view represents the end of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from grantha.events import Event, Open, PartStart, ReasoningDelta, TextDelta
from grantha.wire.compat import anthropic_view, openai_chat_view
from grantha.wire.signatures import REDACTED
from tests.wire.compat import meanings
from tests.wire.compat.logs import end_of, everything, frames_of, numbered
from tests.wire.compat.test_merging import SHOWN, STREAMS, shown, whole_of

BEGUN: list[Event] = [
    Open(None, "scripted/any"), PartStart(0, "text"), TextDelta(0, "Half an ans")
]  # fmt: skip


def ended(name: str, ending: str, finish: str | None, native: str | None = None) -> bytes:
    records = numbered([*BEGUN, end_of(BEGUN, ending, finish, native)])
    return shown(STREAMS[name](), frames_of(records))


@pytest.mark.parametrize(
    ("ending", "finish", "words"),
    [
        ("done", "stop", ("stop", "end_turn", "completed", "stop", "stop", "STOP")),
        ("done", "length", ("length", "max_tokens", "incomplete", "length", "length",
         "MAX_TOKENS")),
        ("done", "tool-calls", ("tool_calls", "tool_use", "completed", "tool-calls", "stop",
         "STOP")),
        ("done", "content-filter", ("content_filter", "refusal", "incomplete", "content-filter",
         "stop", "SAFETY")),
        ("done", "refusal", ("content_filter", "refusal", "incomplete", "content-filter", "stop",
         "SAFETY")),
        ("done", "unknown", ("stop", "end_turn", "completed", "other", "stop", "STOP")),
        ("stopped", None, ("stop", "end_turn", "cancelled", "abort", "stop", "STOP")),
    ],
)  # fmt: skip
def test_every_complete_or_stopped_answer_ends_with_the_vendors_word(
    ending: str, finish: str | None, words: tuple[str, str, str, str, str, str]
) -> None:
    chat, messages, responses, ui, ollama, google = words
    assert meanings.of_gemini(ended("gemini", ending, finish))["finishReason"] == google
    assert meanings.of_chat(ended("chat", ending, finish))["finish"] == chat
    assert meanings.of_messages(ended("messages", ending, finish))["stop"] == messages
    last = meanings.of_responses(ended("responses", ending, finish))["others"][-1]
    assert last["response"]["status"] == responses
    kind = responses if responses in {"completed", "failed"} else "incomplete"
    assert last["type"] == f"response.{kind}"
    chunk = meanings.of_ui(ended("ui", ending, finish))["others"][-1]
    assert chunk.get("finishReason", chunk["type"]) == ui
    assert meanings.of_ollama(ended("ollama", ending, finish))["done_reason"] == ollama


@pytest.mark.parametrize("ending", ["failed", "interrupted"])
def test_a_cut_answer_is_never_passed_off_as_complete(ending: str) -> None:
    chat = meanings.of_chat(ended("chat", ending, None))
    assert chat["error"] == {
        "message": "It broke off.", "type": "api_error", "param": None, "code": "truncated"
    }  # fmt: skip
    assert chat["finish"] is None
    reported = meanings.of_messages(ended("messages", ending, None))["error"]
    assert reported == {"type": "api_error", "message": "It broke off."}
    response = meanings.of_responses(ended("responses", ending, None))["others"][-1]["response"]
    assert (response["status"], response["error"]["message"]) == ("failed", "It broke off.")
    assert response["output"][0]["status"] == "incomplete"
    assert meanings.of_ui(ended("ui", ending, None))["others"][-1] == {
        "type": "error", "errorText": "It broke off."
    }  # fmt: skip
    assert meanings.of_ollama(ended("ollama", ending, None))["error"] == "It broke off."


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("length", {"reason": "max_output_tokens"}),
        ("refusal", {"reason": "content_filter"}),
        ("stop", None),
    ],
)
def test_a_response_says_why_it_is_incomplete(finish: str, reason: Any) -> None:
    last = meanings.of_responses(ended("responses", "done", finish))["others"][-1]
    assert last["response"]["incomplete_details"] == reason


def test_anthropics_own_stop_reasons_pass_through() -> None:
    for native in ("stop_sequence", "pause_turn"):
        raw = ended("messages", "done", "stop", native)
        assert meanings.of_messages(raw)["stop"] == native


def test_redacted_reasoning_stays_redacted_and_goes_back_unchanged() -> None:
    events: list[Event] = [
        Open(None, "scripted/any"),
        PartStart(0, "reasoning"),
        ReasoningDelta(0, "", REDACTED + "c2VjcmV0", 0),
    ]
    records = numbered([*events, end_of(events)])
    hidden = {"type": "redacted_thinking", "data": "c2VjcmV0"}

    streamed = meanings.of_messages(shown(STREAMS["messages"](), frames_of(records)))
    assert streamed["content"] == [hidden]
    assert anthropic_view.response_body(SHOWN, whole_of(records))["content"] == [hidden]
    parsed = anthropic_view.parse_request(
        {
            "max_tokens": 5,
            "messages": [
                {"role": "assistant", "content": [hidden]},
                {"role": "user", "content": "Go on"},
            ],
        }
    )
    assert parsed.messages[0].parts[0].signature == REDACTED + "c2VjcmV0"  # type: ignore[union-attr]


def test_usage_comes_in_a_chunk_of_its_own_only_on_request() -> None:
    events = everything()
    frames = frames_of(numbered([*events, end_of(events)]))

    plain = meanings.blocks(shown(openai_chat_view.ChatStream(SHOWN), frames))
    parsed = meanings.blocks(shown(openai_chat_view.ChatStream(SHOWN, include_usage=True), frames))

    assert not any("usage" in block["data"] for block in plain if block["data"] != "[DONE]")
    assert parsed[-2]["data"]["choices"] == []
    assert parsed[-2]["data"]["usage"]["total_tokens"] == 12
    assert all(block["data"]["usage"] is None for block in parsed[:-2])
