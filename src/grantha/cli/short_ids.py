"""Ids as people type them: whole, or enough of the beginning or the end to be unique.

Ids begin with the time, so that those of one day are alike at their beginnings: `grantha list` shows
ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from grantha.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from grantha.client import Client

_WHOLE = 25  # characters of a whole id: a letter, an underscore and 23 digits
_MIN_LENGTH = 5
_MAX_NAMED = 4


async def find_conversation(client: Client, typed: str) -> str:
    """The conversation that was meant. Raises `NotFound` or, for several, `BadRequest`."""
    if _is_whole(typed, "c_"):
        return typed
    ids = [line.id async for line in client.conversations(origin="all")]
    return _match(typed, "c_", ids, "conversation", "`grantha list` shows them.")


async def find_answer(client: Client, typed: str) -> str:
    """The answer that was meant: by its own id, or the newest one of a conversation by that one's."""
    if _is_whole(typed, "g_"):
        return typed
    lines = [line async for line in client.conversations(origin="all") if line.generation]
    if typed.startswith("c_"):
        conversation = _match(
            typed, "c_", [line.id for line in lines], "conversation", "`grantha list` shows them."
        )
        return next(str(line.generation) for line in lines if line.id == conversation)
    newest = [str(line.generation) for line in lines]
    return _match(typed, "g_", newest, "newest answer", "Older ones are known by their whole ids.")


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """For each id an ending that no other id has."""
    ids = list(ids)
    for length in range(_MIN_LENGTH, _WHOLE):
        ends = {whole: whole[-length:] for whole in ids}
        if len(set(ends.values())) == len(set(ids)):
            return ends
    return {whole: whole for whole in ids}


def _is_whole(typed: str, kind: str) -> bool:
    return typed.startswith(kind) and len(typed) >= _WHOLE


def _match(typed: str, kind: str, ids: list[str], what: str, advice: str) -> str:
    wanted = typed.removeprefix(kind).lower()
    found = [
        whole
        for whole in ids
        if wanted and (whole.startswith(kind + wanted) or whole.endswith(wanted))
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f"No {what} has an id that begins or ends with {typed!r}.", advice=advice)
    named = ", ".join(found[:_MAX_NAMED]) + (", …" if len(found) > _MAX_NAMED else "")
    raise BadRequest(
        f"{typed!r} fits {len(found)} ids: {named}.", advice="Type more of the one that you mean."
    )
