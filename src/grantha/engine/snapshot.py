"""An answer as far as it is stored now, folded from its log."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from grantha.chat import Options
from grantha.engine.replay import read_log, trimmed_frames
from grantha.events import Frame, merge
from grantha.fold import Fold, fold
from grantha.storage.base import GenerationRow, Store


@dataclass(frozen=True, slots=True)
class AnswerSnapshot:
    """The folded answer. `row` has the last folded id and the status that belongs to it.

    `model` and `options` are those in force now, or those in force at the end.
    """

    row: GenerationRow
    folded: Fold
    model: str
    options: Options


async def read_snapshot(
    store: Store, subject: str, row: GenerationRow, in_force: tuple[str, Options] | None
) -> AnswerSnapshot:
    """Reads and folds a log; `in_force` are model and options of one that is running here."""
    frames = await stored_frames(store, subject, row)
    folded = fold(frame.event for frame in frames)
    if frames:
        row = dataclasses.replace(row, last_id=frames[-1].id)
    if folded.end is not None:
        row = dataclasses.replace(row, status=folded.end.ending)
        in_force = None  # its runner may still be there for a moment
    model, options = in_force or (row.model, row.options)
    if in_force is None and folded.seams:
        model = folded.seams[-1].model
    return AnswerSnapshot(row, folded, model, options)


async def stored_frames(store: Store, subject: str, row: GenerationRow) -> list[Frame]:
    """The frames of an answer as far as it is stored, also when its records have been trimmed."""
    if row.trimmed:
        return await trimmed_frames(store, subject, row)
    return merge(await read_log(store, subject, row.id))
