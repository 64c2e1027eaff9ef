"""A database of every released schema is brought up to date with all that is in it."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from grantha.chat import TextPart
from grantha.errors import StorageFull
from grantha.events import Event, RecordId, Seam, TextDelta, payload_of
from grantha.storage import connect
from grantha.storage.base import EPHEMERAL, FILE_NAME, SearchFilters
from grantha.storage.connect import NEWEST, migrate, writing_engine
from grantha.storage.sql import SqlStore

MIGRATIONS = Path(connect.__file__).parent / "migrations"
REVISIONS = [
    path.name.partition("_")[0] for path in sorted((MIGRATIONS / "versions").glob("0*.py"))
]
# SHA-256 of the schema that each revision leaves. Databases out there were built by these: a migration is
# never edited, only followed by another one, whose line is added here.
SCHEMAS = {
    "0001": "413b4604c5268214c939b4f7aca4c781ca69cabc4f614fd3a7b9740c95a88aad",
    "0002": "91cfe5198ad485cb31e20d8aba1d70a8bf8bae1850fc012818673da41e291d20",
    "0003": "91cfe5198ad485cb31e20d8aba1d70a8bf8bae1850fc012818673da41e291d20",
    "0004": "a4ac88325255f656846a0c0d624616fd569ff252a96b955acab783f81a093b58",
    "0005": "c194e799b5676f686e30a390c423c3aaf3905cec01feb848f50622246ca0eced",
    "0006": "c194e799b5676f686e30a390c423c3aaf3905cec01feb848f50622246ca0eced",
    "0007": "8e7a5b3eafe08bc4cdff47776f114ec08ed54400b0a3c8bd2969423f7fa6fe59",
    "0008": "c90cb3a0d81fc03f5f7436ad709a44e876ff60808a94013fdb2d33aad7d6b6bf",
    "0009": "dd9c801ac61d4bacea1adff9fd78ab2edb6a6a7eef32c539259e97f232b2eb40",
}
SUBJECT = "local"
ROWS = """
INSERT INTO conversations
    (id, subject, title, title_by, pinned, origin, system_prompt, options, model, leaf, status,
     generation, created_at, updated_at, deleted_at)
VALUES
    ('c_1', 'local', 'Palm leaves', 'person', 1, 'native', 'Be brief.', '{"temperature": 0.5}',
     'scripted/hello', 'm_2', 'done', 'g_1', 1000, 2000, NULL),
    ('c_2', 'local', 'A palm, not stored', 'none', 0, ':ephemeral', '', '{}', NULL, NULL, NULL, NULL, 1000,
     2000, NULL);
INSERT INTO messages
    (number, id, conversation, parent, role, parts, text, model, generation, status, "end", seams,
     citations, created_at)
VALUES
    (1, 'm_1', 'c_1', NULL, 'user', '[{"type": "text", "text": "What is a grantha?"}]',
     'What is a grantha?', NULL, NULL, NULL, NULL, '[]', '[]', 1000),
    (2, 'm_2', 'c_1', 'm_1', 'assistant', '[{"type": "text", "text": "A book of palm leaves."}]',
     'A book of palm leaves.', 'scripted/hello', 'g_1', 'done', NULL, '[]', '[]', 1001);
INSERT INTO generations
    (id, subject, conversation, message, parent, model, options, status, owner, epoch, seq,
     recoveries, created_at, ended_at, "end", trimmed, trace)
VALUES
    ('g_1', 'local', 'c_1', 'm_2', 'm_1', 'scripted/hello', '{"temperature": 0.5}', 'done', 'b_1', 1, 3,
     0, 1001, 1500, NULL, 0, NULL);
"""
# What a running answer has in its log and in the journal, and an ended one in its message.
LOGGED = Seam("options", "prefix", "scripted/hello", {"temperature": 0.5}, 6, {"how": [None, 1]})
JOURNALED = Seam(
    "provider-lost", None, "scripted/hello", {}, 9, details={"how": "lost, \u0917\u2028"}
)
RUNNING = """
INSERT INTO generations
    (id, subject, conversation, message, parent, model, options, status, owner, epoch, seq,
     recoveries, created_at, ended_at, "end", trimmed, trace)
