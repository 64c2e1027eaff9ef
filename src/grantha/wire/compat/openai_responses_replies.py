"""The replies of OpenAI's Responses API, member by member.

Source: OpenAI's API reference, "Responses" and "Streaming events". The view builds exactly these, and the
OpenAPI description is generated from them: there is no second description.
"""

from typing import Literal, NotRequired, TypeAlias

from typing_extensions import TypeAliasType, TypedDict

from grantha.chat import JsonDict
from grantha.wire.compat.openai_chat_replies import Logprob


class ResponseAnnotation(TypedDict):
    """A source and its position in the text, in code points."""

    type: Literal["url_citation"]
    url: str
    title: str
    start_index: int
    end_index: int


class ResponseContent(TypedDict):
    """Text of an answer."""

    type: Literal["output_text"]
    text: str
    annotations: list[ResponseAnnotation]
    logprobs: list[Logprob]


ItemStatus = Literal["in_progress", "completed", "incomplete"]


class ResponseMessage(TypedDict):
    """Text."""

    type: Literal["message"]
    id: str
    status: ItemStatus
    role: Literal["assistant"]
    content: list[ResponseContent]


class ResponseCall(TypedDict):
    """A function that the model calls."""

    type: Literal["function_call"]
    id: str
    status: ItemStatus
    call_id: str
    name: str
    namespace: NotRequired[str]
    arguments: str


class ResponseCustomCall(TypedDict):
    """A custom tool that the model calls."""

    type: Literal["custom_tool_call"]
    id: str
    status: ItemStatus
    call_id: str
    name: str
    input: str


class ResponseSummary(TypedDict):
    """The text of reasoning."""

    type: Literal["summary_text"]
    text: str


class ResponseReasoning(TypedDict):
    """Reasoning; `encrypted_content` is the vendor's signature, to be sent back unchanged."""

    type: Literal["reasoning"]
    id: str
    status: ItemStatus
    summary: list[ResponseSummary]
    encrypted_content: NotRequired[str]


ResponseOutput: TypeAlias = ResponseMessage | ResponseCall | ResponseCustomCall | ResponseReasoning


class ResponseErrorDetails(TypedDict):
    """Why it failed."""

    code: Literal[
        "context_length_exceeded", "insufficient_quota", "rate_limit_exceeded", "server_error"
    ]
    message: str


class ResponseIncomplete(TypedDict):
    """Why it isn't complete."""

    reason: Literal["max_output_tokens", "content_filter"]


class ResponseInputDetails(TypedDict):
    """Details of the input's tokens."""

    cached_tokens: int
    cache_write_tokens: int


class ResponseOutputDetails(TypedDict):
    """Details of the output's tokens."""

    reasoning_tokens: int


class ResponseUsage(TypedDict):
    """Tokens as the provider counts them."""

    input_tokens: int
    input_tokens_details: ResponseInputDetails
    output_tokens: int
    output_tokens_details: ResponseOutputDetails
    total_tokens: int


class ResponseEffort(TypedDict):
    """The reasoning effort of the request."""

    effort: str


class ResponseConversation(TypedDict):
    """The conversation to which the response belongs."""

    id: str


ResponseStatus = Literal["in_progress", "completed", "incomplete", "failed", "cancelled"]


class ResponseReply(TypedDict):
    """A response as it is now; the members that the request set are repeated."""

    id: str
    object: Literal["response"]
    created_at: int
    status: ResponseStatus
    error: ResponseErrorDetails | None
    incomplete_details: ResponseIncomplete | None
    instructions: str | None
    metadata: JsonDict
    model: str
    output: list[ResponseOutput]
    parallel_tool_calls: bool
    temperature: float | None
    tool_choice: str | JsonDict
    tools: list[JsonDict]
    top_p: float | None
    usage: ResponseUsage | None
    background: NotRequired[bool]
    max_output_tokens: NotRequired[int]
    previous_response_id: NotRequired[str]
    reasoning: NotRequired[ResponseEffort]
    service_tier: NotRequired[str]
    store: NotRequired[bool]
    text: NotRequired[JsonDict]
    top_logprobs: NotRequired[int]
    user: NotRequired[str]
    verbosity: NotRequired[str]
    conversation: NotRequired[ResponseConversation]


class NumberedEvent(TypedDict):
    """The member of each event. Numbers grow but have gaps."""

    sequence_number: int


class ResponseStateEvent(NumberedEvent):
    """The whole response, at the beginning and at the end."""

    type: Literal[
        "response.created",
        "response.in_progress",
        "response.completed",
        "response.incomplete",
        "response.failed",
    ]
    response: ResponseReply


class OutputItemEvent(NumberedEvent):
    """An output item begins or has ended."""

    type: Literal["response.output_item.added", "response.output_item.done"]
    output_index: int
    item: ResponseOutput


