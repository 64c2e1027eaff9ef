"""What the native API and the simple chat endpoint answer: built, serialised and described as these models.

A member that was never set is left out of the JSON. Values that have a JSON form of their own (options,
parts, events, usage) are held in it and described by their class, so that an answer read from the
store isn't parsed only to be written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema
from starlette.responses import Response

from grantha.analytics.timings import Timings
from grantha.chat import (
    Capabilities,
    ContinuationMode,
    Ending,
    FinishReason,
    JsonObject,
    Options,
    ReasoningPart,
    Role,
    Status,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from grantha.errors import ErrorObject, Fault
from grantha.events import Citation, GenerationEnd, Seam, SeamReason
from grantha.providers.base import Readiness
from grantha.providers.model_downloads import DownloadState, ModelOrigin
from grantha.storage.base import Durability, Origin


class DescribedAs:
    """Marks plain JSON that another class describes: it is written as it is, and never parsed."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def __get_pydantic_core_schema__(
        self, _source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The class for the description, anything for values."""
        return core_schema.json_or_python_schema(
            json_schema=handler.generate_schema(self._kind),
            python_schema=core_schema.any_schema(),
            serialization=core_schema.simple_ser_schema("any"),
        )


class ResponseModel(BaseModel):
    """Base of all; further fields may come with later versions."""

    # Only the API's description needs the schemas: they are built when it is first read.
    model_config = ConfigDict(extra="allow", defer_build=True)

    def json_bytes(self) -> bytes:
        """The JSON, without members that were never set."""
        return self.__pydantic_serializer__.to_json(self, exclude_unset=True)

    def response(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> Response:
        """The JSON as a reply."""
        return Response(self.json_bytes(), status, headers, media_type)


class ImagePartReply(ResponseModel):
    """An image; its bytes are at `url`, on this server or, with an empty `media_type`, on another host.

    `call_id` names the tool call whose result it is part of.
    """

    type: Literal["image"]
    media_type: str
    url: str
    call_id: str | None = None


class FilePartReply(ResponseModel):
    """A document's text or, where that is empty, the `url` of its bytes, on this server or another host.

    `call_id` names the tool call whose result it is part of.
    """

    type: Literal["file"]
    name: str
    media_type: str
    text: str
    url: str | None = None
    call_id: str | None = None


PartReply: TypeAlias = Annotated[
    TextPart | ReasoningPart | ToolCallPart | ToolResultPart | ImagePartReply | FilePartReply,
    Field(discriminator="type"),
]
PartJson = Annotated[JsonObject, DescribedAs(PartReply)]
OptionsJson = Annotated[JsonObject, DescribedAs(Options)]
UsageJson = Annotated[JsonObject, DescribedAs(Usage)]
SeamJson = Annotated[JsonObject, DescribedAs(Seam)]
CitationJson = Annotated[JsonObject, DescribedAs(Citation)]
EndJson = Annotated[JsonObject, DescribedAs(GenerationEnd)]
ErrorJson = Annotated[JsonObject, DescribedAs(ErrorObject)]
TimingsJson = Annotated[JsonObject, DescribedAs(Timings)]
ReadinessJson = Annotated[JsonObject, DescribedAs(Readiness)]
FrameJson = Annotated[JsonObject, WithJsonSchema({"$ref": "#/components/schemas/Frame"})]


class Problem(ResponseModel):
    """RFC 9457: what happened, to what, and what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    fault: Fault
    retryable: bool
    advice: str | None = None
    provider: str | None = None
    retry_after: float | None = None
    native: str | None = None


class Hello(ResponseModel):
    """The first frame of every transport. `heartbeat` is in seconds."""

    kind: Literal["hello"]
    protocol: int
    heartbeat: float
    epoch: int
    status: Status
    generation: str


class ConversationListItem(ResponseModel):
    """A conversation in a list. `snippet` marks a match between U+0002 and U+0003."""

    id: str
    title: str
    pinned: bool
    origin: Origin
    created_at: str
    updated_at: str
    status: Status | None
    generation: str | None
    snippet: str | None


class ConversationList(ResponseModel):
    """One page of the list."""

    items: list[ConversationListItem]
    next_cursor: str | None


