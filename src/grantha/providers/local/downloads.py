"""Downloads and deletes models for the page: one at a time, by the server, whether or not a client watches.

    (none) ── start ──> running ──> done ── remove ──> (none)
                        │   ▲ └────> failed ─┐
                        └ pause / resume ────┴ remove ──> (none)

What is going on is noted in `models/download.json`, so that a server that was killed resumes a running
download when it starts again; a paused or failed one waits for a person. The bytes themselves are kept,
resumed and verified by `ModelFetcher`; a finished file is in the list of models at once, because that is
read from the folder.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from grantha.config import Settings
from grantha.downloads.egress import Egress
from grantha.downloads.partial_file import (
    free_space,
    make_room,
    part_of,
    remove_partial,
    size_of,
    storage_error,
)
from grantha.downloads.threads import run_to_completion
from grantha.errors import (
    BadRequest,
    Conflict,
    ErrorObject,
    GranthaError,
    Internal,
    NotFound,
    StorageFailed,
    StorageFull,
    UnknownModel,
    Unreachable,
)
from grantha.providers.local import builtin, machine
from grantha.providers.local.curated import CURATED, HUB, CuratedModel
from grantha.providers.local.installed import delete_model, installed_models
from grantha.providers.local.model_files import ModelFiles
from grantha.providers.model_downloads import DownloadState, DownloadStatus, ModelOffer, Offers
from grantha.setting_types import is_http_url

if TYPE_CHECKING:
    from grantha.providers.local.fetch import ModelFetcher

NOTE = "download.json"
_SPEED_WINDOW = 5.0  # seconds
_SAMPLE = 0.25  # seconds between two measurements of the speed
_MAX_URL = 2000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Note:
    """What the note file holds: what to download, and how that stands."""

    state: DownloadState
    name: str | None = None
    url: str | None = None
    sha256: str | None = None
    total: int | None = None
    error: ErrorObject | None = None


class LocalDownloads:
    """See `grantha.providers.model_downloads.ModelDownloads`.

    `changed` is called when a model was added or the download's state changed. `pause` is the first wait
    between two attempts to reach a host, and the wait while another process has the file, in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        changed: Callable[[], None],
        *,
        curated: Sequence[CuratedModel] = CURATED,
        pause: float = 1.0,
    ) -> None:
        self._settings = settings
        self._changed = changed
        self._curated = {model.name: model for model in curated}
        self._pause = pause
        self._egress = Egress(settings.download_networks)
        self._folder = builtin.models_folder(settings.folder())
        self._files = ModelFiles(settings.folder(), settings.local_models)
        self._note: _Note | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()  # held by everything that changes the note
        self._received = 0
        self._model: str | None = None  # of the last finished download
        self._samples: deque[tuple[float, int]] = deque()

    async def open(self) -> None:
        """See the protocol."""
        async with self._lock:
            note = await asyncio.to_thread(self._read_note)
            if note is None:
                return
            # Set together: a list in between would show a paused download as not begun.
            self._received = await asyncio.to_thread(size_of, part_of(self._target(note)))
            self._note = note
            if note.state == "running":
                self._begin()

    async def aclose(self) -> None:
        """See the protocol."""
        async with self._lock:
            await self._halt()

    async def offers(self) -> Offers:
        """See the protocol."""
        # Before the files are looked at: a model is never missing from both.
        status = self._status()
        models = await asyncio.to_thread(self._offers)
        curated = tuple(self._curated.values())
        installed = await asyncio.to_thread(installed_models, self._settings, self._files, curated)
        free = await asyncio.to_thread(free_space, self._settings.folder())
        return Offers(models, installed, status, free, machine.memory(), machine.has_engine())

    async def start_curated(self, name: str) -> DownloadStatus:
        """See the protocol."""
        model = self._curated.get(name)
        if model is None:
            raise UnknownModel(
                f"There is no model {name[:60]!r} to download.", advice="Look at the list."
            )
        return await self._start(_Note("running", name=name, total=model.size))

    async def start_url(self, url: str, sha256: str | None) -> DownloadStatus:
        """See the protocol."""
        from grantha.providers.local.fetch import file_name

        _check_url(url)
        file_name(url)
        return await self._start(_Note("running", url=url, sha256=sha256))

    async def resume(self) -> DownloadStatus:
        """See the protocol."""
        async with self._lock:
            note = self._required()
            if note.state not in {"paused", "failed"}:
                raise Conflict("The download isn't paused.")
            return await self._start_or_resume(replace(note, state="running", error=None))

    async def pause(self) -> DownloadStatus:
        """See the protocol."""
        async with self._lock:
            if self._required().state != "running":
                raise Conflict("The download isn't running.")
            await self._halt()
            note = self._required()
            if note.state == "running":  # else it has ended in the last moment
                self._received = await asyncio.to_thread(size_of, part_of(self._target(note)))
                await self._keep_if_possible(replace(note, state="paused"))
            return self._required_status()

    async def remove(self) -> None:
        """See the protocol."""
        async with self._lock:
            self._required()
            await self._halt()
            note = self._required()
            if note.state != "done":
                self._note = replace(note, state="paused")  # if it can't be removed
                with suppress(Conflict):  # then another process continues it
                    await asyncio.to_thread(remove_partial, self._target(note))
            await self._keep(None)

    async def delete_installed(self, name: str) -> None:
        """See the protocol."""
        async with self._lock:
            curated = tuple(self._curated.values())
            await run_to_completion(delete_model, self._settings, name, curated)
            if self._note is not None and self._note.state == "done":
                self._note = None  # it may be of the model that is gone
            self._changed()

    async def _start(self, note: _Note) -> DownloadStatus:
        async with self._lock:
            before = self._note
            if before is not None and before.state != "done" and not self._is_same(note):
                partial = await asyncio.to_thread(size_of, part_of(self._target(before)))
                if before.state == "running" or partial:
                    raise Conflict(
                        f"The download of {self._title(before)} isn't finished.",
                        advice="Finish or remove it first: models are downloaded one at a time.",
                    )
            if before is not None and before.state == "running":
                return self._required_status()
            if await asyncio.to_thread(self._is_installed, note):
                raise Conflict(f"{self._title(note)} is installed already.")
            return await self._start_or_resume(note)

    async def _start_or_resume(self, note: _Note) -> DownloadStatus:
        """Begins or resumes, if the disk has room. The lock is held."""
        target = self._target(note)
        self._received = await asyncio.to_thread(size_of, part_of(target))
        if note.total is not None:
            await asyncio.to_thread(self._check_room, target, note.total - self._received)
        await self._keep(note)
        self._begin()
        return self._required_status()

    def _check_room(self, target: Path, size: int) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, target.parent) from error
        make_room(target, size)

    def _begin(self) -> None:
        self._samples.clear()
        self._task = asyncio.create_task(self._run())

    async def _halt(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        # The HTTP client takes a tenth of a second to import: not before the server is ready.
        from grantha.providers.local.fetch import BY_HAND

        try:
            await self._fetch()
        except GranthaError as error:
            if isinstance(error, Unreachable) and error.advice == BY_HAND:
                error.advice = f"Try again later, or put a GGUF file into {self._folder}."
            _log.warning("The download of a model failed: %s", error.message)
            await self._end("failed", error.to_json())
        except Exception as error:  # noqa: BLE001  it would look as if it still ran
            _log.exception("The download of a model failed")
            await self._end("failed", Internal(f"Internal error: {type(error).__name__}").to_json())
        else:
            await self._end("done", None)

    async def _fetch(self) -> None:
        from grantha.providers.local.fetch import ModelFetcher

        fetcher = ModelFetcher(
            self._settings.folder(),
            self._settings.variables,
            pause=self._pause,
            egress=self._egress,
        )
        while True:
            try:
                return await self._fetch_once(fetcher)
            except Conflict:
                # Another process has it: the command line, or a server that is about to stop.
                await asyncio.sleep(self._pause)

    async def _fetch_once(self, fetcher: ModelFetcher) -> None:
        note = self._required()
        if note.name is not None:
            await fetcher.curated(self._curated[note.name], self._progress)
        elif note.url is not None and not await asyncio.to_thread(self._is_installed, note):
            await fetcher.own(note.url, note.sha256, self._progress)

    async def _end(self, state: DownloadState, error: ErrorObject | None) -> None:
        """Without the lock, which a pause holds while it waits for this task."""
        target = self._target(self._required())
        done = state == "done"
        received = await asyncio.to_thread(size_of, target if done else part_of(target))
        if done:
            self._model = await asyncio.to_thread(self._model_id, target)
        note = self._required()
        self._received = received
        total = received if done else note.total
        await self._keep_if_possible(replace(note, state=state, error=error, total=total))

    def _progress(self, received: int, total: int | None) -> None:
        self._received = received
        note = self._required()
        if total is not None and note.total != total:
            self._note = replace(note, total=total)
        now = time.monotonic()
        if not self._samples or now - self._samples[-1][0] >= _SAMPLE:
            self._samples.append((now, received))
            while now - self._samples[0][0] > _SPEED_WINDOW:
                self._samples.popleft()

    # ---- helpers below ---------------------------------------------------------------------------

    async def _keep(self, note: _Note | None) -> None:
        await run_to_completion(self._write_note, note)
        self._note = note
        self._changed()

    async def _keep_if_possible(self, note: _Note) -> None:
        """For facts, which hold until the next start even if the disk is full."""
        self._note = note
        self._changed()
        try:
            await run_to_completion(self._write_note, note)
        except (StorageFull, StorageFailed) as failed:
            _log.warning("%s", failed.message)

    def _read_note(self) -> _Note | None:
        """None as well where the file isn't one of ours, or names a model that has left the list."""
        try:
            note = _Note(**json.loads((self._folder / NOTE).read_text(encoding="utf-8")))
            self._target(note)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, GranthaError):
            return None
        return note if note.state in {"running", "paused", "failed"} else None

    def _write_note(self, note: _Note | None) -> None:
        path = self._folder / NOTE
        fresh = path.with_suffix(".new")
        try:
            if note is None or note.state == "done":
                path.unlink(missing_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(asdict(note)), encoding="utf-8")
            fresh.replace(path)
        except OSError as error:
            raise storage_error(error, self._folder) from error

    def _required(self) -> _Note:
        if self._note is None:
            raise NotFound("There is no download.")
        return self._note

    def _required_status(self) -> DownloadStatus:
        status = self._status()
        if status is None:
            raise NotFound("There is no download.")
        return status

    def _status(self) -> DownloadStatus | None:
        note = self._note
        if note is None:
            return None
        model = self._curated.get(note.name) if note.name is not None else None
        url = note.url or (model.url(self._hub()) if model is not None else "")
        return DownloadStatus(
            note.state,
            note.name,
            self._title(note),
            urlsplit(url).hostname or "",
            self._received,
            note.total,
            self._speed() if note.state == "running" else None,
            note.error,
            self._model if note.state == "done" else None,
        )

    def _speed(self) -> float | None:
        if len(self._samples) < 2:
            return None
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        # After a silence no sample is added, and the average sinks by itself.
        return max(0.0, (after - before) / max(last - first, time.monotonic() - _SAMPLE - first))

    def _offers(self) -> tuple[ModelOffer, ...]:
        return tuple(self._offer(model) for model in self._curated.values())

    def _offer(self, model: CuratedModel) -> ModelOffer:
        target = self._folder / model.file
        installed = size_of(target) == model.size
        return ModelOffer(
            model.name,
            model.title,
            model.description,
            model.license,
            model.repository,
            model.size,
            model.memory,
            0 if installed else size_of(part_of(target)),
            self._model_id(target) if installed else None,
        )

    def _model_id(self, target: Path) -> str | None:
        files = self._files.files()
        return next((f"local/{file.name}" for file in files if file.path == target), None)

    def _is_installed(self, note: _Note) -> bool:
        target = self._target(note)
        if note.name is not None:
            return size_of(target) == self._curated[note.name].size
        return target.exists()

    def _is_same(self, note: _Note) -> bool:
        before = self._required()
        return (before.name, before.url) == (note.name, note.url)

    def _target(self, note: _Note) -> Path:
        if note.name is not None:
            return self._folder / self._curated[note.name].file
        from grantha.providers.local.fetch import file_name

        return self._folder / file_name(note.url or "")

    def _title(self, note: _Note) -> str:
        if note.name is not None:
            return self._curated[note.name].title
        return self._target(note).name

    def _hub(self) -> str:
        return self._settings.variables.get("HF_ENDPOINT") or HUB


def _check_url(url: str) -> None:
    """Raises `BadRequest`: the server's own files aren't a client's to read."""
    if not is_http_url(url) or len(url) > _MAX_URL or not url.isprintable():
        raise BadRequest("The address of a model starts with https:// or http://.")
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise BadRequest("The address holds a name or a password, which would be stored.")
