"""The part of requests to Ollama's API that Grantha reads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grantha.api.openapi.compat.openai_chat_schemas import ChatTool
from grantha.api.openapi.compat.schema import MODEL, ONE, STOPS, TWO, WHOLE, Schema
from grantha.chat import JsonDict


class OllamaFunctionCallIn(Schema):
    """The function and its arguments."""

    name: str = Field(min_length=1)
    arguments: JsonDict | None = None


class OllamaCallIn(Schema):
    """A function that the model wants called."""

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


class OllamaShowRequest(Schema):
    """Which model, by the newer name of the member or the older."""

    model: str | None = None
    name: str | None = None
