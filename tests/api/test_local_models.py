"""Models are downloaded by the server: listed, started, paused, resumed after `kill -9`, verified."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from grantha.providers.local.builtin import VERDICTS
from grantha.providers.local.curated import CURATED
from tests.downloads.file_host import FileHost, serving
from tests.providers.local.conftest import PAIRS, gguf
from tests.server import DEADLINE, MakeServer, Server, reserved_port, until

CONTENT = gguf(PAIRS) + b"\7" * 3_000_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = "/api/local-models"
HERE = {"GRANTHA_LOCAL_ENABLED": "1", "GRANTHA_DOWNLOAD_NETWORKS": "127.0.0.0/8"}


@pytest.fixture
def host() -> Iterator[FileHost]:
    """Serves a model."""
    with serving(FileHost(CONTENT)) as started:
        yield started


@pytest.fixture(scope="module")
def shared_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with local models, which may download from this machine."""
    made = Server(tmp_path_factory.mktemp("machine"), HERE).start()
    yield made
    made.close()


@pytest.fixture
def machine(shared_machine: Server) -> Iterator[Server]:
    """The same, without any download or fetched model: it takes seconds to start."""
    if not shared_machine.alive:
        shared_machine.start()
    yield shared_machine
    shared_machine.call("DELETE", f"{PATH}/download")
    for name in _files(shared_machine):
        (shared_machine.data_dir / "models" / name).unlink()


def _download(server: Server) -> dict[str, Any] | None:
    found: dict[str, Any] | None = server.call("GET", PATH).expect(200)["download"]
    return found


def _start(server: Server, host: FileHost, **body: str) -> dict[str, Any]:
    return server.call("POST", f"{PATH}/download", {"url": host.url, **body}).expect(202)


