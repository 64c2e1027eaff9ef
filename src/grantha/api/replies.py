"""What the native API answers, as schemas for its description. Nothing is validated with them here.

Routes build their JSON with `forms`; the tests hold every reply of a real server against these.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from grantha.chat import Ending, Status

Json = dict[str, Any]


class Reply(BaseModel):
    """Base of all; further fields may come with later versions."""

    model_config = ConfigDict(extra="allow")


class Problem(Reply):
    """RFC 9457: what happened, to what, and what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    fault: Literal["caller", "provider", "us"]
    retryable: bool
    advice: str | None = None
    provider: str | None = None
    retry_after: float | None = None


class ConversationLine(Reply):
    """A conversation in a list. `snippet` marks a match between U+0002 and U+0003."""

    id: str
    title: str
    pinned: bool
    origin: Literal["page", "api"]
    created_at: str
    updated_at: str
    status: Status | None
    generation: str | None
    snippet: str | None


class ConversationList(Reply):
    """One page of the list."""

    items: list[ConversationLine]
    next_cursor: str | None


class MessageReply(Reply):
    """One message of the tree."""

    id: str
    parent: str | None
    role: Literal["system", "user", "assistant", "tool"]
    parts: list[Json]
    created_at: str
    model: str | None
    generation: str | None
    status: Status | None
    end: Json | None
    seams: list[Json]
    citations: list[Json]


class ConversationReply(ConversationLine):
    """A conversation with its whole tree, in order of creation; `leaf` is the tip that is shown."""

    system_prompt: str
    options: Json
    model: str | None
    leaf: str | None
    messages: list[MessageReply]


class GenerationReply(Reply):
    """An answer as it is now; its events go on after `last_id`."""

    id: str
    conversation: str
    message: str
    parent: str | None
    status: Status
    model: str
    options: Json
    last_id: str
    text: str
    parts: list[Json]
    seams: list[Json]
    citations: list[Json]
    usage: Json | None
    timings: Json | None
    error: Json | None
    created_at: str
    end: Json | None


class StartedReply(GenerationReply):
    """What was started; `generations` are all of them when several models were asked."""

    generations: list[GenerationReply] = Field(default_factory=list)


class FramesReply(Reply):
    """A catch-up: frames after the cursor, and where to go on."""

    frames: list[Json]
    last_id: str
    status: Status
    at: int


class StopReply(Reply):
    """The receipt of a stop. `stopped` is false when nothing was running."""

    generation: str
    status: Status
    stopped: bool
    closed_ms: float | None
    confirmed: bool | None
    pieces: int | None


class ChangeReply(Reply):
    """How a change acts: as a true continuation, by instruction, or before any text."""

    applied: bool
    how: Literal["prefix", "instruction"] | None
    model: str
    options: Json


class ReadinessReply(Reply):
    """Whether something can be used now and, if not, why."""

    state: Literal["ready", "loading", "missing-key", "unreachable", "off"]
    reason: str = ""
    advice: str = ""
    variable: str | None = None
    progress: float | None = None


class ModelReply(Reply):
    """One model; `id` is `provider/model`."""

    id: str
    name: str
    provider: str
    capabilities: Json
    readiness: ReadinessReply


class ModelList(Reply):
    """Every model, and the one that answers when none is named."""

    default: str | None
    items: list[ModelReply]


class ProviderReply(Reply):
    """One provider."""

    name: str
    title: str
    dialect: str
    readiness: ReadinessReply


class ProviderList(Reply):
    """Every provider, usable or not."""

    items: list[ProviderReply]


class CheckReply(Reply):
    """What asking a provider for one word came to."""

    ok: bool
    model: str | None
    ttft_ms: float | None
    error: str | None
    advice: str | None


class ImportReply(Reply):
    """The new conversations."""

    imported: int
    conversations: list[str]


class NumbersLine(Reply):
    """Numbers of some answers; null is unknown. Percentiles by nearest rank."""

    generations: int
    errors: int
    stopped: int
    output_tokens: int | None
    cost_usd: float | None
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    tok_s_p50: float | None


class ModelNumbers(NumbersLine):
    """Those of one model."""

    model: str


class DayNumbers(NumbersLine):
    """Those of one day, in UTC."""

    day: str


class SummaryReply(Reply):
    """Numbers in all, by model, by day."""

    totals: NumbersLine
    by_model: list[ModelNumbers]
    by_day: list[DayNumbers]


class InspectionReply(Reply):
    """One answer from the inside.

    A row of `trace` is [ms since the one before, kind, code points, pieces].
    """

    generation: GenerationReply
    timings: Json
    segments: list[Json]
    trace: list[list[int | str]]
    bytes: Json
    attempts: int


class HealthReply(Reply):
    """The process answers."""

    status: Literal["ok"]


class ReadyReply(Reply):
    """Whether answers can be written, and how durably."""

    status: Literal["ready", "degraded"]
    durability: Literal["FULL", "NORMAL", "OFF"]
    storage: Json
    sqlite: str
    running: int
    flush_window_ms: float
    version: str


class ContractReply(Reply):
    """An answer of the starting contract, whole."""

    content: str
    role: Literal["assistant"]
    model: str
    provider: str
    usage: Json | None
    finish_reason: str | None
    ending: Ending
    generation: str
