"""The part of requests for embeddings that Grantha reads, of OpenAI's API and of Ollama's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from grantha.api.openapi.compat.schema import PositiveInteger, Schema

Tokens = Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)]
Texts = Annotated[list[str], Field(max_length=2048)]


class EmbeddingRequest(Schema):
    """Texts, or tokens of the model's own vocabulary, where its provider takes them."""

    model: str = Field(min_length=1, description="`provider/model`, or bare where that is clear.")
    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[Texts, Field(min_length=1)]
        | Tokens
        | Annotated[list[Tokens], Field(min_length=1, max_length=2048)]
    )
    dimensions: PositiveInteger
    encoding_format: Literal["float", "base64"] | None = None


class OllamaEmbedRequest(Schema):
    """Texts. Without any, the reply says that the model is available."""

    model: str = Field(min_length=1)
    input: str | Texts | None = None
    dimensions: PositiveInteger
    truncate: bool | None = Field(default=None, description="Passed to Ollama. Default: true.")


class OllamaEmbeddingRequest(Schema):
    """One text, in the older form."""

    model: str = Field(min_length=1)
    prompt: str | None = None
