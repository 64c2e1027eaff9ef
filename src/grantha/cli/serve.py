"""`grantha serve`: the server in this terminal, until it is told to stop."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from grantha.cli.runner import fail, read_settings
from grantha.config import Settings
from grantha.errors import GranthaError


def serve(
    host: Annotated[str | None, typer.Option(help="Address to serve on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to serve on; 0 finds one.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder for conversations.")] = None,
) -> None:
    """Serve the page and the API."""
    from grantha.api.server import serve as serve_until_stopped

    settings = read_settings(host=host, port=port, data_dir=data_dir)
    _log_to_stderr(settings)
    try:
        serve_until_stopped(settings)
    except GranthaError as error:
        fail(error)


def _log_to_stderr(settings: Settings) -> None:
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("grantha").setLevel(settings.log_level.upper())
