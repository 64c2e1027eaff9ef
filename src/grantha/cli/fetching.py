"""`grantha models fetch`, `available` and `remove`: models for this machine, without a server."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from grantha.cli.runner import INTERRUPTED, notify, read_settings, run_to_exit_code

if TYPE_CHECKING:
    from pathlib import Path

    from grantha.downloads.download import Progress
    from grantha.providers.local.fetch import ModelFetcher

BUILTIN = "builtin"


def fetch(
    model: Annotated[
        str, typer.Argument(help="A name from `grantha models available`, a URL or a GGUF file.")
    ] = BUILTIN,
    location: Annotated[
        str | None,
        typer.Option("--from", metavar="URL|FILE", help="Get the named model from here instead."),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="What the SHA-256 of a URL or file of your own must be.")
    ] = None,
) -> None:
    """Get a model into the data folder; the built-in one (98 MB) unless another is named.

    Data that arrived before an interruption is kept: the same command resumes from there.
    """
    if sha256 is not None and not _is_digest(sha256):
        raise typer.BadParameter("--sha256 takes 64 hexadecimal digits.")
    settings = read_settings()

    async def work() -> int:
        from grantha.providers.local.fetch import ModelFetcher

        fetcher = ModelFetcher(settings.folder(), settings.variables)
        with _shown() as progress:
            path = await _fetched(fetcher, model, location, sha256, progress)
        print(path)
        return 0

    code = run_to_exit_code(work())
    if code == INTERRUPTED:
        notify("The partial download is kept; the same command resumes it.")
    raise SystemExit(code)


def available() -> None:
    """List models that are worth their size, the smallest first."""
    from grantha.providers.local.curated import CURATED
    from grantha.providers.local.fetch import ModelFetcher

    settings = read_settings()
    fetcher = ModelFetcher(settings.folder(), settings.variables)
    rows = [
        (
            model.name,
            f"{model.size / 1e9:.1f} GB",
            f"{model.memory // 10**9} GB memory",
            model.license,
            "fetched" if fetcher.path_of(model).is_file() else model.description,
        )
        for model in CURATED
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[4]]).rstrip())


def remove(
    model: Annotated[
        str, typer.Argument(help="An id, a name of `grantha models available`, or a file.")
    ],
) -> None:
    """Delete a model from the data folder, or what an unfinished download of it left."""
    settings = read_settings()

    async def work() -> int:
        from grantha.errors import UnknownModel
        from grantha.providers.local.installed import delete_model, delete_partial

        try:
            title, size = delete_model(settings, model)
        except UnknownModel:
            partial = delete_partial(settings, model)
            if partial is None:
                raise
            title, size = f"the unfinished download of {model}", partial
        print(f"Deleted {title}, {size / 1e6:,.1f} MB")
        return 0

    raise SystemExit(run_to_exit_code(work()))


async def _fetched(
    fetcher: ModelFetcher, model: str, location: str | None, sha256: str | None, progress: Progress
) -> Path:
    from grantha.providers.local.fetch import named_model

    if model == BUILTIN:
        return await fetcher.builtin(progress)
    if _is_own(model):
        return await fetcher.own(model, sha256, progress)
    return await fetcher.curated(named_model(model), progress, location)


def _is_own(model: str) -> bool:
    return "/" in model or model.lower().endswith(".gguf")


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in text)


@contextlib.contextmanager
def _shown() -> Iterator[Progress]:
    """A progress bar in a terminal; a pipe gets nothing but the path at the end."""
    if not sys.stderr.isatty():
        yield lambda _size, _total: None
        return
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.BarColumn(),
        rich_progress.DownloadColumn(),
        rich_progress.TransferSpeedColumn(),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        yield lambda size, total: bar.update(task, completed=size, total=total)