VALUES
    ('g_2', 'local', 'c_1', 'm_3', 'm_2', 'scripted/hello', '{}', 'running', 'b_1', 1, 1, 0, 1002,
     NULL, NULL, 0, NULL);
"""
DAMAGED = b'{"how": "\xff'
HALF_A_PAIR = b'{"how": "\\ud800"}'


def built_at(path: Path, revision: str) -> None:
    """A database as the release with this revision left it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = writing_engine(path, "OFF")
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()


def _schema(path: Path) -> list[str]:
    """Columns, indexes, triggers and full-text tables, however SQL writes them."""
    with closing(sqlite3.connect(path)) as database:
        found = []
        rows = database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        for kind, name, table, sql in rows:
            if table.startswith("messages_text_") or table == "alembic_version":
                continue  # made by SQLite and by Alembic
            if kind == "trigger" or str(sql).startswith("CREATE VIRTUAL TABLE"):
                found.append(" ".join(sql.split()))
            elif kind == "table":
                columns = database.execute(f'PRAGMA table_info("{name}")').fetchall()
                keys = database.execute(f'PRAGMA foreign_key_list("{name}")').fetchall()
                found.append(f"{name} {columns} {keys}")
            else:
                columns = database.execute(f'PRAGMA index_info("{name}")').fetchall()
                found.append(f"{name} of {table} {columns}")
        return sorted(found)


def test_every_revision_has_its_schema_recorded() -> None:
    assert list(SCHEMAS) == REVISIONS
    assert max(SCHEMAS) == NEWEST


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_released_migration_is_not_edited(tmp_path: Path, revision: str) -> None:
    built_at(tmp_path / "old.db", revision)
    schema = "\n".join(_schema(tmp_path / "old.db"))
    assert hashlib.sha256(schema.encode()).hexdigest() == SCHEMAS[revision], schema


@pytest.mark.parametrize("revision", REVISIONS)
async def test_what_an_older_release_stored_is_there_after_the_upgrade(
    tmp_path: Path, revision: str
) -> None:
    old, fresh = tmp_path / FILE_NAME, tmp_path / "fresh.db"
    built_at(old, revision)
    with closing(sqlite3.connect(old)) as database:
        origin = "unkept" if revision < "0003" else EPHEMERAL
        database.executescript(ROWS.replace(":ephemeral", origin))
    for path in (old, fresh):
        engine = writing_engine(path, "FULL")
        migrate(engine)
        engine.dispose()
    assert _schema(old) == _schema(fresh)
    store = SqlStore(tmp_path, "b_2")
    await store.open()
    try:
        listing = await store.conversations(
            SUBJECT, query="palm", cursor=None, limit=10, origin=None
        )
        ephemeral = await store.conversation(SUBJECT, "c_2")
        messages = await store.messages(SUBJECT, "c_1")
        generation = await store.generation(SUBJECT, "g_1")
    finally:
        await store.aclose()
    (conversation,) = listing.rows
    assert conversation.id == "c_1"
    assert ephemeral.origin == EPHEMERAL
    assert (conversation.title, conversation.pinned) == ("Palm leaves", True)
    assert conversation.options == {"temperature": 0.5}
    assert conversation.metadata is None
    assert [message.parts for message in messages] == [
        (TextPart("What is a grantha?"),),
        (TextPart("A book of palm leaves."),),
    ]
    assert (generation.status, generation.last_id) == ("done", RecordId(1, 3))


