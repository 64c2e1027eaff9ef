"""The server's own downloads: models of the list, verified; full disks; other processes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from grantha.config import Settings
from grantha.downloads.partial_file import PartialFile, part_of
from grantha.errors import Conflict, NotFound, StorageFull
from grantha.providers.local.curated import CURATED, CuratedModel
from grantha.providers.local.downloads import LocalDownloads
from grantha.providers.model_downloads import DownloadStatus
from tests.downloads.flaky_host import Answer, FlakyHost, serving
from tests.providers.local.conftest import PAIRS, gguf
from tests.server import DEADLINE

CONTENT = gguf(PAIRS) + b"\7" * 300_000
MODEL = replace(
    CURATED[0], file="tiny.gguf", size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest()
)


class Watched:
    """Downloads into a folder, and a wait for their next state."""

    def __init__(self, folder: Path, host: FlakyHost, model: CuratedModel = MODEL) -> None:
        variables = {"HF_ENDPOINT": f"http://127.0.0.1:{host.port}"}
        settings = Settings(data_dir=folder, variables=variables, download_networks=("127.0.0.1",))
        self._changed = asyncio.Event()
        self.downloads = LocalDownloads(settings, self._changed.set, curated=[model], pause=0.01)
        self.target = folder / "models" / model.file

    async def until(self, found: Callable[[DownloadStatus], bool]) -> DownloadStatus:
        """The status once it is so."""
        async with asyncio.timeout(DEADLINE):
            while True:
                self._changed.clear()
                status = (await self.downloads.offers()).download
                if status is not None and found(status):
                    return status
                await self._changed.wait()

    async def ended(self) -> DownloadStatus:
        """The status once it doesn't run any more."""
        return await self.until(lambda status: status.state != "running")


@asynccontextmanager
async def watched(
    folder: Path, host: FlakyHost, model: CuratedModel = MODEL
) -> AsyncIterator[Watched]:
    made = Watched(folder, host, model)
    await made.downloads.open()
    try:
        yield made
    finally:
        await made.downloads.aclose()


@pytest.fixture
async def host() -> AsyncIterator[FlakyHost]:
    async with serving(FlakyHost(CONTENT)) as started:
        yield started


async def test_a_model_of_the_list_is_verified_and_then_installed(
    tmp_path: Path, host: FlakyHost
) -> None:
    async with watched(tmp_path, host) as machine:
        started = await machine.downloads.start_curated(MODEL.name)
        assert (started.state, started.title, started.total) == ("running", MODEL.title, MODEL.size)
        assert (await machine.ended()).model == "local/tiny"
        assert machine.target.read_bytes() == CONTENT
        offers = await machine.downloads.offers()
        assert offers.models[0].model == "local/tiny"
        assert host.requests[0][":path"].startswith(
            f"/{MODEL.repository}/resolve/{MODEL.revision}/"
        )
        with pytest.raises(Conflict, match="installed already"):
            await machine.downloads.start_curated(MODEL.name)
        await machine.downloads.remove()
        assert machine.target.exists()


async def test_a_file_of_the_same_size_with_other_content_is_refused(
    tmp_path: Path, host: FlakyHost
) -> None:
    host.content = CONTENT[:-1] + b"!"
    async with watched(tmp_path, host) as machine:
        await machine.downloads.start_curated(MODEL.name)
        failed = await machine.ended()
        assert failed.error is not None
        assert "SHA-256" in failed.error["message"]
        assert not machine.target.exists()
        assert not part_of(machine.target).exists()


async def test_a_failed_download_is_remembered_and_resumed_by_a_person_alone(
    tmp_path: Path, host: FlakyHost
) -> None:
    host.answers = [Answer(status=404)]
    async with watched(tmp_path, host) as machine:
        await machine.downloads.start_curated(MODEL.name)
        assert (await machine.ended()).state == "failed"
    async with watched(tmp_path, host) as machine:
        failed = await machine.ended()
        assert failed.state == "failed"
        assert failed.error is not None
        assert failed.error["code"] == "provider_failed"
        await machine.downloads.resume()
        assert (await machine.ended()).state == "done"


async def test_a_stopped_server_goes_on_when_it_starts_again(
    tmp_path: Path, host: FlakyHost
) -> None:
    part = part_of(tmp_path / "models" / MODEL.file)
    part.parent.mkdir()
    part.write_bytes(CONTENT[:100_000])
    host.answers = [Answer(stall=True)]
    async with watched(tmp_path, host) as machine:
        await machine.downloads.start_curated(MODEL.name)
        await host.stalled.wait()
    async with watched(tmp_path, host) as machine:
        assert (await machine.ended()).state == "done"
    assert host.requests[-1]["range"] == "bytes=100000-"
    assert not (part.parent / "download.json").exists()


async def test_a_disk_that_is_too_small_is_refused_before_any_request(
    tmp_path: Path, host: FlakyHost
) -> None:
    usage = os.statvfs(tmp_path)
    huge = replace(MODEL, size=usage.f_bavail * usage.f_frsize * 2)
    async with watched(tmp_path, host, huge) as machine:
        with pytest.raises(StorageFull, match="bytes more"):
            await machine.downloads.start_curated(MODEL.name)
        assert (await machine.downloads.offers()).download is None
    assert host.requests == []


async def test_a_part_that_another_process_writes_is_left_alone(
    tmp_path: Path, host: FlakyHost
) -> None:
    target = tmp_path / "models" / MODEL.file
    other = PartialFile.open(target)
    other.append(CONTENT[:1000])
    async with watched(tmp_path, host) as machine:
        await machine.downloads.start_curated(MODEL.name)
        await machine.downloads.remove()
        assert (await machine.downloads.offers()).download is None
        assert part_of(target).exists()
        await machine.downloads.start_curated(MODEL.name)
        other.append(CONTENT[1000:])
        await asyncio.to_thread(other.complete, MODEL.size, MODEL.sha256, None)
        other.close()
        assert (await machine.ended()).model == "local/tiny"
    assert host.requests == []


async def test_without_a_download_there_is_nothing_to_change(
    tmp_path: Path, host: FlakyHost
) -> None:
    async with watched(tmp_path, host) as machine:
        for change in (
            machine.downloads.pause,
            machine.downloads.resume,
            machine.downloads.remove,
        ):
            with pytest.raises(NotFound):
                await change()
