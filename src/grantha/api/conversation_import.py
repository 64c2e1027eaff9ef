"""One import: reads a file conversation by conversation, and stores all of it or nothing.

The file, or one of those in an archive, is in memory once; one conversation at a time is decoded, in a
thread. What is read is staged in small parts, between which the answers of others are written, and becomes
visible in one transaction.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from grantha.api.http.json_items import JsonItems
from grantha.api.schemas import import_checks
from grantha.chat import FilePart, ImagePart, Part, part_to_json
from grantha.engine.ids import new_id
from grantha.engine.titles import title_from
from grantha.errors import BadRequest, GranthaError, TooLarge
from grantha.import_export.archive import Archive, is_archive
from grantha.import_export.file_reading import ITEMS, read_conversations
from grantha.import_export.portable_conversation import (
    EXPORTS_ADVICE,
    LeftOutKind,
    PortableConversation,
    PortableMessage,
    invalid,
)
from grantha.storage.base import ImportedConversation, MessageRow, NewConversation, Store
from grantha.wire import images

_PART_SIZE = 256 * 1024  # characters staged in one transaction, while which no answer is written
_PART_ROWS = 256
_DISK_FACTOR = 5  # times the size of a file: its text, the index of its words, half-filled pages
_MAX_MODEL = 300
_MAX_PROMPT = 200_000

_Row = ImportedConversation | MessageRow


@dataclass(frozen=True, slots=True)
class Imported:
    """The ids of the new conversations, and how much of them isn't imported."""

    ids: list[str]
    left_out: Counter[LeftOutKind]


async def import_conversations(
    store: Store, subject: str, body: bytearray, *, max_size: int, max_depth: int
) -> Imported:
    """Stores the conversations of a file or a ZIP archive, of which at most `max_size` bytes are unpacked.

    Raises `BadRequest` for a file that can't be read, `TooLarge`, `StorageFull` or `StorageFailed`. Then,
    as after a crash, nothing of it is there.
    """
    left_out: Counter[LeftOutKind] = Counter()
    size, rows = await asyncio.to_thread(_open, body, max_size, max_depth, left_out)
    await store.check_room(_DISK_FACTOR * size)
    ids: list[str] = []
    try:
        while part := await asyncio.to_thread(_next_part, rows):
            conversations = [row for row in part if isinstance(row, ImportedConversation)]
            ids.extend(row.new.id for row in conversations)
            messages = [row for row in part if isinstance(row, MessageRow)]
            await store.stage_import(subject, conversations, messages)
        if not ids:
            raise BadRequest("The file contains no conversation.")
        await store.finish_import(subject, ids)
    except BaseException:
        with contextlib.suppress(GranthaError):  # then it is purged in an hour
            await store.discard_import(subject, ids)
        raise
    return Imported(ids, left_out)


# ---- in a thread ---------------------------------------------------------------------------------


def _open(
    body: bytearray, max_size: int, max_depth: int, left_out: Counter[LeftOutKind]
) -> tuple[int, Iterator[_Row]]:
    """The size of what is read, and its rows, which are decoded as they are taken."""
    if not is_archive(body):
        return len(body), _rows(body, max_depth, left_out)
    archive = Archive(body)
    return archive.check_size(max_size), _rows_of_archive(archive, max_depth, left_out)


def _rows_of_archive(
    archive: Archive, max_depth: int, left_out: Counter[LeftOutKind]
) -> Iterator[_Row]:
    for name, content in archive.files():
        try:
            yield from _rows(content, max_depth, left_out)
        except BadRequest as error:
            message = f"{name[:100]} in the archive: {error.message}"
            raise BadRequest(message, advice=error.advice) from error


def _rows(
    body: bytes | bytearray, max_depth: int, left_out: Counter[LeftOutKind]
) -> Iterator[_Row]:
    if not body or body.isspace():
        raise BadRequest("The file is empty.")
    with _file_problems():
        items = JsonItems(body, ITEMS, max_depth)
    now = time.time_ns() // 1_000_000
    for number, portable in enumerate(read_conversations(items.outline, _decoded(items), now)):
        left_out.update(portable.left_out)
        yield from _rows_of(portable, f"{ITEMS}.{number}")


def _decoded(items: JsonItems) -> Iterator[object]:
    with _file_problems():
        yield from items


@contextlib.contextmanager
def _file_problems() -> Iterator[None]:
    try:
        yield
    except BadRequest as error:
        message = error.message.replace("The body", "The file", 1)
        raise BadRequest(message, advice=EXPORTS_ADVICE) from error