class ItemEvent(NumberedEvent):
    """The members of each event inside an output item."""

    item_id: str
    output_index: int


class TextEvent(ItemEvent):
    """The members of each event about text."""

    content_index: Literal[0]


class ContentPartEvent(TextEvent):
    """The text begins or has ended."""

    type: Literal["response.content_part.added", "response.content_part.done"]
    part: ResponseContent


class OutputTextDelta(TextEvent):
    """More text."""

    type: Literal["response.output_text.delta"]
    delta: str
    logprobs: list[Logprob]


class OutputTextDone(TextEvent):
    """The whole text."""

    type: Literal["response.output_text.done"]
    text: str
    logprobs: list[Logprob]


class AnnotationAdded(TextEvent):
    """A source of the text so far."""

    type: Literal["response.output_text.annotation.added"]
    annotation_index: int
    annotation: ResponseAnnotation


class SummaryEvent(ItemEvent):
    """The members of each event about reasoning."""

    summary_index: Literal[0]


class SummaryPartEvent(SummaryEvent):
    """The reasoning begins or has ended."""

    type: Literal["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"]
    part: ResponseSummary


class SummaryTextDelta(SummaryEvent):
    """More reasoning."""

    type: Literal["response.reasoning_summary_text.delta"]
    delta: str


class SummaryTextDone(SummaryEvent):
    """The whole reasoning."""

    type: Literal["response.reasoning_summary_text.done"]
    text: str


class ArgumentsDelta(ItemEvent):
    """More of a call's arguments."""

    type: Literal["response.function_call_arguments.delta"]
    delta: str


class ArgumentsDone(ItemEvent):
    """A call's whole arguments."""

    type: Literal["response.function_call_arguments.done"]
    arguments: str
    name: str


class CustomInputDelta(ItemEvent):
    """A custom call's input; it comes whole."""

    type: Literal["response.custom_tool_call_input.delta"]
    delta: str


class CustomInputDone(ItemEvent):
    """A custom call's whole input."""

    type: Literal["response.custom_tool_call_input.done"]
    input: str


ResponseEvent = TypeAliasType(
    "ResponseEvent",
    ResponseStateEvent
    | OutputItemEvent
    | ContentPartEvent
    | OutputTextDelta
    | OutputTextDone
    | AnnotationAdded
    | SummaryPartEvent
    | SummaryTextDelta
    | SummaryTextDone
    | ArgumentsDelta
    | ArgumentsDone
    | CustomInputDelta
    | CustomInputDone,
)


class InputText(TypedDict):
    """Text of an earlier message that isn't an answer."""

    type: Literal["input_text"]
    text: str


class EarlierText(TypedDict):
    """Text of an earlier answer."""

    type: Literal["output_text"]
    text: str
    annotations: list[ResponseAnnotation]


class InputImage(TypedDict):
    """An image: as a data URL, or by the URL that its vendor fetches."""

    type: Literal["input_image"]
    detail: Literal["auto"]
    image_url: str


class InputFile(TypedDict):
    """A document: as a data URL, or by the URL that its vendor fetches."""

    type: Literal["input_file"]
    filename: str
    file_data: NotRequired[str]
    file_url: NotRequired[str]


InputContent: TypeAlias = InputText | EarlierText | InputImage | InputFile


class InputMessage(TypedDict):
    """An earlier message."""

    type: Literal["message"]
    id: str
    status: Literal["completed"]
    role: Literal["system", "user", "assistant"]
    content: list[InputContent]


class InputCallOutput(TypedDict):
    """The result of a call."""

    type: Literal["function_call_output"]
    id: str
    status: Literal["completed"]
    call_id: str
    output: str | list[InputContent]


ResponseItem = TypeAliasType(
    "ResponseItem", InputMessage | ResponseReasoning | ResponseCall | InputCallOutput
)


class ResponseItems(TypedDict):
    """One page of the items of an input or a conversation."""

    object: Literal["list"]
    data: list[ResponseItem]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ResponseTokens(TypedDict):
    """The tokens of an input, as the provider counts them."""

    object: Literal["response.input_tokens"]
    input_tokens: int


class ResponseDeleted(TypedDict):
    """The receipt of a deletion."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]


class OpenAiConversation(TypedDict):
    """A conversation without its items."""

    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: JsonDict


class ConversationDeleted(TypedDict):
    """The receipt of a deletion."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: Literal[True]


class CompactionItem(TypedDict):
    """A summary of what it replaces, as base64 that only Grantha reads."""

    type: Literal["compaction"]
    id: str
    encrypted_content: str


class CompactionReply(TypedDict):
    """The input of the next request: the messages of the user, then the summary of everything."""

    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[ResponseItem | CompactionItem]
    usage: ResponseUsage
