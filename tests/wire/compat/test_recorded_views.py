"""Recorded replies of every dialect, through every view: what vendors send is what their clients get."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from grantha.chat import Usage
from grantha.engine.parts import PartWriter
from grantha.errors import GranthaError
from grantha.events import (
    Cited,
    Event,
    Finished,
    GenerationEnd,
    Open,
    Reasoning,
    Record,
    Text,
    ToolCall,
    UpstreamEvent,
    UsageReport,
    UsageSeen,
)
from grantha.wire.compat import anthropic_view, openai_chat_view
from tests.wire.compat import meanings
from tests.wire.compat.logs import end_of, frames_of, numbered, singly
from tests.wire.compat.test_merging import MEANINGS, SHOWN, STREAMS, shown, whole_of
from tests.wire.recorded import Recorded, recorded

STREAMED = [case for case in recorded() if not case.is_body]


def case_named(name: str) -> Recorded:
    """A fixture."""
    return next(case for case in STREAMED if str(case) == name)


def log_of(case: Recorded) -> list[Record]:
    """The log of an answer whose upstream sent this."""
    decoder, error = case.decoder(), None
    found: list[UpstreamEvent] = []
    try:
        found = [*decoder.feed(case.body), *decoder.finish()]
    except GranthaError as failed:
        error = failed
    return numbered(_written(found, error))


def _written(found: Sequence[UpstreamEvent], error: GranthaError | None) -> list[Event]:
    events: list[Event] = [Open(None, "scripted/any")]
    writer = PartWriter(events.append, lambda: 0)
    usage: Usage | None = None
    finished: Finished | None = None
    for event in found:
        match event:
            case Text():
                writer.text(event)
            case Reasoning():
                writer.reasoning(event)
            case ToolCall():
                writer.tool_call(event)
            case Cited():
                writer.cite(event)
            case UsageSeen():
                usage = event.usage
                events.append(UsageReport(usage))
            case Finished():
                finished = event
            case _:
                pass
    writer.end()
    if finished is None:
        end = end_of(events, "failed")
        reported = error.to_json() if error else end.error
    else:
        end, reported = end_of(events, "done", finished.reason, finished.native), None
    closed = GenerationEnd(
        end.ending,
        end.finish_reason,
        end.native_finish_reason,
        usage,
        end.timings,
        end.text_length,
        end.sha256,
        reported,
        stop_sequence=finished.stop_sequence if finished else None,
    )
    return [*events, closed]


@pytest.mark.parametrize("case", STREAMED, ids=str)
@pytest.mark.parametrize("name", STREAMS)
def test_what_a_vendor_sent_is_whole_in_every_view(case: Recorded, name: str) -> None:
    records = log_of(case)
    meaning = MEANINGS[name](shown(STREAMS[name](), frames_of(records)))
    assert meaning == MEANINGS[name](shown(STREAMS[name](), singly(records)))
    text = whole_of(records).text()
    if name in {"chat", "ollama", "gemini", "gemini-array"}:
        assert meaning["text"] == text
    elif name == "messages":
        assert "".join(b["text"] for b in meaning["content"] if b["type"] == "text") == text
    elif name == "responses":
        kind = "response.output_text.delta"
        texts = [t for key, t in meaning["texts"].items() if key.startswith(kind)]
        assert "".join(texts) == text


@pytest.mark.parametrize("case", STREAMED, ids=str)
def test_every_chunk_of_chat_completions_has_what_strict_clients_demand(case: Recorded) -> None:
    raw = shown(STREAMS["chat"](), singly(log_of(case)))
    begun: set[int] = set()
    for block in meanings.blocks(raw):
        chunk = block["data"]
        if chunk == "[DONE]" or "error" in chunk:
            continue
        assert {"id", "object", "created", "model", "choices"} <= chunk.keys()
        usage = chunk.get("usage")
        assert (
            usage is None or {"prompt_tokens", "completion_tokens", "total_tokens"} <= usage.keys()
        )
        for choice in chunk["choices"]:
            assert {"index", "delta", "finish_reason"} <= choice.keys()
            for call in choice["delta"].get("tool_calls", []):
                if call["index"] in begun:
                    assert call.keys() == {"index", "function"}
                    assert call["function"].keys() == {"arguments"}
                else:
                    assert (call["type"], bool(call["id"])) == ("function", True)
                    begun.add(call["index"])


def messages_of(case: str) -> dict[str, Any]:
    """A fixture as a client of Anthropic's has it."""
    return meanings.of_messages(shown(STREAMS["messages"](), singly(log_of(case_named(case)))))


