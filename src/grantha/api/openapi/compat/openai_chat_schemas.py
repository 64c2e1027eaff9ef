"""The part of OpenAI's Chat Completions and Models APIs that Grantha supports."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grantha.api.openapi.compat.schema import (
    COUNT,
    DATA_URL,
    MODEL,
    ONE,
    STOPS,
    TWO,
    WHOLE,
    Schema,
)
from grantha.chat import JsonDict


class ChatText(Schema):
    """Text."""

    type: Literal["text"]
    text: str


class ChatImageUrl(Schema):
    """Where the image is: in the URL itself."""

    url: DATA_URL


class ChatImage(Schema):
    """An image."""

    type: Literal["image_url"]
    image_url: ChatImageUrl


class ChatFileContent(Schema):
    """A document's name and bytes."""

    filename: str | None = None
    file_data: DATA_URL


class ChatFile(Schema):
    """A document of text."""

    type: Literal["file"]
    file: ChatFileContent


class ChatCalled(Schema):
    """The function and its arguments as JSON text."""

    name: str
    arguments: str


class ChatCall(Schema):
    """A function that the model wants called."""

    id: str
    type: Literal["function"] = "function"
    function: ChatCalled


class ChatMessage(Schema):
    """A message. One of the role `tool` answers the call that `tool_call_id` names."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ChatText | ChatImage | ChatFile] | None = None
    reasoning_content: str | None = None
    tool_calls: list[ChatCall] | None = None
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


class ChatChosen(Schema):
    """The function that must be called."""

    type: Literal["function"] = "function"
    function: NamedFunction


class NamedSchema(Schema):
    """A JSON schema that the answer must fit."""

    name: str = Field(min_length=1)
    json_schema: JsonDict | None = Field(default=None, alias="schema")
    description: str | None = None
    strict: bool | None = None


class ChatFormat(Schema):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class ChatStreamOptions(Schema):
    """Of a stream."""

    include_usage: bool | None = None


class ChatRequest(Schema):
    """A chat. With `store: false` it isn't kept once the answer has ended."""

    messages: list[ChatMessage] = Field(min_length=1)
    model: MODEL
    stream: bool | None = None
    stream_options: ChatStreamOptions | None = None
    store: bool | None = None
    n: Literal[1] | None = None
    modalities: list[Literal["text"]] | None = None
    temperature: TWO
    top_p: ONE
    max_completion_tokens: COUNT
    max_tokens: COUNT
    stop: STOPS
    seed: WHOLE
    reasoning_effort: str | None = None
    tools: list[ChatTool] | None = None
    tool_choice: Literal["auto", "none", "required"] | ChatChosen | None = None
    parallel_tool_calls: bool | None = None
    response_format: ChatFormat | None = None
    logprobs: bool | None = None
    top_logprobs: WHOLE
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    top_k: WHOLE
    min_p: float | None = None
    metadata: JsonDict | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    user: str | None = None
    verbosity: str | None = None


class Logprob(Schema):
    """One token of the text and how likely it was."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[JsonDict] | None = None


class ChatLogprobs(Schema):
    """Of the text of a choice or a chunk."""

    content: list[Logprob]
    refusal: None = None


class ChatCitation(Schema):
    """A source and where it stands in the text, in code points."""

    url: str
    title: str
    start_index: int
    end_index: int


class ChatAnnotation(Schema):
    """A source."""

    type: Literal["url_citation"]
    url_citation: ChatCitation


class ChatAnswer(Schema):
    """What the model says."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    annotations: list[ChatAnnotation]
    reasoning_content: str | None = None
    tool_calls: list[ChatCall] | None = None


FINISH = Literal["stop", "length", "tool_calls", "content_filter"]


class ChatChoice(Schema):
    """The one answer."""

    index: Literal[0]
    message: ChatAnswer
    logprobs: ChatLogprobs | None
    finish_reason: FINISH


class CachedTokens(Schema):
    """Of the prompt."""

    cached_tokens: int


class ReasoningTokens(Schema):
    """Of the answer."""

    reasoning_tokens: int


class ChatUsage(Schema):
    """Tokens as the provider counts them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens
    completion_tokens_details: ReasoningTokens


class ChatReply(Schema):
    """The whole answer. `usage` is null where the provider doesn't count."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage | None


class ChatCallDelta(Schema):
    """A piece of a call; id and name come first, then arguments."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: JsonDict


class ChatDelta(Schema):
    """What is new. The first one has the role."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ChatCallDelta] | None = None
    annotations: list[ChatAnnotation] | None = None


class ChatChunkChoice(Schema):
    """What is new in the one answer; the reason comes with the last."""

    index: Literal[0]
    delta: ChatDelta
    logprobs: ChatLogprobs | None
    finish_reason: FINISH | None


class ChatChunk(Schema):
    """One `data:` line; the last line is `[DONE]`. With `include_usage` a chunk without choices ends it."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: ChatUsage | None = None


class OpenAiFault(Schema):
    """What went wrong, and what to do."""

    message: str
    type: Literal["invalid_request_error", "api_error"]
    param: None
    code: str | None


class OpenAiError(Schema):
    """An error, as a reply or as a line of a stream."""

    error: OpenAiFault


class OpenAiModel(Schema):
    """A model that can be used; `created` is the day of the call."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class OpenAiModels(Schema):
    """All of them."""

    object: Literal["list"]
    data: list[OpenAiModel]
