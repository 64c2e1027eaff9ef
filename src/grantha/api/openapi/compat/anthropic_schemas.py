"""The part of a Messages request that Grantha reads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from grantha.api.openapi.compat.schema import (
    FromZeroToOne,
    ModelName,
    Schema,
    StopSequences,
    WholeNumber,
)
from grantha.chat import JsonDict


class TextBlockIn(Schema):
    """Text."""

    type: Literal["text"]
    text: str


class UrlSource(Schema):
    """An image or a PDF that the model's vendor fetches."""

    type: Literal["url"]
    url: str = Field(pattern="^https?://.")


class ImageSource(Schema):
    """The image itself."""

    type: Literal["base64"]
    media_type: Literal["image/png", "image/jpeg", "image/webp", "image/gif"]
    data: str = Field(min_length=1)


class ImageBlock(Schema):
    """An image."""

    type: Literal["image"]
    source: ImageSource | UrlSource


class FileSource(Schema):
    """The bytes of a PDF, or of another document whose text can be read."""

    type: Literal["base64"]
    media_type: str
    data: str = Field(min_length=1)


class TextSource(Schema):
    """A document's text."""

    type: Literal["text"]
    data: str
    media_type: Literal["text/plain"] = "text/plain"


class ContentSource(Schema):
    """A document's text and images."""

    type: Literal["content"]
    content: str | list[TextBlockIn | ImageBlock]


class DocumentBlock(Schema):
    """A document."""

    type: Literal["document"]
    source: TextSource | FileSource | UrlSource | ContentSource
    title: str | None = None


class ThinkingBlockIn(Schema):
    """Reasoning and its signature, which is sent back unchanged."""

    type: Literal["thinking"]
    thinking: str
    signature: str | None = None


class RedactedBlockIn(Schema):
    """Reasoning that only its vendor can read."""

    type: Literal["redacted_thinking"]
    data: str = Field(min_length=1)


class ToolUseBlockIn(Schema):
    """A tool call by the model."""

    type: Literal["tool_use"]
    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    input: JsonDict


class ToolResultBlock(Schema):
    """A tool's result."""

    type: Literal["tool_result"]
    tool_use_id: str = Field(min_length=1)
    content: str | list[TextBlockIn | ImageBlock | DocumentBlock] | None = None
    is_error: bool | None = None


class AnthropicMessage(Schema):
    """A message."""

    role: Literal["user", "assistant", "system"]
    content: (
        str
        | list[
            TextBlockIn
            | ImageBlock
            | DocumentBlock
            | ThinkingBlockIn
            | RedactedBlockIn
            | ToolUseBlockIn
            | ToolResultBlock
        ]
    )


class AnthropicTool(Schema):
    """A tool that the model may use; the client runs it."""

    type: Literal["custom"] | None = None
    name: str = Field(min_length=1)
    description: str | None = None
    input_schema: JsonDict | None = None


class AnthropicToolChoice(Schema):
    """Whether a tool is used; `name` belongs to the type `tool`."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None


class Thinking(Schema):
    """Whether and how long the model thinks."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int | None, Field(ge=1)] = None


class MessageFormat(Schema):
    """The format of the answer."""

    type: Literal["json_schema"]
    json_schema: JsonDict | None = Field(default=None, alias="schema")


class OutputConfig(Schema):
    """Options of the output."""

    effort: str | None = None
    format: MessageFormat | None = None


class CountRequest(Schema):
    """A prompt whose tokens are to be counted."""

    messages: list[AnthropicMessage] = Field(min_length=1)
    model: ModelName
    system: str | list[TextBlockIn] | None = None
    tools: list[AnthropicTool] | None = None
    tool_choice: AnthropicToolChoice | None = None
    thinking: Thinking | None = None


class MessagesRequest(CountRequest):
    """A conversation to be answered."""

    max_tokens: int = Field(ge=1, lt=2**63)
    stream: bool | None = None
    temperature: FromZeroToOne
    top_p: FromZeroToOne
    top_k: WholeNumber
    stop_sequences: StopSequences
    metadata: JsonDict | None = None
    service_tier: str | None = None
    output_config: OutputConfig | None = None
