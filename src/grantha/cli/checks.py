"""The checks of `grantha doctor`. Each checks one thing, changes nothing and never raises."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from grantha.cli.check_results import CheckResult, folder_result, page_result, provider_results
from grantha.cli.runner import server_url
from grantha.cli.server_checks import check_server
from grantha.config import Settings
from grantha.storage.base import FILE_NAME

if TYPE_CHECKING:
    from grantha.providers.doctor import ProviderCheck


async def run_checks(settings: Settings) -> list[CheckResult]:
    """All results, in the order in which a start meets them. Providers cost a few tokens.

    A running server reports what it sees: its keys, folder and network may differ from this shell's.
    Without one, the checks see what a server that is started from this shell would see.
    """
    server, running = await check_server(settings)
    if running or server.state == "error":
        return [server, *running]
    return [
        _folder(settings.folder()),
        _database(settings.folder() / FILE_NAME),
        server if settings.port == 0 else _free_port(settings),
        _page(),
        _local_model(settings),
        *await _providers(settings),
    ]


def _folder(folder: Path) -> CheckResult:
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return CheckResult(
            *("error", "data folder", f"{folder} can't be written."),
            "Set GRANTHA_DATA_DIR to a folder that you may write.",
        )
    if nearest != folder:
        return CheckResult("ok", "data folder", f"{folder} is created at the first start.")
    free = os.statvfs(folder)
    return folder_result(str(folder), free.f_bavail * free.f_frsize)


def _database(path: Path) -> CheckResult:
    from grantha.storage.connect import NEWEST

    if not path.exists():
        return CheckResult("ok", "database", "is created at the first start")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        return CheckResult(
            "error", "database", f"{path} can't be read: {error}.", "Restore a backup."
        )
    if verdict != "ok":
        return CheckResult(
            "error", "database", f"{path} is damaged: {verdict}.", "Restore a backup."
        )
    if version > NEWEST:
        return CheckResult(
            *("error", "database", f"{path} was written by a newer Grantha ({version})."),
            "Install that version again, or restore a backup from before.",
        )
    size = path.stat().st_size / 1024**2
    return CheckResult("ok", "database", f"intact, {size:.1f} MiB, SQLite {sqlite3.sqlite_version}")


def _free_port(settings: Settings) -> CheckResult:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
        return CheckResult(
            *("error", "server", f"Port {settings.port} on {settings.host} {why}."),
            "Set GRANTHA_PORT to a free port.",
        )
    return CheckResult(
        *("off", "server", f"isn't running; {server_url(settings)} is free"),
        "Start it with `grantha serve`.",
    )


def _page() -> CheckResult:
    from grantha.api.app import STATIC

    return page_result(built=(STATIC / "index.html").is_file())


def _local_model(settings: Settings) -> CheckResult:
    from grantha.providers.local import builtin, machine

    if not settings.local_enabled:
        return CheckResult("off", "local model", "switched off by local_enabled")
    if not machine.has_engine():
        return CheckResult(
            *("off", "local model", "needs llama.cpp, which isn't installed"),
            "Install Grantha with its `local` extra.",
        )
    found = builtin.find(settings.folder())
    if found is None and not settings.local_models:
        return CheckResult(
            *("off", "local model", "no model on this machine"),
            "Get it with `grantha models fetch`.",
        )
    return CheckResult("ok", "local model", str(found or settings.local_models[0]))


async def _providers(settings: Settings) -> list[CheckResult]:
    """A one-word request to every configured provider; the others in one line."""
    from grantha.providers.doctor import check_all
    from grantha.providers.registry import Registry

    registry = Registry(settings)
    try:
        checkups = await check_all(registry)
    finally:
        await registry.aclose()
    return provider_results(
        [_provider(checkup) for checkup in checkups if checkup.state != "not-set-up"],
        [checkup.provider for checkup in checkups if checkup.state == "not-set-up"],
    )


def _provider(checkup: ProviderCheck) -> CheckResult:
    if checkup.state == "works":
        spoke = f"{checkup.model} answered after {(checkup.ttft_ms or 0) / 1000:.2f} s"
        return CheckResult("ok", checkup.provider, spoke)
    return CheckResult("warning", checkup.provider, checkup.message, checkup.advice)
