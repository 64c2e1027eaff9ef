"""Responses of the native API as frozen values. Unknown fields are ignored, so that an older client
works with a newer server.

Times are ISO 8601 text in UTC, as received. Knows no HTTP.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from grantha.chat import (
    Capabilities,
    FilePart,
    JsonObject,
    Options,
    Part,
    Role,
    Status,
    TextPart,
    Usage,
    part_from_json,
)
from grantha.events import Citation, GenerationEnd, RecordId, Seam, event_of


@dataclass(frozen=True, slots=True)
class ImageLink:
    """An image of a message; its bytes are at `url`, a path on the server."""

    media_type: str
    url: str
    type: str = "image"


DisplayPart: TypeAlias = Part | ImageLink


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A generation at the time of the request. `text` is all visible text so far."""

    id: str
    conversation: str
    message: str
    parent: str | None
    status: Status
    model: str
    options: Options
    last_id: RecordId
    text: str
    parts: tuple[DisplayPart, ...]
    seams: tuple[Seam, ...]
    citations: tuple[Citation, ...]
    usage: Usage | None
    timings: JsonObject
    error: JsonObject | None
    created_at: str
    end: GenerationEnd | None

    @staticmethod
    def from_json(body: JsonObject) -> Snapshot:
        """From the native API's JSON."""
        return Snapshot(
            id=body["id"],
            conversation=body["conversation"],
            message=body["message"],
            parent=body.get("parent"),
            status=body["status"],
            model=body["model"],
            options=Options.from_json(body.get("options") or {}),
            last_id=RecordId.parse(body["last_id"]),
            text=body["text"],
            parts=_parts(body["parts"]),
            seams=_seams(body),
            citations=_citations(body),
            usage=Usage.from_json(body["usage"]) if body.get("usage") else None,
            timings=body.get("timings") or {},
            error=body.get("error"),
            created_at=body.get("created_at", ""),
            end=_end(body.get("end")),
        )


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """One conversation in the list. `generation` and `status` are those of its newest answer."""

    id: str
    title: str
    pinned: bool
    origin: str
    created_at: str
    updated_at: str
    status: Status | None
    generation: str | None
    snippet: str | None

    @staticmethod
    def from_json(body: JsonObject) -> ConversationSummary:
        """From the native API's JSON."""
        return ConversationSummary(**_known_fields(ConversationSummary, body))


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A message that matches a search; without `message`, a conversation whose title does.

    `snippet` has the matches between U+0002 and U+0003. `created_at` is the message's, or when the
    conversation was last active.
    """

    conversation: str
    title: str
    origin: str
    created_at: str
    message: str | None
    role: Role | None
    model: str | None
    snippet: str | None

    @staticmethod
    def from_json(body: JsonObject) -> SearchResult:
        """From the native API's JSON."""
        return SearchResult(**_known_fields(SearchResult, body))


@dataclass(frozen=True, slots=True)
class ConversationMessage:
    """One message in the tree of a conversation."""

    id: str
    parent: str | None
    role: Role
    parts: tuple[DisplayPart, ...]
    created_at: str
    model: str | None
    generation: str | None
    status: Status | None
    end: GenerationEnd | None
    seams: tuple[Seam, ...]
    citations: tuple[Citation, ...]

    @property
    def text(self) -> str:
        """The text parts joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @staticmethod
    def from_json(body: JsonObject) -> ConversationMessage:
        """From the native API's JSON."""
        values = _known_fields(ConversationMessage, body)
        values["parts"] = _parts(body["parts"])
        values["end"] = _end(body.get("end"))
        values["seams"] = _seams(body)
        values["citations"] = _citations(body)
        return ConversationMessage(**values)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with its whole tree of messages. `leaf` is the active tip."""

    line: ConversationSummary
    system_prompt: str
    options: Options
    model: str | None
    leaf: str | None
    messages: tuple[ConversationMessage, ...]

    @property
    def id(self) -> str:
        """Its id."""
        return self.line.id

    def thread(self) -> list[ConversationMessage]:
        """The messages from the root to the leaf."""
        by_id = {message.id: message for message in self.messages}
        found: list[ConversationMessage] = []
        at = self.leaf
        while at is not None and at in by_id:
            found.append(by_id[at])
            at = by_id[at].parent
        return found[::-1]

    @staticmethod
    def from_json(body: JsonObject) -> Conversation:
        """From the native API's JSON."""
        return Conversation(
            line=ConversationSummary.from_json(body),
            system_prompt=body.get("system_prompt") or "",
            options=Options.from_json(body.get("options") or {}),
            model=body.get("model"),
            leaf=body.get("leaf"),
            messages=tuple(ConversationMessage.from_json(m) for m in body["messages"]),
        )


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a model or provider can be used now and, if not, why and what to do.

    `state` is "ready", "loading", "missing-key", "unreachable" or "off".
    """

    state: str
    reason: str = ""
    advice: str = ""
    variable: str | None = None
    progress: float | None = None

    @staticmethod
    def from_json(body: JsonObject) -> Readiness:
        """From the native API's JSON."""
        return Readiness(**_known_fields(Readiness, body))


