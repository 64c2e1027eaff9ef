"""The part of OpenAI's Responses API that Grantha supports."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grantha.api.openapi.compat.schema import COUNT, DATA_URL, MODEL, ONE, TWO, WHOLE, Schema
from grantha.chat import JsonDict
from grantha.wire.compat.openai_chat_replies import Logprob


class ResponseText(Schema):
    """Text of a person, or of an answer that is sent back."""

    type: Literal["input_text", "output_text"]
    text: str


class ResponseImage(Schema):
    """An image."""

    type: Literal["input_image"]
    image_url: DATA_URL


class ResponseFile(Schema):
    """A document of text."""

    type: Literal["input_file"]
    filename: str | None = None
    file_data: DATA_URL


class ResponseMessageIn(Schema):
    """A message."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ResponseText | ResponseImage | ResponseFile]


class ResponseCallIn(Schema):
    """A call that the model made before."""

    type: Literal["function_call"]
    call_id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    arguments: str | None = None


class ResponseResultIn(Schema):
    """What the function gave back."""

    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1)
    output: str | list[ResponseText | ResponseImage | ResponseFile]


class ResponseThoughtIn(Schema):
    """A thought, sent back with the vendor's proof."""

    type: Literal["reasoning"]
    summary: list[JsonDict] | None = None
    encrypted_content: str | None = None


class ResponseReference(Schema):
    """An output item of an earlier response, which is still kept."""

    type: Literal["item_reference"]
    id: str = Field(min_length=1)


class ResponseTool(Schema):
    """A function that the model may call; the client runs it."""

    type: Literal["function"] = "function"
    name: str = Field(min_length=1)
    description: str | None = None
    parameters: JsonDict | None = None
    strict: bool | None = None


class ResponseOtherTool(Schema):
    """A tool of another kind: free text, a group of functions, or one that the vendor runs itself."""

    type: str


class ResponseOtherItem(Schema):
    """An item of another kind: of a tool of free text, or one that no model here reads."""

    type: str


class ResponseChosen(Schema):
    """The function that must be called."""

    type: Literal["function"] = "function"
    name: str = Field(min_length=1)


class ResponseFormat(Schema):
    """The form of the text; `name` and `schema` belong to `json_schema`."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    json_schema: JsonDict | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseTextOptions(Schema):
    """Of the text."""

    format: ResponseFormat | None = None
    verbosity: str | None = None


class ResponseReasoning(Schema):
    """How hard to think."""

    effort: str | None = None


class ResponseRequest(Schema):
    """A response. `background` is read later; with `store: false` it can't be retrieved."""

    input: (
        str
        | list[
            ResponseMessageIn
            | ResponseCallIn
            | ResponseResultIn
            | ResponseThoughtIn
            | ResponseOtherItem
        ]
    ) = Field(min_length=1)
    model: MODEL
    instructions: str | None = None
    previous_response_id: str | None = None
    stream: bool | None = None
    background: bool | None = None
    store: bool | None = None
    temperature: TWO
    top_p: ONE
    max_output_tokens: COUNT
    reasoning: ResponseReasoning | None = None
    tools: list[ResponseTool | ResponseOtherTool] | None = None
    tool_choice: Literal["auto", "none", "required"] | ResponseChosen | None = None
    parallel_tool_calls: bool | None = None
    text: ResponseTextOptions | None = None
    top_logprobs: WHOLE
    metadata: JsonDict | None = None
    service_tier: str | None = None
    user: str | None = None
    verbosity: str | None = None


class ResponseAnnotation(Schema):
    """A source and where it stands in the text, in code points."""

    type: Literal["url_citation"]
    url: str
    title: str
    start_index: int
    end_index: int


class ResponseContent(Schema):
    """Text of an answer."""

    type: Literal["output_text"]
    text: str
    annotations: list[ResponseAnnotation]
    logprobs: list[Logprob]


ITEM_STATUS = Literal["in_progress", "completed", "incomplete"]


