"""The replies of Ollama's API, member by member.

Source: Ollama's API documentation. The view builds exactly these, and the OpenAPI description is generated
from them: there is no second description.
"""

from typing import Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from grantha.chat import JsonDict
from grantha.wire.compat.openai_chat_replies import Logprob


class OllamaFunctionCall(TypedDict):
    """A function and its arguments."""

    name: str
    arguments: JsonDict


class OllamaCall(TypedDict):
    """A function that the model calls."""

    id: str
    function: OllamaFunctionCall


class OllamaAnswer(TypedDict):
    """The model's message, or what a line adds to it."""

    role: Literal["assistant"]
    content: str
    thinking: NotRequired[str]
    tool_calls: NotRequired[list[OllamaCall]]


class OllamaHead(TypedDict):
    """The members that begin each line."""

    model: str
    created_at: str


class OllamaLine(OllamaHead):
    """The members of each line and each whole reply. Counts come with the last, its time in nanoseconds."""

    done: bool
    done_reason: NotRequired[Literal["stop", "length", "load", "unload"]]
    total_duration: NotRequired[int]
    prompt_eval_count: NotRequired[int]
    eval_count: NotRequired[int]
    logprobs: NotRequired[list[Logprob]]


class OllamaChatReply(OllamaLine):
    """An answer, or a line of it."""

    message: OllamaAnswer


class OllamaGenerateReply(OllamaLine):
    """A completion, or a line of it."""

    response: str
    thinking: NotRequired[str]
    tool_calls: NotRequired[list[OllamaCall]]


OllamaReply: TypeAlias = OllamaChatReply | OllamaGenerateReply


class OllamaError(TypedDict):
    """An error, as a reply or as the last line of a stream."""

    error: str


class OllamaDetails(TypedDict):
    """Details of a model. The family is the provider; nothing is known about the file."""

    family: str
    families: list[str]
    format: str
    parameter_size: str
    quantization_level: str


class OllamaModel(TypedDict):
    """A model that can be used."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: OllamaDetails


class OllamaModels(TypedDict):
    """All models that can be used."""

    models: list[OllamaModel]


class OllamaRunningModel(TypedDict):
    """A model in the server's memory. `expires_at` is when it is unloaded unless it is used."""

    name: str
    model: str
    size: int
    digest: str
    details: OllamaDetails
    expires_at: str
    size_vram: int
    context_length: int


class OllamaRunningModels(TypedDict):
    """The models in the server's memory."""

    models: list[OllamaRunningModel]


OllamaCapability = Literal["completion", "tools", "vision", "thinking"]


class OllamaShowReply(TypedDict):
    """What is known about a model."""

    modelfile: str
    parameters: str
    template: str
    details: OllamaDetails
    model_info: JsonDict
    capabilities: list[OllamaCapability]


class OllamaVersion(TypedDict):
    """The version of Ollama whose API this is, and Grantha's."""

    version: str
    grantha: str
