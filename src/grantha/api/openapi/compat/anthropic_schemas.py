"""The part of Anthropic's Messages API that Grantha supports."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from grantha.api.openapi.compat.schema import MODEL, ONE, STOPS, WHOLE, Schema
from grantha.chat import JsonDict


class TextBlockIn(Schema):
    """Text."""

    type: Literal["text"]
    text: str


class ImageSource(Schema):
    """Nothing is fetched: the image itself, in base64."""

    type: Literal["base64"]
    media_type: Literal["image/png", "image/jpeg", "image/webp", "image/gif"]
    data: str = Field(min_length=1)


class ImageBlock(Schema):
    """An image."""

    type: Literal["image"]
    source: ImageSource


class TextSource(Schema):
    """A document's text."""

    type: Literal["text"]
    data: str
    media_type: Literal["text/plain"] = "text/plain"


class DocumentBlock(Schema):
    """A document of text."""

    type: Literal["document"]
    source: TextSource
    title: str | None = None


class ThinkingBlock(Schema):
    """A thought and its proof, which is sent back unchanged."""

    type: Literal["thinking"]
    thinking: str
    signature: str | None = None


class RedactedBlock(Schema):
    """A thought that only its vendor can read."""

    type: Literal["redacted_thinking"]
    data: str = Field(min_length=1)


class ToolUseBlock(Schema):
    """A tool that the model wants used."""

    type: Literal["tool_use"]
    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    input: JsonDict


class ToolResultBlock(Schema):
    """What the tool gave back."""

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
            | ThinkingBlock
            | RedactedBlock
            | ToolUseBlock
            | ToolResultBlock
        ]
    )


class AnthropicTool(Schema):
    """A tool that the model may use; the client runs it."""

    type: Literal["custom"] | None = None
    name: str = Field(min_length=1)
    description: str | None = None
    input_schema: JsonDict | None = None


class AnthropicChoice(Schema):
    """Whether a tool is used; `name` belongs to the type `tool`."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None


class Thinking(Schema):
    """How much thought."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int | None, Field(ge=1)] = None


class MessageFormat(Schema):
    """The form of the answer."""

    type: Literal["json_schema"]
    json_schema: JsonDict | None = Field(default=None, alias="schema")


class OutputConfig(Schema):
    """Of the answer."""

    effort: str | None = None
    format: MessageFormat | None = None


class CountRequest(Schema):
    """What an answer would be asked with."""

    messages: list[AnthropicMessage] = Field(min_length=1)
    model: MODEL
    system: str | list[TextBlockIn] | None = None
    tools: list[AnthropicTool] | None = None
    tool_choice: AnthropicChoice | None = None
    thinking: Thinking | None = None


class MessagesRequest(CountRequest):
    """A message to be answered."""

    max_tokens: int = Field(ge=1, lt=2**63)
    stream: bool | None = None
    temperature: ONE
    top_p: ONE
    top_k: WHOLE
    stop_sequences: STOPS
    metadata: JsonDict | None = None
    service_tier: str | None = None
    output_config: OutputConfig | None = None


class AnthropicCitation(Schema):
    """A source."""

    type: Literal["web_search_result_location"]
    url: str
    title: str | None
    cited_text: str
    encrypted_index: str


class TextBlock(Schema):
    """Text."""

    type: Literal["text"]
    text: str
    citations: list[AnthropicCitation] | None = None


class AnthropicUsage(Schema):
    """Tokens as the provider counts them; the first two are 0 where it doesn't."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None
    cache_creation_input_tokens: int | None


class MessagesReply(Schema):
    """The whole answer."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock]
    stop_reason: (
        Literal[
            "end_turn",
            "max_tokens",
            "tool_use",
            "refusal",
            "stop_sequence",
            "pause_turn",
            "model_context_window_exceeded",
        ]
        | None
    )
    stop_sequence: None
    usage: AnthropicUsage


class AnthropicFault(Schema):
    """What went wrong, and what to do."""

    type: Literal[
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "rate_limit_error",
        "overloaded_error",
        "api_error",
    ]
    message: str


class MessagesEvent(Schema):
    """One event; the other members depend on its type."""

    type: Literal[
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
    ]
    message: MessagesReply | None = None
    index: int | None = None
    content_block: JsonDict | None = None
    delta: JsonDict | None = None
    usage: AnthropicUsage | None = None
    error: AnthropicFault | None = None


class AnthropicError(Schema):
    """An error."""

    type: Literal["error"]
    error: AnthropicFault


class CountReply(Schema):
    """As the provider counts."""

    input_tokens: int


class AnthropicModel(Schema):
    """A model that can be used; `created_at` is the day of the call."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str


class AnthropicModels(Schema):
    """All of them, on one page."""

    data: list[AnthropicModel]
    has_more: Literal[False]
    first_id: str | None
    last_id: str | None