@pytest.mark.parametrize("revision", [revision for revision in REVISIONS if revision < "0008"])
async def test_texts_without_spaces_of_an_older_release_are_found_after_the_upgrade(
    tmp_path: Path, revision: str
) -> None:
    path = tmp_path / FILE_NAME
    built_at(path, revision)
    texts = {f"m_{number}": f"Zürich {number}: 潮汐表是怎么计算的" for number in range(3, 1200)}
    add = (
        "INSERT INTO messages (id, conversation, role, parts, text, seams, citations, created_at) "
        "VALUES (?, 'c_1', 'user', '[]', ?, '[]', '[]', 1000)"
    )
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(ROWS.replace(":ephemeral", EPHEMERAL))
        database.executemany(add, texts.items())
        database.execute(add.replace("?, '[]'", "CAST(? AS TEXT), '[]'"), ("m_x", b"\xff\xe6"))
    store = SqlStore(tmp_path, "b_2")
    await store.open()
    try:
        found = await store.search(
            SUBJECT, "汐表 zurich", SearchFilters(), cursor=None, limit=len(texts) + 1
        )
        leaf = await store.search(SUBJECT, "leaves", SearchFilters(), cursor=None, limit=9)
    finally:
        await store.aclose()
    assert [hit.message for hit in found.hits] == list(reversed(texts))
    assert found.hits[0].snippet == "\x02Zürich\x03 1199: 潮\x02汐表\x03是怎么计算的"
    assert [hit.message for hit in leaf.hits] == [None, "m_2"]
    with closing(sqlite3.connect(path)) as database:
        # Compares the index with the texts.
        database.execute("INSERT INTO messages_text (messages_text) VALUES ('integrity-check')")
        damaged = database.execute("SELECT CAST(text AS BLOB) FROM messages WHERE id = 'm_x'")
        assert damaged.fetchall() == [(b"\xff\xe6",)]


@pytest.mark.parametrize("revision", [revision for revision in REVISIONS if revision >= "0002"])
async def test_seams_of_an_older_release_are_read_after_the_upgrade(
    tmp_path: Path, revision: str
) -> None:
    path = tmp_path / FILE_NAME
    built_at(path, revision)
    text = TextDelta(0, 'A "how", and a "seam"')
    entries = [["g_2", 1, 2, 1004, text.kind, _stored(text, revision)]]
    entries.append(["g_2", 1, 3, 1005, "seam", _stored(JOURNALED, revision)])
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(ROWS.replace(":ephemeral", EPHEMERAL) + RUNNING)
        seam = json.dumps(_stored(LOGGED, revision))
        database.execute("UPDATE messages SET seams = ? WHERE id = 'm_2'", (f"[{seam}]",))
        database.execute("UPDATE messages SET seams = CAST(? AS TEXT) WHERE id = 'm_1'", (DAMAGED,))
        record = "INSERT INTO records VALUES (?, 1, ?, 1003, 'seam', CAST(? AS TEXT))"
        database.execute(record, ("g_1", 2, DAMAGED))
        database.execute(record, ("g_1", 3, HALF_A_PAIR))
        database.execute(record, ("g_2", 1, seam))
        journal = "INSERT INTO journal VALUES (?, 'b_1', ?)"
        database.execute(journal, (1, json.dumps(entries)))
        database.execute(journal, (2, '[["g_3",1,1,1,"seam",{"how'))
    store = SqlStore(tmp_path, "b_2")
    await store.open()
    try:
        records = await store.records(SUBJECT, "g_2", RecordId(0, 0), 10)
        message = await store.message(SUBJECT, "m_2")
    finally:
        await store.aclose()
    assert [record.event for record in records] == [LOGGED, text, JOURNALED]
    assert message.seams == (json.loads(payload_of(LOGGED)),)
    with closing(sqlite3.connect(path)) as database:
        damaged = database.execute(
            "SELECT CAST(seams AS BLOB) FROM messages WHERE id = 'm_1' "
            "UNION ALL SELECT CAST(payload AS BLOB) FROM records WHERE generation = 'g_1'"
        )
        assert damaged.fetchall() == [(DAMAGED,), (DAMAGED,), (HALF_A_PAIR,)]


def _stored(event: Event, revision: str) -> dict[str, Any]:
    """An event's JSON as the release with this revision wrote it."""
    body: dict[str, Any] = json.loads(payload_of(event))
    if revision < "0006" and "mode" in body:
        body["how"] = body.pop("mode")
    return body


def test_a_first_start_that_failed_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    full = writing_engine(path, "OFF")
    with full.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 8")  # the pool keeps this connection
    with pytest.raises(StorageFull):
        migrate(full)
    full.dispose()
    assert _schema(path) == []
    with_room = writing_engine(path, "OFF")
    migrate(with_room)
    with_room.dispose()
    built_at(tmp_path / "migrated.db", NEWEST)
    assert _schema(path) == _schema(tmp_path / "migrated.db")