class SearchHitReply(ResponseModel):
    """A message that matches, or (where `message` is null) a conversation whose title does.

    `snippet` marks matches between U+0002 and U+0003. `created_at` is the message's, or when the
    conversation was last active.
    """

    conversation: str
    title: str
    origin: Origin
    created_at: str
    message: str | None
    role: Role | None
    model: str | None
    snippet: str | None


class SearchReply(ResponseModel):
    """One page of a search."""

    items: list[SearchHitReply]
    next_cursor: str | None


class MessageReply(ResponseModel):
    """One message of the tree."""

    id: str
    parent: str | None
    role: Role
    parts: list[PartJson]
    created_at: str
    model: str | None
    generation: str | None
    status: Status | None
    end: EndJson | None
    seams: list[SeamJson]
    citations: list[CitationJson]


class ConversationReply(ConversationListItem):
    """A conversation with its whole tree, in order of creation; `leaf` is the tip that is shown."""

    system_prompt: str
    options: OptionsJson
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
    options: OptionsJson
    last_id: str
    text: str
    parts: list[PartJson]
    seams: list[SeamJson]
    citations: list[CitationJson]
    usage: UsageJson | None
    timings: TimingsJson | None
    error: ErrorJson | None
    created_at: str
    end: EndJson | None


class RunningAnswerReply(ResponseModel):
    """An answer that is running, and the conversation it belongs to."""

    id: str
    conversation: str
    title: str
    origin: Origin
    message: str
    model: str
    created_at: str


class RunningAnswersReply(ResponseModel):
    """The answers that are running, oldest first."""

    items: list[RunningAnswerReply]


class StartedReply(GenerationReply):
    """What was started; `generations` are all of them when several models answer."""

    generations: list[GenerationReply] = Field(default_factory=list)


class FramesReply(ResponseModel):
    """A catch-up: frames after the cursor, and where to go on."""

    frames: list[FrameJson]
    last_id: str
    status: Status
    at: int


class StopReply(ResponseModel):
    """The receipt of a stop, null where it is unknown. `stopped` is false when nothing was running."""

    generation: str
    status: Status
    stopped: bool
    closed_ms: float | None
    confirmed: bool | None
    deltas: int | None


class ChangeReply(ResponseModel):
    """How a change applies: by prefix, by instruction, or (null) before any text."""

    applied: bool
    mode: ContinuationMode | None
    model: str
    options: OptionsJson


class ModelReply(ResponseModel):
    """One model; `id` is `provider/model`."""

    id: str
    name: str
    provider: str
    capabilities: Capabilities
    readiness: ReadinessJson


class ModelList(ResponseModel):
    """Every model, and the one that answers when none is named."""

    default: str | None
    items: list[ModelReply]


class LocalModelReply(ResponseModel):
    """A model of the curated list. `size`, `memory` (what a machine should have) and `partial` are bytes.

    `partial` is what an unfinished download has left. `model` is its id once it is installed.
    """

    name: str
    title: str
    description: str
    license: str
    source: str
    size: int
    memory: int
    partial: int
    model: str | None


class InstalledModelReply(ResponseModel):
    """A model of this machine: its id, its file and the size of all its files in bytes.

    `name` is the curated or the built-in model's, null for others. Only models with the origin
    `data-folder` can be deleted.
    """

    model: str
    name: str | None
    title: str
    file: str
    size: int
    origin: ModelOrigin


class DownloadReply(ResponseModel):
    """The one download of a model. `name` is that of the curated list, null for a URL.

    `received` and `total` are bytes, `speed` is bytes a second; null is unknown. `model` is the id that
    the model has once it is `done`.
    """

    state: DownloadState
    name: str | None
    title: str
    host: str
    received: int
    total: int | None
    speed: float | None
    error: ErrorJson | None
    model: str | None


class LocalModelList(ResponseModel):
    """The models that this machine has and could have, and the download, if there is one.

    `free` is the room on the server's disk, `memory` the machine's memory, both in bytes. Without the
    `engine`, which the extra `local` brings, no model can run.
    """

    items: list[LocalModelReply]
    installed: list[InstalledModelReply]
    download: DownloadReply | None
    free: int | None
    memory: int | None
    engine: bool


