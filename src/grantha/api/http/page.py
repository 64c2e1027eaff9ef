"""Serves the built page: its files, immutable where their name holds a hash, else its entry point.

Text files are served pre-compressed, in the best coding that the browser accepts.

Handles every path that no route matches. Every reply carries a Content-Security-Policy without inline
scripts: model output that slipped through everything else still couldn't run.
"""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from grantha.api.http.compression import best_coding
from grantha.api.http.problems import error_for_status, error_response, problem
from grantha.api.route_rule import rule_of
from grantha.errors import NotFound

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# An image that is opened directly must not run scripts.
IMAGE_CSP = "default-src 'none'; sandbox"
_COMPRESSED = {"br": ".br", "gzip": ".gz"}  # written by web/precompress.ts, the smaller one first
_IMMUTABLE = "public, max-age=31536000, immutable"
# The page's own routes (`web/src/routes`) are rendered in the browser: no file has their names.
_VIEWS = re.compile(r"/|/c/[^/]+|/search|/settings|/usage")


class Page:
    """Serves a folder. Only files that are in it at the time of the request; nothing outside of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        mimetypes.add_type("application/manifest+json", ".webmanifest")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The router's fallback."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        rule = rule_of(scope)
        if rule is not None and rule.in_api:
            missing = NotFound(
                f"Nothing exists at {scope['path'][:80]!r}.",
                advice="See /docs for the API.",
            )
            await error_response(scope, missing)(scope, receive, send)
            return
        accept = Headers(scope=scope).get("accept-encoding", "")
        await self.reply(scope["method"], scope["path"], accept)(scope, receive, send)

    def serves(self, path: str) -> bool:
        """Whether the page has this path, as a file or as one of its views. These need no token."""
        return _VIEWS.fullmatch(path) is not None or self._find(path) is not None

    def reply(self, method: str, path: str, accept: str) -> Response:
        """The file of a path, else the page's entry point, whose router handles the path."""
        if method not in {"GET", "HEAD"}:
            reply = problem(error_for_status(405))
            reply.headers["allow"] = "GET, HEAD"
            return reply
        found = self._find(path)
        if found is not None:
            cache = _IMMUTABLE if "/immutable/" in path else "no-cache"
            return self._file(found, cache, accept)
        entry = self._folder / "index.html"
        if path.startswith("/_app/") or Path(path).suffix:
            return problem(error_for_status(404))
        if entry.is_file():
            return self._file(entry, "no-cache", accept)
        return problem(
            NotFound(
                "The page isn't built.", advice="Run `make build-page`; the API works without it."
            )
        )

    def _find(self, path: str) -> Path | None:
        try:
            wanted = (self._folder / path.lstrip("/")).resolve()
            inside = wanted.is_relative_to(self._folder) and wanted.is_file()
        except (OSError, ValueError, RuntimeError):
            return None  # not a valid file name
        return wanted if inside else None

    def _file(self, file: Path, cache: str, accept: str) -> Response:
        headers = {
            "Cache-Control": cache,
            "Content-Security-Policy": CSP,
            "Vary": "Accept-Encoding",
        }
        media = mimetypes.guess_type(file.name)[0]
        compressed = {
            coding: beside
            for coding, ending in _COMPRESSED.items()
            if (beside := file.with_name(file.name + ending)).is_file()
        }
        coding = best_coding(accept, compressed)
        if coding is not None:
            headers["Content-Encoding"] = coding
            file = compressed[coding]
        return FileResponse(file, headers=headers, media_type=media)