def _until(server: Server, state: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        download = _download(server)
        return download if download is not None and download["state"] == state else None

    return until(found, f"the download to be {state}", hint=server.output)


def _until_received(server: Server, size: int) -> None:
    def there() -> bool:
        download = _download(server)
        return download is not None and download["received"] >= size

    until(there, f"{size} bytes to arrive", hint=server.output)


def _models(server: Server) -> set[str]:
    return {model["id"] for model in server.call("GET", "/api/models").expect(200)["items"]}


def test_a_finished_model_is_offered_without_a_restart(machine: Server, host: FileHost) -> None:
    assert "local/own" not in _models(machine)
    assert _start(machine, host, sha256=SHA256.upper())["state"] == "running"
    done = _until(machine, "done")
    assert (done["model"], done["received"], done["total"]) == (
        "local/own",
        len(CONTENT),
        len(CONTENT),
    )
    assert "local/own" in _models(machine)
    assert (machine.data_dir / "models/own.gguf").read_bytes() == CONTENT


def test_the_list_names_size_licence_and_what_is_there(machine: Server) -> None:
    models = machine.data_dir / "models"
    models.mkdir(exist_ok=True)
    complete, begun, absent = CURATED[:3]
    _sparse(models / complete.file, complete.size)
    _sparse(models / f".{begun.file}.part", 1000)
    found = machine.call("GET", PATH).expect(200)
    rows = {row["name"]: row for row in found["items"]}
    assert list(rows) == [model.name for model in CURATED]
    assert (rows[complete.name]["model"], rows[complete.name]["partial"]) == (
        f"local/{complete.file[:-5].lower()}",
        0,
    )
    assert (rows[begun.name]["model"], rows[begun.name]["partial"]) == (None, 1000)
    assert rows[absent.name]["size"] == absent.size
    assert rows[absent.name]["license"] == "Apache-2.0"
    assert found["free"] > 0
    assert found["engine"] is True
    assert found["download"] is None


def test_a_download_goes_on_after_kill_9_where_it_was(machine: Server, host: FileHost) -> None:
    host.allow(1_000_000)
    _start(machine, host, sha256=SHA256)
    _until_received(machine, 1_000_000)
    machine.kill()
    host.allow(None)
    machine.start()
    assert _until(machine, "done")["model"] == "local/own"
    assert host.requests[0] == ""
    # What the process had read and not yet written is lost with it.
    assert 0 < int(host.requests[-1].removeprefix("bytes=").removesuffix("-")) <= 1_000_000
    assert (machine.data_dir / "models/own.gguf").read_bytes() == CONTENT


def test_a_paused_download_waits_over_a_restart_until_it_is_resumed(
    machine: Server, host: FileHost
) -> None:
    host.allow(1_000_000)
    _start(machine, host)
    _until_received(machine, 1_000_000)
    assert machine.call("POST", f"{PATH}/download/pause").expect(200)["state"] == "paused"
    assert machine.call("POST", f"{PATH}/download/pause").status == 409
    machine.restart()
    paused = _until(machine, "paused")
    assert 0 < paused["received"] <= 1_000_000
    assert paused["total"] == len(CONTENT)
    host.allow(None)
    assert machine.call("POST", f"{PATH}/download/resume").expect(202)["state"] == "running"
    _until(machine, "done")
    assert len(host.requests) == 2
    assert (machine.data_dir / "models/own.gguf").read_bytes() == CONTENT


def test_a_cancelled_download_leaves_nothing(machine: Server, host: FileHost) -> None:
    host.allow(1_000_000)
    _start(machine, host)
    _until_received(machine, 1_000_000)
    assert machine.call("DELETE", f"{PATH}/download").status == 204
    assert _download(machine) is None
    assert machine.call("DELETE", f"{PATH}/download").status == 404
    assert _files(machine) == set()


def test_models_are_downloaded_one_at_a_time(machine: Server, host: FileHost) -> None:
    host.allow(1_000_000)
    _start(machine, host)
    _until_received(machine, 1_000_000)
    again = machine.call("POST", f"{PATH}/download", {"url": host.url}).expect(202)
    assert again["state"] == "running"
    other = machine.call("POST", f"{PATH}/download", {"name": CURATED[0].name})
    assert other.expect(409)["code"] == "conflict"
    assert "own.gguf" in other.json()["detail"]
    machine.call("POST", f"{PATH}/download/pause").expect(200)
    assert machine.call("POST", f"{PATH}/download", {"name": CURATED[0].name}).status == 409
    assert len(host.requests) == 1


def test_another_content_than_the_named_one_is_refused_and_not_kept(
    machine: Server, host: FileHost
) -> None:
    _start(machine, host, sha256="0" * 64)
    failed = _until(machine, "failed")
    assert failed["error"]["code"] == "provider_failed"
    assert SHA256 in failed["error"]["message"]
    assert failed["received"] == 0
    assert not {name for name in _files(machine) if "own.gguf" in name}
    # A failure that left nothing is in nobody's way.
    _start(machine, host, sha256=SHA256)
    _until(machine, "done")


def test_what_is_no_model_is_refused_and_not_kept(machine: Server, host: FileHost) -> None:
    host.content = b"<html>Sign in first</html>"
    _start(machine, host)
    failed = _until(machine, "failed")
    assert "can't be used as a model" in failed["error"]["message"]
    assert "local/own" not in _models(machine)


def test_without_a_network_it_says_so(server_factory: MakeServer) -> None:
    with reserved_port() as port:
        away = {**HERE, "HF_ENDPOINT": f"http://127.0.0.1:{port}"}
        server = server_factory(away).start()
        server.call("POST", f"{PATH}/download", {"name": CURATED[0].name}).expect(202)
        failed = _until(server, "failed")
    assert failed["error"]["code"] == "unreachable"
    assert "127.0.0.1 can't be reached" in failed["error"]["message"]
    assert str(server.data_dir / "models") in failed["error"]["advice"]
    assert failed["title"] == CURATED[0].title


def test_another_file_at_the_hub_is_refused(server_factory: MakeServer, host: FileHost) -> None:
    hub = {**HERE, "HF_ENDPOINT": host.url.removesuffix("/models/own.gguf")}
    server = server_factory(hub).start()
    server.call("POST", f"{PATH}/download", {"name": CURATED[0].name}).expect(202)
    assert "instead of" in _until(server, "failed")["error"]["message"]


@pytest.mark.parametrize("redirected", [False, True])
def test_private_networks_are_out_of_reach_unless_they_are_allowed(
    server_factory: MakeServer, host: FileHost, redirected: bool
) -> None:
    # The name and the redirect lead to the same place; only the place counts.
    networks = "127.0.0.2" if redirected else ""
    env = {"GRANTHA_LOCAL_ENABLED": "1", "GRANTHA_DOWNLOAD_NETWORKS": networks}
    server = server_factory(env).start()
    url = host.url
    if redirected:
        with serving(FileHost(b"", redirect=host.url), address="127.0.0.2") as first:
            server.call("POST", f"{PATH}/download", {"url": first.url}).expect(202)
            failed = _until(server, "failed")
            assert len(first.requests) == 1
    else:
        server.call("POST", f"{PATH}/download", {"url": url.replace("127.0.0.1", "localhost")})
        failed = _until(server, "failed")
    assert failed["error"]["code"] == "forbidden"
    assert "GRANTHA_DOWNLOAD_NETWORKS" in failed["error"]["advice"]
    assert host.requests == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": CURATED[0].name, "url": "https://models.example/a.gguf"},
        {"name": CURATED[0].name, "sha256": "0" * 64},
        {"url": "/etc/model.gguf"},
        {"url": "file:///etc/model.gguf"},
        {"url": "https:///model.gguf"},
        {"url": "https://models.example/model.zip"},
        {"url": "https://models.example/.gguf"},
        {"url": "https://user:secret@models.example/model.gguf"},
        {"url": "https://models.example/a model.gguf"},
        {"url": "https://models.example/model.gguf", "sha256": "abc"},
        {"url": "https://[::1/model.gguf"},
        {"url": "x" * 2001},
    ],
)
def test_what_names_no_model_is_refused(machine: Server, body: dict[str, str]) -> None:
    reply = machine.call("POST", f"{PATH}/download", body)
    assert reply.status == 400, reply.body
    assert b"secret" not in reply.body
    assert _download(machine) is None