class ResponseMessage(Schema):
    """Text."""

    type: Literal["message"]
    id: str
    status: ITEM_STATUS
    role: Literal["assistant"]
    content: list[ResponseContent]


class ResponseCall(Schema):
    """A function that the model wants called."""

    type: Literal["function_call"]
    id: str
    status: ITEM_STATUS
    call_id: str
    name: str
    namespace: str | None = None
    arguments: str


class ResponseFreeCall(Schema):
    """A tool of free text that the model wants called."""

    type: Literal["custom_tool_call"]
    id: str
    status: ITEM_STATUS
    call_id: str
    name: str
    input: str


class ResponseSummary(Schema):
    """A thought's text."""

    type: Literal["summary_text"]
    text: str


class ResponseThought(Schema):
    """A thought; `encrypted_content` is the vendor's proof, to be sent back unchanged."""

    type: Literal["reasoning"]
    id: str
    status: ITEM_STATUS
    summary: list[ResponseSummary]
    encrypted_content: str | None = None


class ResponseFault(Schema):
    """Why it failed."""

    code: Literal["server_error"]
    message: str


class ResponseIncomplete(Schema):
    """Why it isn't complete."""

    reason: Literal["max_output_tokens", "content_filter"]


class ResponseInputDetails(Schema):
    """Of the input."""

    cached_tokens: int
    cache_write_tokens: int


class ResponseOutputDetails(Schema):
    """Of the output."""

    reasoning_tokens: int


class ResponseUsage(Schema):
    """Tokens as the provider counts them."""

    input_tokens: int
    input_tokens_details: ResponseInputDetails
    output_tokens: int
    output_tokens_details: ResponseOutputDetails
    total_tokens: int


class ResponseReply(Schema):
    """A response as it is now; what the request set is repeated."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed", "cancelled"]
    error: ResponseFault | None
    incomplete_details: ResponseIncomplete | None
    instructions: str | None
    metadata: JsonDict
    model: str
    output: list[ResponseMessage | ResponseCall | ResponseFreeCall | ResponseThought]
    parallel_tool_calls: bool
    temperature: float | None
    tool_choice: str | JsonDict
    tools: list[JsonDict]
    top_p: float | None
    usage: ResponseUsage | None
    background: bool | None = None
    max_output_tokens: int | None = None
    previous_response_id: str | None = None
    reasoning: ResponseReasoning | None = None
    service_tier: str | None = None
    store: bool | None = None
    text: JsonDict | None = None
    top_logprobs: int | None = None
    user: str | None = None
    verbosity: str | None = None


class ResponseEvent(Schema):
    """One event; the other members depend on its type. Numbers grow but have gaps."""

    type: str
    sequence_number: int
    response: ResponseReply | None = None
    output_index: int | None = None
    item: ResponseMessage | ResponseCall | ResponseFreeCall | ResponseThought | None = None
    item_id: str | None = None
    content_index: int | None = None
    summary_index: int | None = None
    part: ResponseContent | ResponseSummary | None = None
    delta: str | None = None
    text: str | None = None
    logprobs: list[Logprob] | None = None
    arguments: str | None = None
    name: str | None = None
    annotation_index: int | None = None
    annotation: ResponseAnnotation | None = None


class ResponseItem(Schema):
    """One item of an input, with its id. The other members depend on its type."""

    type: Literal["message", "reasoning", "function_call", "function_call_output"]
    id: str
    status: Literal["completed"]
    role: Literal["system", "user", "assistant"] | None = None
    content: list[JsonDict] | None = None
    summary: list[ResponseSummary] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | None = None


class ResponseItems(Schema):
    """One page of them."""

    object: Literal["list"]
    data: list[ResponseItem]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ResponseTokens(Schema):
    """As the provider counts."""

    object: Literal["response.input_tokens"]
    input_tokens: int


class ResponseDeleted(Schema):
    """It is gone."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]
