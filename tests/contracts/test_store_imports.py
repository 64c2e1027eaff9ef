"""What every store must do with an import: nobody sees a part of it, before or after a failure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grantha.chat import TextPart
from grantha.engine.ids import new_id
from grantha.errors import NotFound, StorageFailed, StorageFull
from grantha.storage.base import ImportedConversation, MessageRow, NewConversation, Store
from tests.contracts.test_store import ME, Clock, answered, clock, open_store, store

__all__ = ["clock", "open_store", "store"]


async def test_an_imported_conversation_is_as_it_was(store: Store) -> None:
    row = await answered(store)
    original = await store.messages(ME, row.conversation)
    ids = {m.id: new_id("m") for m in original}
    copies: list[MessageRow] = [
        replace(m, id=ids[m.id], parent=ids.get(m.parent or ""), generation=None) for m in original
    ]
    new = NewConversation(new_id("c"), "Copy", "page", title_by="user")
    copies = [replace(m, conversation=new.id) for m in copies]
    whole = ImportedConversation(new, pinned=True, leaf=copies[0].id, created_at=5, updated_at=9)
    await store.stage_import(ME, [whole], copies[:1])
    await store.stage_import(ME, [], copies[1:])
    await store.finish_import(ME, [new.id])
    copy = await store.conversation(ME, new.id)
    assert (copy.title, copy.pinned, copy.leaf) == ("Copy", True, copies[0].id)
    assert (copy.created_at, copy.updated_at) == (5, 9)
    assert await store.messages(ME, copy.id) == copies


async def staged(store: Store) -> str:
    new = NewConversation(new_id("c"), "Staged", "page", title_by="user")
    whole = ImportedConversation(new, pinned=False, leaf=None, created_at=5, updated_at=9)
    text = MessageRow(new_id("m"), new.id, None, "user", (TextPart("staged"),), 5)
    await store.stage_import(ME, [whole], [text])
    return new.id


async def listed(store: Store) -> list[str]:
    found = []
    for query in ("", "staged"):
        page = await store.conversations(ME, query=query, cursor=None, limit=9, origin=None)
        found += [row.id for row in page.rows]
    return found


async def test_an_import_is_invisible_until_all_of_it_is_there(store: Store) -> None:
    ids = [await staged(store) for _ in range(2)]
    assert await listed(store) == []
    with pytest.raises(NotFound):
        await store.conversation(ME, ids[0])
    with pytest.raises(StorageFailed):
        await store.finish_import(ME, [*ids, "c_gone"])
    assert await listed(store) == []
    await store.finish_import(ME, ids)
    assert sorted(await listed(store)) == sorted(ids * 2)
    await store.discard_import(ME, ids)  # too late
    assert sorted(await listed(store)) == sorted(ids * 2)


async def test_an_import_that_was_never_finished_is_purged(store: Store, clock: Clock) -> None:
    unfinished = await staged(store)
    await store.discard_import(ME, [await staged(store)])
    assert await store.purge(clock.now) == 1
    clock.now += 1
    assert await store.purge(clock.now) == 1
    with pytest.raises(StorageFailed):
        await store.finish_import(ME, [unfinished])


async def test_room_is_checked_before_it_is_taken(store: Store) -> None:
    await store.check_room(1)
    with pytest.raises(StorageFull):
        await store.check_room(2**62)