def test_an_unknown_name_is_a_404(machine: Server) -> None:
    reply = machine.call("POST", f"{PATH}/download", {"name": "gpt-7"})
    assert reply.expect(404)["code"] == "unknown_model"


def test_a_model_that_is_there_is_not_downloaded_over(machine: Server, host: FileHost) -> None:
    models = machine.data_dir / "models"
    models.mkdir(exist_ok=True)
    (models / "own.gguf").write_bytes(b"mine")
    assert machine.call("POST", f"{PATH}/download", {"url": host.url}).status == 409
    assert (models / "own.gguf").read_bytes() == b"mine"
    assert host.requests == []


@pytest.mark.parametrize(
    "note", ["", "[]", "{}", '{"state": "running"}', '{"state": "running", "name": "gone"}', "\0"]
)
def test_a_note_that_cannot_be_used_is_no_download(server_factory: MakeServer, note: str) -> None:
    server = server_factory(HERE)
    (server.data_dir / "models").mkdir(parents=True)
    (server.data_dir / "models/download.json").write_text(note)
    server.start()
    assert _download(server) is None


def test_the_models_of_this_machine_are_listed_and_its_own_are_deleted(
    machine: Server, host: FileHost
) -> None:
    _start(machine, host)
    _until(machine, "done")
    found = machine.call("GET", PATH).expect(200)["installed"]
    assert [model["model"] for model in found][-1] == "local/own"
    assert found[-1] == {
        "model": "local/own",
        "name": None,
        "title": "Little One",
        "file": "own.gguf",
        "size": len(CONTENT),
        "origin": "data-folder",
    }
    assert machine.call("DELETE", f"{PATH}/installed/own").status == 204
    assert "local/own" not in _models(machine)
    # Nobody offers a chat with what is gone.
    assert _download(machine) is None
    assert machine.call("DELETE", f"{PATH}/installed/own").expect(404)["code"] == "unknown_model"
    assert machine.call("DELETE", f"{PATH}/installed/..%2Fgrantha.db").status == 404
    assert (machine.data_dir / "grantha.db").exists()


def test_a_model_that_settings_name_is_not_deleted(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    server = server_factory({**HERE, "GRANTHA_DEFAULT_MODEL": "local/own"})
    (server.data_dir / "models").mkdir(parents=True)
    path = server.data_dir / "models/own.gguf"
    path.write_bytes(CONTENT)
    server.start()
    refused = server.call("DELETE", f"{PATH}/installed/own").expect(409)
    assert "GRANTHA_DEFAULT_MODEL names own" in refused["detail"]
    assert path.exists()


def test_without_local_models_there_is_nothing_to_download(server: Server) -> None:
    reply = server.call("GET", PATH)
    assert reply.expect(422)["code"] == "unsupported"
    assert "GRANTHA_LOCAL_ENABLED" in reply.json()["advice"]


async def test_open_pages_are_notified_of_a_new_and_of_a_deleted_model(
    machine: Server, host: FileHost
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{machine.ws_url}/api/live") as socket,
        asyncio.timeout(DEADLINE),
    ):
        await socket.receive_json()  # hello
        await asyncio.to_thread(_start, machine, host)
        while "local/own" not in await asyncio.to_thread(_models, machine):
            while (await socket.receive_json()).get("change") != "models":
                pass
        await asyncio.to_thread(_until, machine, "done")
        await asyncio.to_thread(machine.call, "DELETE", f"{PATH}/installed/own")
        while "local/own" in await asyncio.to_thread(_models, machine):
            while (await socket.receive_json()).get("change") != "models":
                pass


def _files(server: Server) -> set[str]:
    """Without those of the built-in model, which the server checks and loads meanwhile."""
    found = (server.data_dir / "models").glob("*")
    return {path.name for path in found if path.stem != Path(VERDICTS).stem}


def _sparse(path: Path, size: int) -> None:
    path.touch()
    os.truncate(path, size)
