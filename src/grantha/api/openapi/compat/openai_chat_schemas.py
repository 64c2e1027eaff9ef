"""The part of a Chat Completions request that Grantha reads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from grantha.api.openapi.compat.schema import (
    FromZeroToOne,
    FromZeroToTwo,
    MediaUrl,
    ModelName,
    PositiveInteger,
    Schema,
    StopSequences,
    WholeNumber,
)
from grantha.chat import JsonDict
from grantha.wire.compat.openai_chat_replies import ChatCall, ChatCustomCall


class ChatText(Schema):
    """Text."""

    type: Literal["text"]
    text: str


class ChatImageUrl(Schema):
    """Where the image is."""

    url: MediaUrl


class ChatImage(Schema):
    """An image."""

    type: Literal["image_url"]
    image_url: ChatImageUrl


class ChatFileContent(Schema):
    """A document's name and bytes."""

    filename: str | None = None
    file_data: MediaUrl


class ChatFile(Schema):
    """A PDF, text, or another document whose text can be read."""

    type: Literal["file"]
    file: ChatFileContent


class ChatMessage(Schema):
    """A message. One of the role `tool` answers the call that `tool_call_id` names."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ChatText | ChatImage | ChatFile] | None = None
    reasoning_content: str | None = None
    tool_calls: list[ChatCall | ChatCustomCall] | None = None
    tool_call_id: str | None = None


class FunctionSchema(Schema):
    """A function: its parameters are a JSON schema."""

    name: str = Field(min_length=1)
    description: str | None = None
    parameters: JsonDict | None = None
    strict: bool | None = None


class ChatTool(Schema):
    """A function that the model may call; the client runs it."""

    type: Literal["function"] = "function"
    function: FunctionSchema


class NamedFunction(Schema):
    """A function by its name."""

    name: str = Field(min_length=1)


class ChatToolChoice(Schema):
    """A function that the model must call."""

    type: Literal["function"] = "function"
    function: NamedFunction


class NamedSchema(Schema):
    """A JSON schema that the answer must fit."""

    name: str = Field(min_length=1)
    json_schema: JsonDict | None = Field(default=None, alias="schema")
    description: str | None = None
    strict: bool | None = None


class ChatFormat(Schema):
    """The format of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class ChatStreamOptions(Schema):
    """Options of a stream."""

    include_usage: bool | None = None


class CompletionRequest(Schema):
    """One prompt. It is answered as the one message of a chat."""

    prompt: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=1)]
    )
    model: ModelName
    stream: bool | None = None
    stream_options: ChatStreamOptions | None = None
    store: bool | None = None
    n: Literal[1] | None = None
    best_of: Literal[1] | None = None
    echo: bool | None = Field(default=None, description="The text begins with the prompt.")
    temperature: FromZeroToTwo
    top_p: FromZeroToOne
    max_tokens: PositiveInteger
    stop: StopSequences
    seed: WholeNumber
    logprobs: int | None = Field(default=None, ge=0, le=5, description="Not with `echo`.")
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None


class ChatRequest(Schema):
    """A chat. With `store: false` it isn't kept once the answer has ended."""

    messages: list[ChatMessage] = Field(min_length=1)
    model: ModelName
    stream: bool | None = None
    stream_options: ChatStreamOptions | None = None
    store: bool | None = None
    n: Literal[1] | None = None
    modalities: list[Literal["text"]] | None = None
    temperature: FromZeroToTwo
    top_p: FromZeroToOne
    max_completion_tokens: PositiveInteger
    max_tokens: PositiveInteger
    stop: StopSequences
    seed: WholeNumber
    reasoning_effort: str | None = None
    tools: list[ChatTool] | None = None
    tool_choice: Literal["auto", "none", "required"] | ChatToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ChatFormat | None = None
    logprobs: bool | None = None
    top_logprobs: WholeNumber
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    top_k: WholeNumber
    min_p: float | None = None
    metadata: JsonDict | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    user: str | None = None
    verbosity: str | None = None