@dataclass(frozen=True, slots=True)
class Model:
    """One available model; `id` is `provider/model`."""

    id: str
    name: str
    provider: str
    capabilities: Capabilities
    readiness: Readiness

    @staticmethod
    def from_json(body: JsonObject) -> Model:
        """From the native API's JSON."""
        facts = _known_fields(Capabilities, body.get("capabilities") or {})
        ready = Readiness.from_json(body["readiness"])
        return Model(body["id"], body["name"], body["provider"], Capabilities(**facts), ready)


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models available now; `default` answers when none is named."""

    default: str
    items: tuple[Model, ...]

    @staticmethod
    def from_json(body: JsonObject) -> ModelList:
        """From the native API's JSON."""
        return ModelList(body["default"], tuple(Model.from_json(item) for item in body["items"]))


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """One provider, usable or not."""

    name: str
    title: str
    dialect: str
    readiness: Readiness

    @staticmethod
    def from_json(body: JsonObject) -> ProviderStatus:
        """From the native API's JSON."""
        ready = Readiness.from_json(body["readiness"])
        return ProviderStatus(body["name"], body["title"], body["dialect"], ready)


@dataclass(frozen=True, slots=True)
class ProviderCheckResult:
    """The result of asking a provider for one word. `error` and `advice` are None where it answered."""

    ok: bool
    model: str | None
    ttft_ms: float | None
    error: str | None
    advice: str | None

    @staticmethod
    def from_json(body: JsonObject) -> ProviderCheckResult:
        """From the native API's JSON."""
        return ProviderCheckResult(**_known_fields(ProviderCheckResult, body))


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The ids of the new conversations.

    `left_out` counts "images", "files", "tool_calls" and "other" that the file has or names, and that
    weren't imported.
    """

    conversations: tuple[str, ...]
    left_out: JsonObject

    @staticmethod
    def from_json(body: JsonObject) -> ImportResult:
        """From the native API's JSON."""
        return ImportResult(tuple(body["conversations"]), body["left_out"])


@dataclass(frozen=True, slots=True)
class ConvertedDocument:
    """A document as the part of a message. `pages` counts pages, slides or sheets, where there are any.

    `truncated`: the text ends before the document does.
    """

    part: FilePart
    pages: int | None
    truncated: bool

    @staticmethod
    def from_json(body: JsonObject) -> ConvertedDocument:
        """From the native API's JSON."""
        part = FilePart(body["name"], body["media_type"], body["text"])
        return ConvertedDocument(part, body["pages"], body["truncated"])


@dataclass(frozen=True, slots=True)
class StopResult:
    """The result of a stop. `stopped` is False when nothing was running any more.

    `closed_ms` is how long the upstream took to close; `confirmed` says whether it confirmed the stop.
    """

    generation: str
    status: Status
    stopped: bool
    closed_ms: float | None = None
    confirmed: bool | None = None
    deltas: int | None = None

    @staticmethod
    def from_json(body: JsonObject) -> StopResult:
        """From the native API's JSON."""
        return StopResult(**_known_fields(StopResult, body))


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """The result of changing a running answer. `mode` is "prefix" or "instruction"."""

    mode: str | None
    model: str
    options: Options

    @staticmethod
    def from_json(body: JsonObject) -> ChangeResult:
        """From the native API's JSON."""
        return ChangeResult(
            body.get("mode"), body["model"], Options.from_json(body.get("options") or {})
        )


def _known_fields(cls: type[Any], body: JsonObject) -> dict[str, Any]:
    return {f.name: body[f.name] for f in dataclasses.fields(cls) if f.name in body}


def _parts(bodies: Sequence[JsonObject]) -> tuple[DisplayPart, ...]:
    found: list[DisplayPart] = []
    for body in bodies:
        if body["type"] == "image" and "data" not in body:
            found.append(ImageLink(body["media_type"], body["url"]))
            continue
        try:
            found.append(part_from_json(body))
        except KeyError:
            continue  # a kind of part that this version doesn't know
    return tuple(found)


def _end(body: JsonObject | None) -> GenerationEnd | None:
    event = event_of("generation-end", body) if body else None
    return event if isinstance(event, GenerationEnd) else None


def _seams(body: JsonObject) -> tuple[Seam, ...]:
    events = [event_of("seam", item) for item in body.get("seams") or ()]
    return tuple(event for event in events if isinstance(event, Seam))


def _citations(body: JsonObject) -> tuple[Citation, ...]:
    events = [event_of("citation", item) for item in body.get("citations") or ()]
    return tuple(event for event in events if isinstance(event, Citation))
