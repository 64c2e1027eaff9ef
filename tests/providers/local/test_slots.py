"""Slots go to those who come, in their order, and to the conversation that they remember."""

import asyncio

import pytest

from grantha.chat import Message, text_message
from grantha.errors import Overloaded, ProviderFailed
from grantha.providers.local.slots import MAX_WAITING, Slots


def _conversation(*texts: str) -> tuple[Message, ...]:
    roles = ("user", "assistant")
    return tuple(text_message(roles[i % 2], text) for i, text in enumerate(texts))  # type: ignore[arg-type]  # one of two literals


async def _waits(task: asyncio.Task[int]) -> None:
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()


async def test_a_conversation_gets_the_slot_that_remembers_it() -> None:
    slots = Slots(3)
    taken = [await slots.acquire(_conversation(text)) for text in ("a", "b", "c")]
    assert sorted(taken) == [0, 1, 2]
    for slot in taken:
        slots.release(slot)
    assert await slots.acquire(_conversation("b", "answer", "more")) == taken[1]


async def test_a_new_conversation_gets_the_slot_unused_for_longest() -> None:
    slots = Slots(2)
    first, second = await slots.acquire(_conversation("a")), await slots.acquire(_conversation("b"))
    slots.release(second)
    slots.release(first)
    assert await slots.acquire(_conversation("new")) == second


async def test_those_who_wait_are_served_in_the_order_they_came() -> None:
    slots = Slots(1)
    slot = await slots.acquire(_conversation("a"))
    first = asyncio.create_task(slots.acquire(_conversation("b")))
    await _waits(first)
    second = asyncio.create_task(slots.acquire(_conversation("c")))
    await _waits(second)
    slots.release(slot)
    assert await first == slot
    await _waits(second)
    slots.release(slot)
    assert await second == slot
    slots.release(slot)
    assert slots.free == 1


async def test_one_who_gives_up_waiting_takes_no_slot_along() -> None:
    slots = Slots(1)
    slot = await slots.acquire(_conversation("a"))
    early = asyncio.create_task(slots.acquire(_conversation("b")))
    await _waits(early)
    late = asyncio.create_task(slots.acquire(_conversation("c")))
    await _waits(late)
    early.cancel()
    slots.release(slot)
    # The waiting call is cancelled just as it gets the slot: the slot must be released.
    late.cancel()
    await asyncio.gather(early, late, return_exceptions=True)
    assert slots.free == 1


async def test_a_full_queue_and_a_lost_child_are_errors() -> None:
    slots = Slots(1)
    await slots.acquire(_conversation("a"))
    waiting = [asyncio.create_task(slots.acquire(_conversation("b"))) for _ in range(MAX_WAITING)]
    await _waits(waiting[-1])
    with pytest.raises(Overloaded):
        await slots.acquire(_conversation("c"))
    slots.close(ProviderFailed("gone"))
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(end) for end in ends} == {ProviderFailed}


async def test_only_a_free_slot_can_be_taken_by_its_number() -> None:
    slots = Slots(2)
    taken = await slots.acquire(_conversation("a"))
    assert not slots.acquire_if_free(taken)
    assert slots.acquire_if_free(1 - taken)
    assert slots.free == 0
