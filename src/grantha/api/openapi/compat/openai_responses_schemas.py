"""The part of a Responses request that Grantha reads."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from grantha.api.openapi.compat.schema import (
    FromZeroToOne,
    FromZeroToTwo,
    MediaUrl,
    ModelName,
    PositiveInteger,
    Schema,
    WholeNumber,
)
from grantha.chat import JsonDict


class ResponseText(Schema):
    """Text of the user, or of an answer that is sent back."""

    type: Literal["input_text", "output_text"]
    text: str


class ResponseImage(Schema):
    """An image."""

    type: Literal["input_image"]
    image_url: MediaUrl


class ResponseFile(Schema):
    """A PDF, text, or another document whose text can be read: in `file_data`, or a PDF at `file_url`."""

    type: Literal["input_file"]
    filename: str | None = None
    file_data: MediaUrl | None = None
    file_url: MediaUrl | None = None


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
    """A function's result."""

    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1)
    output: str | list[ResponseText | ResponseImage | ResponseFile]


class ResponseReasoningIn(Schema):
    """Reasoning, sent back with the vendor's encrypted content."""

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


class ResponseToolChoice(Schema):
    """A function that the model must call."""

    type: Literal["function"] = "function"
    name: str = Field(min_length=1)


class ResponseFormat(Schema):
    """The format of the text; `name` and `schema` belong to `json_schema`."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    json_schema: JsonDict | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseTextOptions(Schema):
    """Options of the text."""

    format: ResponseFormat | None = None
    verbosity: str | None = None


class ResponseReasoningOptions(Schema):
    """The reasoning effort."""

    effort: str | None = None


ResponseItemIn: TypeAlias = (
    ResponseMessageIn | ResponseCallIn | ResponseResultIn | ResponseReasoningIn | ResponseOtherItem
)


class ConversationReference(Schema):
    """The conversation that a response continues."""

    id: str = Field(min_length=1)


class ResponseRequest(Schema):
    """A response. `background` is read later; with `store: false` it can't be retrieved."""

    input: str | list[ResponseItemIn] = Field(min_length=1)
    model: ModelName
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationReference | None = None
    stream: bool | None = None
    background: bool | None = None
    store: bool | None = None
    temperature: FromZeroToTwo
    top_p: FromZeroToOne
    max_output_tokens: PositiveInteger
    reasoning: ResponseReasoningOptions | None = None
    tools: list[ResponseTool | ResponseOtherTool] | None = None
    tool_choice: Literal["auto", "none", "required"] | ResponseToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: WholeNumber
    text: ResponseTextOptions | None = None
    top_logprobs: WholeNumber
    metadata: JsonDict | None = None
    service_tier: str | None = None
    user: str | None = None
    verbosity: str | None = None


class ConversationRequest(Schema):
    """A new conversation."""

    items: list[ResponseItemIn] | None = Field(default=None, max_length=20)
    metadata: dict[str, str] | None = None


class ConversationUpdateRequest(Schema):
    """New metadata in place of those before."""

    metadata: dict[str, str]


class ConversationItemsRequest(Schema):
    """Items to add."""

    items: list[ResponseItemIn] = Field(min_length=1, max_length=20)


class CompactionRequest(Schema):
    """A conversation to be shortened: its items, or those before a response, or both."""

    model: ModelName
    input: str | list[ResponseItemIn] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
