"""The replies of Google's Gemini API, member by member.

Source: Google's API reference, "Generating content", "Counting tokens", "Models" and "Embeddings". The view
builds exactly these, and the OpenAPI description is generated from them.
"""

from typing import Literal, NotRequired, TypeAlias

from typing_extensions import TypeAliasType, TypedDict

from grantha.chat import JsonDict


class GeminiFunctionCall(TypedDict):
    """A function that the model calls."""

    id: str
    name: str
    args: JsonDict


class GeminiTextPart(TypedDict):
    """Text; a thought, if it is marked as one. The signature goes back unchanged."""

    text: str
    thought: NotRequired[Literal[True]]
    thoughtSignature: NotRequired[str]


class GeminiCallPart(TypedDict):
    """A function call. The signature goes back unchanged."""

    functionCall: GeminiFunctionCall
    thoughtSignature: NotRequired[str]


GeminiPart: TypeAlias = GeminiTextPart | GeminiCallPart


class GeminiContent(TypedDict):
    """The model's message, or what a chunk adds to it."""

    role: Literal["model"]
    parts: list[GeminiPart]


class GeminiWebSource(TypedDict):
    """A page."""

    uri: str
    title: str


class GeminiSource(TypedDict):
    """A source of the answer."""

    web: GeminiWebSource


class GeminiGrounding(TypedDict):
    """The sources of the answer."""

    groundingChunks: list[GeminiSource]


GeminiFinishReason = Literal["STOP", "MAX_TOKENS", "SAFETY"]


class GeminiCandidate(TypedDict):
    """The one answer, or what a chunk adds to it; the reason comes with the last."""

    index: Literal[0]
    content: GeminiContent
    finishReason: NotRequired[GeminiFinishReason]
    groundingMetadata: NotRequired[GeminiGrounding]


class GeminiUsage(TypedDict):
    """Tokens as the provider counts them; candidates are the answer without its thoughts."""

    promptTokenCount: int
    candidatesTokenCount: int
    totalTokenCount: int
    cachedContentTokenCount: NotRequired[int]
    thoughtsTokenCount: NotRequired[int]


class GeminiReply(TypedDict):
    """An answer, or a chunk of it: an event's `data`, or an element of the array."""

    candidates: list[GeminiCandidate]
    modelVersion: str
    responseId: str
    usageMetadata: NotRequired[GeminiUsage]


class GeminiTokens(TypedDict):
    """The tokens of a prompt."""

    totalTokens: int


class GeminiVector(TypedDict):
    """The vector of one content."""

    values: list[float]


class GeminiEmbedding(TypedDict):
    """The vector of the one content."""

    embedding: GeminiVector


class GeminiEmbeddings(TypedDict):
    """One vector for each content, in their order."""

    embeddings: list[GeminiVector]


class GeminiModel(TypedDict):
    """A model that can be used."""

    name: str
    displayName: str
    supportedGenerationMethods: list[str]


class GeminiModels(TypedDict):
    """All models that can be used."""

    models: list[GeminiModel]


class GeminiErrorDetails(TypedDict):
    """What went wrong, and what to do."""

    code: int
    message: str
    status: str


class GeminiError(TypedDict):
    """An error, as a reply or as the last chunk of a stream."""

    error: GeminiErrorDetails


# A stream without `alt=sse`, whole.
GeminiArray = TypeAliasType("GeminiArray", list[GeminiReply | GeminiError])
