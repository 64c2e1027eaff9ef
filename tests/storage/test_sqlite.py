"""What is particular to SQLite: migrations, settings in force, group commit, errors in our words."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from grantha.api import app
from grantha.engine.ids import new_id
from grantha.errors import GranthaError, StorageFailed, StorageFull
from grantha.storage import connect, conversation_queries
from grantha.storage.base import FILE_NAME, Durability, NewConversation, SearchFilters
from grantha.storage.readers import ReaderPool
from grantha.storage.schema import metadata
from grantha.storage.sql import SqlStore, copy_database
from grantha.storage.writer import storage_error
from tests.contracts.test_store import ME, answered

MIGRATIONS = Path(connect.__file__).parent / "migrations" / "versions"


async def opened(folder: Path, synchronous: Durability = "FULL") -> SqlStore:
    store = SqlStore(folder, "instance-1", synchronous)
    await store.open()
    return store


async def filled(folder: Path) -> str:
    store = await opened(folder)
    row = await store.create_conversation("me", NewConversation(new_id("c"), "kept", "page"))
    await store.aclose()
    return row.id


def test_the_newest_migration_is_the_last_of_the_folder() -> None:
    assert max(path.name.split("_")[0] for path in MIGRATIONS.glob("0*.py")) == connect.NEWEST


async def test_migrations_build_exactly_the_tables_that_queries_name(tmp_path: Path) -> None:
    await filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "grantha.db")) as database:
        for table in metadata.sorted_tables:
            found = database.execute(f'PRAGMA table_info("{table.name}")').fetchall()
            built = {row[1]: bool(row[3]) for row in found}
            assert built.keys() == {column.name for column in table.columns}
            for column in table.columns:
                if not column.primary_key:
                    assert built[column.name] == (not column.nullable), (
                        f"{table.name}.{column.name}"
                    )
            indexes = {row[1] for row in database.execute(f'PRAGMA index_list("{table.name}")')}
            assert {str(index.name) for index in table.indexes} <= indexes


async def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    wanted = await filled(tmp_path)
    store = await opened(tmp_path)
    assert (await store.conversation("me", wanted)).title == "kept"
    await store.aclose()


@pytest.mark.parametrize(("name", "level"), [("FULL", 2), ("NORMAL", 1), ("OFF", 0)])
async def test_durability_is_what_the_setting_says(
    tmp_path: Path, name: Durability, level: int
) -> None:
    store = await opened(tmp_path, name)
    assert store._writing is not None
    with store._writing.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert store.health().durability == name
    await store.aclose()


async def test_reading_connections_can_not_write(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    readers = ReaderPool(tmp_path / FILE_NAME)
    for slow in (False, True):
        checkpoint = await readers.run(
            lambda c: c.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar(), slow=slow
        )
        assert checkpoint == 0
        with pytest.raises(StorageFailed, match="readonly"):
            await readers.run(lambda c: c.exec_driver_sql("DELETE FROM conversations"), slow=slow)
    await readers.aclose()
    await store.aclose()


async def test_a_failing_job_harms_no_other_in_its_transaction(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    same = NewConversation("c_same", "", "page")
    results = await asyncio.gather(
        store.create_conversation("me", same),
        store.create_conversation("me", same),
        store.create_conversation("me", NewConversation("c_other", "", "page")),
        return_exceptions=True,
    )
    failed = [result for result in results if isinstance(result, BaseException)]
    assert len(failed) == 1
    assert isinstance(failed[0], GranthaError)
    assert (await store.conversation("me", "c_other")).id == "c_other"
    assert store.health().ok
    await store.aclose()


async def test_work_that_comes_after_closing_is_refused_instead_of_waiting(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.aclose()
    with pytest.raises(StorageFailed, match="isn't open"):
        await asyncio.wait_for(store.trim(0), 60)


async def test_what_is_queued_is_written_before_closing(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    made = [
        asyncio.create_task(store.create_conversation("me", NewConversation(f"c_{n}", "", "page")))
        for n in range(50)
    ]
    await asyncio.sleep(0)
    await store.aclose()
    await asyncio.gather(*made, return_exceptions=True)
    with closing(sqlite3.connect(tmp_path / "grantha.db")) as database:
        assert database.execute("SELECT count(*) FROM conversations").fetchone() == (50,)


async def test_after_an_orderly_close_the_log_of_writes_is_folded_in(tmp_path: Path) -> None:
    await filled(tmp_path)
    wal = tmp_path / "grantha.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0


async def test_a_backup_of_a_stopped_server_is_the_same(tmp_path: Path) -> None:
    wanted = await filled(tmp_path / "data")
    copy_database(tmp_path / "data" / "grantha.db", tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT id FROM conversations").fetchall() == [(wanted,)]


async def test_a_backup_never_overwrites_and_needs_a_source(tmp_path: Path) -> None:
    await filled(tmp_path / "data")
    there = tmp_path / "there"
    there.write_text("precious")
    with pytest.raises(StorageFailed, match="exists already"):
        copy_database(tmp_path / "data" / "grantha.db", there)
    assert there.read_text() == "precious"
    with pytest.raises(StorageFailed, match="no database"):
        copy_database(tmp_path / "nothing", tmp_path / "new")


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    store = SqlStore(tmp_path, "instance-1")
    with pytest.raises(StorageFailed, match="isn't open"):
        await store.orphans("instance-1")
    with pytest.raises(StorageFailed, match="isn't open"):
        await store.trim(0)
    assert not store.health().ok


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (sqlite3.SQLITE_FULL, StorageFull, "full"),
        (sqlite3.SQLITE_BUSY, StorageFailed, "locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StorageFailed, "locked"),
        (sqlite3.SQLITE_CORRUPT, StorageFailed, "damaged"),
        (sqlite3.SQLITE_NOTADB, StorageFailed, "damaged"),
        (sqlite3.SQLITE_IOERR_WRITE, StorageFailed, "can't be used"),
    ],
)
def test_errors_of_the_driver_become_errors_of_our_tree(
    code: int, kind: type[GranthaError], said: str
) -> None:
    error = sqlite3.OperationalError("the driver's words")
    error.sqlite_errorcode = code
    found = storage_error(error)
    assert type(found) is kind
    assert said in found.message


async def test_the_file_shrinks_after_something_was_deleted(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    row = await store.create_conversation(
        "me", NewConversation(new_id("c"), "long", "page", system_prompt="x" * 8_000_000)
    )
    await store.delete_conversation("me", row.id)
    assert await store.purge(2**60) == 1
    freed = [await store.shrink()]
    while freed[-1]:
        freed.append(await store.shrink())
    assert freed[0] == 512  # 2 MB
    assert len(freed) < 12
    await store.aclose()
    assert (tmp_path / "grantha.db").stat().st_size < 1_000_000


async def test_a_file_that_cannot_shrink_is_left_alone(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.aclose()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        database.execute("PRAGMA auto_vacuum = NONE")
        database.execute("VACUUM")  # as tools do that write a database again
    store = await opened(tmp_path)
    row = await store.create_conversation(
        "me", NewConversation(new_id("c"), "long", "page", system_prompt="x" * 100_000)
    )
    await store.delete_conversation("me", row.id)
    assert await store.purge(2**60) == 1
    assert await store.shrink() == 0
    await store.aclose()


async def test_the_log_of_writes_shrinks_once_a_long_read_is_over(tmp_path: Path) -> None:
    store = await opened(tmp_path, "OFF")
    log = tmp_path / f"{FILE_NAME}-wal"
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM conversations").fetchall()
        new = NewConversation("c_long", "long", "page", system_prompt="x" * 30_000_000)
        await store.create_conversation("me", new)
        reader.execute("ROLLBACK")
    assert log.stat().st_size > 30_000_000
    for number in range(3):  # the first one folds it in, the next starts it over
        await store.create_conversation("me", NewConversation(f"c_{number}", "short", "page"))
    assert log.stat().st_size <= 16 * 1024 * 1024
    await store.aclose()


async def test_thousands_of_ephemeral_answers_are_deleted_in_one_go(tmp_path: Path) -> None:
    store = await opened(tmp_path, "OFF")
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        for n in range(300):
            database.execute(
                "INSERT INTO conversations (id, subject, title, title_by, pinned, origin, "
                "system_prompt, options, generation, created_at, updated_at) "
                "VALUES (?, 'me', '', 'none', 0, 'ephemeral', '', '{}', ?, 0, 0)",
                (f"c{n}", f"g{n}"),
            )
            database.execute(
                "INSERT INTO generations (id, subject, conversation, message, model, options, status, "
                "owner, epoch, seq, recoveries, created_at, ended_at, trimmed) "
                "VALUES (?, 'me', ?, 'm', 'a/b', '{}', 'done', 'o', 1, 1, 0, 0, 0, 0)",
                (f"g{n}", f"c{n}"),
            )
        database.commit()
    await app._repeat(partial(store.purge, 0))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        assert database.execute("SELECT count(*) FROM conversations").fetchone() == (0,)
    await store.aclose()
    # What a round leaves waits for the next one: a minute after its end, all of 5,000 are gone.
    assert app._MAX_BATCHES * conversation_queries.PURGE_BATCH >= 5000
    assert app._CLEANUP_INTERVAL + 30 <= 60


@pytest.mark.parametrize("met_by", ["a search", "a search of messages", "a deletion"])
async def test_a_damaged_full_text_index_is_rebuilt(tmp_path: Path, met_by: str) -> None:
    store = await opened(tmp_path)
    kept, deleted = await answered(store, "three blind mice"), await answered(store, "blind mice")
    with closing(sqlite3.connect(store._path)) as database:
        remove = "INSERT INTO messages_text(messages_text, rowid, text) VALUES ('delete', ?, ?)"
        # The second was never there.
        for number, text in ((2, "three"), (4, "blind mice and men")):
            database.execute(remove, (number, text))
        database.commit()
    if met_by == "a deletion":
        await store.delete_conversation(ME, deleted.conversation)
        assert await store.purge(2**60) == 1
    expected = {kept.conversation} | (set() if met_by == "a deletion" else {deleted.conversation})
    if met_by == "a search of messages":
        hits = (await store.search(ME, "mice", SearchFilters(), cursor=None, limit=9)).hits
        assert {hit.conversation for hit in hits} == expected
    for query, found in (("mice", expected), ("three", {kept.conversation})):
        page = await store.conversations(ME, query=query, cursor=None, limit=9, origin=None)
        assert {row.id for row in page.rows} == found
    await store.aclose()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_nobody_else_may_read_the_folder_and_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    await filled(folder)
    for path in folder.iterdir():
        path.chmod(0o644)  # as a version before this one left them
    folder.chmod(0o755)
    store = await opened(folder)
    modes = {path.name: _mode(path) for path in folder.iterdir()}
    await store.aclose()
    assert _mode(folder) == 0o700
    assert {"grantha.db", "grantha.db-wal", "grantha.db-shm", "write.lock"} <= modes.keys()
    assert set(modes.values()) == {0o600}


async def test_a_folder_with_other_files_keeps_its_mode_unless_others_may_write_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "letter.txt").write_text("Dear", encoding="utf-8")
    await filled(folder)
    assert _mode(folder) == 0o755
    assert _mode(folder / "grantha.db") == 0o600
    folder.chmod(0o777)
    with pytest.raises(StorageFailed, match="may be written by other users") as refused:
        await opened(folder)
    assert str(folder) in refused.value.advice
