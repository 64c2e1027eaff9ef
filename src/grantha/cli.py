"""The command line. Each command is thin: it reads settings, calls one thing, prints, exits.

Exit codes: 0 well, 1 it failed, 2 the call's words are off.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated, NoReturn

import typer

from grantha import __version__
from grantha.config import Settings, load_settings
from grantha.errors import GranthaError

app = typer.Typer(
    help="Chat with language models; every answer is a durable log.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def root() -> None:
    """Grantha: chat with language models; every answer is a durable log."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to serve on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to serve on; 0 finds one.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder for conversations.")] = None,
) -> None:
    """Serve the page and the API."""
    from grantha.api.server import serve as serve_until_stopped

    settings = _settings(host=host, port=port, data_dir=data_dir)
    _log_to_stderr(settings)
    try:
        serve_until_stopped(settings)
    except GranthaError as error:
        _fail(error)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """The entry point of the package."""
    app()


def _settings(**overrides: object) -> Settings:
    try:
        return load_settings(overrides)
    except GranthaError as error:
        _fail(error, code=2)


def _fail(error: GranthaError, code: int = 1) -> NoReturn:
    print(f"grantha: {error.message} {error.advice}".rstrip(), file=sys.stderr)
    raise SystemExit(code)


def _log_to_stderr(settings: Settings) -> None:
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("grantha").setLevel(settings.log_level.upper())