class ProviderReply(ResponseModel):
    """One provider."""

    name: str
    title: str
    dialect: str
    readiness: ReadinessJson


class ProviderList(ResponseModel):
    """Every provider, usable or not."""

    items: list[ProviderReply]


class CheckReply(ResponseModel):
    """The result of asking a provider for one word."""

    ok: bool
    model: str | None
    ttft_ms: float | None
    error: str | None
    advice: str | None


class LeftOut(ResponseModel):
    """How much of a file isn't imported: what the file only names, or what nothing here could show."""

    images: int
    files: int
    tool_calls: int
    other: int


class ImportReply(ResponseModel):
    """The new conversations."""

    imported: int
    conversations: list[str]
    left_out: LeftOut


class DocumentTextReply(ResponseModel):
    """A document as text, with the members of a file part and two more.

    `pages` counts pages, slides or sheets. `truncated`: the text ends before the document does.
    """

    type: Literal["file"]
    name: str
    media_type: str
    text: str
    pages: int | None
    truncated: bool


class AnswerStatistics(ResponseModel):
    """Statistics of some answers; null is unknown. Counts and sums are exact; percentiles, by nearest rank,
    are within 2.5 % of the true value, since they are read from histograms."""

    generations: int
    errors: int
    stopped: int
    output_tokens: int | None
    cost_usd: float | None
    first_text_p50_ms: float | None
    first_text_p95_ms: float | None
    tok_s_p50: float | None


class ModelStatistics(AnswerStatistics):
    """Those of one model."""

    model: str


class DayStatistics(AnswerStatistics):
    """Those of one day, in UTC."""

    day: str


class SummaryReply(ResponseModel):
    """Statistics in all, by model and by day."""

    totals: AnswerStatistics
    by_model: list[ModelStatistics]
    by_day: list[DayStatistics]


class SegmentReply(ResponseModel):
    """A stretch of an answer that one upstream call wrote. Lengths are in code points."""

    offset: int
    model: str | None
    options: OptionsJson
    reason: SeamReason | None
    mode: ContinuationMode | None
    start_ms: int
    end_ms: int
    text_length: int


class BytesReply(ResponseModel):
    """What an answer takes; `stored` is null where its records are gone."""

    text: int
    stored: int | None


class InspectionReply(ResponseModel):
    """How one answer was written.

    A row of `trace` is [ms since the one before, kind, code points, deltas].
    """

    generation: GenerationReply
    timings: TimingsJson
    segments: list[SegmentReply]
    trace: list[tuple[int, str, int, int]]
    bytes: BytesReply
    attempts: int


class SnapshotFrame(GenerationReply):
    """A snapshot on a native transport; `id` is the record after which its tail continues."""

    kind: Literal["snapshot"]
    generation: str


class HealthReply(ResponseModel):
    """The process answers."""

    status: Literal["ok"]


class StorageReply(ResponseModel):
    """Whether records can be stored, and why not. `free` is the room of the data folder in bytes."""

    ok: bool
    version: str
    error: str | None
    folder: str
    free: int | None


class ReadyReply(ResponseModel):
    """Whether answers can be written, and how durably."""

    status: Literal["ready", "degraded", "stopping"]
    durability: Durability
    storage: StorageReply
    sqlite: str
    running: int
    flush_window_ms: float
    version: str
    requires_token: bool


class SimpleChatLine(ResponseModel):
    """One line of the simple chat endpoint. Those with `done: false` hold the first four members only.

    Over WebSocket a line has the `id` of its record as well; with SSE that is a field of its own.
    """

    content: str
    done: bool
    model: str | None
    provider: str | None
    generation: str | None = None
    ending: Ending | None = None
    finish_reason: FinishReason | None = None
    usage: UsageJson | None = None
    error: ErrorJson | None = None
    id: str | None = None


class SimpleChatReply(ResponseModel):
    """An answer of the simple chat endpoint, whole."""

    content: str
    role: Literal["assistant"]
    model: str
    provider: str
    usage: UsageJson | None
    finish_reason: FinishReason | None
    ending: Ending
    generation: str
