"""The store as the engine and the API see it: a protocol and its row values.

Every call takes the subject it acts for and filters by it, so that a forgotten check finds nothing.
Times are milliseconds since 1970. A store raises `NotFound`, `Conflict`, `StorageFull`, `StorageFailed`
or `StorageLost`, and nothing else that a caller should handle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from grantha.chat import JsonObject, Options, Part, Role, Status
from grantha.errors import StorageLost
from grantha.events import GenerationEnd, Record, RecordId

FILE_NAME = "grantha.db"  # of SQLite's database, in the data folder
DATABASE_FILES = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm")
LOCAL_SUBJECT = "local"  # the one owner, until accounts come
Durability = Literal["FULL", "NORMAL", "OFF"]  # SQLite's own values
Origin = Literal["page", "api", "ephemeral"]
# The origin of conversations that are never listed and purged early.
EPHEMERAL: Literal["ephemeral"] = "ephemeral"


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation without its messages. `leaf` is the last message of the selected branch.

    `status` and `generation` are those of the newest generation; `snippet` is set by a search,
    with the match between U+0002 and U+0003.
    """

    id: str
    title: str
    title_by: str  # "none" | "auto" | "user"
    pinned: bool
    origin: Origin
    system_prompt: str
    options: JsonObject
    model: str | None
    leaf: str | None
    status: Status | None
    generation: str | None
    created_at: int
    updated_at: int
    snippet: str | None = None
    metadata: JsonObject | None = (
        None  # of an OpenAI client that made it; None: it was made otherwise
    )


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message of the tree. The last five are for answers only; `parts` is empty until it ends,
    or holds what stood before a continuation that is running."""

    id: str
    conversation: str
    parent: str | None
    role: Role
    parts: tuple[Part, ...]
    created_at: int
    model: str | None = None
    generation: str | None = None
    status: Status | None = None
    end: JsonObject | None = None
    seams: tuple[JsonObject, ...] = ()
    citations: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """One generation. `parent` is the message it answers; `recoveries` counts owners that died.

    `abandon_after` is how many seconds it may run without a reader; None is for ever.
    """

    id: str
    conversation: str
    message: str
    parent: str | None
    model: str
    options: Options
    status: Status
    last_id: RecordId
    recoveries: int
    created_at: int
    end: JsonObject | None = None
    trimmed: bool = False
    trace: JsonObject | None = None
    abandon_after: float | None = None


@dataclass(frozen=True, slots=True)
class RunningAnswer:
    """A generation that is running, with the title and the origin of its conversation."""

    row: GenerationRow
    title: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class NewConversation:
    """A conversation to be created. Only one without a generation can have `metadata`."""

    id: str
    title: str
    origin: Origin
    title_by: str = "none"
    system_prompt: str = ""
    options: JsonObject = field(default_factory=dict)
    model: str | None = None
    metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class ImportedConversation:
    """A conversation of an import; its messages are staged with it or after it."""

    new: NewConversation
    pinned: bool
    leaf: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be added to the tree."""

    id: str
    parent: str | None
    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class NewGeneration:
    """A generation to be started. `message` is a new id, or with `extends` an ended answer's."""

    id: str
    message: str
    parent: str | None
    model: str
    options: Options
    records: tuple[Record, ...]  # from the open record on
    extends: bool = False
    abandon_after: float | None = None  # seconds; see `GenerationRow`


@dataclass(frozen=True, slots=True)
class GenerationStart:
    """Everything that starting one request's generations writes, in one transaction.

    `fingerprint` identifies the body that `key` was first used with.
    """

    conversation: str
    generations: tuple[NewGeneration, ...]
    messages: tuple[NewMessage, ...] = ()
    new_conversation: NewConversation | None = None
    title: str = ""  # for a conversation that has none yet
    key: str | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Append:
    """Consecutive records of one generation; `records` is never empty."""

    generation: str
    records: tuple[Record, ...]

    @property
    def end(self) -> GenerationEnd | None:
        """The end record, if this batch closes the log."""
        event = self.records[-1].event
        return event if isinstance(event, GenerationEnd) else None


