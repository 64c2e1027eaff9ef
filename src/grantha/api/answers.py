"""Reading answers whole, from the first record to the end, also where the records have been trimmed.

Every endpoint that answers with a log from its beginning goes through here, so that a send repeated
with the same key long after gets the same answer everywhere.
"""

from __future__ import annotations

from typing import TypeVar

from grantha.api.state import AppState
from grantha.engine.reader import Reader
from grantha.engine.replay import trimmed_frames, whole_log
from grantha.errors import Trimmed
from grantha.events import START, Frame, GenerationEnd, merge
from grantha.fold import Fold
from grantha.storage.base import GenerationRow, Store

F = TypeVar("F", bound=Fold)


async def reader_from_start(state: AppState, subject: str, row: GenerationRow) -> Reader:
    """A reader of the whole answer, which goes on with what is still being written."""
    reader = state.supervisor.reader(subject, row.id, START)
    if row.trimmed:
        reader.replay(await trimmed_frames(state.store, subject, row))
    return reader


async def frames_so_far(store: Store, subject: str, row: GenerationRow) -> list[Frame]:
    """The frames of an answer as far as it is stored now."""
    if row.trimmed:
        return await trimmed_frames(store, subject, row)
    return merge(await whole_log(store, subject, row.id))


async def fold_to_end(reader: Reader, folded: F) -> tuple[F, GenerationEnd]:
    """All that a reader gives, folded, and the end. Raises `Trimmed` if it was deleted meanwhile."""
    async for frame in reader:
        folded.apply(frame.event)
    if folded.end is None:
        raise Trimmed("The records of this answer have been deleted.")
    return folded, folded.end
