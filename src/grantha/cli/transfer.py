"""`grantha export` and `grantha import`: conversations as files, through the running server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grantha.cli.runner import Url, notify, with_client
from grantha.cli.short_ids import find_conversation
from grantha.errors import BadRequest, GranthaError, NotFound, StorageFailed, TooLarge

if TYPE_CHECKING:
    from grantha.client import Client
    from grantha.client.responses import ImportResult


def export_conversations(
    conversation: Annotated[
        str | None, typer.Argument(help="Id, or its end; the latest conversation if omitted.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every conversation; Markdown goes to a folder, -o.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; it must not exist yet.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="json or markdown.")] = "json",
    url: Url = None,
) -> None:
    """Write a conversation to a file, or to standard output."""
    if form not in {"json", "markdown"}:
        raise typer.BadParameter(f"{form!r} is neither json nor markdown.", param_hint="--format")
    if not everything:
        with_client(url, lambda client: _export(client, conversation, output, form))
    if conversation is not None:
        raise typer.BadParameter("--all takes no conversation.")
    if form == "markdown" and output is None:
        raise typer.BadParameter("--all as Markdown writes a file for each; name a folder with -o.")
    with_client(url, lambda client: _export_all(client, output, form))


def import_file(
    files: Annotated[list[str], typer.Argument(help="Exports; - reads standard input.")],
    url: Url = None,
) -> None:
    """Import conversations exported by Grantha, ChatGPT, Claude, Open WebUI or LibreChat.

    ZIP archives are read as they were delivered. Of each file everything is imported, or nothing.
    """
    with_client(url, lambda client: _import_all(client, files))


async def _export(client: Client, name: str | None, output: Path | None, form: str) -> int:
    if name is None:
        latest = await client.latest_conversation()
        if latest is None:
            raise NotFound("There is no conversation yet.")
        name = latest.id
    else:
        name = await find_conversation(client, name)
    document = await client.export_conversation(name, form)
    _write(output, document)
    if output is not None:
        notify(f"{name} is in {output}.")
    return 0


async def _export_all(client: Client, output: Path | None, form: str) -> int:
    ids = [line.id async for line in client.conversations(origin="all")]
    if form == "markdown" and output is not None:
        _make_folder(output)
        for name in ids:
            _write(output / f"{name}.md", await client.export_conversation(name, form))
    else:
        documents = [json.loads(await client.export_conversation(name, form)) for name in ids]
        if not documents:
            raise NotFound("There is no conversation yet.")
        # Documents of one format differ only in their conversations.
        conversations = [one for document in documents for one in document["conversations"]]
        whole = {**documents[0], "conversations": conversations}
        text = json.dumps(whole, ensure_ascii=False).encode()
        _write(output, text)
    if output is not None:
        notify(f"{len(ids)} conversation{'' if len(ids) == 1 else 's'} exported to {output}.")
    return 0


async def _import_all(client: Client, files: list[str]) -> int:
    for file in files:
        imported = await _import(client, file)
        for conversation in imported.conversations:
            print(conversation)
        count = len(imported.conversations)
        named = f"{file}: " if len(files) > 1 else ""
        notify(f"{named}{count} conversation{'' if count == 1 else 's'} imported.")
        left_out = [
            f"{number} {kind.replace('_', ' ')}"
            for kind, number in imported.left_out.items()
            if number
        ]
        if left_out:
            notify(f"Not imported from {'it' if count == 1 else 'them'}: {', '.join(left_out)}.")
    return 0


async def _import(client: Client, file: str) -> ImportResult:
    document = sys.stdin.buffer.read() if file == "-" else _read(Path(file))
    try:
        return await client.import_document(document)
    except (BadRequest, TooLarge) as error:
        named = "Standard input" if file == "-" else file
        raise type(error)(
            f"{named} can't be imported: {error.message}", advice=error.advice
        ) from error


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _failed(path, error) from error


def _write(path: Path | None, document: bytes) -> None:
    """To a new file, or to standard output."""
    if path is None:
        sys.stdout.buffer.write(document)
        return
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
