"""What every store must do. A new one joins by being added to `STORES`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grantha.chat import Options, TextPart
from grantha.engine.ids import new_id
from grantha.errors import BadRequest, Conflict, NotFound
from grantha.events import (
    START,
    Event,
    GenerationEnd,
    Open,
    PartEnd,
    PartStart,
    Record,
    RecordId,
    Seam,
    TextDelta,
)
from grantha.storage.base import (
    EPHEMERAL,
    Append,
    GenerationRow,
    GenerationStart,
    NewConversation,
    NewGeneration,
    NewMessage,
    Origin,
    Store,
)
from grantha.storage.sql import SqlStore

ME, OTHER = "me", "somebody else"
DAY = 24 * 3600 * 1000

OpenStore = Callable[[str], Awaitable[Store]]


class Clock:
    """Milliseconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


def sql(folder: Path, instance_id: str, clock: Clock) -> Store:
    return SqlStore(folder, instance_id, "OFF", clock)


STORES = [pytest.param(sql, id="sqlite")]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=STORES)
async def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[OpenStore]:
    """Opens the same database as another process would, under another instance id."""
    opened: list[Store] = []

    async def opening(instance_id: str) -> Store:
        store: Store = request.param(tmp_path / "data", instance_id, clock)
        await store.open()
        opened.append(store)
        return store

    yield opening
    for store in opened:
        await store.aclose()


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    return await open_store("instance-1")


# ---- sends ---------------------------------------------------------------------------------------


def a_send(
    conversation: str, parent: str | None = None, text: str = "Why?", **more: Any
) -> GenerationStart:
    question = NewMessage(new_id("m"), parent, "user", (TextPart(text),))
    records = (Record(RecordId(1, 0), 1000, Open(None, "p/m")),)
    answer = NewGeneration(new_id("g"), new_id("m"), question.id, "p/m", Options(), records)
    return GenerationStart(conversation, (answer,), (question,), **more)


async def new_conversation(
    store: Store, subject: str = ME, title: str = "", origin: Origin = "page"
) -> str:
    new = NewConversation(new_id("c"), title, origin)
    return (await store.create_conversation(subject, new)).id


async def begun(store: Store, conversation: str | None = None, **more: Any) -> GenerationRow:
    send = a_send(conversation or await new_conversation(store), **more)
    rows, created = await store.start(ME, send)
    assert created
    return rows[0]


def batch(row: GenerationRow, first: int, *events: Event, epoch: int = 1) -> Append:
    return Append(
        row.id,
        tuple(Record(RecordId(epoch, first + n), 2000 + n, e) for n, e in enumerate(events)),
    )


def end(ending: Any = "done", text: str = "") -> GenerationEnd:
    return GenerationEnd(ending, "stop", None, None, {}, len(text), "0" * 64)


async def answered(store: Store, text: str = "Because.", **more: Any) -> GenerationRow:
    row = await begun(store, **more)
    events = (PartStart(0, "text"), TextDelta(0, text), PartEnd(0), end("done", text))
    assert await store.append([batch(row, 1, *events)]) == set()
    return await store.generation(ME, row.id)


async def test_a_send_writes_question_answer_log_and_title_at_once(store: Store) -> None:
    conversation = await new_conversation(store)
    send = a_send(conversation, title="A title", key="k")
    (row,), created = await store.start(ME, send)
    assert (created, row.status, row.last_id) == (True, "running", (1, 0))
    question, answer = await store.messages(ME, conversation)
    assert (question.role, question.parts) == ("user", (TextPart("Why?"),))
    assert (answer.role, answer.parent, answer.status) == ("assistant", question.id, "running")
    assert answer.generation == row.id
    now = await store.conversation(ME, conversation)
    assert (now.title, now.leaf, now.status, now.generation) == (
        "A title",
        answer.id,
        "running",
        row.id,
    )
    assert [r.event.kind for r in await store.records(ME, row.id, START, 9)] == ["open"]


async def test_the_same_key_joins_the_first_send_and_writes_nothing(store: Store) -> None:
    conversation = await new_conversation(store)
    first, _ = await store.start(ME, a_send(conversation, key="k", fingerprint="f"))
    again, created = await store.start(ME, a_send(conversation, key="k", fingerprint="f"))
    assert (created, [row.id for row in again]) == (False, [row.id for row in first])
    assert len(await store.messages(ME, conversation)) == 2
    assert [row.id for row in await store.generations_by_key(ME, "k", "f")] == [first[0].id]


