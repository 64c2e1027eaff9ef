"""The other commands: models, replay, export, import, backup, doctor, completion."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import ssl
import stat
import threading
import time
from pathlib import Path

import pytest

from grantha.api.app import STATIC
from grantha.cli import labels
from grantha.cli.checks import run_checks
from grantha.cli.runner import server_url
from grantha.config import Settings
from grantha.errors import BadRequest
from grantha.events import GenerationEnd, Seam
from tests.cli.command import run
from tests.fake_vendors.tls import self_signed
from tests.server import MakeServer, Server, reserved_port, until

HELLO = "Hello! This answer is read from a script, one word at a time.\n"


def test_models_are_listed_by_id_in_a_pipe(shared: Server) -> None:
    done = run(shared, "models")

    assert done.returncode == 0
    assert "scripted/hello" in done.stdout.splitlines()
    assert "grantha: openai can't be used: OPENAI_API_KEY isn't set" in done.stderr.splitlines()


def test_models_as_json_say_why_a_provider_cannot_be_used(shared: Server) -> None:
    body = json.loads(run(shared, "models", "--json").stdout)

    assert body["default"] == "scripted/hello"
    openai = next(p for p in body["providers"] if p["name"] == "openai")
    assert openai["state"] == "missing-key"
    assert "OPENAI_API_KEY" in openai["reason"]


def test_a_replay_takes_as_long_as_the_answer_took(shared: Server) -> None:
    model = shared.script("paced", {"steps": [{"text": "one "}, {"wait": 0.8}, {"text": "two"}]})
    generation = shared.ask(model)["id"]
    shared.ended(generation)
    began = time.monotonic()
    done = run(shared, "replay", generation)

    assert done.stdout == "one two\n"
    assert time.monotonic() - began > 0.8  # a lower bound: no load makes it shorter


def test_a_replay_of_what_is_still_written_points_to_attach(shared: Server) -> None:
    generation = shared.ask("scripted/silent")["id"]
    done = run(shared, "replay", generation)
    shared.call("POST", f"/api/generations/{generation}/stop")

    assert done.returncode == 1
    assert "--attach" in done.stderr


def test_a_conversation_is_exported_and_imported(shared: Server, tmp_path: Path) -> None:
    run(shared, "chat", "Greet me", "-m", "scripted/hello")
    file = tmp_path / "talk.json"
    exported = run(shared, "export", "-o", str(file))
    again = run(shared, "export", "-o", str(file))
    imported = run(shared, "import", str(file))
    copy = imported.stdout.strip()
    shown = run(shared, "export", copy, "--format", "markdown")

    assert exported.returncode == 0, exported.stderr
    assert exported.stdout == ""
    assert again.returncode == 2
    assert "already exists" in again.stderr
    assert imported.returncode == 0, imported.stderr
    assert HELLO.strip() in shown.stdout


def test_an_import_is_read_from_a_pipe_and_refused_when_it_is_none(shared: Server) -> None:
    run(shared, "chat", "Greet me", "-m", "scripted/hello")
    document = run(shared, "export").stdout

    assert run(shared, "import", "-", stdin=document).stdout.startswith("c_")
    refused = run(shared, "import", "-", stdin="not an export")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1


def test_a_backup_is_made_while_the_server_writes_and_serves_as_a_folder_of_its_own(
    shared: Server, server_factory: MakeServer, tmp_path: Path
) -> None:
    kept = shared.ask("scripted/count-5")["id"]
    text = shared.ended(kept)["text"]
    running = shared.ask("scripted/temperature")["id"]
    file = tmp_path / "backup.db"
    done = run(shared, "backup", str(file))
    again = run(shared, "backup", str(file))
    shared.call("POST", f"/api/generations/{running}/stop")

    assert done.returncode == 0, done.stderr
    assert again.returncode == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("*.db*")] == ["backup.db"]
    restored = server_factory()
    restored.data_dir.mkdir()
    file.rename(restored.database)
    restored.start()
    assert restored.generation(kept)["text"] == text


def test_a_backup_of_nothing_is_an_error_and_leaves_nothing(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    done = run(server_factory(), "backup", str(tmp_path / "backup.db"))

    assert done.returncode == 1
    assert "no database" in done.stderr
    assert list(tmp_path.glob("*backup*")) == []


def test_doctor_finds_nothing_wrong_with_a_server_that_works(shared: Server) -> None:
    done = run(shared, "doctor", env={"GRANTHA_SCRIPTED": "1"})

    assert done.returncode == 0, done.stdout
    assert f"Grantha serves on {shared.url}" in done.stdout
    assert f"✓ data folder: {shared.data_dir}, " in done.stdout
    assert "✓ storage: writes, durability FULL" in done.stdout
    built = (STATIC / "index.html").is_file()
    assert ("✓ page: built" if built else "○ page: isn't built") in done.stdout
    assert "openai" in done.stdout
    assert done.stdout.splitlines()[-1] == "Everything that is set up works."


def test_doctor_asks_the_server_and_not_its_own_shell(server_factory: MakeServer) -> None:
    server = server_factory(
        {
            "GRANTHA_TOKEN": "a-long-secret-for-tests",
            "GROQ_API_KEY": "gsk-not-a-key-of-anybody",
            "GROQ_BASE_URL": "http://127.0.0.1:9/v1",
        }
    )
    server.start(ready=False)
    until(lambda: _answers(server), "the server to answer")
    shell = {"GRANTHA_SCRIPTED": "0", "GRANTHA_DATA_DIR": "/proc/nowhere"}

    without = run(server, "doctor", env=shell)
    assert without.returncode == 1
    assert "requires its access token. Set GRANTHA_TOKEN." in without.stdout
    done = run(server, "doctor", env={**shell, "GRANTHA_TOKEN": "a-long-secret-for-tests"})
    assert done.returncode == 0, done.stdout
    assert "✓ scripted: " in done.stdout
    assert f"✓ data folder: {server.data_dir}, " in done.stdout
    assert "/proc/nowhere" not in done.stdout
    assert "! groq: groq (127.0.0.1:9) can't be reached" in done.stdout
    assert "First (groq): Check that it runs" in done.stdout.splitlines()[-1]
    assert "gsk-" not in done.stdout


def test_doctor_names_a_certificate_that_is_not_trusted(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    context = self_signed(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served = threading.Thread(target=_one_handshake, args=(context, listening))
        served.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        done = run(server_factory(), "doctor", env={"GRANTHA_URL": url})
        served.join()

    assert done.returncode == 1
    assert "isn't trusted here (self-signed certificate)" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("First (server): If you trust it, set SSL_CERT")


def _one_handshake(context: ssl.SSLContext, listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
        pass


def _answers(server: Server) -> bool:
    try:
        return server.call("GET", "/healthz").status == 200
    except OSError:
        return False


def test_doctor_says_what_to_do_where_nothing_can_answer(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    done = run(server_factory(), "doctor")

    assert done.returncode == 1
    assert "No model is available" in done.stdout
    assert "grantha models fetch" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_utf8_gets_simpler_signs(shared: Server, encoding: str) -> None:
    env = {"GRANTHA_SCRIPTED": "1", "PYTHONIOENCODING": encoding}
    done = run(shared, "doctor", env=env)

    assert (done.returncode, done.stderr) == (0, "")
    assert "+ storage: writes" in done.stdout


def test_json_loses_nothing_in_a_terminal_without_utf8(shared: Server) -> None:
    model = shared.script("unicode", {"steps": [{"text": "naïve 👋"}]})
    done = run(shared, "chat", "Go", "-m", model, "--json", env={"PYTHONIOENCODING": "ascii"})

    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert "".join(f["text"] for f in frames if f["kind"] == "text-delta") == "naïve 👋"


async def test_doctor_finds_a_damaged_database(tmp_path: Path) -> None:
    (tmp_path / "grantha.db").write_bytes(b"SQLite format 3\0" + b"garbage" * 1000)

    found = await run_checks(_settings(tmp_path))

    database = next(result for result in found if result.name == "database")
    assert database.state == "error"
    assert "backup" in database.advice


async def test_doctor_finds_a_database_of_a_newer_version(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "grantha.db")
    connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.commit()
    connection.close()

    found = await run_checks(_settings(tmp_path))

    database = next(result for result in found if result.name == "database")
    assert (database.state, "newer" in database.message) == ("error", True)


@pytest.mark.parametrize("listens", [True, False], ids=["taken", "free"])
async def test_doctor_says_if_the_port_is_taken_by_something_else(
    tmp_path: Path, server_factory: MakeServer, listens: bool
) -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async with contextlib.AsyncExitStack() as open_until_then:
        port = open_until_then.enter_context(reserved_port())
        if listens:
            other = await asyncio.start_server(page, "127.0.0.1", port)
            await open_until_then.enter_async_context(other)
        # On a thread: the other server lives on this loop, and the check blocks.
        found = await asyncio.to_thread(lambda: asyncio.run(run_checks(_settings(tmp_path, port))))

    server = next(result for result in found if result.name == "server")
    assert server.state == ("error" if listens else "off")


def test_the_shell_is_offered_the_servers_models(shared: Server) -> None:
    words = {
        "_GRANTHA_COMPLETE": "complete_bash",
        "COMP_WORDS": "grantha chat --model scripted/he",
        "COMP_CWORD": "3",
    }

    def offered() -> list[str]:
        return run(shared, env=words).stdout.split()

    # Asked again, since a shell waits a second only, which a busy machine may need for itself.
    assert until(offered, "the shell to be offered models") == ["scripted/hello"]


def test_the_shell_is_offered_nothing_and_reported_nothing_without_a_server(
    server_factory: MakeServer,
) -> None:
    done = run(
        server_factory(),
        env={
            "_GRANTHA_COMPLETE": "complete_bash",
            "COMP_WORDS": "grantha chat --model scripted/he",
            "COMP_CWORD": "3",
        },
    )

    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (Settings(), "http://127.0.0.1:8000"),
        (Settings(host="0.0.0.0", port=81), "http://127.0.0.1:81"),
        (Settings(host="::"), "http://[::1]:8000"),
        (Settings(host="::1", port=81), "http://[::1]:81"),
        (Settings(url="https://chat.example.org/g"), "https://chat.example.org/g"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_address_of_the_server_follows_from_the_settings(settings: Settings, url: str) -> None:
    assert server_url(settings) == url


def test_a_port_that_the_system_chooses_must_be_named() -> None:
    with pytest.raises(BadRequest, match="port isn't known"):
        server_url(Settings(port=0))


def test_seams_are_worded_as_on_the_page() -> None:
    change = Seam("options", "prefix", "a/b", {}, 5, {"temperature": [0.2, 0.9]})
    fallback = Seam("fallback", "instruction", "c/d", {}, 5)
    nothing = Seam("provider-lost", None, "a/b", {}, 0)

    assert labels.seam(change) == "temperature 0.2 → 0.9 from here · true continuation"
    assert labels.seam(fallback) == (
        "continued by c/d · asked to continue from here, overlap checked"
    )
    assert labels.seam(nothing) == "continued after the provider went away"


def test_an_interrupted_answer_is_never_reported_as_done() -> None:
    cut = GenerationEnd(
        "interrupted", None, None, None, {}, 0, "", {"message": "Three tries failed"}
    )

    assert labels.ending(cut) == "Interrupted when the server stopped. Three tries failed."
    assert labels.numbers(cut) == ""


def _settings(folder: Path, port: int = 0) -> Settings:
    return Settings(data_dir=folder, port=port, local_enabled=False, scripted=True)