@dataclass(frozen=True, slots=True)
class Orphan:
    """A generation that a dead owner left running, with the subject it belongs to.

    `damaged` says that records of it can't be read, so that its end is unknown.
    """

    subject: str
    row: GenerationRow
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class LoginRow:
    """A browser that has logged in. `key` identifies its cookie without being able to replace it."""

    key: str
    subject: str
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """Whether writes go through, and the durability in force."""

    ok: bool
    durability: Durability
    version: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """One page of conversations and where the next begins."""

    rows: tuple[ConversationRow, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """What a search leaves out: other models, roles, origins and times (from `since` to before `until`)."""

    model: str | None = None
    role: Role | None = None
    since: int | None = None
    until: int | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message that matches, or (without `message`) a conversation whose title does.

    `snippet` has the matches between U+0002 and U+0003. `created_at` is the message's, or when the
    conversation was last active. `model` is None for questions.
    """

    conversation: str
    title: str
    origin: Origin
    created_at: int
    message: str | None = None
    role: Role | None = None
    model: str | None = None
    snippet: str | None = None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of hits and where the next begins."""

    hits: tuple[SearchHit, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class AnalyticsGroup:
    """Counts, sums and percentiles of generations that share a key: a model id or a day (UTC).

    `errors` ended failed or interrupted. Sums cover the generations that report a value; None is
    unknown. Counts and sums are exact, percentiles within 2.5 % of the value.
    """

    key: str
    generations: int
    errors: int
    stopped: int
    output_tokens: int | None = None
    cost_usd: float | None = None
    first_text_p50_ms: float | None = None
    first_text_p95_ms: float | None = None
    tok_s_p50: float | None = None


@dataclass(frozen=True, slots=True)
class AnalyticsSummary:
    """The analytics of a subject: in total, by model (most generations first), by day (in order)."""

    totals: AnalyticsGroup
    by_model: tuple[AnalyticsGroup, ...]
    by_day: tuple[AnalyticsGroup, ...]


class Store(Protocol):
    """Conversations and logs, durable."""

    async def open(self) -> None:
        """Opens and migrates. Raises `StorageFailed` with what to do."""
        ...

    async def aclose(self) -> None:
        """Writes what is queued, then closes."""
        ...

    def health(self) -> StoreHealth:
        """As the last write found it. Never blocks."""
        ...

    async def check(self) -> StoreHealth:
        """As a small durable write finds it now; at most one is made per second."""
        ...

    async def until_lost(self) -> StorageLost:
        """Returns the error once the database's files are lost; from then on every call raises it."""
        ...

    # -- logs

    async def start(self, subject: str, start: GenerationStart) -> tuple[list[GenerationRow], bool]:
        """Writes new generations. The flag is False when the key was used before.

        Then nothing is written and the first request's generations are returned. Raises `Conflict` for
        the same key with another fingerprint, or when a message to extend is being written;
        `NotFound` for a missing parent.
        """
        ...

    async def generations_by_key(
        self, subject: str, key: str, fingerprint: str
    ) -> list[GenerationRow]:
        """Generations that this key started, or none. Raises `Conflict` as `start` does."""
        ...

    async def append(self, batch: Sequence[Append]) -> set[str]:
        """Writes records of many generations in one transaction; on return they are durable.

        Returns the generations that were fenced: nothing of theirs was written. An end record also
        folds the log into the message row, in the same transaction.
        """
        ...

    async def claim(self, row: GenerationRow, instance_id: str, records: Sequence[Record]) -> bool:
        """Takes over an orphan by writing `records`: the open record of the next epoch, and more.

        False if another owner did so first: then nothing was written.
        """
        ...

    async def orphans(self, instance_id: str) -> list[Orphan]:
        """Running generations whose owner isn't `instance_id`."""
        ...

    async def generation(
        self, subject: str, generation: str, *, include_deleted: bool = False
    ) -> GenerationRow:
        """Raises `NotFound`, also for one of a deleted conversation unless `include_deleted` is set."""
        ...

    async def running(self, subject: str, limit: int) -> list[RunningAnswer]:
        """Up to `limit` generations that are running, oldest first; none of deleted conversations."""
        ...

    async def records(
        self, subject: str, generation: str, after: RecordId, limit: int
    ) -> list[Record]:
        """Up to `limit` records after a cursor, in order; empty for another subject's."""
        ...

    async def trim(self, before: int) -> int:
        """Deletes records of generations that ended before a time, keeping a compact trace."""
        ...

    # -- conversations

    async def create_conversation(self, subject: str, new: NewConversation) -> ConversationRow: ...

    async def conversation(self, subject: str, conversation: str) -> ConversationRow: ...

    async def conversations(
        self, subject: str, *, query: str, cursor: str | None, limit: int, origin: str | None
    ) -> ConversationPage: ...

    async def search(
        self, subject: str, query: str, filters: SearchFilters, *, cursor: str | None, limit: int
    ) -> SearchPage:
        """Titles that match, the last active first; then messages, the newest first.

        Without case and accents; every word must occur (`search_terms.parse_query`). Raises `BadRequest`
        for an unknown cursor.
        """
        ...

    async def update_conversation(
        self, subject: str, conversation: str, changes: dict[str, Any]
    ) -> ConversationRow:
        """Changes title, title_by, pinned, system_prompt, options, model, leaf or metadata.

        Never `updated_at`.
        """
        ...

    async def append_messages(
        self, subject: str, conversation: str, messages: Sequence[NewMessage], leaf: str | None
    ) -> ConversationRow:
        """Adds messages without an answer, and selects the branch that ends with `leaf`.

        Raises `NotFound` for a missing parent or leaf, `Conflict` while an answer is being written.
        """
        ...

    async def delete_conversation(self, subject: str, conversation: str) -> None:
        """Hides it; `restore_conversation` undoes that until the purge."""
        ...

    async def restore_conversation(self, subject: str, conversation: str) -> ConversationRow: ...

    async def purge(self, before: int) -> int:
        """Deletes conversations hidden before a time, ephemeral ones that ended half a minute ago, and
        idempotency keys older than a day, in one batch. Returns how many conversations.
        """
        ...

    async def shrink(self) -> int:
        """Returns a little of the space of deleted rows to the disk. Returns how many pages."""
        ...

    async def messages(self, subject: str, conversation: str) -> list[MessageRow]:
        """The whole tree in order of creation."""
        ...

    async def message(self, subject: str, message: str) -> MessageRow: ...

    async def path(self, subject: str, message: str) -> list[MessageRow]:
        """From the root to a message."""
        ...

    async def check_room(self, size: int) -> None:
        """Raises `StorageFull` if the disk has no room for so many bytes more."""
        ...

    async def stage_import(
        self,
        subject: str,
        conversations: Sequence[ImportedConversation],
        messages: Sequence[MessageRow],
    ) -> None:
        """Writes a part of an import in one transaction; nobody sees it before `finish_import`.

        What is never finished is purged as deleted conversations are.
        """
        ...

    async def finish_import(self, subject: str, conversations: Sequence[str]) -> None:
        """Makes staged conversations visible, all at once. Raises `StorageFailed` if one is missing."""
        ...

    async def discard_import(self, subject: str, conversations: Sequence[str]) -> None:
        """Leaves staged conversations to the next purge; finished ones stay."""
        ...

    async def ended_generations(self, subject: str, since: int) -> list[GenerationRow]:
        """Generations that ended since a time, oldest first."""
        ...

    async def analytics(self, subject: str, since: int) -> AnalyticsSummary:
        """Analytics of the generations that ended since a time and aren't purged.

        Those of deleted conversations and ephemeral ones count until the purge; imported answers never
        do.
        """
        ...

    async def roll_up(self, limit: int = 1000) -> int:
        """Prepares the analytics of some `limit` generations that an older version stored.

        Makes `analytics` faster and changes no result. Returns how many there were; 0 at the end.
        """
        ...

    # -- logins

    async def logins(self) -> list[LoginRow]:
        """Every login, the oldest first."""
        ...

    async def change_logins(self, added: Sequence[LoginRow], removed: Sequence[str]) -> None:
        """Adds logins and removes others by their keys, in one transaction; unknown keys are ignored."""
        ...

    async def backup(self, target: str) -> None:
        """A consistent copy of everything into a new file, while the store is in use."""
        ...