async def test_of_many_sends_with_one_key_at_once_exactly_one_is_written(store: Store) -> None:
    conversation = await new_conversation(store)
    sends = [a_send(conversation, key="k", fingerprint="f") for _ in range(20)]
    results = await asyncio.gather(*(store.start(ME, send) for send in sends))
    assert sum(created for _, created in results) == 1
    assert len({rows[0].id for rows, _ in results}) == 1


async def test_the_same_key_for_another_body_is_a_conflict(store: Store) -> None:
    conversation = await new_conversation(store)
    await store.start(ME, a_send(conversation, key="k", fingerprint="f"))
    with pytest.raises(Conflict):
        await store.start(ME, a_send(conversation, key="k", fingerprint="another"))
    with pytest.raises(Conflict):
        await store.generations_by_key(ME, "k", "another")
    mine = await new_conversation(store, OTHER)
    assert (await store.start(OTHER, a_send(mine, key="k", fingerprint="x")))[1]


async def test_a_key_lives_for_a_day(store: Store, clock: Clock) -> None:
    conversation = await new_conversation(store)
    await store.start(ME, a_send(conversation, key="k", fingerprint="f"))
    clock.now += DAY - 1
    await store.purge(0)
    assert await store.generations_by_key(ME, "k", "f") != []
    clock.now += 2
    await store.purge(0)
    assert await store.generations_by_key(ME, "k", "f") == []
    assert (await store.start(ME, a_send(conversation, key="k", fingerprint="other")))[1]


async def test_a_key_can_be_used_again_once_its_conversation_is_gone_for_good(
    store: Store, clock: Clock
) -> None:
    conversation = await new_conversation(store)
    await store.start(ME, a_send(conversation, key="k", fingerprint="f"))
    await store.delete_conversation(ME, conversation)
    await store.purge(clock.now + 1)
    rows, created = await store.start(
        ME, a_send(await new_conversation(store), key="k", fingerprint="f")
    )
    assert (created, len(rows)) == (True, 1)


async def test_a_missing_parent_or_conversation_writes_nothing(store: Store) -> None:
    conversation, elsewhere = await new_conversation(store), await answered(store)
    for parent in ("m_missing", elsewhere.message):
        with pytest.raises(NotFound):
            await store.start(ME, a_send(conversation, parent))
    with pytest.raises(NotFound):
        await store.start(ME, a_send("c_missing"))
    assert await store.messages(ME, conversation) == []
    assert (await store.conversation(ME, conversation)).generation is None


async def test_a_message_is_extended_by_one_continuation_at_a_time(store: Store) -> None:
    row = await answered(store)
    opening = (Record(RecordId(1, 0), 1000, Open(None, "p/m")),)

    def more() -> GenerationStart:
        new = NewGeneration(
            new_id("g"), row.message, row.parent, "p/n", Options(), opening, extends=True
        )
        return GenerationStart(row.conversation, (new,))

    (second,), _ = await store.start(ME, more())
    with pytest.raises(Conflict):
        await store.start(ME, more())
    message = await store.message(ME, row.message)
    assert (message.generation, message.status) == (second.id, "running")


# ---- logs ----------------------------------------------------------------------------------------


async def test_records_are_read_in_order_after_any_cursor(store: Store) -> None:
    row = await begun(store)
    await store.append(
        [batch(row, 1, PartStart(0, "text"), *[TextDelta(0, str(n)) for n in range(9)])]
    )
    everything = await store.records(ME, row.id, START, 100)
    assert [r.id.seq for r in everything] == list(range(11))
    for at, record in enumerate(everything):
        assert await store.records(ME, row.id, record.id, 3) == everything[at + 1 : at + 4]


async def test_a_batch_of_many_logs_is_written_whole(store: Store) -> None:
    rows = [await begun(store) for _ in range(5)]
    fenced = await store.append([batch(row, 1, PartStart(0, "text")) for row in rows])
    assert fenced == set()
    for row in rows:
        assert (await store.generation(ME, row.id)).last_id == (1, 1)


@pytest.mark.parametrize(
    ("first", "epoch"), [(1, 1), (3, 1), (2, 2), (0, 2)], ids=["again", "gap", "epoch", "opening"]
)
async def test_records_that_do_not_follow_the_last_one_are_fenced(
    store: Store, first: int, epoch: int
) -> None:
    row, other = await begun(store), await begun(store)
    await store.append([batch(row, 1, PartStart(0, "text"))])
    wrong = batch(row, first, TextDelta(0, "x"), epoch=epoch)
    assert await store.append([wrong, batch(other, 1, PartStart(0, "text"))]) == {row.id}
    assert (await store.generation(ME, row.id)).last_id == (1, 1)
    assert (await store.generation(ME, other.id)).last_id == (1, 1)


