"""Requests to vendors: the rules that types can't express. `test_vendor_types` checks the types."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from grantha.chat import (
    Call,
    Capabilities,
    FilePart,
    ImagePart,
    Message,
    Options,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    text_message,
)
from grantha.errors import BadRequest, TooLarge
from grantha.providers.catalog import host_named
from grantha.providers.model_facts import capabilities_of
from grantha.wire import images
from grantha.wire.signatures import keep_own_signatures, signature_owner, tag_signature
from grantha.wire.upstream.openai_chat_profile import DialectProfile
from tests.wire.calls import (
    BY_URL,
    CALL,
    MEDIA,
    MESSAGES,
    OPTIONS,
    PAPER_URL,
    PDF,
    PICTURE_URL,
    PNG,
    READS_ALL,
    anthropic,
    chat,
    converse,
    gemini,
    local_chat,
    responses,
)


def test_older_claude_models_get_one_sampling_option() -> None:
    body = anthropic(CALL)
    assert body["temperature"] == 0.5
    assert "top_p" not in body


def test_options_a_model_refuses_are_left_out_everywhere() -> None:
    facts = Capabilities(temperature=False, top_p=False)
    bodies = [
        chat(CALL, facts=facts),
        responses(CALL, facts),
        anthropic(CALL, facts),
        gemini(CALL, facts)["generationConfig"],
        converse(CALL, facts)["inferenceConfig"],
        local_chat(CALL, facts)["options"],
    ]
    for body in bodies:
        assert not {"temperature", "top_p", "topP"} & body.keys()


def test_the_output_limit_has_the_host_s_own_name() -> None:
    body = chat(CALL, DialectProfile(max_tokens="max_completion_tokens"))
    assert body["max_completion_tokens"] == 100
    assert "max_tokens" not in body


@pytest.mark.parametrize("field", ["prefix", "partial"])
def test_a_prefix_is_a_last_message_marked_as_the_host_wants(field: Any) -> None:
    body = chat(Call("m", MESSAGES[:2], prefix="So far "), DialectProfile(prefix=field))
    assert body["messages"][-1] == {"role": "assistant", "content": "So far ", field: True}


def test_a_prefix_at_vllm_asks_to_go_on_with_the_last_message() -> None:
    profile = DialectProfile(prefix="continue_final_message")
    body = chat(Call("m", MESSAGES[:2], prefix="So far "), profile)
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False


def test_anthropic_never_gets_blanks_at_the_end_of_a_prefix() -> None:
    body = anthropic(Call("m", MESSAGES[:2], prefix="So far\n\n"))
    assert body["messages"][-1]["content"][-1]["text"] == "So far"


def test_roles_alternate_where_a_dialect_demands_it() -> None:
    twice = (text_message("user", "One."), text_message("user", "Two."), *MESSAGES[2:4])
    body = anthropic(Call("m", twice))
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    assert len(body["messages"][0]["content"]) == 2
    contents = gemini(Call("m", twice))["contents"]
    assert [c["role"] for c in contents] == ["user", "model", "user"]


def test_the_system_text_stands_where_each_dialect_wants_it() -> None:
    assert chat(CALL)["messages"][0] == {"role": "system", "content": "Be brief."}
    assert anthropic(CALL)["system"] == "Be brief."
    assert gemini(CALL)["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert converse(CALL)["system"] == [{"text": "Be brief."}]


def test_only_the_signature_of_the_current_turn_is_sent_back_unchanged() -> None:
    blocks = [block for m in anthropic(CALL)["messages"] for block in m["content"]]
    thoughts = [block for block in blocks if block["type"] == "thinking"]
    assert thoughts == [{"type": "thinking", "thinking": "New thought.", "signature": "bmV3"}]
    parts = [part for content in gemini(CALL)["contents"] for part in content["parts"]]
    assert [p["thoughtSignature"] for p in parts if "thoughtSignature" in p] == ["bmV3"]


def test_a_signature_goes_back_to_the_model_that_made_it_and_to_no_other() -> None:
    ours, theirs = (
        signature_owner("google", "gemini-3-pro"),
        signature_owner("anthropic", "claude-x"),
    )
    parts = (
        ReasoningPart("Mine.", tag_signature("bXk", ours)),
        ReasoningPart("Theirs.", tag_signature("dGhlaXI", theirs)),
        ReasoningPart("", tag_signature("redacted_thinking:EmwK", theirs)),
        ReasoningPart("Of nobody known.", "c2ln"),
        ToolCallPart("c", "weather", "{}", tag_signature("Y2FsbA", ours)),
    )
    call = Call("m", (MESSAGES[1], Message("assistant", parts)))
    kept = [
        getattr(part, "signature", None)
        for part in keep_own_signatures(call, ours).messages[1].parts
    ]
    assert kept == ["bXk", None, None, None, "Y2FsbA"]
    kept = [
        getattr(part, "signature", None)
        for part in keep_own_signatures(call, theirs).messages[1].parts
    ]
    assert kept == [None, "dGhlaXI", "redacted_thinking:EmwK", None, None]
    assert keep_own_signatures(CALL, ours).messages[0] == CALL.messages[0]


def test_a_call_that_another_model_made_gets_a_stand_in_for_gemini_s_signature() -> None:
    calls = (ToolCallPart("c1", "weather", "{}"), ToolCallPart("c2", "weather", "{}"))
    message = Message("assistant", calls)
    for model, proofs in (
        ("gemini-3-pro", ["skip_thought_signature_validator", None]),
        ("gemini-2.5-pro", [None, None]),
    ):
        parts = gemini(Call(model, (MESSAGES[1], message)))["contents"][-1]["parts"]
        assert [part.get("thoughtSignature") for part in parts] == proofs


def test_claude_does_not_think_where_the_reasoning_before_is_missing() -> None:
    facts = Capabilities(reasoning=True, prefix=True, output_limit=64000)
    options = Options(reasoning_effort="high")
    unproven = (MESSAGES[1], Message("assistant", (ToolCallPart("c", "weather", "{}"),)))
    result = Message("tool", (ToolResultPart("c", "Rain."),))
    question = text_message("user", "And now?")
    for messages, prefix, kind in (
        ((*unproven, result), "", "disabled"),
        ((*unproven, result, question), "", "enabled"),
        (MESSAGES, "", "enabled"),
        (MESSAGES[:2], "So far", "disabled"),
    ):
        body = anthropic(Call("m", messages, options, prefix), facts)
        assert body["thinking"]["type"] == kind


def test_redacted_reasoning_goes_back_as_the_block_it_came_as() -> None:
    secret = ReasoningPart("", "redacted_thinking:EmwKAhgB")
    body = anthropic(Call("m", (MESSAGES[1], Message("assistant", (secret,)))))
    assert body["messages"][-1]["content"] == [{"type": "redacted_thinking", "data": "EmwKAhgB"}]


def test_a_responses_reasoning_item_goes_back_whole() -> None:
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    thought = Message("assistant", (ReasoningPart("", json.dumps(item)),))
    stored = Options(extra={"background": True})
    assert item in responses(Call("m", (MESSAGES[1], thought), stored))["input"]


def test_another_vendor_s_signature_is_not_sent_as_an_item() -> None:
    kinds = [item["type"] for item in responses(CALL)["input"]]
    assert "reasoning" not in kinds


def test_openrouter_gets_its_reasoning_details_back() -> None:
    details = [{"type": "reasoning.text", "text": "Hm.", "signature": "c2ln"}]
    thought = Message("assistant", (ReasoningPart("Hm.", json.dumps(details)), TextPart("42")))
    profile = DialectProfile(echo_reasoning="reasoning_details")
    body = chat(Call("m", (MESSAGES[1], thought)), profile)
    assert body["messages"][-1]["reasoning_details"] == details


def test_a_thinking_budget_leaves_room_for_the_answer() -> None:
    facts = Capabilities(reasoning=True, prefix=True, output_limit=64000)
    options = Options(max_tokens=100, reasoning_effort="high", temperature=0.5)
    body = anthropic(Call("m", MESSAGES[:2], options), facts)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 24576}
    assert body["max_tokens"] == 24676
    assert "temperature" not in body


def test_newer_claude_models_think_by_effort() -> None:
    facts = Capabilities(reasoning=True)
    body = anthropic(Call("m", MESSAGES[:2], Options(reasoning_effort="low")), facts)
    assert body["thinking"]["type"] == "adaptive"
    assert body["output_config"] == {"effort": "low"}


def test_an_effort_that_gemini_lacks_becomes_its_highest() -> None:
    call = Call("gemini-3-pro", MESSAGES[:2], Options(reasoning_effort="xhigh"))
    assert gemini(call)["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "high"


def test_gemini_pro_s_thinking_is_never_switched_off() -> None:
    options = Options(reasoning_effort="none")
    for model, budget in (("gemini-2.5-flash", 0), ("gemini-2.5-pro", 128)):
        body = gemini(Call(model, MESSAGES[:2], options))
        assert body["generationConfig"]["thinkingConfig"]["thinkingBudget"] == budget


def test_claude_at_bedrock_thinks_as_at_anthropic() -> None:
    options = Options(temperature=0.5, max_tokens=100, reasoning_effort="low")
    model = "eu.anthropic.claude-x-v1:0"
    counted = Capabilities(reasoning=True, prefix=True, output_limit=64000)
    body = converse(Call(model, MESSAGES[:2], options), counted)
    thinking = {"type": "enabled", "budget_tokens": 2048}
    assert body["additionalModelRequestFields"] == {"thinking": thinking}
    assert body["inferenceConfig"] == {"maxTokens": 2148}
    body = converse(Call(model, MESSAGES[:2], options), Capabilities(reasoning=True))
    assert body["additionalModelRequestFields"]["output_config"] == {"effort": "low"}
    assert body["inferenceConfig"] == {"maxTokens": 100}
    body = converse(Call("amazon.nova", MESSAGES[:2], options), counted)
    assert "additionalModelRequestFields" not in body


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("claude-3-7-sonnet-latest", "enabled"),
        ("claude-sonnet-4-5", "enabled"),
        ("claude-sonnet-4-5@20250929", "enabled"),
        ("anthropic/claude-opus-4.1", "enabled"),
        ("claude-opus-4-20250514", "enabled"),
        ("claude-opus-4-6", "adaptive"),
        ("claude-opus-4-10", "adaptive"),
        ("claude-sonnet-5-5", "adaptive"),
    ],
)
def test_claude_is_given_a_budget_or_an_effort_wherever_it_is_reached(
    model: str, kind: str
) -> None:
    call = Call(model, MESSAGES[:2], Options(reasoning_effort="high"))
    assert anthropic(call, Capabilities(reasoning=True))["thinking"]["type"] == kind


def test_newer_claude_models_are_never_sent_a_budget_or_thinking_switched_off() -> None:
    facts = Capabilities(reasoning=True)
    for kind in ({"type": "disabled"}, {"type": "enabled", "budget_tokens": 2048}):
        body = anthropic(Call("m", MESSAGES[:2], Options(extra={"thinking": kind})), facts)
        assert "thinking" not in body
    body = anthropic(Call("m", MESSAGES[:2], Options(reasoning_effort="none")), facts)
    assert "thinking" not in body
    assert body["output_config"] == {"effort": "low"}


def test_an_answer_in_plain_text_is_never_requested_as_json() -> None:
    options = Options(response_format={"type": "text"})
    call = Call("m", MESSAGES[:2], options)
    assert "format" not in local_chat(call)
    assert "responseMimeType" not in gemini(call).get("generationConfig", {})
    assert "output_config" not in anthropic(call)


def test_gemini_results_name_the_tool_they_come_from() -> None:
    part = gemini(CALL)["contents"][-1]["parts"][0]
    response = {"name": "weather", "response": {"output": "Rain."}}
    assert part == {"functionResponse": response}


def test_a_document_is_text_under_its_name() -> None:
    assert '<document name="notes.txt">\nSome notes.\n</document>' in str(
        chat(CALL)["messages"][1]["content"]
    ).replace("\\n", "\n")


def test_extra_options_never_replace_what_a_call_is_about() -> None:
    options = Options(extra={"model": "other", "stream": False, "top_k": 3, "logit_bias": {"1": 2}})
    call = Call("m", MESSAGES[:2], options)
    body = chat(call)
    assert (body["model"], body["stream"], body["logit_bias"]) == ("m", True, {"1": 2})
    assert anthropic(call)["top_k"] == 3
    assert "logit_bias" not in anthropic(call)


EXTRA = {
    "top_k": 3,
    "logit_bias": {"1": 2},
    "presence_penalty": 1,
    "safe_prompt": True,
    "user": "u",
}


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        ("openai", {"logit_bias", "presence_penalty", "user"}),
        ("azure", {"logit_bias", "presence_penalty", "user"}),
        ("groq", {"presence_penalty", "user"}),
        ("mistral", {"presence_penalty", "safe_prompt"}),
        ("xai", {"presence_penalty", "user"}),
        ("deepseek", {"presence_penalty"}),
        *((name, EXTRA.keys()) for name in ("openrouter", "vllm", "together", "litellm")),
    ],
)
def test_a_strict_host_gets_no_option_that_it_refuses(host: str, sent: set[str]) -> None:
    row = host_named(host)
    assert row is not None
    body = chat(Call("m", MESSAGES[:2], Options(extra=EXTRA)), row.profile)
    assert body.keys() & EXTRA.keys() == sent


def test_a_strict_host_gets_an_effort_only_for_models_that_reason() -> None:
    call = Call("m", MESSAGES[:2], Options(reasoning_effort="high"))
    strict = DialectProfile(extra=frozenset())
    assert "reasoning_effort" not in chat(call, strict, Capabilities())
    assert chat(call, strict, Capabilities(reasoning=True))["reasoning_effort"] == "high"
    assert chat(call, facts=Capabilities())["reasoning_effort"] == "high"


def test_a_model_without_temperature_gets_no_penalties_either() -> None:
    body = chat(
        Call("m", MESSAGES[:2], Options(extra=EXTRA)), facts=Capabilities(temperature=False)
    )
    assert body.keys() & EXTRA.keys() == {"top_k", "safe_prompt", "user"}


def test_half_surrogates_in_a_question_do_not_break_a_request() -> None:
    body = chat(Call("m", (text_message("user", "a\ud83d b"),)))
    assert body["messages"][0]["content"] == "a? b"


def test_arguments_that_are_no_object_become_an_empty_one() -> None:
    broken = Message("assistant", (ToolCallPart("c", "weather", '{"city":'),))
    call = Call("m", (MESSAGES[1], broken), OPTIONS)
    assert anthropic(call)["messages"][-1]["content"][0]["input"] == {}
    assert gemini(call)["contents"][-1]["parts"][0]["functionCall"]["args"] == {}
    assert converse(call)["messages"][-1]["content"][0]["toolUse"]["input"] == {}


# ---- images


def test_an_image_s_type_is_taken_from_its_bytes() -> None:
    assert images.check(ImagePart("image/jpeg", PNG), 1000).media_type == "image/png"


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ("not base64!", "base64"),
        (base64.b64encode(b"<svg></svg>").decode(), "PNG"),
        ("", "PNG"),
    ],
)
def test_what_is_no_image_is_refused_before_it_is_sent(data: str, wrong: str) -> None:
    with pytest.raises(BadRequest) as caught:
        images.check(ImagePart("image/png", data), 1000)
    assert wrong in caught.value.message + caught.value.advice


def test_an_image_above_the_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(TooLarge, match="limit of 1 kB"):
        images.check(ImagePart("image/png", "A" * 4000), 1024)


# ---- images and documents ------------------------------------------------------------------------


def test_pdfs_reach_anthropic_as_documents_also_inside_results() -> None:
    question, _, result = anthropic(Call("claude-x", MEDIA), READS_ALL)["messages"]
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    assert question["content"][1] == {"type": "document", "source": source, "title": "a.pdf"}
    (block,) = result["content"]
    assert block["type"] == "tool_result"
    assert [inner["type"] for inner in block["content"]] == ["text", "image", "document"]
    assert block["content"][2]["title"] == "b.pdf"


def test_a_failed_result_at_anthropic_is_text_alone() -> None:
    failed = (ToolResultPart("call_1", "No.", True), ImagePart("image/png", PNG, call_id="call_1"))
    messages = (*MEDIA[:2], Message("tool", failed))
    blocks = anthropic(Call("claude-x", messages), READS_ALL)["messages"][-1]["content"]
    assert [block["type"] for block in blocks] == ["tool_result", "image"]
    assert blocks[0]["content"] == "No."


def test_pdfs_reach_the_responses_api_as_files_also_inside_results() -> None:
    question, _, result = responses(Call("m", MEDIA), READS_ALL)["input"]
    data = f"data:application/pdf;base64,{PDF}"
    assert question["content"][1] == {"type": "input_file", "filename": "a.pdf", "file_data": data}
    assert [part["type"] for part in result["output"]] == [
        "input_text",
        "input_image",
        "input_file",
    ]


def test_pdfs_reach_openai_s_chat_as_files_and_results_stay_text() -> None:
    question, called, result, beside = chat(Call("m", MEDIA), facts=READS_ALL)["messages"]
    data = f"data:application/pdf;base64,{PDF}"
    assert question["content"][1] == {
        "type": "file",
        "file": {"filename": "a.pdf", "file_data": data},
    }
    assert called["role"] == "assistant"
    assert (result["role"], result["content"]) == ("tool", "Found.")
    assert [part["type"] for part in beside["content"]] == ["image_url", "file"]


def test_nothing_stands_between_the_results_of_parallel_calls() -> None:
    calls = (ToolCallPart("a", "look", "{}"), ToolCallPart("b", "look", "{}"))
    first = (ToolResultPart("a", "A."), ImagePart("image/png", PNG, call_id="a"))
    messages = (
        text_message("user", "Look."),
        Message("assistant", calls),
        Message("tool", first),
        Message("tool", (ToolResultPart("b", "B."),)),
        text_message("user", "And?"),
    )
    roles = [message["role"] for message in chat(Call("m", messages))["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "user", "user"]


def test_pdfs_reach_gemini_as_bytes_and_from_gemini_3_inside_responses() -> None:
    question, _, result = gemini(Call("gemini-3-pro", MEDIA), READS_ALL)["contents"]
    inline = {"inlineData": {"mimeType": "application/pdf", "data": PDF}}
    assert question["parts"][1] == inline
    (response,) = result["parts"]
    assert response["functionResponse"]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        inline,
    ]
    older = gemini(Call("gemini-2.5-flash", MEDIA), READS_ALL)["contents"][-1]["parts"]
    assert [list(part) for part in older] == [["functionResponse"], ["inlineData"], ["inlineData"]]


def test_pdfs_reach_bedrock_under_names_that_differ() -> None:
    question, _, result = converse(Call("anthropic.claude-x", MEDIA, OPTIONS), READS_ALL)[
        "messages"
    ]
    assert question["content"][1]["document"] == {
        "format": "pdf",
        "name": "Document 1",
        "source": {"bytes": PDF},
    }
    inside = result["content"][0]["toolResult"]["content"]
    assert inside[2]["document"]["name"] == "Document 2"
    other = converse(Call("mistral.x", MEDIA, OPTIONS), READS_ALL)["messages"][-1]["content"]
    assert [list(block) for block in other] == [["toolResult"], ["image"], ["document"], ["text"]]


def test_bedrock_gets_a_text_beside_a_document() -> None:
    alone = (Message("user", (FilePart("a.pdf", "application/pdf", "", PDF),)),)
    content = converse(Call("m", alone), READS_ALL)["messages"][0]["content"]
    assert [list(block) for block in content] == [["document"], ["text"]]


def test_urls_reach_the_vendors_that_fetch_them() -> None:
    call = Call("m", (BY_URL,))
    image, paper, _ = anthropic(call, READS_ALL)["messages"][0]["content"]
    assert image["source"] == {"type": "url", "url": PICTURE_URL}
    assert paper["source"] == {"type": "url", "url": PAPER_URL}
    image, paper, _ = responses(call, READS_ALL)["input"][0]["content"]
    assert image["image_url"] == PICTURE_URL
    assert paper == {"type": "input_file", "file_url": PAPER_URL}
    image, paper, _ = gemini(call, READS_ALL)["contents"][0]["parts"]
    assert image == {"fileData": {"mimeType": "image/webp", "fileUri": PICTURE_URL}}
    assert paper == {"fileData": {"mimeType": "application/pdf", "fileUri": PAPER_URL}}
    openrouter = DialectProfile(document_urls=True)
    image, paper, _ = chat(call, openrouter, READS_ALL)["messages"][0]["content"]
    assert image["image_url"] == {"url": PICTURE_URL}
    assert paper["file"] == {"filename": "c.pdf", "file_data": PAPER_URL}


def test_urls_and_documents_are_refused_where_no_vendor_takes_them() -> None:
    image, paper = (Message("user", (part,)) for part in BY_URL.parts[:2])
    document = Message("user", (MEDIA[0].parts[1],))
    text = Capabilities(images=True)
    for encode in (anthropic, responses, gemini, converse, local_chat):
        with pytest.raises(BadRequest, match="images by URL"):
            encode(Call("m", (image,)), text)
        with pytest.raises(BadRequest, match="documents by URL"):
            encode(Call("m", (paper,)), text)
        with pytest.raises(BadRequest, match="PDFs"):
            encode(Call("m", (document,)), text)
    with pytest.raises(BadRequest, match="documents by URL"):
        chat(Call("m", (paper,)), facts=READS_ALL)
    with pytest.raises(BadRequest, match="images by URL"):
        chat(Call("m", (image,)), facts=text)


@pytest.mark.parametrize(
    ("provider", "model", "documents", "urls"),
    [
        ("openai", "gpt-5", True, True),
        ("anthropic", "claude-x", True, True),
        ("google", "gemini-3-pro", True, True),
        ("google", "gemini-2.0-flash", True, False),
        ("vertex", "gemini-2.0-flash", True, True),
        ("vertex", "claude-x", True, False),
        ("bedrock", "anthropic.claude-x", True, False),
        ("moonshot", "kimi-x", False, False),
        ("groq", "llama-x", False, True),
    ],
)
def test_it_is_known_who_reads_documents_and_fetches_urls(
    provider: str, model: str, documents: bool, urls: bool
) -> None:
    host = host_named(provider)
    assert host is not None
    facts = capabilities_of(provider, model, host.default_facts)
    assert (facts.documents, facts.urls) == (documents, urls)
