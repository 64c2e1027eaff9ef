"""The differences between hosts that speak OpenAI Chat Completions, in requests and endings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PrefixField = Literal["prefix", "partial", "trailing", "continue_final_message"]
Terminal = Literal["either", "finish", "done"]


@dataclass(frozen=True, slots=True)
class DialectProfile:
    """Facts about one host that speaks this dialect.

    `prefix` says how a partial answer is passed: as a last assistant message, plain
    ("trailing") or marked by the field named. `terminal` is the sign without which a reply counts
    as truncated. `unopened_thinking` is a fact about the model that is called.
    `echo_reasoning` names the field in which earlier reasoning is sent back. `efforts`
    are the efforts of reasoning that a host knows, from the least to the most; empty: all. `extra`
    are the options beyond ours that a strict host accepts; None: it accepts any, or ignores what it
    doesn't know. `document_urls` says that PDFs may be given by URL. Of embeddings: `dimensions` is the
    name of their number, `packed_embeddings` says that a host can send them as base64, `embedding_batch`
    how many inputs one request may have.
    """

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_options: bool = True
    prefix: PrefixField | None = None
    terminal: Terminal = "either"
    think_tags: bool = False
    unopened_thinking: bool = False
    echo_reasoning: Literal["reasoning_content", "reasoning_details"] | None = None
    reasoning_effort: Literal["reasoning_effort", "reasoning"] = "reasoning_effort"
    efforts: tuple[str, ...] = ()
    seed: Literal["seed", "random_seed"] = "seed"
    any_tool: Literal["required", "any"] = "required"
    image_bytes: int = 20 * 1024 * 1024
    extra: frozenset[str] | None = None
    document_urls: bool = False
    dimensions: Literal["dimensions", "output_dimension"] = "dimensions"
    packed_embeddings: bool = False
    embedding_batch: int = 256


DEFAULT_PROFILE = DialectProfile()