async def test_a_former_owner_is_fenced_and_nothing_of_it_enters(open_store: OpenStore) -> None:
    old, new = await open_store("instance-1"), await open_store("instance-2")
    row = await begun(old)
    (orphan,) = await new.orphans("instance-2")
    opening = [Record(RecordId(2, 0), 3000, Open("1-0", "p/m"))]
    assert await new.claim(orphan.row, "instance-2", opening)
    assert await old.append([batch(row, 1, TextDelta(0, "late"))]) == {row.id}
    assert await old.append([batch(row, 1, TextDelta(0, "late"), epoch=2)]) == {row.id}
    assert await new.append([batch(row, 1, TextDelta(0, "mine"), epoch=2)]) == set()
    kinds = [(str(r.id), r.event.kind) for r in await new.records(ME, row.id, START, 10)]
    assert kinds == [("1-0", "open"), ("2-0", "open"), ("2-1", "text-delta")]


async def test_an_orphan_is_claimed_once(open_store: OpenStore) -> None:
    await begun(await open_store("instance-1"))
    two, three = await open_store("instance-2"), await open_store("instance-3")
    (orphan,) = await two.orphans("instance-2")
    opening = [Record(RecordId(2, 0), 3000, Open("1-0", "p/m"))]
    claims = await asyncio.gather(
        two.claim(orphan.row, "instance-2", opening), three.claim(orphan.row, "instance-3", opening)
    )
    assert sorted(claims) == [False, True]
    assert (await two.generation(ME, orphan.row.id)).recoveries == 1
    assert len(await two.records(ME, orphan.row.id, START, 10)) == 2


async def test_only_what_runs_under_another_owner_is_an_orphan(open_store: OpenStore) -> None:
    one = await open_store("instance-1")
    running, _ended = await begun(one), await answered(one)
    assert await one.orphans("instance-1") == []
    two = await open_store("instance-2")
    assert [(o.subject, o.row.id) for o in await two.orphans("instance-2")] == [(ME, running.id)]


async def test_the_end_folds_the_log_into_the_message(store: Store) -> None:
    row = await begun(store)
    seam = Seam("options", "prefix", "p/n", {}, 4)
    log = (PartStart(0, "text"), TextDelta(0, "half"), seam, TextDelta(0, " whole"), PartEnd(0))
    await store.append([batch(row, 1, *log)])
    assert (await store.message(ME, row.message)).parts == ()
    await store.append([batch(row, 6, end("stopped", "half whole"))])
    message = await store.message(ME, row.message)
    assert message.parts == (TextPart("half whole"),)
    assert (message.status, message.model) == ("stopped", "p/n")
    assert message.seams[0]["text_length"] == 4
    assert message.end is not None
    assert message.end["text_length"] == 10
    now = await store.generation(ME, row.id)
    assert (now.status, now.end) == ("stopped", message.end)
    assert (await store.conversation(ME, row.conversation)).status == "stopped"


async def test_nothing_follows_an_end(store: Store) -> None:
    row = await answered(store)
    assert await store.append([batch(row, 5, TextDelta(0, "more"))]) == {row.id}
    assert len(await store.records(ME, row.id, START, 100)) == 5


async def test_trimming_deletes_old_logs_and_keeps_message_and_trace(store: Store) -> None:
    old, running = await answered(store), await begun(store)
    assert await store.trim(2003) == 0
    assert await store.trim(2004) == 1
    assert await store.trim(2004) == 0
    trimmed = await store.generation(ME, old.id)
    assert (trimmed.trimmed, await store.records(ME, old.id, START, 9)) == (True, [])
    assert trimmed.trace is not None
    assert [line[1] for line in trimmed.trace["records"]] == [
        "open",
        "part-start",
        "text-delta",
        "part-end",
        "generation-end",
    ]
    assert (await store.message(ME, old.message)).parts == (TextPart("Because."),)
    assert not (await store.generation(ME, running.id)).trimmed


# ---- conversations -------------------------------------------------------------------------------


