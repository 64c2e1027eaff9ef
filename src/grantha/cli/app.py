"""The command-line application. Each command is thin: it reads settings, calls one function, prints, exits.

Exit codes: 0 success, 1 failure, 2 invalid arguments, 130 ended by Ctrl-C.
"""

from __future__ import annotations

from typing import Annotated

import typer

from grantha import __version__
from grantha.cli import (
    backup,
    chat,
    doctor,
    listing,
    models,
    replay,
    restore,
    serve,
    transfer,
    upgrade,
)

app = typer.Typer(
    help="Chat with language models; every answer is a durable log.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.")
    ] = False,
) -> None:
    """Grantha: chat with language models; every answer is a durable log.

    Without a command it serves, and opens the page in the browser of this desktop.
    """
    if show_version:
        version()
        raise typer.Exit
    if context.invoked_subcommand is None:
        serve.serve_and_open()


app.command()(serve.serve)
app.command()(chat.chat)
app.add_typer(models.app, name="models")
app.command()(replay.replay)
app.command("export")(transfer.export_conversations)
app.command("import")(transfer.import_file)
app.command("list")(listing.list_conversations)
app.command()(listing.search)
app.command()(backup.backup)
app.command()(restore.restore)
app.command()(doctor.doctor)
app.command()(upgrade.upgrade)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)
