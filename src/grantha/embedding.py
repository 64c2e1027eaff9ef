"""Embeddings as plain values: what is asked for, and what comes back.

They are no answers: nothing is stored for them, and nothing is retried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class EmbeddingCall:
    """One call. `inputs` are texts or, for hosts that take them, tokens of the model's own vocabulary.

    `dimensions` shortens the vectors of models that can do so. `truncate` says whether inputs beyond the
    model's context are cut or refused, where a provider lets its callers choose.
    """

    model: str
    inputs: tuple[str, ...] | tuple[tuple[int, ...], ...]
    dimensions: int | None = None
    truncate: bool | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The inputs that are text."""
        return tuple(item for item in self.inputs if isinstance(item, str))

    def batches(self, size: int) -> list[EmbeddingCall]:
        """The same as calls of at most `size` inputs."""
        starts = range(0, len(self.inputs), size)
        return [replace(self, inputs=self.inputs[start : start + size]) for start in starts]


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each input, in their order. `input_tokens` is None where the provider counts none."""

    vectors: tuple[Sequence[float], ...]
    input_tokens: int | None = None


def joined(found: Sequence[Embeddings]) -> Embeddings:
    """The vectors of several calls as those of one."""
    counts = [part.input_tokens for part in found if part.input_tokens is not None]
    return Embeddings(
        tuple(vector for part in found for vector in part.vectors),
        sum(counts) if len(counts) == len(found) else None,
    )


EmbeddingParser = Callable[[bytes, int], Embeddings]  # a reply's body, and how many vectors it has