async def test_nobody_sees_anything_of_another_subject(store: Store) -> None:
    row = await answered(store, text="secret words")
    assert await store.records(OTHER, row.id, START, 10) == []
    for call in (
        store.generation(OTHER, row.id),
        store.conversation(OTHER, row.conversation),
        store.messages(OTHER, row.conversation),
        store.message(OTHER, row.message),
        store.path(OTHER, row.message),
        store.update_conversation(OTHER, row.conversation, {"title": "mine"}),
        store.delete_conversation(OTHER, row.conversation),
        store.restore_conversation(OTHER, row.conversation),
        store.start(OTHER, a_send(row.conversation)),
    ):
        with pytest.raises(NotFound):
            await call
    for query in ("", "secret"):
        listing = await store.conversations(OTHER, query=query, cursor=None, limit=9, origin=None)
        assert listing.rows == ()
    assert await store.ended_generations(OTHER, 0) == []
    assert await store.generations_by_key(OTHER, "k", "f") == []
    assert (await store.conversation(ME, row.conversation)).title == ""


async def test_pages_of_the_list_hold_everything_once_pinned_first(
    store: Store, clock: Clock
) -> None:
    made = []
    for number in range(23):
        clock.now += number % 3  # some of the same millisecond
        made.append(await new_conversation(store))
    for conversation in made[::5]:
        await store.update_conversation(ME, conversation, {"pinned": True})
    seen: list[Any] = []
    cursor: str | None = None
    while True:
        page = await store.conversations(ME, query="", cursor=cursor, limit=4, origin=None)
        assert len(page.rows) <= 4
        seen += page.rows
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(row.id for row in seen) == sorted(made)
    keys = [(row.pinned, row.updated_at, row.id) for row in seen]
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize(
    "cursor", ["x", "1:2", "1:x:c", ":::", "1:99999999999999999999:c", "2:-1:c"]
)
async def test_an_invented_cursor_is_a_bad_request(store: Store, cursor: str) -> None:
    with pytest.raises(BadRequest):
        await store.conversations(ME, query="", cursor=cursor, limit=4, origin=None)


async def test_the_list_can_be_of_one_origin(store: Store) -> None:
    page, api = (
        await new_conversation(store, title="same"),
        await new_conversation(store, title="same", origin="api"),
    )
    for query in ("", "same"):
        for origin, wanted in (("page", {page}), ("api", {api}), (None, {page, api})):
            found = await store.conversations(ME, query=query, cursor=None, limit=9, origin=origin)
            assert {row.id for row in found.rows} == wanted


async def test_search_finds_words_of_questions_answers_and_titles(store: Store) -> None:
    by_answer = (await answered(store, text="A crème brûlée, of course.")).conversation
    by_question = (await begun(store, text="Which marzipan?")).conversation
    by_title = await new_conversation(store, title="Sachertorte 100%")

    async def found(query: str) -> dict[str, str | None]:
        page = await store.conversations(ME, query=query, cursor=None, limit=9, origin=None)
        return {row.id: row.snippet for row in page.rows}

    assert await found("CREME brul") == {by_answer: "A \x02crème\x03 \x02brûlée\x03, of course."}
    assert set(await found("marzi")) == {by_question}
    assert set(await found("torte 100%")) == {by_title}
    assert await found("nothing like it") == {}
    await store.delete_conversation(ME, by_answer)
    assert await found("creme") == {}


@pytest.mark.parametrize(
    "query",
    [*"\"'*-%_\\(", "a\x00b", 'x" OR "y', "NEAR(a b)", "a*", "text:a", "^a", "a\ud800"],
    ids=ascii,
)
async def test_search_takes_any_text(store: Store, query: str) -> None:
    await answered(store, text="a b c")
    found = await store.conversations(ME, query=query, cursor=None, limit=9, origin=None)
    assert len(found.rows) <= 1


async def test_a_match_in_encoded_data_is_not_listed_with_all_of_it(store: Store) -> None:
    await answered(store, text="data:image/png;base64," + "A1b2" * 250_000)
    found = await store.conversations(ME, query="A1b2A1b2", cursor=None, limit=9, origin=None)
    assert len(found.rows[0].snippet or "") == 400


async def test_changes_of_a_conversation(store: Store, clock: Clock) -> None:
    row = await answered(store)
    before = await store.conversation(ME, row.conversation)
    clock.now += 10
    pinned = await store.update_conversation(ME, row.conversation, {"pinned": True})
    assert pinned == replace(before, pinned=True)
    changes = {"title": "New", "options": {"temperature": 0.5}, "model": "p/m", "leaf": None}
    now = await store.update_conversation(ME, row.conversation, changes)
    assert (now.title, now.options, now.leaf) == ("New", {"temperature": 0.5}, None)
    assert now.updated_at == before.updated_at  # a title that arrives late is no activity
    with pytest.raises(BadRequest):
        await store.update_conversation(ME, row.conversation, {"subject": OTHER})
    elsewhere = await answered(store)
    with pytest.raises(NotFound):
        await store.update_conversation(ME, row.conversation, {"leaf": elsewhere.message})


