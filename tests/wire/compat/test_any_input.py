"""Any JSON: a view parses it or says what is wrong, and never fails otherwise."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grantha.errors import BadRequest
from grantha.wire.compat import (
    ai_sdk_view,
    anthropic_view,
    gemini_input,
    ollama_view,
    openai_chat_view,
    openai_completions_view,
    openai_responses_input,
)
from grantha.wire.compat.view import ParsedRequest

READ: dict[str, Callable[[dict[str, Any]], ParsedRequest | None]] = {
    "chat": openai_chat_view.parse_request,
    "responses": openai_responses_input.parse_request,
    "messages": anthropic_view.parse_request,
    "ollama": ollama_view.parse_request,
    "ollama-once": ollama_view.parse_completion,
    "ui": ai_sdk_view.parse_request,
    "gemini": lambda body: gemini_input.parse_request(body, "m", stream=False)[0],
    "completions": lambda body: openai_completions_view.parse_request(body)[0],
}
# Every member and keyword that a view reads, so that random input reaches its code.
NAMES = """
    messages input role content parts type text tool_calls function name arguments id
    tool_call_id call_id tool_use_id toolCallId tool_name thinking think signature data summary
    source media_type mediaType url image_url images file file_data filename title output state
    errorText providerMetadata grantha tools tool_choice parameters input_schema description
    strict stop stop_sequences options num_predict format response_format json_schema schema
    reasoning effort output_config system instructions stream stream_options include_usage n
    max_tokens max_output_tokens temperature top_p seed modalities budget_tokens refusal
    encrypted_content toolName toolChoice inputSchema is_error model background verbosity logprobs
    prompt suffix context store contents systemInstruction generationConfig thinkingConfig
    thinkingBudget thinkingLevel inlineData mimeType functionCall functionResponse response args
    functionDeclarations toolConfig functionCallingConfig mode allowedFunctionNames properties items
    anyOf nullable responseSchema responseMimeType stopSequences thoughtSignature thought echo
""".split()  # noqa: SIM905  one a line fills the screen
WORDS = """
    user assistant system developer tool text image image_url input_text input_image output_text
    refusal thinking redacted_thinking tool_use tool_result document base64 function
    function_call function_call_output message reasoning file input_file tool-look dynamic-tool
    step-start output-available output-error auto any none required json json_object json_schema
    enabled disabled custom data:image/png;base64,AAAA data:text/plain;base64,/w==
""".split()  # noqa: SIM905  one a line fills the screen

LEAVES: tuple[Any, ...] = (None, True, 0, -1, 5, 2**70, 0.5, 1e300, "", "x", [], {})


@pytest.mark.parametrize("endpoint", READ)
@settings(deadline=None, max_examples=400)
@given(seed=st.integers(0, 2**32))
def test_any_json_is_read_or_refused(endpoint: str, seed: int) -> None:
    body = _body(Random(seed))
    with suppress(BadRequest):
        requested = READ[endpoint](body)
        if requested is not None:  # no message if only a model is to be loaded
            assert requested.messages
            requested.options.to_json()


@pytest.mark.parametrize("item", [{"type": {}}, {"type": []}])
def test_an_item_whose_type_is_no_text_is_read_or_refused(item: dict[str, Any]) -> None:
    message = {"role": "user", "content": "Hi"}
    with suppress(BadRequest):
        READ["responses"]({"input": [item, message]})
    with suppress(BadRequest):
        READ["chat"]({"messages": [message], "tool_choice": item})
    with suppress(BadRequest):
        READ["messages"]({"max_tokens": 5, "messages": [{"role": "user", "content": [item]}]})


def _body(by: Random) -> dict[str, Any]:
    """Something between a request and nonsense; a strategy of this depth would be slow."""
    body: dict[str, Any] = {"max_tokens": 5}
    for name in ("messages", "input"):
        body[name] = [_message(by) for _ in range(by.randrange(3))]
    for name in by.sample(NAMES, by.randrange(6)):
        body[name] = _value(by, 4)
    return body


def _message(by: Random) -> dict[str, Any]:
    message = {"role": by.choice(["user", "assistant", "tool", "system"])}
    return message | {name: _value(by, 5) for name in ("content", "parts", *by.sample(NAMES, 3))}


def _value(by: Random, depth: int) -> Any:
    choice = by.random()
    if depth == 0 or choice < 0.2:
        return by.choice(LEAVES)
    if choice < 0.45:
        return by.choice(WORDS)
    if choice < 0.65:
        return [_value(by, depth - 1) for _ in range(by.randrange(3))]
    found = {name: _value(by, depth - 1) for name in by.sample(NAMES, by.randrange(6))}
    return found | ({"type": by.choice(WORDS)} if by.random() < 0.7 else {})
