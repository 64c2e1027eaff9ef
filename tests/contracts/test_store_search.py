"""What every store's search must find, in which order, and what it must not find."""

from __future__ import annotations

from typing import Any

import pytest

from grantha.chat import Options, TextPart
from grantha.engine.ids import new_id
from grantha.errors import BadRequest
from grantha.events import Open, PartEnd, PartStart, Record, RecordId, TextDelta
from grantha.storage.base import (
    GenerationStart,
    NewGeneration,
    SearchFilters,
    SearchHit,
    Store,
)
from tests.contracts.test_store import (
    ME,
    OTHER,
    Clock,
    a_send,
    answered,
    batch,
    clock,
    end,
    new_conversation,
    open_store,
    store,
)

__all__ = ["clock", "open_store", "store"]


async def _hits(store: Store, query: str, **filters: Any) -> list[SearchHit]:
    """All hits, two by two."""
    found: list[SearchHit] = []
    cursor: str | None = None
    while True:
        page = await store.search(ME, query, SearchFilters(**filters), cursor=cursor, limit=2)
        assert len(page.hits) <= 2
        found += page.hits
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_a_search_names_every_message_that_matches(store: Store, clock: Clock) -> None:
    made = []
    for number in range(5):
        clock.now += 10
        made.append(await answered(store, text=f"Low water {number}, at the quay."))
    found = await _hits(store, "wat low")
    assert [hit.message for hit in found] == [row.message for row in reversed(made)]
    assert found[0].snippet == "\x02Low\x03 \x02water\x03 4, at the quay."
    assert (found[0].role, found[0].model) == ("assistant", made[0].model)
    assert {hit.conversation for hit in found} == {row.conversation for row in made}
    assert await _hits(store, "low tide") == []
    await store.delete_conversation(ME, made[2].conversation)
    assert len(await _hits(store, "low")) == 4
    page = await store.search(OTHER, "low", SearchFilters(), cursor=None, limit=2)
    assert page.hits == ()


async def test_titles_are_found_first_whatever_their_case_and_accents(
    store: Store, clock: Clock
) -> None:
    message = (await answered(store, text="Zürich is on a lake.")).message
    titles: list[str] = []
    for title in ("ZÜRICH, and its lake", "zürich", "Hochzürich"):
        clock.now += 10
        titles.insert(0, await new_conversation(store, title=title))
    for query in ("zurich", "ZÜRICH", "Zu\u0308rich"):
        found = await _hits(store, query)
        assert [hit.conversation for hit in found[:3]] == titles
        assert [hit.message for hit in found] == [None, None, None, message]
    assert [hit.conversation for hit in await _hits(store, "zurich -lake")] == titles[:2]
    listed = await store.conversations(ME, query="zurich", cursor=None, limit=9, origin=None)
    assert len(listed.rows) == 4


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("潮汐表是怎么计算的。", "汐表", "潮\x02汐表\x03是怎么计算的。"),
        ("東京タワーへ行く", "タワー", "東京\x02タワー\x03へ行く"),
        ("학교에서 배웠다", "교에", "학\x02교에\x03서 배웠다"),
        ("ตารางน้ำขึ้นน้ำลง", "น้ำลง", "ตารางน้ำขึ้น\x02น้ำลง\x03"),
        ("用Python写的", "python写", "用\x02Python写\x03的"),
        ("𠮷野家", "野", "𠮷\x02野\x03家"),
    ],
    ids=["Chinese", "Japanese", "Korean", "Thai", "mixed", "beyond 16 bits"],
)
async def test_any_part_of_a_text_without_spaces_is_found(
    store: Store, text: str, query: str, marked: str
) -> None:
    row = await answered(store, text=text)
    titled = await new_conversation(store, title=text)
    await answered(store, text="别的 別の 다른 อื่น")
    found = await _hits(store, query)
    assert [(hit.conversation, hit.message) for hit in found] == [
        (titled, None),
        (row.conversation, row.message),
    ]
    assert found[1].snippet == marked
    messages = await store.messages(ME, row.conversation)
    assert messages[-1].parts == (TextPart(text),)


