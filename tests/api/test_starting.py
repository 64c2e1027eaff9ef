"""A server that can't start prints one line that says what to do."""

import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from grantha.storage.sql import copy_database
from tests.server import DEADLINE, MakeServer, Server, until


def _refused(server: Server) -> str:
    server.start(ready=False)
    until(lambda: not server.alive, "the server to give up", hint=server.output)
    assert server.process is not None
    assert server.process.returncode in {1, 2}
    words = server.output().strip()
    assert words.startswith("grantha: ")
    assert "\n" not in words, words
    assert "Traceback" not in words
    return words


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_others_may_not_reach_a_server_without_a_token(
    server_factory: MakeServer, host: str
) -> None:
    words = _refused(server_factory({"GRANTHA_HOST": host}))
    assert "no token is set" in words
    assert "GRANTHA_TOKEN" in words


@pytest.mark.parametrize(
    "reachable", [{"GRANTHA_HOST": "0.0.0.0"}, {"GRANTHA_ALLOWED_HOSTS": "chat.example"}]
)
def test_a_token_that_could_be_guessed_is_refused_where_others_can_use_it(
    server_factory: MakeServer, reachable: dict[str, str]
) -> None:
    words = _refused(server_factory({**reachable, "GRANTHA_TOKEN": "t" * 15}))
    assert "GRANTHA_TOKEN has 15 characters" in words


def test_every_origin_may_not_call_a_server_without_a_token(server_factory: MakeServer) -> None:
    words = _refused(server_factory({"GRANTHA_CORS_ORIGINS": "*"}))
    assert "GRANTHA_TOKEN" in words


def test_with_a_token_it_serves_everybody_who_has_it(server_factory: MakeServer) -> None:
    server = server_factory({"GRANTHA_HOST": "0.0.0.0", "GRANTHA_TOKEN": "t" * 32})
    server.start(ready=False)

    def refused() -> bool:
        try:
            return server.call("GET", "/readyz").status == 401
        except OSError:
            return False

    until(refused, "the server to ask for its token", hint=server.output)


def test_a_busy_port_is_named(server_factory: MakeServer) -> None:
    server = server_factory()
    with socket.create_server(("127.0.0.1", server.port)):
        words = _refused(server)
    assert f"GRANTHA_PORT is {server.port}, and that port on 127.0.0.1 is in use" in words
    assert "GRANTHA_PORT" in words


def test_an_address_that_is_not_ours_is_named(server_factory: MakeServer) -> None:
    words = _refused(server_factory({"GRANTHA_HOST": "192.0.2.1", "GRANTHA_TOKEN": "t" * 32}))
    assert "192.0.2.1" in words


def test_a_folder_that_may_not_be_written_is_named(server_factory: MakeServer) -> None:
    server = server_factory()
    server.data_dir = Path("/proc/grantha")  # where even root makes no folders
    words = _refused(server)
    assert "'/proc/grantha'" in words
    assert "GRANTHA_DATA_DIR" in words


def test_a_folder_that_is_a_file_is_named(server_factory: MakeServer, tmp_path: Path) -> None:
    server = server_factory()
    server.data_dir = tmp_path / "a-file"
    server.data_dir.write_text("not a folder")
    words = _refused(server)
    assert str(server.data_dir) in words
    assert "GRANTHA_DATA_DIR" in words


def test_two_servers_do_not_share_a_folder(server_factory: MakeServer) -> None:
    first, second = server_factory().start(), server_factory()
    second.data_dir = first.data_dir
    words = _refused(second)
    assert str(first.data_dir) in words
    assert "GRANTHA_DATA_DIR" in words
    assert first.call("GET", "/readyz").status == 200


@pytest.mark.parametrize("name", ["serve.lock", "write.lock"])
def test_a_lock_that_may_not_be_written_is_named(server_factory: MakeServer, name: str) -> None:
    server = server_factory()
    (server.data_dir / name).mkdir(parents=True)  # even root can't write a folder
    words = _refused(server)
    assert f"({name})" in words
    assert "GRANTHA_DATA_DIR" in words


def test_a_database_of_a_newer_version_is_left_alone(server_factory: MakeServer) -> None:
    server = server_factory()
    server.data_dir.mkdir()
    with closing(sqlite3.connect(server.database)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
        database.commit()
    before = server.database.read_bytes()
    words = _refused(server)
    assert "newer Grantha" in words
    assert "backup" in words
    assert server.database.read_bytes() == before


@pytest.mark.parametrize("version", ["0000", "1", "abc", "", "00*", "../0001", "a\nb"])
def test_a_database_of_an_unknown_schema_is_left_alone(
    server_factory: MakeServer, version: str
) -> None:
    server = server_factory()
    server.data_dir.mkdir()
    with closing(sqlite3.connect(server.database)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES (?)", (version,))
        database.commit()
    before = server.database.read_bytes()
    words = _refused(server)
    assert repr(version) in words
    assert "grantha restore" in words
    assert server.database.read_bytes() == before


def test_a_folder_of_any_name_holds_the_database(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    server = server_factory()
    server.data_dir = tmp_path / "what? a#b%20c"
    server.start()
    assert server.database.exists()
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []
    copy_database(server.database, tmp_path / "copy?.db")
    assert (tmp_path / "copy?.db").stat().st_size > 0


def test_ctrl_c_ends_a_server_well(server: Server) -> None:
    assert server.process is not None
    said = server.output()
    server.process.send_signal(signal.SIGINT)
    # Anything but 0 makes `make run` print an error.
    assert server.process.wait(DEADLINE) == 0
    assert server.output() == said
