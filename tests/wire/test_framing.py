"""Server-sent events, lines and binary frames: any split, any damage, bounded memory."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantha.errors import GranthaError
from grantha.events import Reasoning, Text
from grantha.wire import eventstream, ndjson, sse
from grantha.wire.eventstream import DamagedMessage, EventStreamDecoder
from grantha.wire.ndjson import LineDecoder
from grantha.wire.sse import EventTooLarge, SseDecoder, SseEvent
from tests.wire.recorded import BODY_PARSERS, decoder_for

characters = st.characters(codec="utf-8", exclude_characters="\r\n")
payloads = st.lists(st.text(characters, min_size=1), max_size=6)

cuts = st.lists(st.integers(0, 400), max_size=12)
dialects = st.sampled_from(sorted(BODY_PARSERS))


def fragments(body: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(body), *(cut for cut in at if cut < len(body))})
    return [body[a:b] for a, b in itertools.pairwise(edges)]


@given(payloads, cuts, st.sampled_from(["\n", "\r\n", "\r"]))
def test_events_are_the_same_however_they_are_cut(
    texts: list[str], at: list[int], end: str
) -> None:
    body = "".join(f": note{end}data: {text}{end}{end}" for text in texts).encode()
    decoder = SseDecoder()
    found = [item for fragment in fragments(body, at) for item in decoder.feed(fragment)]
    assert found + decoder.finish() == [text.encode() for text in texts]


@given(payloads, cuts)
def test_lines_are_the_same_however_they_are_cut(texts: list[str], at: list[int]) -> None:
    wanted = [text.encode().strip() for text in texts]
    decoder = LineDecoder()
    body = b"".join(ndjson.encode(line) for line in wanted)
    found = [item for fragment in fragments(body, at) for item in decoder.feed(fragment)]
    assert found + decoder.finish() == [line for line in wanted if line]


@given(st.lists(st.binary(max_size=40), max_size=5), cuts)
def test_frames_are_the_same_however_they_are_cut(bodies: list[bytes], at: list[int]) -> None:
    raw = b"".join(eventstream.encode(body, {"a": "b", "ü": "ß"}) for body in bodies)
    decoder = EventStreamDecoder()
    found = [frame for fragment in fragments(raw, at) for frame in decoder.feed(fragment)]
    assert [frame.payload for frame in found] == bodies
    assert all(frame.headers == {"a": "b", "ü": "ß"} for frame in found)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_frame_with_any_bit_flipped_is_never_read(body: bytes, data: st.DataObject) -> None:
    raw = bytearray(eventstream.encode(body, {":event-type": "x"}))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << (bit % 8)
    found = []
    with contextlib.suppress(DamagedMessage):
        found = EventStreamDecoder().feed(bytes(raw))
    assert found == []


@given(dialects, st.binary(max_size=300), cuts)
def test_noise_never_crashes_a_decoder_nor_becomes_text(
    dialect: str, noise: bytes, at: list[int]
) -> None:
    decoder = decoder_for(dialect)
    events = [event for fragment in fragments(noise, at) for event in decoder.feed(fragment)]
    with pytest.raises(GranthaError):
        decoder.finish()
    assert not any(isinstance(event, Text | Reasoning) for event in events)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "delta", "content", "type", "message", "error", "candidates", "parts", "text",
             "done", "usage", "index", "finish_reason", "response", "output", "tool_calls", "item"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(dialects, st.lists(json_values, max_size=4))
def test_json_of_any_shape_never_crashes_a_decoder(dialect: str, values: list[object]) -> None:
    from grantha.wire.lenient_json import dumps

    decoder = decoder_for(dialect)
    for value in values:
        payload = dumps(value)
        if dialect == "bedrock":
            raw = eventstream.encode(payload, {":event-type": "contentBlockDelta"})
        elif dialect == "ollama":
            raw = ndjson.encode(payload)
        else:
            raw = sse.encode(payload)
        decoder.feed(raw)
    with contextlib.suppress(GranthaError):
        decoder.finish()


@given(dialects, json_values)
def test_a_whole_reply_of_any_shape_is_an_answer_or_one_of_our_errors(
    dialect: str, value: object
) -> None:
    from grantha.wire.lenient_json import dumps

    with contextlib.suppress(GranthaError):
        BODY_PARSERS[dialect](dumps(value))


def test_a_deeply_nested_payload_is_malformed_and_no_crash() -> None:
    for dialect in BODY_PARSERS:
        decoder = decoder_for(dialect)
        decoder.feed(sse.encode(b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"))
        with pytest.raises(GranthaError):
            decoder.finish()


def test_a_line_or_an_event_beyond_the_limit_is_refused() -> None:
    with pytest.raises(EventTooLarge):
        SseDecoder(limit=10).feed(b"data: 12345678")
    with pytest.raises(EventTooLarge):
        SseDecoder(limit=30).feed(b"data: 123456\ndata: 1234567\ndata: 12345678\n")
    with pytest.raises(EventTooLarge):  # lines without anything in them take memory, too
        SseDecoder(limit=80).feed(b"data\n" * 11)
    with pytest.raises(ValueError, match="longer than 10"):
        LineDecoder(limit=10).feed(b"123456789012")


def test_our_own_events_come_back_as_they_were_written() -> None:
    decoder = SseDecoder()
    raw = (
        sse.priming("1-0", 1000)
        + sse.encode(b"{}", cursor=b"1-1")
        + sse.HEARTBEAT
        + sse.encode(b"[]", cursor=b"1-2", event=b"note")
        + sse.encode(b"x", event=b"note")
        + sse.encode(b"y")
    )
    assert decoder.feed_events(raw) == [
        SseEvent(b"", "", "1-0"),
        SseEvent(b"{}", "", "1-1"),
        SseEvent(b"[]", "note", "1-2"),
        SseEvent(b"x", "note"),
        SseEvent(b"y"),
    ]
