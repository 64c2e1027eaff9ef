"""`grantha upgrade`: the newest version, how this one was installed, and what happens to the database."""

from __future__ import annotations

import sqlite3
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from grantha import __version__
from grantha.cli.installation import this_installation
from grantha.cli.upgrade import version_key
from grantha.storage.connect import NEWEST
from tests.cli.command import run
from tests.server import MakeServer, Server

VERSIONS = "grantha/storage/migrations/versions"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    return folder


def _publish(index: Path, version: str, migrations: dict[str, str]) -> None:
    with zipfile.ZipFile(index / f"grantha-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("grantha/__init__.py", "")
        for name, source in migrations.items():
            wheel.writestr(f"{VERSIONS}/{name}.py", source)


def _only(index: Path) -> dict[str, str]:
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_CONFIG_FILE": "/dev/null",
        "UV_CONFIG_FILE": "/dev/null",
    }


def test_the_check_names_both_versions_and_the_changes_of_the_database(
    shared: Server, index: Path
) -> None:
    _publish(index, "0.0.1", {})
    _publish(
        index,
        "99.1",
        {
            f"{NEWEST}_known": '"""Known already."""',
            "9998_more": '"""Adds a table of notes.\n\nMore words."""',
            "9999_last": '"""Drops it."""',
        },
    )
    _publish(index, "100.0rc1", {})  # a pre-release is nothing for who runs a release
    done = run(shared, "upgrade", "--check", env=_only(index))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"Installed: {__version__}, a working copy in {Path(__file__).parents[2]}",
        "Newest:    99.1",
        "Database:  schema 9998: Adds a table of notes.",
        "Database:  schema 9999: Drops it.",
    ]


def test_an_unchanged_database_is_reported_as_such(shared: Server, index: Path) -> None:
    _publish(index, "99.1", {f"{NEWEST}_known": '"""Known already."""'})
    done = run(shared, "upgrade", "--check", env=_only(index))
    assert f"Database:  stays as it is (schema {NEWEST})" in done.stdout


def test_the_newest_version_is_reported_to_be_it(server_factory: MakeServer, index: Path) -> None:
    _publish(index, __version__, {})
    done = run(server_factory(), "upgrade", env=_only(index))
    assert done.returncode == 0
    assert "This is the newest version" in done.stdout


def test_an_index_without_grantha_is_reported(server_factory: MakeServer, index: Path) -> None:
    done = run(server_factory(), "upgrade", "--check", env=_only(index))
    assert done.returncode == 1
    assert "No package index of this machine has grantha." in done.stderr


def test_a_working_copy_is_not_touched(shared: Server, index: Path) -> None:
    _publish(index, "99.1", {})
    done = run(shared, "upgrade", env=_only(index))
    assert done.returncode == 1
    assert "Run `git pull`, then `make run`." in done.stderr
    assert not (shared.data_dir / "backups").exists()


def test_a_database_that_cannot_be_read_is_reported(
    server_factory: MakeServer, index: Path
) -> None:
    _publish(index, "99.1", {})
    server = server_factory()
    server.data_dir.mkdir(parents=True)
    with closing(sqlite3.connect(server.database)) as database:
        database.execute("CREATE TABLE other (x)")
    done = run(server, "upgrade", "--check", env=_only(index))
    assert done.returncode == 1
    assert "can't be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("left", "kind", "command"),
    [
        ("uv-receipt.toml", "a tool of uv", ("/bin/uv", "tool", "upgrade", "grantha")),
        ("pipx_metadata.json", "an application of pipx", ("pipx", "upgrade", "grantha")),
    ],
)
def test_the_installer_is_recognised_by_what_it_left(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    left: str,
    kind: str,
    command: tuple[str, ...],
) -> None:
    monkeypatch.setattr(sys, "path", [])  # this installation, which is a working copy, isn't found
    (tmp_path / left).write_text("")
    found = this_installation({"UV": "/bin/uv"}, tmp_path)
    assert (found.kind, found.command) == (kind, command)


def test_an_environment_of_uvx_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])  # this installation, which is a working copy, isn't found
    found = this_installation({}, tmp_path / "cache" / "archive-v0" / "abc")
    assert found.command == ()
    assert "uvx grantha@latest" in found.advice


def test_versions_are_sorted_as_pep_440_says() -> None:
    ordered = [
        *("0.1.dev1", "0.1.0a1", "0.1.0a2", "0.1.0b1", "0.1.0rc1.dev2", "0.1.0rc1", "0.1.0"),
        *("0.1.0.post1", "0.1.1", "0.2", "0.10", "1.0"),
    ]
    keys = [version_key(version) for version in ordered]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert version_key("1.0") == version_key("1.0.0")
    with pytest.raises(ValueError, match=r"1\.x"):
        version_key("1.x")
