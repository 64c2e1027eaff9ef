"""The replies of OpenAI's and Ollama's embeddings, member by member.

Sources: OpenAI's API reference, "Embeddings"; Ollama's API documentation, "Generate embeddings". The views
build exactly these, and the OpenAPI description is generated from them.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class Embedding(TypedDict):
    """The vector of one input: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    """The tokens of all inputs; 0 where the provider counts none, since clients require a number."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingReply(TypedDict):
    """One vector for each input, in their order."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class OllamaEmbedReply(TypedDict):
    """One vector for each input, in their order; the time is in nanoseconds."""

    model: str
    embeddings: list[list[float]]
    total_duration: int
    prompt_eval_count: NotRequired[int]


class OllamaEmbeddingReply(TypedDict):
    """The vector of a prompt, in the older form."""

    embedding: list[float]
