"""Every form of a request that the vendors' references describe, read into our words."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from grantha.chat import (
    Call,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    text_message,
)
from grantha.errors import BadRequest
from grantha.wire.compat import (
    ai_sdk_view,
    anthropic_view,
    ollama_view,
    openai_chat_view,
    openai_responses_input,
    openai_responses_view,
)
from grantha.wire.upstream import openai_chat_request
from grantha.wire.upstream.openai_chat_profile import DialectProfile

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJggg=="
URL = f"data:image/png;base64,{PNG}"
IMAGE = ImagePart("image/png", PNG)
WEB = "https://files.example/a"
PDF = base64.b64encode(b"%PDF-1.4\n").decode()
PDF_URL = f"data:application/pdf;base64,{PDF}"
MENTION_URL = "data:text/markdown;base64," + base64.b64encode(b"PDFs begin with %PDF-").decode()
HI = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [HI], **more}


def claude(**more: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "messages": [HI], **more}


# ---- OpenAI Chat Completions ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("Hi", (TextPart("Hi"),)),
        ([{"type": "text", "text": "Hi"}], (TextPart("Hi"),)),
        (
            [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": URL}}],
            (TextPart("See"), IMAGE),
        ),
        (
            [{"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,SGk="}}],
            (FilePart("a.txt", "text/plain", "Hi"),),
        ),
        (
            [{"type": "image_url", "image_url": {"url": WEB}}, {"type": "image_url", "image_url": WEB}],
            (ImagePart("", "", WEB), ImagePart("", "", WEB)),
        ),
        (
            [{"type": "file", "file": {"filename": "a.pdf", "file_data": PDF_URL}},
             {"type": "file", "file": {"filename": "b.pdf", "file_data": PDF}},
             {"type": "input_file", "filename": "c.pdf", "file_url": WEB}],
            (FilePart("a.pdf", "application/pdf", "", PDF), FilePart("b.pdf", "application/pdf", "", PDF),
             FilePart("c.pdf", "application/pdf", "", url=WEB)),
        ),
        (
            [{"type": "file", "file": {"filename": "a.md", "file_data": MENTION_URL}}],
            (FilePart("a.md", "text/markdown", "PDFs begin with %PDF-"),),
        ),
        (
            [{"type": "file", "file": {"file_data": "data:application/msword;base64,0M8R4KGxGuE="}}],
            (FilePart("file", "application/msword", "", "0M8R4KGxGuE="),),
        ),
    ],
)  # fmt: skip
def test_a_chat_message_is_text_or_parts(content: Any, parts: tuple[Any, ...]) -> None:
    parsed = openai_chat_view.parse_request(chat(messages=[{"role": "user", "content": content}]))
    assert parsed.messages == (Message("user", parts),)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "file", "file": {"filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "data:application/pdf,x"}},
        {"type": "file", "file": {"file_data": "not base64"}},
        {"type": "image_url", "image_url": {"url": "ftp://files.example/a.png"}},
        {"type": "image_url", "image_url": {"url": "https://files.example/" + "a" * 9000}},
    ],
)
def test_files_that_are_not_there_are_refused(part: Any) -> None:
    with pytest.raises(BadRequest):
        openai_chat_view.parse_request(chat(messages=[{"role": "user", "content": [part]}]))


def test_images_and_documents_of_results_name_their_call() -> None:
    image = {"type": "image_url", "image_url": {"url": URL}}
    text = {"type": "text", "text": "12"}
    block = {"type": "tool_result", "tool_use_id": "c1", "content": [text, image]}
    result = (ToolResultPart("c1", "12"), ImagePart("image/png", PNG, call_id="c1"))
    tool = {"role": "tool", "tool_call_id": "c1", "content": [text, image]}
    parsed = openai_chat_view.parse_request(
        chat(messages=[HI, tool, {"role": "user", "content": [block]}])
    )
    assert parsed.messages[1:] == (Message("tool", result), Message("user", result))


def test_chat_roles_calls_and_results_keep_their_order() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    parsed = openai_chat_view.parse_request(
        chat(
            messages=[
                {"role": "developer", "content": "Be brief"},
                HI,
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "12"}]},
                {"role": "system", "content": "Still brief"},
            ]
        )
    )
    assert parsed.messages == (
        text_message("system", "Be brief"),
        text_message("user", "Hi"),
        Message("assistant", (ToolCallPart("c1", "look", "{}"),)),
        Message("tool", (ToolResultPart("c1", "12"),)),
        text_message("system", "Still brief"),
    )


@pytest.mark.parametrize(("given", "read"), [("a", ("a",)), (["a", "b"], ("a", "b")), (None, ())])
def test_chat_stop_is_one_text_or_several(given: Any, read: tuple[str, ...]) -> None:
    assert openai_chat_view.parse_request(chat(stop=given)).options.stop == read


def test_the_newer_limit_of_tokens_goes_before_the_older() -> None:
    assert openai_chat_view.parse_request(chat(max_tokens=5)).options.max_tokens == 5
    both = chat(max_tokens=5, max_completion_tokens=7)
    assert openai_chat_view.parse_request(both).options.max_tokens == 7


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("auto", "auto"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "look"}}, {"name": "look"}),
        (None, None),
    ],
)
def test_a_chat_tool_choice_is_a_word_or_names_a_function(given: Any, read: Any) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": SCHEMA, "strict": True}}
    options = openai_chat_view.parse_request(chat(tools=[tool], tool_choice=given)).options
    assert options.tool_choice == read
    assert options.tools == ({"name": "look", "parameters": SCHEMA, "strict": True},)


def test_chat_options_reach_the_model() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    options = openai_chat_view.parse_request(
        chat(
            temperature=0, top_p=0.5, seed=3, reasoning_effort="low", response_format=form,
            logprobs=True, top_logprobs=2, logit_bias={"5": 1}, top_k=4,
        )
    ).options  # fmt: skip
    assert (options.temperature, options.top_p, options.seed) == (0.0, 0.5, 3)
    assert (options.reasoning_effort, options.response_format) == ("low", form)
    extra = {"logprobs": True, "top_logprobs": 2, "logit_bias": {"5": 1}, "top_k": 4}
    assert options.extra == extra


# ---- OpenAI Responses ----------------------------------------------------------------------------


def test_response_input_is_text_or_items() -> None:
    parsed = openai_responses_input.parse_request(
        {
            "instructions": "Be brief",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "See"},
                                             {"type": "input_image", "image_url": URL}]},
                {"type": "reasoning", "id": "r", "encrypted_content": "proof",
                 "summary": [{"type": "summary_text", "text": "Hm"}]},
                {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1",
                 "output": [{"type": "input_text", "text": "12"},
                            {"type": "input_image", "image_url": URL}]},
                {"type": "message", "role": "assistant",
                 "content": [{"type": "output_text", "text": "12", "annotations": []}]},
            ],
        }
    )  # fmt: skip
    assert parsed.options.instructions == "Be brief"
    assert parsed.messages == (
        Message("user", (TextPart("See"), IMAGE)),
        Message("assistant", (ReasoningPart("Hm", "proof"),)),
        Message("assistant", (ToolCallPart("c1", "look", "{}"),)),
        Message("tool", (ToolResultPart("c1", "12"), ImagePart("image/png", PNG, call_id="c1"))),
        text_message("assistant", "12"),
    )
    assert openai_responses_input.parse_request({"input": "Hi"}).messages == (
        text_message("user", "Hi"),
    )


def test_response_options_are_those_of_chat() -> None:
    form = {"type": "json_schema", "name": "a", "schema": SCHEMA, "strict": True}
    body = {
        "input": "Hi", "max_output_tokens": 5, "reasoning": {"effort": "high"},
        "text": {"format": form, "verbosity": "low"}, "background": True,
        "tools": [{"type": "function", "name": "look", "parameters": SCHEMA}],
        "tool_choice": {"type": "function", "name": "look"}, "metadata": {"a": "b"},
    }  # fmt: skip
    parsed = openai_responses_input.parse_request(body)
    inner = {"name": "a", "schema": SCHEMA, "strict": True}
    assert parsed.background
    assert parsed.options.max_tokens == 5
    assert parsed.options.reasoning_effort == "high"
    assert parsed.options.response_format == {"type": "json_schema", "json_schema": inner}
    assert parsed.options.tools == ({"name": "look", "parameters": SCHEMA},)
    assert parsed.options.tool_choice == {"name": "look"}
    echo = openai_responses_view.echoed_members(parsed.options, body)
    for name in ("max_output_tokens", "reasoning", "tools", "tool_choice", "metadata", "text"):
        assert echo[name] == body[name]


# ---- Anthropic -----------------------------------------------------------------------------------


def test_anthropic_blocks_keep_signatures_calls_and_results_with_images() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    parsed = anthropic_view.parse_request(
        claude(
            system=[{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}}],
            messages=[
                {"role": "user", "content": [{"type": "image", "source": source}]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Hm", "signature": "proof=="},
                    {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [
                        {"type": "text", "text": "No"}, {"type": "image", "source": source}]},
                    {"type": "document", "title": "D", "source": {
                        "type": "text", "media_type": "text/plain", "data": "Doc"}}]},
            ],
        )
    )  # fmt: skip
    assert parsed.messages == (
        text_message("system", "Be brief"),
        Message("user", (IMAGE,)),
        Message(
            "assistant",
            (ReasoningPart("Hm", "proof=="), ToolCallPart("t1", "look", '{"a":1}')),
        ),
        Message(
            "user",
            (
                ToolResultPart("t1", "No", True),
                ImagePart("image/png", PNG, call_id="t1"),
                FilePart("D", "text/plain", "Doc"),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        ({"type": "image", "source": {"type": "url", "url": WEB}}, (ImagePart("", "", WEB),)),
        (
            {"type": "document", "source": {"type": "url", "url": WEB}},
            (FilePart("document", "application/pdf", "", url=WEB),),
        ),
        (
            {"type": "document", "title": "A", "source": {
                "type": "base64", "media_type": "application/pdf", "data": PDF}},
            (FilePart("A", "application/pdf", "", PDF),),
        ),
        (
            {"type": "document", "title": "A", "source": {"type": "content", "content": [
                {"type": "text", "text": "Words"},
                {"type": "image", "source": {"type": "url", "url": WEB}}]}},
            (FilePart("A", "text/plain", "Words"), ImagePart("", "", WEB)),
        ),
    ],
)  # fmt: skip
def test_anthropic_documents_come_from_every_source(block: Any, parts: tuple[Any, ...]) -> None:
    parsed = anthropic_view.parse_request(claude(messages=[{"role": "user", "content": [block]}]))
    assert parsed.messages == (Message("user", parts),)


@pytest.mark.parametrize("kind", ["image", "document"])
def test_files_that_anthropic_stores_are_refused(kind: str) -> None:
    block = {"type": kind, "source": {"type": "file", "file_id": "file_1"}}
    with pytest.raises(BadRequest, match="file"):
        anthropic_view.parse_request(claude(messages=[{"role": "user", "content": [block]}]))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "look"}, {"name": "look"}),
    ],
)
def test_an_anthropic_tool_choice_is_an_object(given: Any, read: Any) -> None:
    tool = {"name": "look", "description": "Looks", "input_schema": SCHEMA}
    options = anthropic_view.parse_request(claude(tools=[tool], tool_choice=given)).options
    assert options.tool_choice == read
    assert options.tools == ({"name": "look", "parameters": SCHEMA, "description": "Looks"},)


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, "low"),
        ({"type": "enabled", "budget_tokens": 30000}, "high"),
        ({"type": "disabled"}, "none"),
        ({"type": "adaptive"}, None),
    ],
)
def test_thinking_is_passed_on_unchanged_and_as_an_effort_for_other_vendors(
    thinking: Any, effort: str | None
) -> None:
    options = anthropic_view.parse_request(claude(thinking=thinking)).options
    assert (options.extra["thinking"], options.reasoning_effort) == (thinking, effort)


def test_thinking_reaches_an_openai_host_as_an_effort_alone() -> None:
    parsed = anthropic_view.parse_request(
        claude(thinking={"type": "enabled", "budget_tokens": 1024})
    )
    profile = DialectProfile()
    call = Call("m", parsed.messages, parsed.options)
    body = json.loads(openai_chat_request.encode_request(call, profile))
    assert "thinking" not in body
    assert body["reasoning_effort"] == "low"


def test_anthropic_options_reach_the_model() -> None:
    output = {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    options = anthropic_view.parse_request(
        claude(stop_sequences=["a"], top_k=4, temperature=1, output_config=output)
    ).options
    assert (options.stop, options.extra, options.max_tokens) == (("a",), {"top_k": 4}, 9)
    assert options.reasoning_effort == "low"
    assert options.response_format is not None
    assert options.response_format["json_schema"]["schema"] == SCHEMA


# ---- Ollama --------------------------------------------------------------------------------------


def test_ollama_results_find_their_calls_by_name_and_order() -> None:
    calls = [{"function": {"name": "look", "arguments": {"n": n}}} for n in (1, 2)]
    parsed = ollama_view.parse_request(
        {
            "messages": [
                {"role": "user", "content": "See", "images": [PNG]},
                {"role": "assistant", "content": "", "thinking": "Hm", "tool_calls": calls},
                {"role": "tool", "tool_name": "look", "content": "one"},
                {"role": "tool", "tool_name": "look", "content": "two"},
            ]
        }
    )
    assert parsed.stream, "as Ollama has it, unless told otherwise"
    assert parsed.messages == (
        Message("user", (TextPart("See"), IMAGE)),
        Message(
            "assistant",
            (
                ReasoningPart("Hm"),
                ToolCallPart("call_1", "look", '{"n":1}'),
                ToolCallPart("call_2", "look", '{"n":2}'),
            ),
        ),
        Message("tool", (ToolResultPart("call_1", "one"),)),
        Message("tool", (ToolResultPart("call_2", "two"),)),
    )


@pytest.mark.parametrize(
    ("body", "name", "value"),
    [
        ({"think": True}, "reasoning_effort", "medium"),
        ({"think": False}, "reasoning_effort", "none"),
        ({"think": "high"}, "reasoning_effort", "high"),
        ({"format": "json"}, "response_format", {"type": "json_object"}),
        ({"options": {"num_predict": -1}}, "max_tokens", None),
        ({"options": {"num_predict": 5}}, "max_tokens", 5),
        ({"options": {"num_predict": 5.0}}, "max_tokens", 5),
        ({"options": {"stop": "a"}}, "stop", ("a",)),
        ({"options": {"temperature": 0.1}}, "temperature", 0.1),
        ({"options": {"top_k": 4, "num_ctx": 9}}, "extra", {"top_k": 4}),
        ({"options": {"top_k": 40.0, "min_p": 1.0}}, "extra", {"top_k": 40, "min_p": 1.0}),
    ],
)
def test_ollama_options_reach_the_model(body: Any, name: str, value: Any) -> None:
    assert getattr(ollama_view.parse_request({"messages": [HI], **body}).options, name) == value


# ---- AI SDK --------------------------------------------------------------------------------------


def test_an_assistants_ui_message_is_read_step_by_step() -> None:
    tool = {
        "type": "tool-look", "toolCallId": "t1", "state": "output-available",
        "input": {"a": 1}, "output": {"found": 12},
    }  # fmt: skip
    body = {
        "id": "chat",
        "messages": [
            {"id": "1", "role": "user", "parts": [
                {"type": "text", "text": "See"},
                {"type": "file", "mediaType": "image/png", "url": URL}]},
            {"id": "2", "role": "assistant", "parts": [
                {"type": "step-start"},
                {"type": "reasoning", "text": "Hm",
                 "providerMetadata": {"grantha": {"signature": "proof"}}},
                tool,
                {"type": "step-start"},
                {"type": "text", "text": "12"},
                {"type": "source-url", "sourceId": "s", "url": "https://a.example/"},
                {"type": "data-weather", "data": {}}]},
        ],
    }  # fmt: skip
    assert ai_sdk_view.parse_request(body).messages == (
        Message("user", (TextPart("See"), IMAGE)),
        Message("assistant", (ReasoningPart("Hm", "proof"), ToolCallPart("t1", "look", '{"a":1}'))),
        Message("tool", (ToolResultPart("t1", '{"found":12}'),)),
        text_message("assistant", "12"),
    )
    assert ai_sdk_view.chat_id(body) == "chat"
    assert ai_sdk_view.message_to_extend(body) == "2"


def test_what_stream_text_takes_elsewhere_stands_in_the_body() -> None:
    parsed = ai_sdk_view.parse_request(
        {
            "messages": [{"role": "user", "parts": [{"type": "text", "text": "Hi"}]}],
            "system": "Be brief", "temperature": 1, "topP": 0.5, "maxOutputTokens": 9, "seed": 1,
            "stopSequences": ["a"], "reasoning": "low",
            "tools": {"look": {"description": "Looks", "inputSchema": SCHEMA}},
            "toolChoice": {"type": "tool", "toolName": "look"},
        }
    )  # fmt: skip
    options = parsed.options
    assert parsed.messages[0] == text_message("system", "Be brief")
    assert (options.temperature, options.top_p, options.max_tokens) == (1.0, 0.5, 9)
    assert (options.stop, options.seed, options.reasoning_effort) == (("a",), 1, "low")
    assert options.tools == ({"name": "look", "description": "Looks", "parameters": SCHEMA},)
    assert options.tool_choice == {"name": "look"}


# ---- refused requests -----------------------------------------------------------------------------

UI_TEXT = {"type": "text", "text": "x"}
READ = {
    "chat": (openai_chat_view.parse_request, chat()),
    "responses": (openai_responses_input.parse_request, {"input": "Hi"}),
    "messages": (anthropic_view.parse_request, claude()),
    "ollama": (ollama_view.parse_request, {"messages": [HI]}),
    "ui": (ai_sdk_view.parse_request, {"messages": [{"role": "user", "parts": [UI_TEXT]}]}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "wrong", "named"),
    [
        ("chat", {"n": 2}, "'n'"),
        ("chat", {"messages": []}, "'messages'"),
        ("chat", {"messages": "Hi"}, "'messages'"),
        ("chat", {"messages": ["Hi"]}, "messages[0]"),
        ("chat", {"messages": [{"role": "pope", "content": "Hi"}]}, "'role'"),
        ("chat", {"messages": [{"role": "user", "content": 5}]}, "'content'"),
        ("chat", {"messages": [{"role": "tool", "content": "x"}]}, "'tool_call_id'"),
        ("chat", {"temperature": "hot"}, "'temperature'"),
        ("chat", {"temperature": 3}, "'temperature'"),
        ("chat", {"temperature": True}, "'temperature'"),
        ("chat", {"max_tokens": 0}, "'max_tokens'"),
        ("chat", {"seed": 2**80}, "'seed'"),
        ("chat", {"stream": "yes"}, "'stream'"),
        ("chat", {"stop": [1]}, "stop[0]"),
        ("chat", {"functions": [{"name": "look"}]}, "'functions'"),
        ("chat", {"modalities": ["text", "audio"]}, "'modalities'"),
        ("chat", {"web_search_options": {"a": 1}}, "'web_search_options'"),
        ("chat", {"tools": [{"type": "function", "function": {}}]}, "'name'"),
        ("chat", {"tool_choice": ["auto"]}, "'tool_choice'"),
        ("chat", {"response_format": {"type": "xml"}}, "'response_format'"),
        ("responses", {"input": 5}, "'input'"),
        ("responses", {"input": [{"type": "item_reference", "id": "x"}]}, "'input'"),
        ("messages", {"max_tokens": None}, "'max_tokens'"),
        ("messages", {"temperature": 1.5}, "'temperature'"),
        ("messages", {"system": 5}, "'system'"),
        ("messages", {"mcp_servers": [{"url": "x"}]}, "'mcp_servers'"),
        ("messages", {"tool_choice": {"type": []}}, "'type'"),
        ("ollama", {"options": {"num_predict": "many"}}, "'num_predict'"),
        ("ollama", {"options": {"num_predict": 5.5}}, "'num_predict'"),
        ("ollama", {"options": {"top_k": 1e300}}, "'top_k'"),
        ("chat", {"metadata": "none"}, "'metadata'"),
        ("ollama", {"format": 5}, "'format'"),
        ("ollama", {"raw": True}, "'raw'"),
        ("ollama", {"messages": [{"role": "tool", "content": "x"}]}, "'tool_name'"),
        ("ui", {"messages": [{"role": "user", "parts": "x"}]}, "'parts'"),
        ("ui", {"tools": {"look": 5}}, "'tools'"),
        ("ui", {"toolChoice": "some"}, "'toolChoice'"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_out_is_named(endpoint: str, wrong: Any, named: str) -> None:
    read, body = READ[endpoint]
    with pytest.raises(BadRequest) as caught:
        read({**body, **wrong})
    assert named in caught.value.message


@pytest.mark.parametrize(
    "url", ["ftp://a.example/cat.png", "data:image/png,raw", f"data:image/png;base64,{PNG[:9]}!"]
)
def test_images_come_along_and_are_never_fetched(url: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    with pytest.raises(BadRequest, match=r"[Ii]mage"):
        openai_chat_view.parse_request(chat(messages=[{"role": "user", "content": content}]))
