"""`grantha models fetch` and `available`: models for this machine, from a list, an address or a file."""

from __future__ import annotations

import http.server
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from grantha.providers.local.curated import CURATED
from tests.cli.command import Terminal, run
from tests.http_host import serving_http
from tests.providers.local.conftest import PAIRS, gguf
from tests.server import MakeServer, Server, reserved_port


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    """Address of a web server that has `own.gguf`."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "own.gguf").write_bytes(gguf(PAIRS))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with serving_http(handler) as port:
        yield f"http://127.0.0.1:{port}"


def test_the_list_names_size_licence_and_what_is_there(server_factory: MakeServer) -> None:
    server = server_factory()
    lines = run(server, "models", "available").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [model.name for model in CURATED]
    assert "0.6 GB" in lines[0]
    assert "Apache-2.0" in lines[0]
    assert "fetched" not in lines[0]
    models = server.data_dir / "models"
    models.mkdir(parents=True)
    (models / CURATED[0].file).write_bytes(b"")
    assert "fetched" in run(server, "models", "available").stdout.splitlines()[0]


def test_a_fetched_model_is_offered_by_a_running_server(
    server_factory: MakeServer, files: str
) -> None:
    server = server_factory({"GRANTHA_LOCAL_ENABLED": "1"}).start()
    done = run(server, "models", "fetch", f"{files}/own.gguf")
    path = server.data_dir / "models" / "own.gguf"
    assert (done.stdout, done.stderr) == (f"{path}\n", "")
    assert done.returncode == 0
    assert "local/own" in run(server, "models").stdout.splitlines()


def test_a_person_sees_a_bar(server_factory: MakeServer, files: str) -> None:
    server = server_factory()
    with Terminal(server, "models", "fetch", f"{files}/own.gguf", columns=120) as window:
        assert window.finish() == 0
    assert "bytes" in window.text
    assert "own.gguf" in window.text


@pytest.mark.parametrize(
    ("words", "reported"),
    [
        (["gpt-7"], "There is no model 'gpt-7' to fetch."),
        (["http://127.0.0.1:1/"], "isn't the name of a GGUF file"),
        (["/nowhere/model.gguf"], "/nowhere/model.gguf can't be read"),
        (["qwen3-0.6b", "--from", "/nowhere/model.gguf"], "/nowhere/model.gguf can't be read"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(
    server_factory: MakeServer, words: list[str], reported: str
) -> None:
    done = run(server_factory(), "models", "fetch", *words)
    assert done.returncode in {1, 2}
    assert done.stdout == ""
    assert reported in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_network_it_says_so_and_what_to_do(server_factory: MakeServer) -> None:
    with reserved_port() as port:
        away = {"HF_ENDPOINT": f"http://127.0.0.1:{port}"}
        done = run(server_factory(), "models", "fetch", "qwen3-0.6b", env=away)
    assert done.returncode == 1
    assert "127.0.0.1 can't be reached" in done.stderr
    assert "--from FILE" in done.stderr


def test_a_model_is_removed_and_a_running_server_offers_it_no_longer(
    server_factory: MakeServer, files: str
) -> None:
    server = server_factory({"GRANTHA_LOCAL_ENABLED": "1"}).start()
    assert run(server, "models", "fetch", f"{files}/own.gguf").returncode == 0
    done = run(server, "models", "remove", "local/own")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Deleted own, 0.0 MB\n", "")
    assert "local/own" not in run(server, "models").stdout.splitlines()
    again = run(server, "models", "remove", "local/own")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("grantha: There is no local model 'own'. Installed: ")
    assert again.stderr.count("\n") == 1


def test_what_an_unfinished_download_left_is_removed(server_factory: MakeServer) -> None:
    server = server_factory()
    models = server.data_dir / "models"
    models.mkdir(parents=True)
    (models / f".{CURATED[0].file}.part").write_bytes(b"1" * 2_500_000)
    done = run(server, "models", "remove", CURATED[0].name)
    assert done.stdout == f"Deleted the unfinished download of {CURATED[0].name}, 2.5 MB\n"
    assert not list(models.iterdir())


def test_a_digest_has_64_digits(shared: Server) -> None:
    done = run(shared, "models", "fetch", "x.gguf", "--sha256", "abc")
    assert done.returncode == 2
    assert "64 hexadecimal digits" in done.stderr
