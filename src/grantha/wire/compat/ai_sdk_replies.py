"""The chunks of the AI SDK's UI message stream, and its errors, member by member.

Source: AI SDK documentation, "Stream protocols: data stream protocol". The view builds exactly these, and
the OpenAPI description is generated from them: there is no second description.
"""

from typing import Any, Literal, NotRequired

from typing_extensions import TypeAliasType, TypedDict

from grantha.chat import JsonDict


class UiSignature(TypedDict):
    """The signature of a part."""

    signature: str


class UiProviderMetadata(TypedDict):
    """The SDK keeps it with a part and sends it back."""

    grantha: UiSignature


class UiStartMetadata(TypedDict):
    """The generation that is read, and its model."""

    generation: str
    model: str


class UiStart(TypedDict):
    """The first chunk."""

    type: Literal["start"]
    messageId: str
    messageMetadata: UiStartMetadata


class UiStep(TypedDict):
    """The second chunk, and the last but one of a complete answer."""

    type: Literal["start-step", "finish-step"]


class UiPartStart(TypedDict):
    """Text or reasoning begins; `id` is the part's number."""

    type: Literal["text-start", "reasoning-start"]
    id: str


class UiPartDelta(TypedDict):
    """More of it."""

    type: Literal["text-delta", "reasoning-delta"]
    id: str
    delta: str


class UiPartEnd(TypedDict):
    """It is complete. Only reasoning has a signature."""

    type: Literal["text-end", "reasoning-end"]
    id: str
    providerMetadata: NotRequired[UiProviderMetadata]


class UiToolInputStart(TypedDict):
    """The model begins to call a tool."""

    type: Literal["tool-input-start"]
    toolCallId: str
    toolName: str


class UiToolInputDelta(TypedDict):
    """More of the arguments' JSON text."""

    type: Literal["tool-input-delta"]
    toolCallId: str
    inputTextDelta: str


class UiToolInput(TypedDict):
    """The complete arguments, as a value."""

    type: Literal["tool-input-available"]
    toolCallId: str
    toolName: str
    input: Any
    providerMetadata: NotRequired[UiProviderMetadata]


class UiToolInputError(TypedDict):
    """Arguments that aren't JSON, as text."""

    type: Literal["tool-input-error"]
    toolCallId: str
    toolName: str
    input: str
    errorText: str
    providerMetadata: NotRequired[UiProviderMetadata]


class UiSource(TypedDict):
    """A source of the text."""

    type: Literal["source-url"]
    sourceId: str
    url: str
    title: NotRequired[str]


UiFinishReason = Literal["stop", "length", "tool-calls", "content-filter", "other"]


class UiFinishMetadata(TypedDict):
    """SHA-256 of the text, and usage as the native API has it, if it is known."""

    sha256: str
    usage: NotRequired[JsonDict]


class UiFinish(TypedDict):
    """The end of a complete answer."""

    type: Literal["finish"]
    finishReason: UiFinishReason
    messageMetadata: UiFinishMetadata


class UiAbort(TypedDict):
    """The end of an answer that was stopped."""

    type: Literal["abort"]


class UiErrorChunk(TypedDict):
    """The end of an answer that failed."""

    type: Literal["error"]
    errorText: str


# One `data:` line; the last is `[DONE]`.
UiChunk = TypeAliasType(
    "UiChunk",
    UiStart
    | UiStep
    | UiPartStart
    | UiPartDelta
    | UiPartEnd
    | UiToolInputStart
    | UiToolInputDelta
    | UiToolInput
    | UiToolInputError
    | UiSource
    | UiFinish
    | UiAbort
    | UiErrorChunk,
)


class UiError(TypedDict):
    """An error before the first chunk."""

    error: str
    code: str
