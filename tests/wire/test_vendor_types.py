"""Requests to vendors, validated by the types of their own packages."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from botocore.loaders import Loader  # type: ignore[import-untyped]  # it has no types
from botocore.model import ServiceModel  # type: ignore[import-untyped]  # it has no types
from botocore.validate import ParamValidator  # type: ignore[import-untyped]  # it has no types
from google.genai import types as google
from ollama._types import ChatRequest
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from grantha.chat import Call, Capabilities, Options
from grantha.wire.lenient_json import loads
from grantha.wire.sse import SseDecoder
from tests.wire import calls
from tests.wire.calls import BY_URL, CALL, FACTS, MEDIA, OPTIONS, READS_ALL
from tests.wire.recorded import Recorded, recorded

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
NAMED = {"type": "json_schema", "json_schema": {"name": "it", "schema": SCHEMA}}
REQUESTED = {
    "everything": OPTIONS,
    "nothing": Options(),
    "hard thought": Options(reasoning_effort="high"),
    "no thought": Options(reasoning_effort="none"),
    "any JSON": Options(response_format={"type": "json_object"}),
    "a schema": Options(response_format=NAMED),
    "no tool": replace(OPTIONS, tool_choice="none"),
    "one tool": replace(OPTIONS, tool_choice={"name": "weather"}),
}

# Without those that are no answer, or that are broken on purpose.
REPLIES = [
    case
    for case in recorded()
    if case.dialect == "gemini"
    and case.expected.get("failure", "truncated") == "truncated"
    and case.name != "array-without-sse"
]

each_way = pytest.mark.parametrize("options", REQUESTED.values(), ids=REQUESTED)


class GoogleRequest(BaseModel):
    """The body of `models.streamGenerateContent`: their package has types for its members only."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    contents: list[google.Content]
    system_instruction: google.Content | None = None
    generation_config: google.GenerationConfig | None = None
    tools: list[google.Tool] | None = None
    tool_config: google.ToolConfig | None = None
    safety_settings: list[google.SafetySetting] | None = None


def fits(kind: Any, body: dict[str, Any]) -> None:
    """The body is of the vendor's type and has no member that the type hasn't."""
    # Their types say Iterable where a list goes; pydantic would check its items only when walked.
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith(("openai.types", "anthropic.types")) and hasattr(module, "Iterable"):
                patch.setattr(module, "Iterable", list)
        # In a list, since a typed dictionary at the top would ignore the configuration.
        adapter = TypeAdapter(list[kind], config=ConfigDict(extra="forbid"))
        adapter.validate_python([body], strict=True)


def check_converse(body: dict[str, Any]) -> None:
    """The body fits Bedrock's service model."""
    model = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))
    shape = model.operation_model("ConverseStream").input_shape
    report = ParamValidator().validate({"modelId": "m", **body}, shape)
    assert not report.has_errors(), report.generate_report()


@each_way
def test_a_chat_completion_fits_openai_s_types(options: Options) -> None:
    body = calls.chat(replace(CALL, options=options))
    fits(completion_create_params.CompletionCreateParamsStreaming, body)


@each_way
def test_a_response_fits_openai_s_types(options: Options) -> None:
    body = calls.responses(replace(CALL, options=options))
    fits(response_create_params.ResponseCreateParamsStreaming, body)


@each_way
@pytest.mark.parametrize("thinks", [False, True])
def test_a_message_fits_anthropic_s_types(options: Options, thinks: bool) -> None:
    # The types no longer have sampling options; only models that still take them are sent any.
    facts = Capabilities(images=True, tools=True, reasoning=thinks, temperature=False, top_p=False)
    fits(MessageCreateParamsStreaming, calls.anthropic(replace(CALL, options=options), facts))


def test_images_and_pdfs_fit_the_types_of_vendors_that_take_them() -> None:
    tools = replace(OPTIONS, temperature=None, top_p=None, seed=None)
    inline, by_url = Call("m", MEDIA, tools), Call("m", (*MEDIA, BY_URL), tools)
    facts = replace(READS_ALL, temperature=False, top_p=False)
    fits(completion_create_params.CompletionCreateParamsStreaming, calls.chat(inline, facts=facts))
    fits(response_create_params.ResponseCreateParamsStreaming, calls.responses(by_url, facts))
    fits(MessageCreateParamsStreaming, calls.anthropic(by_url, facts))
    for model in ("gemini-2.5-flash", "gemini-3-pro"):
        body = calls.gemini(replace(by_url, model=model), facts)
        GoogleRequest.model_validate(body, by_alias=True, by_name=False)
    check_converse(calls.converse(replace(inline, model="anthropic.claude-x"), facts))


@each_way
def test_a_chat_fits_ollama_s_types(options: Options) -> None:
    body = calls.local_chat(replace(CALL, options=options))
    ChatRequest.model_validate(body)
    assert body.keys() <= ChatRequest.model_fields.keys()


@each_way
def test_a_conversation_fits_bedrock_s_service_model(options: Options) -> None:
    check_converse(calls.converse(replace(CALL, options=options)))


@each_way
@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-pro"])
def test_a_generation_fits_google_s_types(options: Options, model: str) -> None:
    # An effort or a mode that their enumerations don't have is a warning, which fails here.
    call = Call(model, CALL.messages, options)
    GoogleRequest.model_validate(calls.gemini(call, FACTS), by_alias=True, by_name=False)


@pytest.mark.parametrize("case", REPLIES, ids=str)
def test_a_recorded_answer_fits_google_s_types(case: Recorded) -> None:
    decoder = SseDecoder()
    payloads = [*decoder.feed(case.body), *decoder.finish()] if not case.is_body else [case.body]
    for payload in payloads:
        google.GenerateContentResponse.model_validate(loads(payload), by_alias=True, by_name=False)