def test_the_stop_sequence_that_ended_an_answer_is_named_at_the_messages_api() -> None:
    name = "anthropic/stop-sequence-named"
    blocks = meanings.blocks(shown(STREAMS["messages"](), singly(log_of(case_named(name)))))
    delta = blocks[-2]["data"]["delta"]
    assert delta == {"stop_reason": "stop_sequence", "stop_sequence": "\n\nHuman:"}
    reply = anthropic_view.response_body(SHOWN, whole_of(log_of(case_named(name))))
    assert {name: reply[name] for name in delta} == delta  # type: ignore[literal-required]


def test_input_tokens_leave_out_cached_ones_at_the_messages_api() -> None:
    name = "openai-chat/cached-input"
    usage = messages_of(name)["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (20, 80)
    whole = whole_of(log_of(case_named(name)))
    assert anthropic_view.response_body(SHOWN, whole)["usage"] == usage


@pytest.mark.parametrize(
    "case", ["anthropic/two-tools", "openai-chat/parallel-calls-at-index-0-interleaved"]
)
def test_blocks_of_the_messages_api_stand_strictly_one_after_another(case: str) -> None:
    raw = shown(STREAMS["messages"](), singly(log_of(case_named(case))))
    events = [block["data"] for block in meanings.blocks(raw)]
    edges = [
        (event["type"].removeprefix("content_block_"), event["index"])
        for event in events
        if event["type"] in {"content_block_start", "content_block_stop"}
    ]
    assert edges == [("start", 0), ("stop", 0), ("start", 1), ("stop", 1)]
    inputs = [block["input"] for block in meanings.of_messages(raw)["content"]]
    assert inputs == ['{"x":1}', '{"y":2}']


def test_a_call_whose_arguments_are_whole_is_complete_before_the_next_one_ends() -> None:
    records = log_of(case_named("anthropic/two-tools"))
    second = next(n for n, r in enumerate(records) if "'second'" in str(r.event))
    raw = shown(STREAMS["messages"](), frames_of(records[: second + 1]))
    assert [block["data"]["type"] for block in meanings.blocks(raw)][-2:] == [
        "content_block_stop",
        "content_block_start",
    ]


def test_a_call_without_arguments_has_an_empty_object_at_every_api() -> None:
    records = log_of(case_named("openai-chat/call-without-arguments"))
    chat = meanings.of_chat(shown(STREAMS["chat"](), singly(records)))
    assert [json.loads(arguments) for _, _, arguments in chat["calls"]] == [{}]
    reply = openai_chat_view.response_body(SHOWN, whole_of(records))
    (call,) = reply["choices"][0]["message"]["tool_calls"]
    assert call["type"] == "function"
    assert call["function"]["arguments"] == "{}"


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ('{"x": NaN, "y": [-Infinity, 1e999, 1]}', {"x": None, "y": [None, None, 1]}),
        ('{"x": ' + "[" * 20_000 + "]" * 20_000 + "}", None),
    ],
)
def test_arguments_of_no_strict_json_spoil_no_view(arguments: str, read: Any) -> None:
    call = ToolCall(0, "call_1", "look", arguments)
    records = numbered(_written([call, Finished("tool-calls", None)], None))
    streams = {name: shown(make(), frames_of(records)) for name, make in STREAMS.items()}
    for raw in streams.values():
        for line in raw.decode().splitlines():
            text = line.removeprefix("data: ").strip("[,]")
            if text.startswith("{"):
                msgspec.json.decode(text)  # strict, unlike Python's own
    chunk = meanings.of_ui(streams["ui"])["others"][-3]
    assert chunk["input"] == (arguments if read is None else read)
    (called,) = meanings.of_ollama(streams["ollama"])["calls"]
    assert called["function"]["arguments"] == (read or {})
    (block,) = anthropic_view.response_body(SHOWN, whole_of(records))["content"]
    assert block["input"] == (read or {})  # type: ignore[typeddict-item]  # it is a call


@pytest.mark.parametrize(
    "case", ["openai-chat/source-before-the-first-word", "anthropic/web-search"]
)
def test_a_source_before_the_first_word_is_sent_in_the_block_of_the_text(case: str) -> None:
    content = messages_of(case)["content"]
    (text,) = [block for block in content if block["type"] == "text"]
    assert [source["url"] for source in text["citations"]]
    for source in text["citations"]:
        assert source["type"] == "web_search_result_location"


def test_a_text_without_sources_has_no_citations() -> None:
    whole = whole_of(log_of(case_named("openai-chat/length")))
    (block,) = anthropic_view.response_body(SHOWN, whole)["content"]
    assert set(block) == {"type", "text"}
