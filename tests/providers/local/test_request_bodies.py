"""What is sent to a local model, and how a prefix gets to the end of a rendered conversation."""

import pytest

from grantha.chat import Call, Capabilities, Options, text_message
from grantha.providers.local import request_bodies

ASK = (text_message("user", "Say it."),)


@pytest.mark.parametrize(
    ("rendered", "prefix", "expected"),
    [
        ("U: hi A: The quick bro", "The quick bro", "U: hi A: The quick bro"),
        ("U: hi A: The quick", "The quick ", "U: hi A: The quick "),
        ("U: hi A: The quick", "\n The quick\n\n", "U: hi A: \n The quick\n\n"),
        ("U: hi A: The quick<end>", "The quick", None),
        ("U: hi A: ", "\n", None),  # nothing is left of it when trimmed: the caller falls back
    ],
)
def test_a_prefix_stands_exactly_at_the_end(
    rendered: str, prefix: str, expected: str | None
) -> None:
    assert request_bodies.with_exact_prefix(rendered, prefix) == expected


def test_vendor_fields_that_reach_into_the_server_are_left_out() -> None:
    extra = {"top_k": 5, "id_slot": 3, "lora": [], "cache_prompt": False, "n_predict": 9, "n": 4}
    body = request_bodies.chat_body(Call("m", ASK, Options(extra=extra)), Capabilities(), 1)
    assert body["top_k"] == 5
    assert body["id_slot"] == 1
    assert not {"lora", "cache_prompt", "n_predict", "n"} & body.keys()


def test_a_continued_call_is_plain_text_without_anything_of_a_chat() -> None:
    options = Options(max_tokens=7, tools=({"name": "f"},), response_format={"type": "json_object"})
    body = request_bodies.chat_body(Call("m", ASK, options, prefix="It"), Capabilities(), 0)
    requested = request_bodies.template_body(body, continued=True)
    assert [message["role"] for message in requested["messages"]] == ["user", "assistant"]
    assert [m["role"] for m in request_bodies.template_body(body, continued=False)["messages"]] == [
        "user"
    ]
    text = request_bodies.text_body(body, "A: It")
    assert text["prompt"] == "A: It"
    assert text["max_tokens"] == 7
    assert text["stream_options"] == {"include_usage": True}
    assert not {"messages", "tools", "response_format", "continue_final_message"} & text.keys()
