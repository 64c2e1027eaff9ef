"""The built page: its files, cached for ever where their name holds a hash, and its entry for the rest.

Every reply carries a Content-Security-Policy without inline scripts: model output that slipped
through everything else still couldn't run.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.responses import FileResponse, PlainTextResponse, Response

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_IMMUTABLE = "public, max-age=31536000, immutable"


class Page:
    """Serves a folder. Only names that are in it when it is asked; never outside of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        mimetypes.add_type("application/manifest+json", ".webmanifest")

    def reply(self, path: str) -> Response:
        """The file of a path, else the entry of the page, which shows what it makes of the path."""
        wanted = (self._folder / path.lstrip("/")).resolve()
        if wanted.is_file() and wanted.is_relative_to(self._folder):
            immutable = "/immutable/" in path
            return self._file(wanted, _IMMUTABLE if immutable else "no-cache")
        entry = self._folder / "index.html"
        if path.startswith("/_app/"):
            return PlainTextResponse("There is no such file.", 404)
        if entry.is_file():
            return self._file(entry, "no-cache")
        return PlainTextResponse(
            "The page isn't built. Run `make build-page`; the API works without it.", 404
        )

    def _file(self, file: Path, cache: str) -> Response:
        return FileResponse(file, headers={"Cache-Control": cache, "Content-Security-Policy": CSP})
