"""The replies of Anthropic's Messages and Models APIs, member by member.

Source: Anthropic's API reference, "Messages", "Streaming messages", "Errors" and "Models". The view
builds exactly these, and the OpenAPI description is generated from them: there is no second description.
"""

from typing import Literal, NotRequired, TypeAlias

from typing_extensions import TypeAliasType, TypedDict

from grantha.chat import JsonDict


class AnthropicCitation(TypedDict):
    """A source."""

    type: Literal["web_search_result_location"]
    url: str
    title: str | None
    cited_text: str
    encrypted_index: str


class TextBlock(TypedDict):
    """Text."""

    type: Literal["text"]
    text: str
    citations: NotRequired[list[AnthropicCitation]]


class ThinkingBlock(TypedDict):
    """Reasoning and its signature, which is sent back unchanged."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedBlock(TypedDict):
    """Reasoning that only its vendor can read."""

    type: Literal["redacted_thinking"]
    data: str


class ToolUseBlock(TypedDict):
    """A tool that the model calls."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: JsonDict


ContentBlock: TypeAlias = TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock


class AnthropicUsage(TypedDict):
    """Tokens as the provider counts them; the first two are 0 where it doesn't."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None
    cache_creation_input_tokens: int | None


StopReason = Literal[
    "end_turn",
    "max_tokens",
    "tool_use",
    "refusal",
    "stop_sequence",
    "pause_turn",
    "model_context_window_exceeded",
]


class MessagesReply(TypedDict):
    """The whole answer; at the start of a stream, one without content."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[ContentBlock]
    stop_reason: StopReason | None
    stop_sequence: str | None
    usage: AnthropicUsage


AnthropicErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "overloaded_error",
    "api_error",
]


class AnthropicErrorCode(TypedDict):
    """The code by which clients tell errors of one type apart."""

    error_code: Literal["thread_unsupported_request"]


class AnthropicErrorDetails(TypedDict):
    """What went wrong, and what to do."""

    type: AnthropicErrorType
    message: str
    details: NotRequired[AnthropicErrorCode]


class AnthropicError(TypedDict):
    """An error, as a reply or as the last event of a stream."""

    type: Literal["error"]
    error: AnthropicErrorDetails


class MessageStart(TypedDict):
    """The first event."""

    type: Literal["message_start"]
    message: MessagesReply


class MessagesPing(TypedDict):
    """The second event."""

    type: Literal["ping"]


class ContentBlockStart(TypedDict):
    """A block begins, without its content. A redacted one is complete."""

    type: Literal["content_block_start"]
    index: int
    content_block: ContentBlock


class BlockTextDelta(TypedDict):
    """More text."""

    type: Literal["text_delta"]
    text: str


class BlockThinkingDelta(TypedDict):
    """More reasoning."""

    type: Literal["thinking_delta"]
    thinking: str


class BlockSignatureDelta(TypedDict):
    """The signature of the reasoning."""

    type: Literal["signature_delta"]
    signature: str


class BlockInputDelta(TypedDict):
    """More of the JSON of a call's arguments."""

    type: Literal["input_json_delta"]
    partial_json: str


class BlockCitationDelta(TypedDict):
    """A source of the text so far."""

    type: Literal["citations_delta"]
    citation: AnthropicCitation


BlockDelta: TypeAlias = (
    BlockTextDelta | BlockThinkingDelta | BlockSignatureDelta | BlockInputDelta | BlockCitationDelta
)


class ContentBlockDelta(TypedDict):
    """More of the open block."""

    type: Literal["content_block_delta"]
    index: int
    delta: BlockDelta


class ContentBlockStop(TypedDict):
    """The open block ends."""

    type: Literal["content_block_stop"]
    index: int


class MessageStopReason(TypedDict):
    """Why the answer ended."""

    stop_reason: StopReason
    stop_sequence: str | None


class MessageDelta(TypedDict):
    """The last event but one."""

    type: Literal["message_delta"]
    delta: MessageStopReason
    usage: AnthropicUsage


class MessageStop(TypedDict):
    """The last event."""

    type: Literal["message_stop"]


MessagesEvent = TypeAliasType(
    "MessagesEvent",
    MessageStart
    | MessagesPing
    | ContentBlockStart
    | ContentBlockDelta
    | ContentBlockStop
    | MessageDelta
    | MessageStop
    | AnthropicError,
)


class CountReply(TypedDict):
    """The tokens of a prompt, as the provider counts them."""

    input_tokens: int


class AnthropicModel(TypedDict):
    """A model that can be used; `created_at` is the day of the call."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str


class AnthropicModels(TypedDict):
    """All models that can be used, on one page."""

    data: list[AnthropicModel]
    has_more: Literal[False]
    first_id: str | None
    last_id: str | None
