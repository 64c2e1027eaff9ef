"""A download survives broken connections, and only the right and whole file gets its name."""

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from grantha.downloads.download import ATTEMPTS, RemoteFile, copy, download, open_session
from grantha.downloads.partial_file import PartialFile
from grantha.errors import (
    Conflict,
    GranthaError,
    ProviderFailed,
    StorageFailed,
    StorageFull,
    Unreachable,
)
from tests.downloads.flaky_host import Answer, FlakyHost, serving

CONTENT = random.Random(7).randbytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
async def host() -> AsyncIterator[FlakyHost]:
    async with serving(FlakyHost(CONTENT)) as found:
        yield found


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as found:
        yield found


def _pinned(host: FlakyHost) -> RemoteFile:
    return RemoteFile(host.url, len(CONTENT), SHA256)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _quiet(_size: int, _total: int | None) -> None:
    """Progress that nobody watches."""


def _start(request: dict[str, str]) -> int:
    return int(request.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


async def _get(
    host: FlakyHost, session: aiohttp.ClientSession, target: Path, remote: RemoteFile | None = None
) -> None:
    await download(session, remote or _pinned(host), target, host.watch, pause=0)


async def test_a_file_arrives_with_its_progress_and_leaves_nothing_beside_it(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    target = tmp_path / "models" / "model.gguf"
    seen: list[tuple[int, int | None]] = []
    await download(session, _pinned(host), target, lambda *step: seen.append(step))
    assert target.read_bytes() == CONTENT
    assert _names(target.parent) == ["model.gguf"]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


async def test_broken_connections_are_resumed_where_they_broke(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    host.answers = [Answer(cut_after=1_100_000), Answer(cut_after=900_000), Answer(cut_after=1)]
    await _get(host, session, tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT
    starts = [_start(request) for request in host.requests]
    assert starts == [0, 1_100_000, 2_000_000, 2_000_001]


async def test_a_later_call_goes_on_with_what_an_earlier_one_left(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    host.answers = [Answer(cut_after=2_000_000), *[Answer(status=503)] * ATTEMPTS]
    with pytest.raises(Unreachable, match="2,000,000 bytes are kept") as raised:
        await _get(host, session, tmp_path / "model.gguf")
    assert "503" in raised.value.message
    assert not (tmp_path / "model.gguf").exists()
    host.requests.clear()
    host.answers = []
    await _get(host, session, tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT
    assert [_start(request) for request in host.requests] == [2_000_000]


async def test_a_cancelled_download_is_resumed(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    host.answers = [Answer(cut_after=1_500_000), Answer(stall=True)]
    running = asyncio.create_task(_get(host, session, tmp_path / "model.gguf"))
    await host.stalled.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await _get(host, session, tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT
    assert _start(host.requests[-1]) == 1_500_000


@pytest.mark.parametrize("answer", [Answer(ignore_range=True), Answer(wrong_range=True)])
async def test_a_host_that_does_not_honour_the_range_is_read_from_the_start(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path, answer: Answer
) -> None:
    host.answers = [Answer(cut_after=1_000_000), answer]
    await _get(host, session, tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT


async def test_without_a_digest_a_file_that_changed_meanwhile_is_read_from_the_start(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    unpinned = RemoteFile(host.url)
    host.answers = [Answer(cut_after=1_000_000), *[Answer(status=500)] * ATTEMPTS]
    with pytest.raises(Unreachable):
        await _get(host, session, tmp_path / "model.gguf", unpinned)
    host.content, host.etag, host.answers = CONTENT[::-1], '"2"', []
    await _get(host, session, tmp_path / "model.gguf", unpinned)
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT[::-1]
    assert host.requests[-1]["if-range"] == '"1"'


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
async def test_without_a_digest_and_a_version_nothing_is_resumed(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path, etag: str | None
) -> None:
    host.etag = etag
    host.answers = [Answer(cut_after=1_000_000)]
    await _get(host, session, tmp_path / "model.gguf", RemoteFile(host.url))
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT
    assert "range" not in host.requests[-1]


async def test_a_file_with_another_digest_is_refused_and_nothing_is_kept(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    host.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(ProviderFailed, match="isn't the published file"):
        await _get(host, session, tmp_path / "model.gguf")
    assert _names(tmp_path) == []


async def test_a_part_of_another_file_does_not_survive_the_digest(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / ".model.gguf.part").write_bytes(b"x" * 1000)
    with pytest.raises(ProviderFailed):
        await _get(host, session, tmp_path / "model.gguf")
    await _get(host, session, tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT


async def test_another_size_is_refused_before_the_body_is_read(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    wanted = RemoteFile(host.url, len(CONTENT) + 1, SHA256)
    with pytest.raises(ProviderFailed, match="3,000,000 bytes instead of 3,000,001"):
        await _get(host, session, tmp_path / "model.gguf", wanted)


async def test_a_part_that_is_complete_already_needs_no_request(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / ".model.gguf.part").write_bytes(CONTENT)
    await _get(host, session, tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT
    assert host.requests == []


async def test_a_complete_part_of_unknown_size_is_recognised_by_the_host(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / ".model.gguf.part").write_bytes(CONTENT)
    unsized = RemoteFile(host.url, sha256=SHA256)
    await _get(host, session, tmp_path / "model.gguf", unsized)
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT
    assert host.requests[0]["range"] == "bytes=3000000-"


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "doesn't have model.gguf"), (403, "doesn't offer"), (418, "refused")],
)
async def test_a_refusal_is_reported_at_once(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path, status: int, words: str
) -> None:
    host.answers = [Answer(status=status)]
    with pytest.raises(ProviderFailed, match=words):
        await _get(host, session, tmp_path / "model.gguf")
    assert len(host.requests) == 1
    assert _names(tmp_path) == []


async def test_a_host_that_is_away_is_named_and_its_password_is_not(
    session: aiohttp.ClientSession, tmp_path: Path, unused_tcp_port: int
) -> None:
    remote = RemoteFile(f"http://me:secret@127.0.0.1:{unused_tcp_port}/model.gguf")
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1 can't be reached") as raised:
        await download(session, remote, tmp_path / "model.gguf", _quiet, pause=0)
    assert "secret" not in raised.value.message


async def test_a_silent_connection_counts_as_broken(host: FlakyHost, tmp_path: Path) -> None:
    host.answers = [Answer(stall=True)]
    async with open_session(silence=0.1) as impatient:
        await _get(host, impatient, tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT


async def test_two_downloads_of_one_file_do_not_mix(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    host.answers = [Answer(stall=True)]
    first = asyncio.create_task(_get(host, session, tmp_path / "model.gguf"))
    await host.stalled.wait()
    with pytest.raises(Conflict, match="being downloaded already"):
        await _get(host, session, tmp_path / "model.gguf")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await _get(host, session, tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == CONTENT


async def test_what_does_not_fit_on_the_disk_is_refused_before_it_is_read(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = os.statvfs(tmp_path)
    free = usage.f_bavail * usage.f_frsize
    part = PartialFile.open(tmp_path / "model.gguf")
    with pytest.raises(StorageFull, match="bytes more"):
        part.make_room(free * 2)
    part.close()
    assert _names(tmp_path) == []


async def test_a_folder_that_cannot_be_made_is_reported(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageFailed, match="can't be written"):
        await _get(host, session, tmp_path / "file" / "model.gguf")


async def test_a_check_may_refuse_what_arrived(
    host: FlakyHost, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    def refuse(path: Path) -> None:
        assert path.read_bytes() == CONTENT
        raise GranthaError("no")

    with pytest.raises(GranthaError, match="no"):
        await download(session, _pinned(host), tmp_path / "m", _quiet, check=refuse, pause=0)
    assert _names(tmp_path) == []


async def test_a_file_of_this_machine_is_copied_and_verified(tmp_path: Path) -> None:
    source = tmp_path / "source.gguf"
    source.write_bytes(CONTENT)
    target = tmp_path / "models" / "model.gguf"
    await copy(source, RemoteFile(str(source), len(CONTENT), SHA256), target, _quiet)
    assert target.read_bytes() == CONTENT
    source.write_bytes(CONTENT[1:])
    with pytest.raises(ProviderFailed):
        await copy(source, RemoteFile(str(source), sha256=SHA256), tmp_path / "other", _quiet)
    with pytest.raises(ProviderFailed, match="can't be read"):
        await copy(tmp_path / "none", RemoteFile(""), tmp_path / "other", _quiet)
    assert _names(tmp_path) == ["models", "source.gguf"]
