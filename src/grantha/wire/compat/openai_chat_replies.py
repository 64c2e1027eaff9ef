"""The replies of OpenAI's Chat Completions and Models APIs, member by member.

Source: OpenAI's API reference, "Chat Completions" and "Models". The view builds exactly these, and the
OpenAPI description is generated from them: there is no second description.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from grantha.chat import JsonDict


class Logprob(TypedDict):
    """One token of the text and how likely it was."""

    token: str
    logprob: float
    bytes: NotRequired[list[int] | None]
    top_logprobs: NotRequired[list[JsonDict]]


class ChatLogprobs(TypedDict):
    """The log probabilities of a choice's or a chunk's text."""

    content: list[Logprob]
    refusal: None


class ChatCitation(TypedDict):
    """A source and its position in the text, in code points."""

    url: str
    title: str
    start_index: int
    end_index: int


class ChatAnnotation(TypedDict):
    """A source."""

    type: Literal["url_citation"]
    url_citation: ChatCitation


class ChatFunctionArguments(TypedDict):
    """A function's name, and its arguments as JSON text."""

    name: str
    arguments: str


class ChatCall(TypedDict):
    """A function that the model calls."""

    id: str
    type: Literal["function"]
    function: ChatFunctionArguments


class ChatCustomInput(TypedDict):
    """A custom tool's name, and its input as free text."""

    name: str
    input: str


class ChatCustomCall(TypedDict):
    """A custom tool that the model calls."""

    id: str
    type: Literal["custom"]
    custom: ChatCustomInput


class ChatAnswer(TypedDict):
    """The model's message."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    annotations: list[ChatAnnotation]
    reasoning_content: NotRequired[str]
    tool_calls: NotRequired[list[ChatCall | ChatCustomCall]]


ChatFinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class ChatChoice(TypedDict):
    """The one answer."""

    index: Literal[0]
    message: ChatAnswer
    logprobs: ChatLogprobs | None
    finish_reason: ChatFinishReason


class CachedTokens(TypedDict):
    """Details of the prompt's tokens."""

    cached_tokens: int


class ReasoningTokens(TypedDict):
    """Details of the answer's tokens."""

    reasoning_tokens: int


class ChatUsage(TypedDict):
    """Tokens as the provider counts them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens
    completion_tokens_details: ReasoningTokens


class ChatReply(TypedDict):
    """The whole answer. `usage` is null where the provider doesn't count."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage | None


class ChatArgumentsDelta(TypedDict):
    """The next fragment of a call's arguments; the first has the function's name."""

    name: NotRequired[str]
    arguments: str


class ChatCallDelta(TypedDict):
    """A fragment of a call: first its id and name, then its arguments. A custom call comes whole."""

    index: int
    id: NotRequired[str]
    type: NotRequired[Literal["function", "custom"]]
    function: NotRequired[ChatArgumentsDelta]
    custom: NotRequired[ChatCustomInput]


class ChatDelta(TypedDict):
    """What is new. The first one has the role."""

    role: NotRequired[Literal["assistant"]]
    content: NotRequired[str]
    reasoning_content: NotRequired[str]
    tool_calls: NotRequired[list[ChatCallDelta]]
    annotations: NotRequired[list[ChatAnnotation]]


class ChatChunkChoice(TypedDict):
    """What is new in the one answer; the reason comes with the last."""

    index: Literal[0]
    delta: ChatDelta
    logprobs: ChatLogprobs | None
    finish_reason: ChatFinishReason | None


class ChatChunk(TypedDict):
    """One `data:` line; the last line is `[DONE]`. With `include_usage` a chunk without choices ends it."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: NotRequired[ChatUsage | None]


OpenAiErrorType = Literal[
    "invalid_request_error",
    "insufficient_quota",
    "rate_limit_error",
    "authentication_error",
    "permission_error",
    "overloaded_error",
    "api_error",
]


class OpenAiErrorDetails(TypedDict):
    """What went wrong, and what to do."""

    message: str
    type: OpenAiErrorType
    param: None
    code: str


class OpenAiError(TypedDict):
    """An error, as a reply or as a line of a stream."""

    error: OpenAiErrorDetails


class OpenAiModel(TypedDict):
    """A model that can be used; `created` is the day of the call."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class OpenAiModels(TypedDict):
    """All models that can be used."""

    object: Literal["list"]
    data: list[OpenAiModel]
