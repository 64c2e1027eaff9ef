"""Conversations from the command line: attached files, lists, short ids, everything out, restore."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from grantha.cli.short_ids import short_ids
from tests.cli.command import Terminal, run
from tests.documents import samples
from tests.server import MakeServer, Server

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c63f8cfc0f01f0005000201a5f645400000000049454e44ae426082"
)


def _conversation(server: Server, title: str, text: str = "Go") -> tuple[str, str]:
    """A conversation with one ended answer: both ids."""
    conversation = server.conversation(title=title)
    answer = server.ask("scripted/count-3", text, conversation)["id"]
    server.ended(answer)
    return conversation, answer


# ---- files --------------------------------------------------------------------------------------


def test_files_are_attached_before_the_prompt(shared: Server, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n")
    (tmp_path / "wide.txt").write_bytes("ünï\r\n".encode("utf-16"))
    (tmp_path / "dot.bin").write_bytes(PNG)  # what it is says its content, not its name
    (tmp_path / "minutes.docx").write_bytes(samples.word(samples.paragraph("All agreed.")))
    names = ("notes.md", "wide.txt", "dot.bin", "minutes.docx")
    files = [part for name in names for part in ("-f", name)]
    words = ("chat", "What is this?", *files, "-m", "scripted/hello")
    done = run(shared, *words, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    row = shared.call("GET", "/api/conversations").expect(200)["items"][0]
    conversation = shared.call("GET", f"/api/conversations/{row['id']}").expect(200)
    notes, wide, dot, minutes, text = conversation["messages"][0]["parts"]
    assert (notes["name"], notes["media_type"], notes["text"]) == (
        "notes.md",
        "text/markdown",
        "# Notes\n",
    )
    assert wide["text"] == "ünï\r\n"
    assert (dot["type"], dot["media_type"]) == ("image", "image/png")
    assert (minutes["name"], minutes["text"]) == ("minutes.docx", "All agreed.")
    assert text["text"] == "What is this?"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ascii.pdf", b"%PDF-1.7\n1 0 obj", "ascii.pdf is damaged."),
        ("scan.pdf", samples.pdf([""]), "scan.pdf has no text. If its pages are pictures"),
        ("book.epub", samples.archive({"mimetype": "application/epub+zip"}), "Save it as a PDF"),
        ("photo.heic", b"\x00\x00\x00\x18ftypheic\x00", "Convert it to PNG or JPEG."),
        ("data.bin", b"\x00\x01", "is neither text nor an image"),
        ("latin.txt", b"na\xefve", "Attach its text, in UTF-8."),
        ("empty.txt", b"", "is empty"),
        ("large.png", PNG + bytes(6 * 1024 * 1024), "an image may have 5 MB. Scale it down."),
        ("large.txt", b"x" * (4 * 1024 * 1024 + 1), "Attach a part of it."),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_reason(
    shared: Server, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = run(shared, "chat", "Look", "-f", name, cwd=tmp_path)

    assert done.returncode != 0
    assert name in done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


# ---- lists --------------------------------------------------------------------------------------


def test_conversations_are_listed_and_searched(shared: Server) -> None:
    first, _ = _conversation(shared, "Alpha ☂", "Where is the zebra?")
    second, _ = _conversation(shared, "Beta")

    lines = run(shared, "list", "-n", "2").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == [second, first]
    assert lines[1].split("\t")[2] == "Alpha ☂"
    found = run(shared, "search", "ZEBRA", "--json").stdout.splitlines()
    (hit,) = [json.loads(line) for line in found]
    assert (hit["conversation"], hit["role"]) == (first, "user")
    assert hit["snippet"] == "Where is the \x02zebra\x03?"
    (line,) = run(shared, "search", "the zebra").stdout.splitlines()
    assert line.split("\t")[:2] == [first, hit["message"]]
    assert line.endswith("\tWhere is the zebra?")
    assert run(shared, "search", "alpha", "--until", "2000-01-01").returncode == 1
    nothing = run(shared, "search", "zebra the")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "Nothing has '\"zebra the\"'." in nothing.stderr


def test_a_terminal_shows_hits_below_their_conversation(shared: Server) -> None:
    conversation, _ = _conversation(shared, "Quagga herd", "Where did the quagga live?")
    with Terminal(shared, "search", "quagga") as window:
        assert window.finish() == 0
    lines = [line.rstrip() for line in window.text.splitlines() if line.strip()]
    assert conversation.endswith(lines[0].split()[0])
    assert lines[0].endswith("Quagga herd")
    assert "Where did the quagga live?" in lines[1]


def test_the_list_in_a_terminal_has_ends_of_ids_that_every_command_takes(shared: Server) -> None:
    conversation, answer = _conversation(shared, "Gamma")
    with Terminal(shared, "list", "-n", "3") as window:
        assert window.finish() == 0
    (line,) = [line for line in window.text.splitlines() if "Gamma" in line]
    end = line.split()[0]
    assert conversation.endswith(end)

    assert "# Gamma" in run(shared, "export", end, "--format", "markdown").stdout
    assert run(shared, "chat", "On", "--conversation", end, "-m", "scripted/hello").returncode == 0
    assert run(shared, "replay", answer).stdout == "w0 w1 w2 \n"
    newest = run(shared, "replay", f"c_{end}", "--speed", "100")
    assert newest.stdout.startswith("Hello!"), newest.stderr


def test_an_end_that_fits_several_ids_or_none_is_an_error(shared: Server) -> None:
    for title in ("Delta", "Epsilon"):
        _conversation(shared, title)

    several = run(shared, "export", "c_0")
    assert several.returncode == 2
    assert "Type more of the one that you mean." in several.stderr
    none = run(shared, "export", "zzzzzz")
    assert none.returncode == 1
    assert "begins or ends with 'zzzzzz'. `grantha list` shows them." in none.stderr


def test_the_shown_ends_are_as_long_as_they_must_be() -> None:
    ids = ["c_01m8k5stdw7gags4gv97vq8", "c_01m8k5stdw7gags4gz97vq8"]

    assert list(short_ids(ids).values()) == ["v97vq8", "z97vq8"]
    assert list(short_ids(ids[:1]).values()) == ["97vq8"]
    assert short_ids([]) == {}


# ---- out and back -------------------------------------------------------------------------------


def test_everything_is_exported_as_one_file_that_can_be_imported(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    server = server_factory().start()
    empty = run(server, "export", "--all")
    assert (empty.returncode, empty.stdout) == (1, "")
    ids = {_conversation(server, title)[0] for title in ("One", "Two", "Three")}
    done = run(server, "export", "--all", "-o", str(tmp_path / "all.json"))
    texts = run(server, "export", "--all", "--format", "markdown", "-o", str(tmp_path / "texts"))
    other = server_factory().start()
    imported = run(other, "import", str(tmp_path / "all.json"))

    assert done.returncode == 0, done.stderr
    assert "3 conversations exported" in done.stderr
    assert texts.returncode == 0, texts.stderr
    assert {path.stem for path in (tmp_path / "texts").iterdir()} == ids
    assert len(imported.stdout.split()) == 3
    titles = {line.split("\t")[2] for line in run(other, "list").stdout.splitlines()}
    assert titles == {"One", "Two", "Three"}


def test_a_backup_is_restored_and_what_was_there_is_kept(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    server = server_factory().start()
    old, _ = _conversation(server, "Old")
    backup = str(tmp_path / "backup.db")
    assert run(server, "backup", backup).returncode == 0
    new, _ = _conversation(server, "New")
    refused = run(server, "restore", backup)
    assert refused.returncode == 1
    assert "Stop that one" in refused.stderr
    server.kill()  # its -wal and -shm stay behind
    done = run(server, "restore", backup)

    assert done.returncode == 0, done.stderr
    assert "Removed grantha.db-wal and grantha.db-shm" in done.stderr
    server.start()
    assert run(server, "list").stdout.split("\t")[0] == old
    (kept,) = (server.data_dir / "backups").iterdir()
    assert str(kept) in done.stderr
    with closing(sqlite3.connect(kept)) as database:
        assert {row[0] for row in database.execute("SELECT id FROM conversations")} >= {old, new}


def test_a_damaged_database_is_moved_away_by_a_restore(
    server_factory: MakeServer, tmp_path: Path
) -> None:
    server = server_factory().start()
    old, _ = _conversation(server, "Old")
    backup = str(tmp_path / "backup.db")
    run(server, "backup", backup)
    server.terminate()
    server.database.write_bytes(b"garbage" * 1000)
    done = run(server, "restore", backup)

    assert done.returncode == 0, done.stderr
    assert run(server.start(), "list").stdout.split("\t")[0] == old
    (kept,) = (server.data_dir / "backups").iterdir()
    assert kept.read_bytes() == b"garbage" * 1000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no file"),
        (b"not a database" * 100, "isn't a database of Grantha"),
        (b"", "isn't a database of Grantha"),
    ],
    ids=["missing", "text", "empty"],
)
def test_what_is_no_backup_is_not_restored(
    server_factory: MakeServer, tmp_path: Path, content: bytes | None, said: str
) -> None:
    server = server_factory()
    file = tmp_path / "backup.db"
    if content is not None:
        file.write_bytes(content)
    done = run(server, "restore", str(file))

    assert done.returncode == 1
    assert said in done.stderr
    assert not server.database.exists()
