"""What the native API answers, as schemas for its description. Nothing is validated with them here.

Routes build their JSON with `forms`; the tests hold every reply of a real server against these.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from grantha.chat import (
    Capabilities,
    Ending,
    FilePart,
    JsonDict,
    Options,
    ReasoningPart,
    Status,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from grantha.events import Citation, GenerationEnd, Seam, SeamReason
from grantha.providers.base import Readiness


class ResponseModel(BaseModel):
    """Base of all; further fields may come with later versions."""

    # Only the API's description needs the schemas: they are built when it is first read.
    model_config = ConfigDict(extra="allow", defer_build=True)


class Problem(ResponseModel):
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


class ErrorObject(TypedDict):
    """Why an answer failed: `GranthaError.to_json`."""

    code: str
    message: str
    fault: NotRequired[Literal["caller", "provider", "us"]]
    retryable: NotRequired[bool]
    advice: NotRequired[str]
    provider: NotRequired[str]
    retry_after: NotRequired[float]
    native: NotRequired[str]


class Timings(TypedDict, total=False):
    """See `grantha.analytics.timings`. Absent is unknown."""

    queued_ms: float
    connect_ms: float
    first_text_ms: float
    first_event_ms: float
    duration_ms: float
    writing_ms: float
    max_gap_ms: float
    stalls: int
    deltas: int
    deltas_s: float
    tok_s: float
    segments: int
    retries: int


class StopReceipt(ResponseModel):
    """How a stop went; null is unknown."""

    closed_ms: float | None
    confirmed: bool | None
    deltas: int | None


class Hello(ResponseModel):
    """What every transport says first. `heartbeat` is in seconds."""

    kind: Literal["hello"]
    protocol: int
    heartbeat: float
    epoch: int
    status: Status
    generation: str


class ImagePartReply(ResponseModel):
    """An image; its bytes are at `url`."""

    type: Literal["image"]
    media_type: str
    url: str


PartReply: TypeAlias = Annotated[
    TextPart | ReasoningPart | ToolCallPart | ToolResultPart | ImagePartReply | FilePart,
    Field(discriminator="type"),
]


class ConversationListItem(ResponseModel):
    """A conversation in a list. `snippet` marks a match between U+0002 and U+0003."""

    id: str
    title: str
    pinned: bool
    origin: Literal["page", "api", "ephemeral"]
    created_at: str
    updated_at: str
    status: Status | None
    generation: str | None
    snippet: str | None


class ConversationList(ResponseModel):
    """One page of the list."""

    items: list[ConversationListItem]
    next_cursor: str | None


class MessageReply(ResponseModel):
    """One message of the tree."""

    id: str
    parent: str | None
    role: Literal["system", "user", "assistant", "tool"]
    parts: list[PartReply]
    created_at: str
    model: str | None
    generation: str | None
    status: Status | None
    end: GenerationEnd | None
    seams: list[Seam]
    citations: list[Citation]


class ConversationReply(ConversationListItem):
    """A conversation with its whole tree, in order of creation; `leaf` is the tip that is shown."""

    system_prompt: str
    options: Options
    model: str | None
    leaf: str | None
    messages: list[MessageReply]


class GenerationReply(ResponseModel):
    """An answer as it is now; its events go on after `last_id`."""

    id: str
    conversation: str
    message: str
    parent: str | None
    status: Status
    model: str
    options: Options
    last_id: str
    text: str
    parts: list[PartReply]
    seams: list[Seam]
    citations: list[Citation]
    usage: Usage | None
    timings: Timings | None
    error: ErrorObject | None
    created_at: str
    end: GenerationEnd | None


class StartedReply(GenerationReply):
    """What was started; `generations` are all of them when several models were asked."""

    generations: list[GenerationReply] = Field(default_factory=list)


class FramesReply(ResponseModel):
    """A catch-up: frames after the cursor, and where to go on."""

    frames: list[JsonDict]
    last_id: str
    status: Status
    at: int


class StopReply(StopReceipt):
    """The receipt of a stop. `stopped` is false when nothing was running."""

    generation: str
    status: Status
    stopped: bool


class ChangeReply(ResponseModel):
    """How a change acts: as a true continuation, by instruction, or before any text."""

    applied: bool
    how: Literal["prefix", "instruction"] | None
    model: str
    options: Options


class ModelReply(ResponseModel):
    """One model; `id` is `provider/model`."""

    id: str
    name: str
    provider: str
    capabilities: Capabilities
    readiness: Readiness


class ModelList(ResponseModel):
    """Every model, and the one that answers when none is named."""

    default: str | None
    items: list[ModelReply]


class ProviderReply(ResponseModel):
    """One provider."""

    name: str
    title: str
    dialect: str
    readiness: Readiness


class ProviderList(ResponseModel):
    """Every provider, usable or not."""

    items: list[ProviderReply]


class CheckReply(ResponseModel):
    """What asking a provider for one word came to."""

    ok: bool
    model: str | None
    ttft_ms: float | None
    error: str | None
    advice: str | None


class ImportReply(ResponseModel):
    """The new conversations."""

    imported: int
    conversations: list[str]


class AnswerStatistics(ResponseModel):
    """Numbers of some answers; null is unknown. Percentiles by nearest rank."""

    generations: int
    errors: int
    stopped: int
    output_tokens: int | None
    cost_usd: float | None
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    tok_s_p50: float | None


class ModelStatistics(AnswerStatistics):
    """Those of one model."""

    model: str


class DayStatistics(AnswerStatistics):
    """Those of one day, in UTC."""

    day: str


class SummaryReply(ResponseModel):
    """Numbers in all, by model, by day."""

    totals: AnswerStatistics
    by_model: list[ModelStatistics]
    by_day: list[DayStatistics]


class SegmentReply(ResponseModel):
    """A stretch of an answer that one upstream call wrote. Lengths are in code points."""

    offset: int
    model: str | None
    options: Options
    reason: SeamReason | None
    how: Literal["prefix", "instruction"] | None
    start_ms: int
    end_ms: int
    text_length: int


class BytesReply(ResponseModel):
    """What an answer takes; `stored` is null where its records are gone."""

    text: int
    stored: int | None


class InspectionReply(ResponseModel):
    """One answer from the inside.

    A row of `trace` is [ms since the one before, kind, code points, deltas].
    """

    generation: GenerationReply
    timings: Timings
    segments: list[SegmentReply]
    trace: list[tuple[int, str, int, int]]
    bytes: BytesReply
    attempts: int


class HealthReply(ResponseModel):
    """The process answers."""

    status: Literal["ok"]


class StorageReply(ResponseModel):
    """Whether records can be stored, and why not."""

    ok: bool
    version: str
    error: str | None


class ReadyReply(ResponseModel):
    """Whether answers can be written, and how durably."""

    status: Literal["ready", "degraded"]
    durability: Literal["FULL", "NORMAL", "OFF"]
    storage: StorageReply
    sqlite: str
    running: int
    flush_window_ms: float
    version: str


class SimpleChatReply(ResponseModel):
    """An answer of the simple chat endpoint, whole."""

    content: str
    role: Literal["assistant"]
    model: str
    provider: str
    usage: Usage | None
    finish_reason: str | None
    ending: Ending
    generation: str