def _next_part(rows: Iterator[_Row]) -> list[_Row]:
    """The next rows to be stored together; empty at the end."""
    part: list[_Row] = []
    size = 0
    for row in rows:
        part.append(row)
        size += _size(row)
        if size >= _PART_SIZE or len(part) >= _PART_ROWS:
            break
    return part


def _size(row: _Row) -> int:
    if isinstance(row, ImportedConversation):
        return len(row.new.system_prompt)
    values = (value for part in row.parts for value in part_to_json(part).values())
    return sum(len(value) for value in values if isinstance(value, str))


def _rows_of(portable: PortableConversation, place: str) -> Iterator[_Row]:
    _check(portable, place)
    ids = {message.id: new_id("m") for message in portable.messages}
    last = portable.messages[-1] if portable.messages else None
    leaf = portable.leaf or (last.id if last else None)
    new = NewConversation(
        id=new_id("c"),
        title=" ".join(portable.title.split())[:300] or _title(portable),
        origin="page",
        title_by="user",
        system_prompt=portable.system_prompt,
        options=portable.options,
        model=portable.model,
    )
    yield ImportedConversation(
        new,
        pinned=portable.pinned,
        leaf=ids[leaf] if leaf is not None else None,
        created_at=portable.created_at,
        updated_at=last.created_at if last else portable.created_at,
    )
    for n, message in enumerate(portable.messages):
        parent = ids[message.parent] if message.parent is not None else None
        yield _message_row(message, new.id, ids[message.id], parent, f"{place}.messages.{n}")


def _message_row(
    message: PortableMessage, conversation: str, own: str, parent: str | None, place: str
) -> MessageRow:
    parts = (_checked_part(part, f"{place}.parts.{n}") for n, part in enumerate(message.parts))
    return MessageRow(
        id=own,
        conversation=conversation,
        parent=parent,
        role=message.role,
        parts=tuple(parts),
        created_at=message.created_at,
        model=message.model,
        status=message.ending,
        end=message.end,
        seams=message.seams,
        citations=message.citations,
    )


def _check(portable: PortableConversation, place: str) -> None:
    """Raises `BadRequest` for values that no send could use."""
    if portable.model is not None and not 1 <= len(portable.model) <= _MAX_MODEL:
        raise invalid(f"{place}.model", f"hasn't 1 to {_MAX_MODEL} characters")
    if len(portable.system_prompt) > _MAX_PROMPT:
        raise invalid(f"{place}.system_prompt", f"has more than {_MAX_PROMPT} characters")
    with _place(f"{place}.options"):
        import_checks.check_options(portable.options)
    for n, message in enumerate(portable.messages):
        at = f"{place}.messages.{n}"
        if message.end is not None:
            with _place(f"{at}.end"):
                import_checks.check_end(message.end)
        for number, seam in enumerate(message.seams):
            with _place(f"{at}.seams.{number}"):
                import_checks.check_seam(seam)
        for number, citation in enumerate(message.citations):
            with _place(f"{at}.citations.{number}"):
                import_checks.check_citation(citation)


def _checked_part(part: Part, place: str) -> Part:
    """An image with the media type of its bytes; a file without an overlong name."""
    if isinstance(part, ImagePart | FilePart) and part.url is not None:
        # The page makes a link of it.
        if not part.url.startswith(("https://", "http://")):
            raise invalid(f"{place}.url", "isn't an http or https URL")
        if isinstance(part, ImagePart):
            return replace(part, media_type="", data="")
    match part:
        case ImagePart():
            try:
                return images.check(part, images.MAX_SIZE)
            except (BadRequest, TooLarge) as error:
                raise invalid(place, f"can't be used. {error.message}") from error
        case FilePart():
            _check_base64(part.data or "", f"{place}.data")
            return replace(part, name=part.name[:300], media_type=part.media_type[:100])
        case _:
            return part


def _check_base64(data: str, place: str) -> None:
    try:
        base64.b64decode(data, validate=True)
    except ValueError as error:
        raise invalid(place, "isn't valid base64") from error


@contextlib.contextmanager
def _place(place: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise invalid(place, f"isn't valid ({error})") from error


def _title(conversation: PortableConversation) -> str:
    first = next((m for m in conversation.messages if m.role == "user"), None)
    words = "".join(part.text for part in first.parts if part.type == "text") if first else ""
    return title_from(words)
