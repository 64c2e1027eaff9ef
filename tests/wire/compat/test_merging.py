"""A view means the same however records are merged, for every reader, streamed or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grantha.events import Frame, GenerationEnd, Record
from grantha.wire.compat import (
    ai_sdk_view,
    anthropic_view,
    gemini_view,
    ollama_view,
    openai_chat_view,
    openai_responses_view,
)
from grantha.wire.compat.view import AnswerFold, CompatStream, ResponseMeta, parse_arguments
from tests.wire.compat import meanings
from tests.wire.compat.logs import end_of, everything, frames_of, logs, numbered, singly

SHOWN = ResponseMeta("g_1", "scripted/any", 1_700_000_000)
cuts = st.lists(st.integers(1, 40))

STREAMS: dict[str, Callable[[], CompatStream]] = {
    "chat": lambda: openai_chat_view.ChatStream(SHOWN, include_usage=True),
    "responses": lambda: openai_responses_view.ResponseStream(SHOWN, {}),
    "messages": lambda: anthropic_view.MessagesStream(SHOWN),
    "ui": lambda: ai_sdk_view.UiStream(SHOWN),
    "gemini": lambda: gemini_view.GeminiStream(SHOWN, thoughts=True, array=False),
    "gemini-array": lambda: gemini_view.GeminiStream(SHOWN, thoughts=True, array=True),
    "ollama": lambda: ollama_view.ChatLines(SHOWN),
}
MEANINGS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "chat": meanings.of_chat,
    "responses": meanings.of_responses,
    "messages": meanings.of_messages,
    "ui": meanings.of_ui,
    "gemini": meanings.of_gemini,
    "gemini-array": meanings.of_gemini_array,
    "ollama": meanings.of_ollama,
}


def shown(view: CompatStream, batches: Sequence[Sequence[Frame]]) -> bytes:
    return b"".join([view.frames(batch) for batch in batches])


@pytest.mark.parametrize("name", STREAMS)
@settings(deadline=None)
@given(records=logs(), places=cuts)
def test_any_merging_of_the_same_records_means_the_same(
    name: str, records: list[Record], places: list[int]
) -> None:
    make, meaning = STREAMS[name], MEANINGS[name]

    one_by_one = meaning(shown(make(), singly(records)))

    assert meaning(shown(make(), frames_of(records))) == one_by_one
    assert meaning(shown(make(), frames_of(records, places))) == one_by_one


@settings(deadline=None)
@given(records=logs(), places=cuts)
def test_merged_deltas_of_a_response_carry_the_number_of_a_record(
    records: list[Record], places: list[int]
) -> None:
    def numbers(batches: list[list[Frame]]) -> tuple[set[int], set[int]]:
        events = [b["data"] for b in meanings.blocks(shown(STREAMS["responses"](), batches))]
        deltas = {e["sequence_number"] for e in events if e["type"] in meanings.DELTAS}
        return deltas, {e["sequence_number"] for e in events} - deltas

    _, others = numbers(singly(records))
    merged, others_of_merged = numbers(frames_of(records, places))

    assert others_of_merged == others
    ids = {openai_responses_view.record_of_sequence_number(number) for number in merged}
    assert ids <= {(record.id, 0) for record in records}


@settings(max_examples=30, deadline=None)
@given(records=logs(), places=cuts, other_places=cuts)
def test_after_any_number_of_a_response_comes_exactly_the_rest(
    records: list[Record], places: list[int], other_places: list[int]
) -> None:
    seen = meanings.blocks(shown(STREAMS["responses"](), frames_of(records, places)))
    for place, block in enumerate(seen):
        after = block["data"]["sequence_number"]
        record, _ = openai_responses_view.record_of_sequence_number(after)
        split = next(n for n, r in enumerate(records) if r.id == record) + 1
        view = openai_responses_view.ResponseStream(SHOWN, {}, after)
        batches = [*frames_of(records[:split]), *frames_of(records[split:], other_places)]

        rest = meanings.blocks(shown(view, batches))

        assert _responses_text([*seen[: place + 1], *rest]) == _responses_text(seen)
        assert [b["data"] for b in rest if b["event"] not in meanings.DELTAS] == [
            b["data"] for b in seen[place + 1 :] if b["event"] not in meanings.DELTAS
        ]


def _responses_text(blocks: list[dict[str, Any]]) -> str:
    return "".join(b["data"]["delta"] for b in blocks if b["event"] in meanings.DELTAS)


def whole_of(records: Sequence[Record]) -> AnswerFold:
    whole = AnswerFold()
    for record in records:
        whole.apply(record.event)
    return whole


def completed(records: list[Record]) -> bool:
    end = records[-1].event
    return isinstance(end, GenerationEnd) and end.ending in {"done", "stopped"}


@settings(deadline=None)
@given(logs().filter(completed))
def test_a_reply_means_what_the_stream_means(records: list[Record]) -> None:
    whole, frames = whole_of(records), frames_of(records)

    chat = meanings.of_chat(shown(STREAMS["chat"](), frames))
    assert meanings.of_chat_reply(openai_chat_view.response_body(SHOWN, whole)) == chat

    lines = meanings.of_ollama(shown(STREAMS["ollama"](), frames))
    assert meanings.of_ollama_reply(ollama_view.response_body(SHOWN, whole)) == lines

    google = meanings.of_gemini(shown(STREAMS["gemini"](), frames))
    reply = gemini_view.response_body(SHOWN, whole, thoughts=True)
    assert meanings.of_gemini_reply(reply) == google

    streamed = meanings.of_messages(shown(STREAMS["messages"](), frames))
    for block in streamed["content"]:
        if block["type"] == "tool_use":
            block["input"] = parse_arguments(block["input"])
        if block["type"] == "thinking":
            block.setdefault("signature", "")
    reported = meanings.of_messages_reply(anthropic_view.response_body(SHOWN, whole))
    for block in reported["content"] + streamed["content"]:
        block.pop("citations", None)  # a late one has no open block to go to
    assert reported == streamed

    events = meanings.of_responses(shown(STREAMS["responses"](), frames))
    assert events["others"][-1]["response"] == openai_responses_view.response_json(
        SHOWN, whole, None, {}
    )


def test_everything_an_answer_can_hold_is_in_every_view() -> None:
    events = everything()
    records = numbered([*events, end_of(events, finish="tool-calls")])
    seen = {name: shown(make(), frames_of(records)) for name, make in STREAMS.items()}
    text = "Hello world! \U0001f600"

    chat = meanings.of_chat(seen["chat"])
    assert chat["text"] == text
    assert chat["thoughts"] == "Let me think."
    assert chat["calls"] == [["call_x", "look", '{"city":"Paris"}']]
    assert len(chat["logprobs"]) == 2
    assert chat["usage"]["prompt_tokens"] == 7
    assert chat["sources"] == [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": 11, "end_index": 11, "url": "https://a.example/", "title": "A"
            },
        }
    ]  # fmt: skip
    thought, said, call = meanings.of_messages(seen["messages"])["content"]
    assert thought == {"type": "thinking", "thinking": "Let me think.", "signature": "proof"}
    assert said["text"] == text
    assert [c["url"] for c in said["citations"]] == ["https://a.example/"]
    assert (call["id"], call["name"], call["input"]) == ("call_x", "look", '{"city":"Paris"}')

    response = meanings.of_responses(seen["responses"])["others"][-1]["response"]
    kinds = [item["type"] for item in response["output"]]
    assert kinds == ["reasoning", "message", "function_call"]
    assert response["output"][0]["encrypted_content"] == "proof"
    (content,) = response["output"][1]["content"]
    assert content["text"] == text
    assert len(content["logprobs"]) == 2
    assert content["annotations"][0]["url"] == "https://a.example/"

    ui = meanings.of_ui(seen["ui"])
    by_kind = {chunk["type"]: chunk for chunk in ui["others"]}
    assert ui["texts"]["1"] == text
    assert by_kind["reasoning-end"]["providerMetadata"] == {"grantha": {"signature": "proof"}}
    assert by_kind["tool-input-available"]["input"] == {"city": "Paris"}
    assert by_kind["source-url"]["url"] == "https://a.example/"

    lines = meanings.of_ollama(seen["ollama"])
    assert lines["text"] == text
    assert lines["calls"][0]["function"] == {"name": "look", "arguments": {"city": "Paris"}}
    assert (lines["prompt_eval_count"], lines["eval_count"]) == (7, 5)
