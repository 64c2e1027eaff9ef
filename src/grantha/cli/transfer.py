"""`grantha export` and `grantha import`: conversations as files, through the running server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grantha.cli.runner import Url, notify, with_client
from grantha.errors import BadRequest, GranthaError, NotFound, StorageFailed

if TYPE_CHECKING:
    from grantha.client import Client


def export_conversations(
    conversation: Annotated[
        str | None, typer.Argument(help="Id, c_…; the latest if omitted.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; it must not exist yet.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="json or markdown.")] = "json",
    url: Url = None,
) -> None:
    """Write a conversation to a file, or to standard output."""
    if form not in {"json", "markdown"}:
        raise typer.BadParameter(f"{form!r} is neither json nor markdown.", param_hint="--format")
    with_client(url, lambda client: _export(client, conversation, output, form))


def import_file(
    file: Annotated[str, typer.Argument(help="An export; - reads standard input.")],
    url: Url = None,
) -> None:
    """Import conversations exported by Grantha, ChatGPT or Claude."""
    with_client(url, lambda client: _import(client, file))


async def _export(client: Client, name: str | None, output: Path | None, form: str) -> int:
    if name is None:
        latest = await client.latest_conversation()
        if latest is None:
            raise NotFound("There is no conversation yet.")
        name = latest.id
    document = await client.export_conversation(name, form)
    if output is None:
        sys.stdout.buffer.write(document)
        return 0
    _write_new(output, document)
    notify(f"{name} is in {output}.")
    return 0


async def _import(client: Client, file: str) -> int:
    document = sys.stdin.buffer.read() if file == "-" else _read(Path(file))
    try:
        imported = await client.import_document(document)
    except BadRequest as error:
        named = "The standard input" if file == "-" else file
        raise BadRequest(
            f"{named} can't be imported: {error.message}", advice=error.advice
        ) from error
    for conversation in imported:
        print(conversation)
    notify(f"{len(imported)} conversation{'' if len(imported) == 1 else 's'} imported.")
    return 0


def _write_new(path: Path, document: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(document)
    except FileExistsError as error:
        raise BadRequest(f"{path} already exists.", advice="Choose another file name.") from error
    except OSError as error:
        raise _failed(path, error) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _failed(path, error) from error


def _failed(path: Path, error: OSError) -> GranthaError:
    return StorageFailed(f"{path} can't be read or written: {error.strerror}.")
