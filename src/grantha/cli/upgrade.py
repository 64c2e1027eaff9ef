"""`grantha upgrade`: shows what a newer version would change, backs up, and installs it."""

from __future__ import annotations

import ast
import asyncio
import re
import sqlite3
import subprocess
import tempfile
import time
import zipfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grantha import __version__
from grantha.cli.backup import copy_to
from grantha.cli.installation import Installation, this_installation
from grantha.cli.runner import FAILED, notify, read_settings, run_to_exit_code
from grantha.errors import NotFound, StorageFailed
from grantha.storage.base import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from grantha.downloads.package_index import Wheel

PACKAGE = "grantha"
_MIGRATION = re.compile(r"grantha/storage/migrations/versions/(\d{4})_\w+\.py")
_VERSION = re.compile(r"(\d+(?:\.\d+)*)(?:(a|b|rc)(\d+))?(?:\.post(\d+))?(?:\.dev(\d+))?")
_PHASES = {"a": -3, "b": -2, "rc": -1}


@dataclass(frozen=True, slots=True)
class NewerVersion:
    """A newer version: what its migrations would change in the database."""

    version: str
    migrations: dict[str, str]  # revision -> what it does


def upgrade(
    check: Annotated[bool, typer.Option("--check", help="Only show what would change.")] = False,
) -> None:
    """Back up the database and install the newest version; the server is restarted by you."""
    settings = read_settings()
    database = settings.folder() / FILE_NAME
    installation = this_installation(settings.variables)

    async def work() -> int:
        newer = await _newer(settings.variables)
        _report(newer, installation, database)
        if check or newer is None:
            return 0
        return await asyncio.to_thread(_install, newer, installation, database)

    raise SystemExit(run_to_exit_code(work()))


def version_key(version: str) -> tuple[tuple[int, ...], int, int, int]:
    """Sorts versions as PEP 440 does; raises `ValueError` for what isn't one."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError(version)
    release = tuple(int(number) for number in found[1].split("."))
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    phase = _PHASES[found[2]] if found[2] else 0
    if found[5] is not None and not found[2]:
        phase = -4
    development = -1 if found[5] is None else int(found[5]) - 1_000_000
    return release, phase, int(found[3] or found[4] or 0), development


async def _newer(variables: Mapping[str, str]) -> NewerVersion | None:
    """The newest release above the running one; a pre-release only if one is running."""
    from grantha.downloads.download import open_session
    from grantha.downloads.index_settings import read_index_settings
    from grantha.downloads.package_index import PackageIndex

    index = read_index_settings(variables)
    async with open_session(index.certificates) as session:
        wheels = await PackageIndex(session, index).wheels(PACKAGE)
        if not wheels:
            raise NotFound(
                f"No package index of this machine has {PACKAGE}.",
                advice="Upgrade it from the place it was installed from.",
            )
        newest = _newest(wheels)
        if newest is None:
            return None
        with tempfile.TemporaryDirectory(prefix="grantha-") as folder:
            archive = newest.path or Path(folder) / newest.filename
            if newest.path is None:
                await _download(session, newest, archive)
            return NewerVersion(newest.version, await asyncio.to_thread(_migrations, archive))


async def _download(session: aiohttp.ClientSession, wheel: Wheel, archive: Path) -> None:
    from grantha.downloads.download import RemoteFile, download

    await download(
        session,
        RemoteFile(wheel.url, sha256=wheel.sha256),
        archive,
        lambda _size, _total: None,
    )


def _newest(wheels: list[Wheel]) -> Wheel | None:
    ours = version_key(__version__)
    found: list[tuple[tuple[object, ...], Wheel]] = []
    for wheel in wheels:
        try:
            key = version_key(wheel.version)
        except ValueError:
            continue
        stable = key[1] == 0
        if key > ours and not wheel.yanked and (stable or ours[1] != 0):
            found.append((key, wheel))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _migrations(archive: Path) -> dict[str, str]:
    """The migrations in a wheel, with the first line of each one's description."""
    with zipfile.ZipFile(archive) as wheel:
        return {
            found[1]: _described(wheel.read(name).decode())
            for name in sorted(wheel.namelist())
            if (found := _MIGRATION.fullmatch(name)) is not None
        }


def _described(source: str) -> str:
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def _report(newer: NewerVersion | None, installation: Installation, database: Path) -> None:
    print(f"Installed: {__version__}, {installation.kind}")
    if newer is None:
        print("This is the newest version on the package index of this machine.")
        return
    print(f"Newest:    {newer.version}")
    if not database.exists():
        print("Database: created at the first start")
        return
    revision = _revision(database)
    pending = {key: what for key, what in newer.migrations.items() if key > revision}
    if not pending:
        print(f"Database:  stays as it is (schema {revision})")
    for key, what in pending.items():
        print(f"Database:  schema {key}: {what}")


def _revision(database: Path) -> str:
    try:
        with closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        ) as opened:
            row = opened.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise StorageFailed(f"{database} can't be read: {error}.") from error
    return str(row[0]) if row else ""


def _install(newer: NewerVersion, installation: Installation, database: Path) -> int:
    if not installation.command:
        notify(f"Grantha is {installation.kind}. {installation.advice}")
        return FAILED
    if database.exists():
        backup = _backup(database)
        print(f"Backup:    {backup}")
    line = " ".join(installation.command)
    print(f"Running:   {line}", flush=True)
    try:
        done = subprocess.run(installation.command, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        notify(f"{installation.command[0]} can't be run: {error.strerror}. Run it yourself: {line}")
        return FAILED
    if done.returncode != 0:
        notify(f"The installer failed (status {done.returncode}). Nothing else was changed.")
        return FAILED
    print(f"Grantha {newer.version} takes effect at the next start of the server.")
    return 0


def _backup(database: Path) -> Path:
    folder = database.parent / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    target = folder / f"grantha-{__version__}-{moment}.db"
    copy_to(database, target)
    return target
