"""`grantha serve`, and plain `grantha`: runs the server in this terminal until it is stopped."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from grantha.cli.runner import fail, read_settings
from grantha.config import Settings
from grantha.errors import GranthaError
from grantha.trace_context import TraceFilter


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Serve the page and the API."""
    _serve(read_settings(host=host, port=port, data_dir=data_dir))


def serve_and_open() -> None:
    """Serves as the settings say, and shows the page when a person with a desktop has started it."""
    settings = read_settings()
    _serve(settings, _open_page if _has_desktop(settings) else None)


def _serve(settings: Settings, on_ready: Callable[[str], None] | None = None) -> None:
    # Collections while modules load find nothing and took a sixth of the start. The server collects and
    # enables them again once it is ready.
    gc.disable()
    from grantha.api.server import serve as serve_until_stopped

    _log_to_stderr(settings)
    try:
        serve_until_stopped(settings, on_ready)
    except GranthaError as error:
        fail(error)


def _has_desktop(settings: Settings) -> bool:
    if not sys.stderr.isatty():
        return False
    if sys.platform in {"darwin", "win32"}:
        return True
    # Without a display `webbrowser` would take over this terminal with a text browser.
    return any(settings.variables.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _open_page(address: str) -> None:
    import webbrowser

    # Where a server listens on every address, the browser needs one of them.
    webbrowser.open(address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:"))


def _log_to_stderr(settings: Settings) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(TraceFilter())
    form = "%(asctime)s %(levelname)s %(message)s%(trace)s"
    logging.basicConfig(level=logging.WARNING, format=form, handlers=[handler])
    logging.getLogger("grantha").setLevel(settings.log_level.upper())
