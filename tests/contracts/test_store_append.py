"""What every store must do with messages and metadata that come without an answer."""

from __future__ import annotations

import pytest

from grantha.chat import TextPart
from grantha.engine.ids import new_id
from grantha.errors import Conflict, NotFound
from grantha.storage.base import NewConversation, NewMessage, Store
from tests.contracts.test_store import (
    ME,
    OTHER,
    Clock,
    begun,
    clock,
    new_conversation,
    open_store,
    store,
)

__all__ = ["clock", "open_store", "store"]


async def test_messages_are_appended_without_an_answer(store: Store, clock: Clock) -> None:
    conversation = await new_conversation(store)
    first = NewMessage(new_id("m"), None, "user", (TextPart("One"),))
    second = NewMessage(new_id("m"), first.id, "assistant", (TextPart("Two"),))
    clock.now += 5
    row = await store.append_messages(ME, conversation, [first, second], second.id)
    assert (row.leaf, row.updated_at, row.status) == (second.id, clock.now, None)
    found = await store.path(ME, second.id)
    assert [(m.role, m.parts) for m in found] == [
        ("user", (TextPart("One"),)),
        ("assistant", (TextPart("Two"),)),
    ]
    assert (await store.append_messages(ME, conversation, [], None)).leaf is None
    nowhere = NewMessage(new_id("m"), "m_none", "user", (TextPart("One"),))
    for subject, added, leaf in (
        (ME, [nowhere], nowhere.id),
        (ME, [], "m_none"),
        (OTHER, [], None),
    ):
        with pytest.raises(NotFound):
            await store.append_messages(subject, conversation, added, leaf)
    assert len(await store.messages(ME, conversation)) == 2


async def test_nothing_is_appended_while_an_answer_is_written(store: Store) -> None:
    row = await begun(store)
    added = NewMessage(new_id("m"), row.message, "user", (TextPart("Two"),))
    with pytest.raises(Conflict):
        await store.append_messages(ME, row.conversation, [added], added.id)
    assert len(await store.messages(ME, row.conversation)) == 2


async def test_a_conversation_keeps_its_metadata(store: Store) -> None:
    new = NewConversation(new_id("c"), "", "api", metadata={"topic": "palms"})
    assert (await store.create_conversation(ME, new)).metadata == {"topic": "palms"}
    changed = await store.update_conversation(ME, new.id, {"metadata": {}})
    assert changed.metadata == (await store.conversation(ME, new.id)).metadata == {}
    other = await new_conversation(store)
    assert (await store.conversation(ME, other)).metadata is None
