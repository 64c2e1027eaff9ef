"""The part of the AI SDK's requests that Grantha reads.

Members are named as they are there.
"""

# ruff: noqa: N815

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grantha.api.openapi.compat.schema import (
    FromZeroToOne,
    FromZeroToTwo,
    ModelName,
    PositiveInteger,
    Schema,
    WholeNumber,
)
from grantha.chat import JsonDict


class UiPart(Schema):
    """Text, reasoning, a file, a tool's call and result; others are an application's own."""

    type: str = Field(min_length=1)
    text: str | None = None
    mediaType: str | None = None
    url: str | None = None
    filename: str | None = None


class UiMessage(Schema):
    """A message as the SDK keeps it."""

    id: str | None = None
    role: Literal["system", "user", "assistant"]
    parts: list[UiPart]


class UiTool(Schema):
    """A tool that the model may call; the client runs it."""

    description: str | None = None
    inputSchema: JsonDict | None = None


class UiToolChoice(Schema):
    """A tool that the model must call."""

    type: Literal["tool"] = "tool"
    toolName: str = Field(min_length=1)


class UiRequest(Schema):
    """The whole chat. All but `id` and `messages` comes from the transport's own `body`."""

    id: str = Field(min_length=1, max_length=200)
    messages: list[UiMessage] = Field(min_length=1)
    model: ModelName
    system: str | None = None
    temperature: FromZeroToTwo
    topP: FromZeroToOne
    maxOutputTokens: PositiveInteger
    stopSequences: list[str] | str | None = None
    seed: WholeNumber
    reasoning: str | None = None
    tools: dict[str, UiTool] | None = None
    toolChoice: Literal["auto", "none", "required"] | UiToolChoice | None = None