@pytest.mark.parametrize(
    "spellings",
    [
        ("Zürich", "Zu\u0308rich", "zurich"),
        ("\uff43\uff41\uff46\uff45 \uff11\uff12\uff13", "Cafe 123"),
        ("ΟΔΟΣ", "οδος", "οδοσ"),
        ("Große Straße", "grosse strasse", "GROSSE STRASSE", "GROẞE STRAẞE"),
    ],
    ids=["decomposed", "full width", "final sigma", "sharp s"],
)
async def test_every_spelling_is_found_by_every_other(
    store: Store, spellings: tuple[str, ...]
) -> None:
    written = [(await answered(store, text=f"({text})", title="-")).message for text in spellings]
    titled = [await new_conversation(store, title=text) for text in spellings]
    for query in (*spellings, *(f'"{text}"' for text in spellings)):
        found = await _hits(store, query)
        assert {hit.message for hit in found if hit.message} == set(written), query
        assert {hit.conversation for hit in found if not hit.message} == set(titled), query


async def test_a_continued_answer_is_found_by_its_old_words_and_its_new_ones(store: Store) -> None:
    row = await answered(store, text="Low water")
    opening = (Record(RecordId(1, 0), 1000, Open(None, "p/m")),)
    more = NewGeneration(
        new_id("g"), row.message, row.parent, "p/m", Options(), opening, extends=True
    )
    (second,), _ = await store.start(ME, GenerationStart(row.conversation, (more,)))
    text = "Low water at dawn"
    events = (PartStart(0, "text"), TextDelta(0, text), PartEnd(0), end("done", text))
    assert await store.append([batch(second, 1, *events)]) == set()
    for query in ("low", "dawn", '"water at dawn"'):
        assert [hit.message for hit in await _hits(store, query)] == [row.message]


async def test_a_conversation_that_nobody_named_is_no_hit_beside_its_first_message(
    store: Store,
) -> None:
    unnamed = await answered(store, title="Why is the Sachertorte dry?", text="Bake it shorter.")
    send = a_send(await new_conversation(store), text="A dry cake", title="A dry cake")
    (row,), _ = await store.start(ME, send)
    for query, wanted in {
        "dry": [None, row.parent],
        "sachertorte": [None],
        "cake": [row.parent],
    }.items():
        assert [hit.message for hit in await _hits(store, query)] == wanted
    assert (await _hits(store, "torte"))[0].conversation == unnamed.conversation


async def test_quoted_words_stand_together_and_others_can_be_excluded(store: Store) -> None:
    together = (await answered(store, text="At low water the quay dries.")).message
    apart = (await answered(store, text="The water is low.")).message
    lower = (await answered(store, text="At the lowest water.")).message

    async def messages(query: str) -> list[str | None]:
        return [hit.message for hit in await _hits(store, query)]

    assert await messages("low water") == [lower, apart, together]
    assert await messages("“low water”") == [together]
    assert await messages('low water -"low water"') == [lower, apart]
    assert await messages("water \u2212quay") == [lower, apart]
    assert await messages("lo water") == []  # beginnings need three letters
    assert await messages("-quay") == []


async def test_hits_are_filtered_by_model_role_time_and_origin(store: Store, clock: Clock) -> None:
    first = await answered(store, text="tide")
    question = (await store.messages(ME, first.conversation))[0]
    clock.now += 1000
    later = await answered(store, text="tide")
    page = await new_conversation(store, title="tide")

    async def messages(**filters: Any) -> list[str | None]:
        return [hit.message for hit in await _hits(store, "tide", **filters)]

    assert await messages() == [None, later.message, first.message]
    assert await messages(role="assistant") == [later.message, first.message]
    assert await messages(role="user") == []
    assert await messages(model=first.model) == [later.message, first.message]
    assert await messages(model="no/model") == []
    assert await messages(until=question.created_at + 500) == [first.message]
    assert await messages(since=question.created_at + 500) == [None, later.message]
    assert (await _hits(store, "tide", origin="page"))[0].conversation == page
    text = next(part.text for part in question.parts if isinstance(part, TextPart))
    hits = await _hits(store, f'"{text}"', model=first.model, role="user")
    assert question.id in {hit.message for hit in hits}


@pytest.mark.parametrize("cursor", ["x", "message:", "message:-1", "title:1", "title:x:y", ":::"])
async def test_an_invented_cursor_of_a_search_is_a_bad_request(store: Store, cursor: str) -> None:
    with pytest.raises(BadRequest):
        await store.search(ME, "tide", SearchFilters(), cursor=cursor, limit=4)


@pytest.mark.parametrize(
    "query",
    [*"\"'*-%_\\(", "a\x00b", 'x" OR "y', "NEAR(a b)", "a*", "text:a", "^a", "a\ud800", '-"', "“a"],
    ids=ascii,
)
async def test_a_search_takes_any_text(store: Store, query: str) -> None:
    await answered(store, text="a b c")
    assert len(await _hits(store, query)) <= 1
