"""The part of requests to Google's Gemini API that Grantha reads, also with underscores in its names."""

# ruff: noqa: N815

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grantha.api.openapi.compat.schema import (
    FromZeroToOne,
    FromZeroToTwo,
    PositiveInteger,
    Schema,
    StopSequences,
    WholeNumber,
)
from grantha.chat import JsonDict


class GeminiBlob(Schema):
    """An image, a PDF, text, or another document whose text can be read, as base64."""

    mimeType: str
    data: str


class GeminiFileReference(Schema):
    """An image or a PDF that the model's vendor fetches."""

    mimeType: str | None = None
    fileUri: str = Field(pattern="^https?://.")


class GeminiResponseMedia(Schema):
    """An image or a document of a function's result."""

    inlineData: GeminiBlob


class GeminiCallIn(Schema):
    """A function call by the model."""

    id: str | None = None
    name: str = Field(min_length=1)
    args: JsonDict | None = None


class GeminiResponseIn(Schema):
    """A function's result. Without an id it belongs to the first call of this function without one."""

    id: str | None = None
    name: str | None = None
    response: JsonDict | None = None
    parts: list[GeminiResponseMedia] | None = None


class GeminiPartIn(Schema):
    """Text, an image, a document, a function call or its result."""

    text: str | None = None
    thought: bool | None = None
    thoughtSignature: str | None = None
    inlineData: GeminiBlob | None = None
    fileData: GeminiFileReference | None = None
    functionCall: GeminiCallIn | None = None
    functionResponse: GeminiResponseIn | None = None


class GeminiContentIn(Schema):
    """A message."""

    role: Literal["user", "model", "function"] | None = None
    parts: list[GeminiPartIn]


class GeminiTextIn(Schema):
    """Text."""

    text: str


class GeminiTextsIn(Schema):
    """A content of text alone."""

    parts: list[GeminiTextIn] = Field(min_length=1)


class GeminiFunction(Schema):
    """A function. Its parameters are a schema in Google's form, or JSON Schema."""

    name: str = Field(min_length=1)
    description: str | None = None
    parameters: JsonDict | None = None
    parametersJsonSchema: JsonDict | None = None


class GeminiTool(Schema):
    """Functions. Other members are tools that Google runs: they are passed on to Google's own models."""

    functionDeclarations: list[GeminiFunction] | None = None


class GeminiFunctionCalling(Schema):
    """Whether functions are called, and which."""

    mode: Literal["AUTO", "ANY", "NONE", "VALIDATED"] | None = None
    allowedFunctionNames: list[str] | None = None


class GeminiToolConfig(Schema):
    """Options of tools."""

    functionCallingConfig: GeminiFunctionCalling | None = None


class GeminiThinking(Schema):
    """How much the model thinks, and whether its thoughts are sent."""

    includeThoughts: bool | None = None
    thinkingBudget: WholeNumber
    thinkingLevel: str | None = None


class GeminiGeneration(Schema):
    """Options of an answer."""

    temperature: FromZeroToTwo
    topP: FromZeroToOne
    topK: float | None = None
    maxOutputTokens: PositiveInteger
    stopSequences: StopSequences
    seed: WholeNumber
    candidateCount: Literal[1] | None = None
    responseModalities: list[Literal["TEXT"]] | None = None
    responseMimeType: Literal["text/plain", "application/json"] | None = None
    responseSchema: JsonDict | None = None
    responseJsonSchema: JsonDict | None = None
    presencePenalty: float | None = None
    frequencyPenalty: float | None = None
    thinkingConfig: GeminiThinking | None = None


class GeminiRequest(Schema):
    """A chat. The model is part of the path."""

    contents: list[GeminiContentIn] = Field(min_length=1)
    systemInstruction: GeminiTextsIn | None = None
    generationConfig: GeminiGeneration | None = None
    tools: list[GeminiTool] | None = None
    toolConfig: GeminiToolConfig | None = None
    safetySettings: list[JsonDict] | None = None
    cachedContent: str | None = None
    labels: dict[str, str] | None = None


class GeminiCountRequest(Schema):
    """What is counted: contents, or a whole request."""

    contents: list[GeminiContentIn] | None = None
    generateContentRequest: GeminiRequest | None = None


class GeminiEmbeddingRequest(Schema):
    """One content."""

    content: GeminiTextsIn
    outputDimensionality: PositiveInteger


class GeminiEmbeddingsRequest(Schema):
    """Several contents, all with the same number of dimensions."""

    requests: list[GeminiEmbeddingRequest] = Field(min_length=1)
