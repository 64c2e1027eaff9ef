"""OpenAI's older Completions API, with OpenAI's client."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from grantha.errors import BadRequest
from grantha.events import Event, PartEnd, PartStart, TextDelta
from grantha.wire.compat import openai_completions_view
from grantha.wire.compat.view import AnswerFold, ResponseMeta
from tests.compat_clients.conftest import TEXT, CompatServer
from tests.wire.compat.logs import end_of, numbered, singly

MODEL = "scripted/everything"


@pytest.mark.client("openai: Completions", "whole replies", "usage")
def test_a_whole_reply_has_the_text_and_usage(
    openai_client: openai.OpenAI, compat_server: CompatServer
) -> None:
    reply = openai_client.completions.with_raw_response.create(
        model=MODEL, prompt=["Hi"], max_tokens=4000, temperature=0.5, stop="never", user="me"
    )
    completion = reply.parse()
    (choice,) = completion.choices
    assert (choice.text, choice.finish_reason, choice.logprobs) == (TEXT, "stop", None)
    assert completion.usage is not None
    assert completion.usage.total_tokens > 0
    found = compat_server.assert_said(reply.headers["location"], TEXT)
    assert found["options"]["temperature"] == 0.5
    assert found["options"]["stop"] == ["never"]


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.client("openai: Completions", "streams")
def test_a_stream_has_every_character_and_begins_with_the_prompt_on_request(
    openai_client: openai.OpenAI, echo: bool
) -> None:
    stream = openai_client.completions.create(
        model=MODEL, prompt="Hi", stream=True, stream_options={"include_usage": True}, echo=echo
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert text == ("Hi" if echo else "") + TEXT
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    whole = openai_client.completions.create(model=MODEL, prompt="Hi", echo=echo)
    assert whole.choices[0].text == text


def test_a_limit_and_a_filter_are_named(openai_client: openai.OpenAI) -> None:
    reply = openai_client.completions.create(model="scripted/filtered", prompt="Hi")
    assert (reply.choices[0].text, reply.choices[0].finish_reason) == ("I would ", "content_filter")
    with pytest.raises(openai.RateLimitError):
        openai_client.completions.create(model="scripted/limited", prompt="Hi")
    with pytest.raises(openai.APIError, match="The filter cut it"):
        list(openai_client.completions.create(model="scripted/blocked", prompt="Hi", stream=True))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"suffix": "the end"}, "suffix"),
        ({"n": 2}, "n"),
        ({"best_of": 3}, "best_of"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": 0, "echo": True}, "echo"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest, match=f"'{named}'"):
        openai_completions_view.parse_request({"model": "m", "prompt": "Hi", **change})


def test_log_probabilities_have_the_older_form_streamed_and_not() -> None:
    parsed, _ = openai_completions_view.parse_request({"prompt": "Hi", "logprobs": 2})
    assert parsed.options.extra == {"logprobs": True, "top_logprobs": 2}
    rival = {"token": "Hey", "logprob": -2.5}
    events: list[Event] = [
        PartStart(0, "text"),
        TextDelta(0, "Hello", 1, ({"token": "Hello", "logprob": -0.5, "top_logprobs": [rival]},)),
        TextDelta(0, " wörld", 1, ({"token": " wörld", "logprob": -1}, {"another": "form"})),
        PartEnd(0),
    ]
    meta = ResponseMeta("g_1", "m", 0)
    whole = AnswerFold()
    for event in [*events, end_of(events)]:
        whole.apply(event)
    (choice,) = openai_completions_view.response_body(meta, whole)["choices"]
    assert choice["logprobs"] == {
        "tokens": ["Hello", " wörld", ""],
        "token_logprobs": [-0.5, -1, 0],
        "top_logprobs": [{"Hey": -2.5}, {}, {}],
        "text_offset": [0, 5, 11],
    }
    stream = openai_completions_view.CompletionStream(meta, False, "")
    sent = b"".join(stream.frames(frames) for frames in singly(numbered([*events, end_of(events)])))
    offsets: list[int] = []
    for line in sent.decode().splitlines():
        if line.startswith("data: {"):
            found = json.loads(line.removeprefix("data: "))["choices"][0]["logprobs"]
            offsets += found["text_offset"] if found else []
    assert offsets == choice["logprobs"]["text_offset"]
