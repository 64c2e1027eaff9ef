"""The part of requests to Ollama's API that Grantha reads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grantha.api.openapi.compat.openai_chat_schemas import ChatTool
from grantha.api.openapi.compat.schema import (
    FromZeroToOne,
    FromZeroToTwo,
    ModelName,
    Schema,
    StopSequences,
    WholeNumber,
)
from grantha.chat import JsonDict


class OllamaFunctionCallIn(Schema):
    """The function and its arguments."""

    name: str = Field(min_length=1)
    arguments: JsonDict | None = None


class OllamaCallIn(Schema):
    """A function call by the model."""

    id: str | None = None
    function: OllamaFunctionCallIn


class OllamaMessage(Schema):
    """A message. One of the role `tool` answers the call that is named."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = Field(default=None, description="Base64.")
    tool_calls: list[OllamaCallIn] | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None


class OllamaOptions(Schema):
    """Options of an answer. Others, such as `num_ctx`, are decided by the server."""

    temperature: FromZeroToTwo
    top_p: FromZeroToOne
    num_predict: WholeNumber
    stop: StopSequences
    seed: WholeNumber
    frequency_penalty: float | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    repeat_penalty: float | None = None
    top_k: WholeNumber


class OllamaPrompt(Schema):
    """The members that both calls share."""

    model: ModelName
    stream: bool | None = Field(default=None, description="Default: true.")
    think: bool | str | None = None
    format: Literal["json", ""] | JsonDict | None = None
    options: OllamaOptions | None = None
    logprobs: bool | None = None
    top_logprobs: WholeNumber


class OllamaChatRequest(OllamaPrompt):
    """A chat."""

    messages: list[OllamaMessage] = Field(min_length=1)
    tools: list[ChatTool] | None = None


class OllamaGenerateRequest(OllamaPrompt):
    """One prompt. Without one the reply says that the model is available."""

    prompt: str | None = None
    system: str | None = None
    images: list[str] | None = Field(default=None, description="Base64.")
    keep_alive: str | int | None = Field(default=None, description="0 asks to unload the model.")


class OllamaShowRequest(Schema):
    """The model, as the newer member or the older one."""

    model: str | None = None
    name: str | None = None
