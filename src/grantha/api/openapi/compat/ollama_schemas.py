"""The part of Ollama's API that Grantha supports."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grantha.api.openapi.compat.openai_chat_schemas import ChatTool
from grantha.api.openapi.compat.schema import MODEL, ONE, STOPS, TWO, WHOLE, Schema
from grantha.chat import JsonDict
from grantha.wire.compat.openai_chat_replies import Logprob


class OllamaCalled(Schema):
    """The function and its arguments."""

    name: str = Field(min_length=1)
    arguments: JsonDict | None = None


class OllamaCall(Schema):
    """A function that the model wants called."""

    id: str | None = None
    function: OllamaCalled


class OllamaMessage(Schema):
    """A message. One of the role `tool` answers the call that is named."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = Field(default=None, description="Base64.")
    tool_calls: list[OllamaCall] | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None


class OllamaOptions(Schema):
    """Of an answer. Others, such as `num_ctx`, are the server's to decide here."""

    temperature: TWO
    top_p: ONE
    num_predict: WHOLE
    stop: STOPS
    seed: WHOLE
    frequency_penalty: float | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    repeat_penalty: float | None = None
    top_k: WHOLE


class OllamaPrompt(Schema):
    """What both calls take."""

    model: MODEL
    stream: bool | None = Field(default=None, description="True unless it is said.")
    think: bool | str | None = None
    format: Literal["json", ""] | JsonDict | None = None
    options: OllamaOptions | None = None
    logprobs: bool | None = None
    top_logprobs: WHOLE


class OllamaChatRequest(OllamaPrompt):
    """A chat."""

    messages: list[OllamaMessage] = Field(min_length=1)
    tools: list[ChatTool] | None = None


class OllamaGenerateRequest(OllamaPrompt):
    """One prompt. Without one the reply says that the model is there."""

    prompt: str | None = None
    system: str | None = None
    images: list[str] | None = Field(default=None, description="Base64.")
    keep_alive: str | int | None = Field(default=None, description="0 asks to unload.")


class OllamaLine(Schema):
    """What each line and each whole reply has; counts come with the last."""

    model: str
    created_at: str
    done: bool
    done_reason: Literal["stop", "length", "load", "unload"] | None = None
    total_duration: int | None = Field(default=None, description="Nanoseconds.")
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: list[Logprob] | None = None


class OllamaAnswer(Schema):
    """What the model says."""

    role: Literal["assistant"]
    content: str
    thinking: str | None = None
    tool_calls: list[OllamaCall] | None = None


class OllamaChatReply(OllamaLine):
    """An answer, or a line of it."""

    message: OllamaAnswer


class OllamaGenerateReply(OllamaLine):
    """A completion, or a line of it."""

    response: str
    thinking: str | None = None
    tool_calls: list[OllamaCall] | None = None


class OllamaError(Schema):
    """An error, as a reply or as the last line of a stream."""

    error: str


class OllamaDetails(Schema):
    """The family is the provider; of the file nothing is known."""

    family: str
    families: list[str]
    format: str
    parameter_size: str
    quantization_level: str


class OllamaModel(Schema):
    """A model that can be used."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: OllamaDetails


class OllamaModels(Schema):
    """All of them."""

    models: list[OllamaModel]


class OllamaShowRequest(Schema):
    """Which model, by the newer name of the member or the older."""

    model: str | None = None
    name: str | None = None


class OllamaShowReply(Schema):
    """What is known of it."""

    modelfile: str
    parameters: str
    template: str
    details: OllamaDetails
    model_info: JsonDict
    capabilities: list[Literal["completion", "tools", "vision", "thinking"]]


class OllamaVersion(Schema):
    """Of the Ollama whose API this is, and of Grantha."""

    version: str
    grantha: str