async def test_the_path_leads_from_the_root_along_one_branch(store: Store) -> None:
    conversation = await new_conversation(store)
    one = await answered(store, conversation=conversation)
    two = await answered(store, conversation=conversation, parent=one.message, text="And then?")
    _branch = await answered(store, conversation=conversation, parent=one.message)
    path = await store.path(ME, two.message)
    assert [m.role for m in path] == ["user", "assistant", "user", "assistant"]
    assert [m.id for m in path[1::2]] == [one.message, two.message]


async def test_generations_of_a_deleted_conversation_are_hidden_with_it(store: Store) -> None:
    row = await begun(store)
    await store.delete_conversation(ME, row.conversation)
    with pytest.raises(NotFound):
        await store.generation(ME, row.id)
    assert (await store.generation(ME, row.id, include_deleted=True)).id == row.id
    with pytest.raises(NotFound):
        await store.generation(OTHER, row.id, include_deleted=True)
    assert await store.append([batch(row, 1, PartStart(0, "text"))]) == set()  # it can still end
    await store.restore_conversation(ME, row.conversation)
    assert (await store.generation(ME, row.id)).last_id == (1, 1)


async def test_a_deleted_conversation_comes_back_until_it_is_purged(
    store: Store, clock: Clock
) -> None:
    row = await answered(store)
    await store.delete_conversation(ME, row.conversation)
    with pytest.raises(NotFound):
        await store.conversation(ME, row.conversation)
    with pytest.raises(NotFound):
        await store.start(ME, a_send(row.conversation))
    assert (await store.restore_conversation(ME, row.conversation)).id == row.conversation
    assert len(await store.messages(ME, row.conversation)) == 2
    await store.delete_conversation(ME, row.conversation)
    assert await store.purge(clock.now) == 0
    assert await store.purge(clock.now + 1) == 1
    with pytest.raises(NotFound):
        await store.restore_conversation(ME, row.conversation)
    with pytest.raises(NotFound):
        await store.generation(ME, row.id)
    assert await store.records(ME, row.id, START, 9) == []


async def test_a_backup_made_while_writing_is_whole(
    store: Store, open_store: OpenStore, tmp_path: Path, clock: Clock
) -> None:
    stop, begun_writing = asyncio.Event(), asyncio.Event()
    written: list[GenerationRow] = []

    async def write() -> None:
        while not stop.is_set():
            written.append(await answered(store))
            begun_writing.set()

    writing = asyncio.create_task(write())
    copies = tmp_path / "copies"
    copies.mkdir()
    await begun_writing.wait()
    for number in range(3):
        await store.backup(str(copies / f"{number}.db"))
    stop.set()
    await writing
    folder = tmp_path / "restored"
    folder.mkdir()
    (copies / "2.db").rename(folder / "grantha.db")
    restored = sql(folder, "instance-9", clock)
    await restored.open()
    try:
        page = await restored.conversations(ME, query="", cursor=None, limit=500, origin=None)
        assert 1 <= len(page.rows) <= len(written)
        for row in page.rows:
            if row.generation is not None and row.status == "done":
                assert (await restored.messages(ME, row.id))[-1].parts == (TextPart("Because."),)
        assert await restored.orphans("instance-1") == []
    finally:
        await restored.aclose()


async def test_an_ephemeral_conversation_is_never_listed_and_purged_soon_after_its_end(
    store: Store, clock: Clock
) -> None:
    row = await begun(store, await new_conversation(store, title="Secret", origin=EPHEMERAL))
    for query in ("", "Secret"):
        found = await store.conversations(ME, query=query, cursor=None, limit=9, origin=None)
        assert found.rows == ()
    assert await store.purge(0) == 0  # it is being written
    await store.append([batch(row, 1, end())])
    clock.now = 2000 + 30_000
    assert await store.purge(0) == 0  # a reader may come back
    clock.now += 1
    assert await store.purge(0) == 1
    with pytest.raises(NotFound):
        await store.generation(ME, row.id)


async def test_what_was_written_is_there_after_closing(open_store: OpenStore) -> None:
    first = await open_store("instance-1")
    row = await answered(first)
    await first.aclose()
    second = await open_store("instance-2")
    assert (await second.generation(ME, row.id)).status == "done"
    for health in (second.health(), await second.check()):
        assert (health.ok, health.durability, health.error) == (True, "OFF", None)
